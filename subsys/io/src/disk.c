// SPDX-License-Identifier: MIT OR Apache-2.0
// disk.c: the disks that modules provide through helix.block, and their partitions.
//
// A disk goes when its module leaves its slot, which it may while nobody has the disk open. What
// was read for who was killed may be under way even then: it ends with the module.
#include "block.h"

#include <core/log.h>
#include <core/port.h>
#include <lib/format.h>
#include <lib/string.h>
#include <memory/heap.h>

static const struct lock_class list_class = { "disks", LOCK_RANK_FILE + 8, false };
static const struct lock_class writing_class = { "disk writers", LOCK_RANK_FILE + 6, false };
static const struct lock_class reset_class = { "disk reset", LOCK_RANK_FILE + 7, false };
static const struct lock_class slots_class = { "disk slots", LOCK_RANK_LEAF, false };

static struct mutex list_lock = { .lock_class = &list_class };
static struct disk *disks[BLOCK_DISKS_MAX]; // [list_lock] own; NULL: there is none

bool disk_hold(uint32_t minor, struct disk **out_disk, struct disk_part **out_part) {
    bool found = false;
    mutex_lock(&list_lock);
    struct disk *disk = minor / BLOCK_MINORS < BLOCK_DISKS_MAX ? disks[minor / BLOCK_MINORS] : NULL;
    disk = disk != NULL && !disk->is_leaving ? disk : NULL;
    for (uint32_t i = 0; disk != NULL && i < disk->part_count && !found; i++) {
        if (disk->parts[i].minor == minor) {
            disk->users++;
            *out_disk = disk;
            *out_part = &disk->parts[i];
            found = true;
        }
    }
    mutex_unlock(&list_lock);
    return found;
}

void disk_let_go(struct disk *disk) {
    mutex_lock(&list_lock);
    disk->users--;
    mutex_unlock(&list_lock);
}

bool block_line_at(uint32_t index, struct block_line *out_line) {
    bool found = false;
    mutex_lock(&list_lock);
    for (uint32_t i = 0; i < BLOCK_DISKS_MAX && !found; i++) {
        const struct disk *disk = disks[i];
        const uint32_t count = disk != NULL ? disk->part_count : 0;
        found = index < count;
        if (found) {
            const struct disk_part *part = &disk->parts[index];
            *out_line = (struct block_line){ .minor = part->minor,
                                             .bytes = part->sectors * disk->info.sector_bytes };
            (void)string_copy(out_line->name, sizeof(out_line->name), part->name);
        }
        index -= count;
    }
    mutex_unlock(&list_lock);
    return found;
}

static enum hx_status read_sector(void *context, uint64_t sector, void *to) {
    struct disk *disk = context;
    const uint32_t bytes = disk->info.sector_bytes;
    struct disk_io *io = disk_io_create(bytes, false);
    if (io == NULL) {
        return HX_ERR_NO_MEMORY;
    }
    enum hx_status status = disk_transfer(disk, io, false, sector, bytes);
    if (status == HX_OK) {
        memcpy(to, io->pages[0], bytes);
    }
    disk_io_put(io);
    return status;
}

static enum hx_status parts_read(struct disk *disk, struct partition *found, void *scratch) {
    const struct partition_source source = { read_sector, disk, disk->info.sector_bytes,
                                             disk->info.sectors };
    uint32_t count = 0;
    uint32_t parts = 1;
    enum hx_status status = partitions_read(&source, scratch, found, DISK_PARTS_MAX, &count);
    for (uint32_t i = 0; status == HX_OK && i < count; i++) {
        if (found[i].number <= DISK_PARTS_MAX) {
            struct disk_part *part = &disk->parts[parts++];
            (void)format_string(part->name, sizeof(part->name), "%s%u", disk->parts[0].name,
                                found[i].number);
            part->minor = disk->parts[0].minor + found[i].number;
            part->first = found[i].first;
            part->sectors = found[i].sectors;
        }
    }
    // All at once: the disk is in the list already.
    mutex_lock(&list_lock);
    disk->part_count = parts;
    mutex_unlock(&list_lock);
    return status;
}

// A disk whose table cannot be read is a disk without partitions.
static enum hx_status parts_find(struct disk *disk) {
    enum hx_status status = HX_ERR_NO_MEMORY;
    void *scratch = heap_alloc(PARTITION_SECTOR_MAX, MEMORY_SLEEP);
    struct partition *found = heap_alloc(DISK_PARTS_MAX * sizeof(*found), MEMORY_SLEEP);
    if (scratch != NULL && found != NULL) {
        status = parts_read(disk, found, scratch);
    }
    heap_free(found);
    heap_free(scratch);
    if (status != HX_OK) {
        log_warning("%s: partitions: %s", disk->parts[0].name, hx_status_name(status));
    }
    return status == HX_ERR_NO_MEMORY ? status : HX_OK;
}

void block_flush_all(void) {
    struct disk *disk = NULL;
    struct disk_part *whole;
    for (uint32_t i = 0; i < BLOCK_DISKS_MAX; i++) {
        if (!disk_hold(i * BLOCK_MINORS, &disk, &whole)) {
            continue;
        }
        enum hx_status status = disk_flush(disk);
        if (status != HX_OK) {
            log_warning("%s: not flushed: %s", whole->name, hx_status_name(status));
        }
        disk_let_go(disk);
    }
}

static bool is_power(uint32_t number) {
    return number != 0 && (number & (number - 1)) == 0;
}

// What the module says of its device is no more trusted than the device.
static bool is_sound(const struct block_info *info) {
    return is_power(info->sector_bytes) && info->sector_bytes >= BLOCK_SECTOR_MIN &&
           info->sector_bytes <= BLOCK_SECTOR_MAX && info->transfer_pages >= 1 &&
           info->transfer_pages <= BLOCK_PAGES_MAX &&
           ((info->marks & BLOCK_DISCARDS) == 0 || info->discard_sectors != 0) &&
           info->sectors <= (uint64_t)INT64_MAX / info->sector_bytes;
}

static void disk_init(struct disk *disk, const struct port_provider *provider) {
    disk->port.gate = provider->gate;
    disk->self = provider->self;
    disk->life = 1;
    rwlock_init(&disk->writing, &writing_class);
    mutex_init(&disk->reset_lock, &reset_class);
    waitable_init(&disk->room, 0);
    spinlock_init(&disk->lock, &slots_class);
}

static enum hx_status disk_open(struct disk *disk, const struct port_provider *provider) {
    enum hx_status status = block_bind(&disk->port.ops, provider->operations, ~(rights_t)0);
    if (status == HX_OK) {
        status = block_call_identify(&disk->port, disk->self, &disk->info);
    }
    if (status == HX_OK && !is_sound(&disk->info)) {
        status = HX_ERR_INVALID;
    }
    if (status == HX_OK) {
        status = disk->port.ops.attach(disk->self, &disk_events, disk);
    }
    return status;
}

// "vda" and on, in the order in which they come; the first one that is free.
static enum hx_status disk_name(struct disk *disk) {
    enum hx_status status = HX_ERR_LIMIT;
    uint32_t number = 0;
    mutex_lock(&list_lock);
    while (number < BLOCK_DISKS_MAX && disks[number] != NULL) {
        number++;
    }
    if (number < BLOCK_DISKS_MAX) {
        struct disk_part *whole = &disk->parts[0];
        (void)format_string(whole->name, sizeof(whole->name), "vd%c", 'a' + number);
        whole->minor = BLOCK_MINORS * number;
        whole->sectors = disk->info.sectors;
        disk->part_count = 1;
        disks[number] = disk;
        status = HX_OK;
    }
    mutex_unlock(&list_lock);
    return status;
}

static enum hx_status block_install(const struct port_provider *provider) {
    struct disk *disk = heap_alloc_zero(sizeof(*disk), MEMORY_SLEEP);
    if (disk == NULL) {
        return HX_ERR_NO_MEMORY;
    }
    disk_init(disk, provider);
    enum hx_status status = disk_open(disk, provider);
    if (status == HX_OK) {
        status = disk_name(disk);
    }
    if (status != HX_OK) {
        heap_free(disk);
        return status;
    }
    // From here on it is there, and in use: nothing that fails takes it back.
    HX_IGNORE(parts_find(disk)); // it says so
    log_info("%s: %lu sectors of %u bytes, %u partitions", disk->parts[0].name,
             (unsigned long)disk->info.sectors, disk->info.sector_bytes, disk->part_count - 1);
    status = disk_nodes_add(disk);
    if (status != HX_OK) {
        log_warning("%s: not in /dev: %s", disk->parts[0].name, hx_status_name(status));
    }
    return HX_OK;
}

static struct disk *disk_of(const struct gate *gate) {
    struct disk *disk = NULL;
    mutex_lock(&list_lock);
    for (uint32_t i = 0; i < BLOCK_DISKS_MAX && disk == NULL; i++) {
        disk = disks[i] != NULL && disks[i]->port.gate == gate ? disks[i] : NULL;
    }
    mutex_unlock(&list_lock);
    return disk;
}

// Off the list; then nobody can find it.
static void disk_forget(struct disk *disk) {
    disk_nodes_remove(disk);
    disk_end(disk);
    mutex_lock(&list_lock);
    disks[disk->parts[0].minor / BLOCK_MINORS] = NULL;
    mutex_unlock(&list_lock);
    log_info("%s is gone", disk->parts[0].name);
    heap_free(disk);
}

static enum hx_status block_leave(const struct gate *gate, enum port_leaving step) {
    struct disk *disk = disk_of(gate);
    enum hx_status status = HX_OK;
    if (step == PORT_LEFT) {
        disk_forget(disk);
        return HX_OK;
    }
    mutex_lock(&list_lock);
    if (step == PORT_LEAVES && disk->users != 0) {
        status = HX_ERR_BUSY;
    } else {
        disk->is_leaving = step == PORT_LEAVES;
    }
    mutex_unlock(&list_lock);
    return status;
}

// The next life of a disk's module: it has to be the same disk.
static enum hx_status block_replace(const struct port_provider *provider) {
    struct disk *disk = disk_of(provider->gate);
    struct block_ops ops;
    struct block_info info;
    if (disk == NULL) {
        return HX_ERR_NOT_FOUND;
    }
    enum hx_status status = block_bind(&ops, provider->operations, ~(rights_t)0);
    if (status == HX_OK) {
        status = ops.identify(provider->self, &info);
    }
    if (status == HX_OK && memcmp(&info, &disk->info, sizeof(info)) != 0) {
        log_error("%s: the disk is another one", disk->parts[0].name);
        status = HX_ERR_INVALID;
    }
    if (status == HX_OK) {
        disk->port.ops = ops;
        disk->self = provider->self;
        disk->life++;
        status = ops.attach(provider->self, &disk_events, disk);
    }
    return status;
}

// Who waits for a disk looks at its gate.
static const struct port_used block_port =
    PORT_USED_AS(BLOCK, block, block_leave, block_replace, NULL);

enum hx_status block_init(void) {
    enum hx_status status = disk_files_init();
    return status == HX_OK ? port_installer_register(&block_port, block_install) : status;
}
