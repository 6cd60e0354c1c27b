// SPDX-License-Identifier: MIT OR Apache-2.0
// services/drv/virtio_blk/virtio_blk.c: virtio's block device. Section numbers are those of Virtual
// I/O Device 1.2.

#include <helix/env.h>
#include <helix/ports/block_port.h>
#include <lib/format.h>
#include <lib/string.h>
#include <lib/virtio.h>
#include <lib/virtqueue.h>

#define FEATURE_SEG_MAX    (UINT64_C(1) << 2) // 5.2.3
#define FEATURE_READ_ONLY  (UINT64_C(1) << 5)
#define FEATURE_SECTOR     (UINT64_C(1) << 6)
#define FEATURE_FLUSH      (UINT64_C(1) << 9)
#define FEATURE_DISCARD    (UINT64_C(1) << 13)
#define CONFIG_SECTORS     0u // 5.2.4
#define CONFIG_SEG_MAX     12u
#define CONFIG_SECTOR      20u
#define CONFIG_DISCARD_MAX 36u

#define KIND_READ    0u // 5.2.6
#define KIND_WRITE   1u
#define KIND_FLUSH   4u
#define KIND_DISCARD 11u
#define STATUS_OK    0u
#define STATUS_NONE  0xffu // what the device has not written

#define DISKS_MAX      8u
#define SLOTS          64u
#define TRANSFER_PAGES 64u
#define LIES_MAX       8u                           // of a device that is still reset
#define LIE_NS         ((time_ns_t)10 * 1000000000) // in which one of them is forgotten
#define UNIT_BYTES     512u // of sector numbers, whatever the sector (5.2.6)
#define PAGE_BYTES     4096u
#define PIECES_MAX     (TRANSFER_PAGES + 2)

// What the device reads and writes beside pages, one for each slot.
struct shared {
    struct {
        uint32_t kind;
        uint32_t reserved;
        uint64_t sector;
    } header;
    struct {
        uint64_t sector;
        uint32_t sectors;
        uint32_t flags;
    } discard;
    _Atomic uint8_t status;
    uint8_t pad[31];
};
_Static_assert(sizeof(struct shared) == 64, "a slot is found by shifting");

struct slot {
    struct slot *next; // [lock] free ones
    uint64_t id;
    uint32_t must_write; // bytes, for the request to be done
    uint32_t number;
};

struct disk {
    struct hx_env *env;
    struct hx_device device;
    struct pci_config config;
    struct virtio virtio;
    char name[16];
    struct block_info info;            // set once
    const struct block_events *events; // set once, before the device goes
    void *client;
    bool is_message;
    struct hx_mutex reset_lock; // one resets at a time; comes before the other
    uint32_t lies;              // [reset_lock] that are not forgotten
    time_ns_t lies_ns;          // [reset_lock] when one was forgotten last
    struct hx_mutex lock;
    bool is_dead;                                     // [lock]
    bool is_resetting;                                // [lock] an event ends it
    struct virtqueue queue;                           // [lock]
    struct virtqueue_slot chains[VIRTQUEUE_SIZE_MAX]; // [lock]
    struct slot slots[SLOTS];                         // [lock]
    struct slot *free;                                // [lock]
    uint16_t size;
    uint8_t *memory; // the queue's; then the slots'
    uint64_t address;
    struct shared *shared;
    uint64_t shared_address;
    uint8_t *tables; // of descriptors, one for each slot; NULL: the device wants them in the queue
    uint64_t tables_address;
};

struct module {
    struct disk *disks[DISKS_MAX];
};

#define QUEUE_BYTES  ((size_t)4 * VIRTQUEUE_ALIGN) // for VIRTQUEUE_SIZE_MAX
#define SHARED_BYTES (SLOTS * sizeof(struct shared))
#define TABLE_BYTES  ((size_t)PIECES_MAX * VIRTQUEUE_ENTRY_BYTES)
#define TABLES_BYTES (SLOTS * TABLE_BYTES)

// Registers
// ------------------------------------------------------------------------------------------------

static uint32_t window_read(void *context, uint32_t window, uint32_t offset, uint32_t bytes) {
    const struct disk *disk = context;
    return hx_device_read(&disk->device, window, offset, bytes);
}

static void window_write(void *context, uint32_t window, uint32_t offset, uint32_t bytes,
                         uint32_t value) {
    const struct disk *disk = context;
    hx_device_write(&disk->device, window, offset, bytes, value);
}

static uint32_t config_read(const void *context, uint32_t offset) {
    const struct disk *disk = context;
    return hx_device_config(&disk->device, offset);
}

// Slots
// ------------------------------------------------------------------------------------------------

static void slots_init_locked(struct disk *disk) {
    disk->free = NULL;
    for (uint32_t i = 0; i < SLOTS; i++) {
        disk->slots[i] = (struct slot){ .next = disk->free, .number = i };
        disk->free = &disk->slots[i];
    }
}

static struct virtqueue_piece shared_piece(const struct disk *disk, const struct slot *slot,
                                           size_t offset, uint32_t bytes, bool is_writable) {
    const uint64_t at = disk->shared_address + slot->number * sizeof(struct shared) + offset;
    return (struct virtqueue_piece){ at, bytes, is_writable };
}

// A request of `count` pieces, which have room for a header before them and a status behind. False:
// no room.
static bool request_add_locked(struct disk *disk, uint64_t id, uint32_t kind, uint64_t sector,
                               struct virtqueue_piece *pieces, uint32_t count) {
    struct slot *slot = disk->free;
    if (slot == NULL) {
        return false;
    }
    struct shared *shared = &disk->shared[slot->number];
    shared->header.kind = kind;
    shared->header.reserved = 0;
    shared->header.sector = sector;
    // Relaxed: the device sees it when it sees the chain.
    atomic_store_explicit(&shared->status, STATUS_NONE, memory_order_relaxed);
    slot->id = id;
    slot->must_write = 1;
    for (uint32_t i = 1; i <= count; i++) {
        slot->must_write += pieces[i].is_writable ? pieces[i].size_bytes : 0;
    }
    pieces[0] = shared_piece(disk, slot, offsetof(struct shared, header), 16, false);
    pieces[count + 1] = shared_piece(disk, slot, offsetof(struct shared, status), 1, true);
    const size_t table = slot->number * TABLE_BYTES;
    const bool is_asked = (disk->virtio.features & VIRTIO_FEATURE_INDIRECT) != 0;
    if (is_asked && disk->tables != NULL
            ? !virtqueue_add_indirect(&disk->queue, pieces, count + 2, slot, disk->tables + table,
                                      disk->tables_address + table)
            : !virtqueue_add(&disk->queue, pieces, count + 2, slot)) {
        return false;
    }
    disk->free = slot->next;
    return true;
}

static void publish_locked(struct disk *disk) {
    if (virtqueue_publish(&disk->queue)) {
        virtio_notify(&disk->virtio, 0);
    }
}

static void done_add(struct disk *disk, struct slot *slot, uint32_t outcome,
                     struct block_completion *done, uint32_t *count) {
    done[(*count)++] = (struct block_completion){ .id = slot->id, .outcome = outcome };
    slot->next = disk->free;
    disk->free = slot;
}

// What the device says of a request; what it has not written is not there.
static uint32_t outcome_of(const struct disk *disk, const struct slot *slot, uint32_t bytes) {
    const uint8_t status =
        atomic_load_explicit(&disk->shared[slot->number].status, memory_order_relaxed);
    return status == STATUS_OK && bytes >= slot->must_write ? BLOCK_DONE : BLOCK_FAILED;
}

// Completions, as many as go into one event; HX_ERR_CORRUPT: the device lies.
static enum hx_status collect(struct disk *disk, struct block_completion *done, uint32_t *count) {
    *count = 0;
    hx_mutex_lock(&disk->lock);
    // Another device on the line may be heard before the queue is made.
    enum hx_status status = disk->queue.device != NULL ? HX_OK : HX_ERR_WOULD_BLOCK;
    while (status == HX_OK && *count < BLOCK_BATCH_MAX) {
        void *token = NULL;
        uint32_t bytes = 0;
        status = virtqueue_take(&disk->queue, &token, &bytes);
        if (status == HX_OK) {
            done_add(disk, token, outcome_of(disk, token, bytes), done, count);
        }
    }
    hx_mutex_unlock(&disk->lock);
    return status;
}

// The device's life
// ------------------------------------------------------------------------------------------------

// 3.1.1: from a reset to the queue.
static enum hx_status go_locked(struct disk *disk) {
    const uint16_t vector = disk->is_message ? 0 : VIRTIO_NO_VECTOR;
    memset(disk->memory, 0, QUEUE_BYTES);
    if ((disk->virtio.features & VIRTIO_FEATURE_PACKED) != 0) {
        virtqueue_init_packed(&disk->queue, disk->size, disk->memory, disk->chains);
    } else {
        virtqueue_init(&disk->queue, disk->size, disk->memory, disk->chains);
    }
    slots_init_locked(disk);
    enum hx_status status = virtio_queue_set(&disk->virtio, 0, disk->size, disk->address, vector);
    if (status == HX_OK) {
        virtio_go(&disk->virtio);
    }
    return status;
}

static enum hx_status features_settle(struct disk *disk) {
    return virtio_start(&disk->virtio, FEATURE_SEG_MAX | FEATURE_READ_ONLY | FEATURE_SECTOR |
                                           FEATURE_FLUSH | FEATURE_DISCARD | VIRTIO_FEATURE_PACKED |
                                           VIRTIO_FEATURE_INDIRECT);
}

// Everything that the device had, in events of a batch each. Without the lock: nothing is added any
// more, and who takes is here.
static void fail_all(struct disk *disk, uint32_t outcome) {
    struct block_completion done[BLOCK_BATCH_MAX];
    uint32_t count;
    do {
        struct slot *slot = NULL;
        count = 0;
        hx_mutex_lock(&disk->lock);
        while (count < BLOCK_BATCH_MAX && (slot = virtqueue_reclaim(&disk->queue)) != NULL) {
            done_add(disk, slot, outcome, done, &count);
        }
        hx_mutex_unlock(&disk->lock);
        if (count != 0) {
            disk->events->completed(disk->client, done, count);
        }
    } while (count != 0);
}

static enum hx_status reset_alone(struct disk *disk) {
    hx_mutex_lock(&disk->lock);
    disk->is_dead = true;
    disk->is_resetting = true; // nothing is accepted meanwhile
    const bool is_quiet = virtio_reset(&disk->virtio) == HX_OK;
    hx_mutex_unlock(&disk->lock);
    fail_all(disk, is_quiet ? BLOCK_FAILED : BLOCK_LOST);
    enum hx_status status = disk->lies > LIES_MAX ? HX_ERR_NO_DEVICE // it stays quiet
                            : is_quiet            ? features_settle(disk)
                                                  : HX_ERR_IO;
    hx_mutex_lock(&disk->lock);
    status = status == HX_OK ? go_locked(disk) : status;
    disk->is_dead = status != HX_OK;
    disk->is_resetting = false;
    hx_mutex_unlock(&disk->lock);
    // Even if it does not work any more: who waits for room looks again.
    const struct block_completion nothing = { 0 };
    disk->events->completed(disk->client, &nothing, 0);
    return status;
}

static enum hx_status disk_reset(void *self) {
    struct disk *disk = self;
    hx_mutex_lock(&disk->reset_lock);
    enum hx_status status = reset_alone(disk);
    hx_mutex_unlock(&disk->reset_lock);
    return status;
}

// One more of them; once there are too many, no more are forgotten.
static void lie_count(struct disk *disk) {
    const time_ns_t now = hx_time_now();
    const uint64_t forgotten = (uint64_t)(now - disk->lies_ns) / LIE_NS;
    if (disk->lies <= LIES_MAX) {
        disk->lies -= (uint32_t)MIN_OF(forgotten, (uint64_t)disk->lies);
        disk->lies_ns = forgotten != 0 ? now : disk->lies_ns;
        disk->lies++;
    }
}

// A device that makes no sense is reset, but not for ever.
static void disk_mend(struct disk *disk) {
    hx_mutex_lock(&disk->reset_lock);
    const bool was_over = disk->lies > LIES_MAX;
    lie_count(disk);
    if (!was_over) {
        const char *then = disk->lies > LIES_MAX ? "it is given up" : "it is reset";
        hx_log(disk->env, HX_LOG_ERROR, "%s: the device makes no sense; %s", disk->name, then);
        HX_IGNORE(reset_alone(disk)); // else it is dead, and says so
    }
    hx_mutex_unlock(&disk->reset_lock);
}

static void interrupt(void *context) {
    struct disk *disk = context;
    struct block_completion done[BLOCK_BATCH_MAX];
    uint32_t count;
    enum hx_status status;
    // Asking lowers the line; the queue tells the rest. With messages only silence tells of a
    // device that needs a reset.
    const uint32_t why = disk->is_message ? 0 : virtio_interrupt(&disk->virtio);
    do {
        status = collect(disk, done, &count);
        if (count != 0) {
            disk->events->completed(disk->client, done, count);
        }
    } while (status == HX_OK);
    if (status == HX_ERR_CORRUPT || ((why & 2) != 0 && virtio_is_broken(&disk->virtio))) {
        disk_mend(disk);
    }
}

// Methods
// ------------------------------------------------------------------------------------------------

static enum hx_status disk_identify(void *self, struct block_info *out_info) {
    const struct disk *disk = self;
    *out_info = disk->info;
    return HX_OK;
}

static enum hx_status disk_attach(void *self, const struct block_events *events, void *client) {
    struct disk *disk = self;
    disk->events = events;
    disk->client = client;
    enum hx_status status =
        hx_device_irq(disk->env, &disk->device, interrupt, disk, &disk->is_message);
    if (status == HX_OK) {
        hx_mutex_lock(&disk->lock);
        status = go_locked(disk);
        disk->is_dead = status != HX_OK;
        hx_mutex_unlock(&disk->lock);
    }
    return status;
}

// HX_ERR_WOULD_BLOCK: it is being reset.
static enum hx_status state_locked(const struct disk *disk) {
    return disk->is_resetting ? HX_ERR_WOULD_BLOCK : disk->is_dead ? HX_ERR_NO_DEVICE : HX_OK;
}

// Whether a transfer is what the port allows; the caller is not trusted either.
static bool is_sound(const struct disk *disk, const struct block_transfer *transfer,
                     uint32_t page_count) {
    const uint32_t pages = (transfer->bytes + PAGE_BYTES - 1) / PAGE_BYTES;
    const uint64_t sectors = transfer->bytes / disk->info.sector_bytes;
    return transfer->bytes != 0 && transfer->bytes <= TRANSFER_PAGES * PAGE_BYTES &&
           transfer->bytes % disk->info.sector_bytes == 0 && pages <= disk->info.transfer_pages &&
           transfer->page < page_count && pages <= page_count - transfer->page &&
           transfer->sector <= disk->info.sectors &&
           sectors <= disk->info.sectors - transfer->sector;
}

static bool transfer_add_locked(struct disk *disk, uint32_t kind,
                                const struct block_transfer *transfer, const void *const *pages) {
    struct virtqueue_piece pieces[PIECES_MAX];
    const uint32_t units = disk->info.sector_bytes / UNIT_BYTES;
    uint32_t count = 0;
    for (uint32_t left = transfer->bytes; left != 0;) {
        const uint32_t here = MIN_OF(left, PAGE_BYTES);
        const uint64_t at = hx_dma_address(disk->env, pages[transfer->page + count]);
        pieces[++count] = (struct virtqueue_piece){ at, here, kind == KIND_READ };
        left -= here;
    }
    return request_add_locked(disk, transfer->id, kind, transfer->sector * units, pieces, count);
}

// NOLINTNEXTLINE(readability-function-size): what both methods of the port have
static enum hx_status transfer(struct disk *disk, uint32_t kind,
                               const struct block_transfer *transfers, uint32_t count,
                               const void *const *pages, uint32_t page_count,
                               uint32_t *out_accepted) {
    uint32_t accepted = 0;
    hx_mutex_lock(&disk->lock);
    enum hx_status status = state_locked(disk);
    while (status == HX_OK && accepted < count) {
        if (!is_sound(disk, &transfers[accepted], page_count)) {
            status = accepted == 0 ? HX_ERR_IO : HX_OK;
            break;
        }
        if (!transfer_add_locked(disk, kind, &transfers[accepted], pages)) {
            break;
        }
        accepted++;
    }
    if (accepted != 0) {
        publish_locked(disk);
    }
    hx_mutex_unlock(&disk->lock);
    *out_accepted = accepted;
    return status == HX_ERR_WOULD_BLOCK ? HX_OK : status;
}

static enum hx_status disk_read(void *self, const struct block_transfer *transfers, uint32_t count,
                                void *const *pages, uint32_t page_count, uint32_t *out_accepted) {
    return transfer(self, KIND_READ, transfers, count, (const void *const *)pages, page_count,
                    out_accepted);
}

static enum hx_status disk_write(void *self, const struct block_transfer *transfers, uint32_t count,
                                 const void *const *pages, uint32_t page_count,
                                 uint32_t *out_accepted) {
    return transfer(self, KIND_WRITE, transfers, count, pages, page_count, out_accepted);
}

static enum hx_status disk_flush(void *self, uint64_t id) {
    struct disk *disk = self;
    struct virtqueue_piece pieces[2];
    hx_mutex_lock(&disk->lock);
    enum hx_status status = state_locked(disk);
    if (status == HX_OK && request_add_locked(disk, id, KIND_FLUSH, 0, pieces, 0)) {
        publish_locked(disk);
    } else if (status == HX_OK) {
        status = HX_ERR_WOULD_BLOCK;
    }
    hx_mutex_unlock(&disk->lock);
    return status;
}

// 5.2.6: the range follows the header.
static enum hx_status discard_locked(struct disk *disk, uint64_t id, uint64_t sector,
                                     uint64_t sectors) {
    struct virtqueue_piece pieces[3];
    const uint32_t units = disk->info.sector_bytes / UNIT_BYTES;
    const struct slot *slot = disk->free;
    enum hx_status status = state_locked(disk);
    if (status != HX_OK) {
        return status;
    }
    if (sectors == 0 || sectors > disk->info.discard_sectors || sector > disk->info.sectors ||
        sectors > disk->info.sectors - sector) {
        return HX_ERR_IO;
    }
    if (slot == NULL) {
        return HX_ERR_WOULD_BLOCK;
    }
    struct shared *shared = &disk->shared[slot->number];
    shared->discard.sector = sector * units;
    shared->discard.sectors = (uint32_t)(sectors * units);
    shared->discard.flags = 0;
    pieces[1] = shared_piece(disk, slot, offsetof(struct shared, discard), 16, false);
    if (!request_add_locked(disk, id, KIND_DISCARD, 0, pieces, 1)) {
        return HX_ERR_WOULD_BLOCK;
    }
    publish_locked(disk);
    return HX_OK;
}

static enum hx_status disk_discard(void *self, uint64_t id, uint64_t sector, uint64_t sectors) {
    struct disk *disk = self;
    hx_mutex_lock(&disk->lock);
    enum hx_status status = discard_locked(disk, id, sector, sectors);
    hx_mutex_unlock(&disk->lock);
    return status;
}

static const struct block_ops disk_ops = {
    .attach = disk_attach,
    .identify = disk_identify,
    .read = disk_read,
    .write = disk_write,
    .flush = disk_flush,
    .discard = disk_discard,
    .reset = disk_reset,
};

// Start
// ------------------------------------------------------------------------------------------------

static uint32_t config32(const struct disk *disk, uint64_t feature, uint32_t offset,
                         uint32_t absent) {
    return (disk->virtio.features & feature) != 0
               ? (uint32_t)virtio_config(&disk->virtio, offset, 4)
               : absent;
}

// What the device says of itself, as far as it makes sense. Sectors larger than pages, or of sizes
// that are no power of two, are refused.
static enum hx_status describe(struct disk *disk) {
    struct block_info *info = &disk->info;
    const uint32_t sector = config32(disk, FEATURE_SECTOR, CONFIG_SECTOR, UNIT_BYTES);
    const uint32_t pieces = config32(disk, FEATURE_SEG_MAX, CONFIG_SEG_MAX, 1);
    if (sector < BLOCK_SECTOR_MIN || sector > BLOCK_SECTOR_MAX || (sector & (sector - 1)) != 0) {
        return HX_ERR_NOT_SUPPORTED;
    }
    info->sector_bytes = sector;
    info->sectors = virtio_config(&disk->virtio, CONFIG_SECTORS, 8) / (sector / UNIT_BYTES);
    info->transfer_pages = MIN_OF(MAX_OF(pieces, 1u), (uint32_t)disk->size - 2);
    info->transfer_pages = MIN_OF(info->transfer_pages, TRANSFER_PAGES);
    info->discard_sectors =
        config32(disk, FEATURE_DISCARD, CONFIG_DISCARD_MAX, 0) / (sector / UNIT_BYTES);
    info->marks = (disk->virtio.features & FEATURE_READ_ONLY) != 0 ? BLOCK_READ_ONLY : 0;
    info->marks |= (disk->virtio.features & FEATURE_FLUSH) != 0 ? BLOCK_FLUSHES : 0;
    info->marks |= info->discard_sectors != 0 ? BLOCK_DISCARDS : 0;
    return HX_OK;
}

// The largest power of two that both sides have room for.
static uint16_t queue_size(uint32_t room) {
    uint16_t size = 1;
    while (size * 2u <= MIN_OF(room, VIRTQUEUE_SIZE_MAX)) {
        size = (uint16_t)(size * 2);
    }
    return size;
}

static enum hx_status device_prepare(struct disk *disk) {
    const struct virtio_access access = {
        .read = window_read,
        .write = window_write,
        .config = hx_device_is_pci(&disk->device) ? &disk->config : NULL,
        .context = disk,
    };
    disk->config = (struct pci_config){ .read = config_read, .context = disk };
    enum hx_status status = virtio_open(&disk->virtio, &access);
    if (status == HX_OK) {
        status = features_settle(disk);
    }
    if (status != HX_OK) {
        return status;
    }
    disk->size = queue_size(virtio_queue_room(&disk->virtio, 0));
    return disk->size < 4 ? HX_ERR_NOT_SUPPORTED : describe(disk);
}

static enum hx_status memory_take(struct disk *disk) {
    disk->memory = hx_dma_alloc(disk->env, QUEUE_BYTES, &disk->address);
    disk->shared = hx_dma_alloc(disk->env, SHARED_BYTES, &disk->shared_address);
    if ((disk->virtio.features & VIRTIO_FEATURE_INDIRECT) != 0) { // it works without, too
        disk->tables = hx_dma_alloc(disk->env, TABLES_BYTES, &disk->tables_address);
    }
    return disk->memory != NULL && disk->shared != NULL ? HX_OK : HX_ERR_NO_MEMORY;
}

static enum hx_status disk_start(struct disk *disk, uint32_t index) {
    hx_mutex_init(&disk->reset_lock, "virtio_blk reset");
    hx_mutex_init(&disk->lock, "virtio_blk");
    disk->is_dead = true; // until somebody attaches
    (void)format_string(disk->name, sizeof(disk->name), "block.%u", index);
    enum hx_status status = device_prepare(disk);
    if (status == HX_OK) {
        status = memory_take(disk);
    }
    if (status == HX_OK) {
        status = hx_port_provide(disk->env, "helix.block", disk->name, &disk_ops, disk);
    }
    return status;
}

// The device is reset first: it may have been told where its memory is. With interrupts of its own
// it stays.
static void disk_end(struct disk *disk) {
    if (disk->size == 0 || (virtio_reset(&disk->virtio) == HX_OK && disk->events == NULL)) {
        hx_dma_free(disk->env, disk->memory, QUEUE_BYTES);
        hx_dma_free(disk->env, disk->shared, SHARED_BYTES);
        hx_dma_free(disk->env, disk->tables, TABLES_BYTES);
        hx_free(disk->env, disk);
    }
}

static enum hx_status blk_init(struct hx_env *env, void **out_self) {
    struct module *module = hx_alloc(env, sizeof(*module));
    enum hx_status status = module == NULL ? HX_ERR_NO_MEMORY : HX_OK;
    *out_self = module;
    if (module == NULL) {
        return status;
    }
    for (uint32_t i = 0; i < DISKS_MAX; i++) {
        struct disk *disk = hx_alloc(env, sizeof(*disk));
        if (disk == NULL) {
            return HX_ERR_NO_MEMORY;
        }
        disk->env = env;
        status = hx_device_open(env, "virtio:2", i, &disk->device);
        if (status == HX_ERR_NOT_FOUND) {
            hx_free(env, disk);
            return HX_OK; // no more of them
        }
        const bool is_open = status == HX_OK;
        status = is_open ? disk_start(disk, i) : status;
        if (status == HX_OK) {
            module->disks[i] = disk;
            continue;
        }
        hx_log(env, HX_LOG_WARNING, "device %u is not used: %s", i, hx_status_name(status));
        if (is_open) {
            disk_end(disk);
        } else {
            hx_free(env, disk);
        }
    }
    return HX_OK;
}

// No device touches memory when the machine starts anew.
static enum hx_status blk_stop(void *self) {
    const struct module *module = self;
    for (uint32_t i = 0; i < DISKS_MAX; i++) {
        if (module->disks[i] != NULL) {
            HX_IGNORE(virtio_reset(&module->disks[i]->virtio));
        }
    }
    return HX_OK;
}

static const struct hx_port_provided provided[] = { BLOCK_PORT_PROVIDED };
static const struct hx_module_ops operations = { .init = blk_init, .stop = blk_stop };

HX_MODULE(virtio_blk, .name = "virtio_blk", .version = { 1, 0, 0 }, .phase = HX_PHASE_NORMAL,
          .provides = provided, .provides_count = ARRAY_SIZE(provided),
          .capabilities = HX_CAPABILITY_DEVICES | HX_CAPABILITY_IRQ, .ops = &operations);
