// SPDX-License-Identifier: MIT OR Apache-2.0
// disk_file.c: disks and partitions as files: bytes anywhere, which become whole sectors, and the
// ioctls that tell of them (Linux 6.1, include/uapi/linux/fs.h).
#include "block.h"

#include <core/inject.h>
#include <core/thread.h>
#include <lib/string.h>
#include <memory/heap.h>
#include <memory/usercopy.h>
#include <vfs/file.h>

#define BLKROGET     0x125eu
#define BLKGETSIZE   0x1260u // in units of 512 bytes, a long
#define BLKFLSBUF    0x1261u
#define BLKSSZGET    0x1268u
#define BLKDISCARD   0x1277u // two numbers of 64 bits: where, how much
#define BLKPBSZGET   0x127bu
#define BLKBSZGET    0x80081270u
#define BLKGETSIZE64 0x80081272u

#define SEEK_FROM_START   0u
#define SEEK_FROM_CURRENT 1u
#define SEEK_FROM_END     2u

struct opened { // a file's data
    struct disk *disk;
    const struct disk_part *part;
};

static struct device_open opener;

static uint32_t file_flags(const struct file *file) {
    return atomic_load_explicit(&file->flags, memory_order_relaxed);
}

static uint64_t bytes_of(const struct opened *opened) {
    return opened->part->sectors * opened->disk->info.sector_bytes;
}

// Whole sectors of what is left from `offset` on, as many as go at once, up to `most` bytes.
static size_t run_of(const struct opened *opened, uint64_t offset, uint64_t left, size_t most) {
    const uint32_t sector = opened->disk->info.sector_bytes;
    uint64_t run = MIN_OF(left, (uint64_t)most);
    run = MIN_OF(run, bytes_of(opened) - offset) & ~(uint64_t)(sector - 1);
    return inject_strikes(INJECT_SHORT) ? MIN_OF((size_t)run, (size_t)sector) : (size_t)run;
}

// Whether a call ends with what it has moved: the thread is wanted elsewhere, or on purpose.
static bool ends_short(size_t moved) {
    const uint32_t wanted = THREAD_SIGNAL | THREAD_KILL;
    return moved > 0 &&
           ((thread_attention(thread_current()) & wanted) != 0 || inject_strikes(INJECT_SHORT));
}

static uint64_t sector_of(const struct opened *opened, uint64_t offset) {
    return opened->part->first + offset / opened->disk->info.sector_bytes;
}

// Direct access is in whole sectors, as Linux has it.
static bool is_refused(const struct file *file, const struct io_buffer *buffer, uint64_t offset) {
    const struct opened *opened = file->data;
    const uint32_t mask = opened->disk->info.sector_bytes - 1;
    return (file_flags(file) & FILE_DIRECT) != 0 && ((offset | buffer->remaining) & mask) != 0;
}

// From the pages' byte `skip` on to the buffer.
static enum hx_status pages_put(struct io_buffer *to, const struct disk_io *io, size_t skip,
                                size_t size_bytes, size_t *inout_moved) {
    enum hx_status status = HX_OK;
    while (status == HX_OK && size_bytes > 0) {
        const size_t within = skip % PAGE_SIZE;
        const size_t length = MIN_OF(size_bytes, PAGE_SIZE - within);
        size_t done = 0;
        status = io_buffer_put(to, (uint8_t *)io->pages[skip / PAGE_SIZE] + within, length, &done);
        *inout_moved += done;
        skip += length;
        size_bytes -= length;
    }
    return status;
}

// Sectors that hold the next bytes.
static enum hx_status read_some(const struct opened *opened, struct io_buffer *to, uint64_t offset,
                                size_t *inout_moved) {
    const uint32_t sector = opened->disk->info.sector_bytes;
    const uint64_t first = offset & ~(uint64_t)(sector - 1);
    const size_t skip = (size_t)(offset - first);
    const uint64_t left = MIN_OF(to->remaining, bytes_of(opened) - offset);
    const size_t run = run_of(opened, first, ALIGN_UP(skip + left, (uint64_t)sector), IO_BYTES);
    struct disk_io *io = disk_io_create(run, false);
    if (io == NULL) {
        return HX_ERR_NO_MEMORY;
    }
    enum hx_status status = disk_transfer(opened->disk, io, false, sector_of(opened, first), run);
    if (status == HX_OK) {
        status = pages_put(to, io, skip, MIN_OF(run - skip, (size_t)left), inout_moved);
    }
    disk_io_put(io);
    return status;
}

// Writes go beside other writers of whole sectors.
static enum hx_status transfer_beside(const struct opened *opened, struct disk_io *io, bool write,
                                      uint64_t offset, size_t size_bytes) {
    if (!write) {
        return disk_transfer(opened->disk, io, false, sector_of(opened, offset), size_bytes);
    }
    rwlock_read(&opened->disk->writing);
    enum hx_status status =
        disk_transfer(opened->disk, io, true, sector_of(opened, offset), size_bytes);
    rwlock_read_done(&opened->disk->writing);
    return status;
}

// Direct access to whole pages of the caller's: the device gets those. HX_ERR_NOT_SUPPORTED: they
// are not that; what is there has to be copied.
static enum hx_status move_direct(const struct file *file, struct io_buffer *buffer, bool write,
                                  uint64_t offset, size_t *inout_moved) {
    const struct opened *opened = file->data;
    struct uaddr base;
    // The flag may have come since is_refused() looked.
    if ((file_flags(file) & FILE_DIRECT) == 0 ||
        (offset & (opened->disk->info.sector_bytes - 1)) != 0) {
        return HX_ERR_NOT_SUPPORTED;
    }
    const size_t run = run_of(opened, offset, buffer->remaining, LENT_BYTES);
    const size_t bytes = io_buffer_pages(buffer, run, &base);
    struct disk_io *io = bytes != 0 ? disk_io_lend(base, bytes, write) : NULL;
    if (io == NULL) {
        return HX_ERR_NOT_SUPPORTED;
    }
    enum hx_status status = transfer_beside(opened, io, write, offset, bytes);
    if (status == HX_OK) {
        io_buffer_skip(buffer, bytes);
        *inout_moved += bytes;
    }
    disk_io_put(io);
    return status;
}

static enum hx_status disk_read(struct file *file, struct io_buffer *to, uint64_t offset,
                                size_t *out_moved) {
    const struct opened *opened = file->data;
    const uint64_t end = bytes_of(opened);
    size_t moved = 0;
    enum hx_status status = is_refused(file, to, offset) ? HX_ERR_INVALID : HX_OK;
    while (status == HX_OK && to->remaining > 0 && offset + moved < end && offset < end &&
           !ends_short(moved)) {
        status = move_direct(file, to, false, offset + moved, &moved);
        if (status == HX_ERR_NOT_SUPPORTED) {
            status = read_some(opened, to, offset + moved, &moved);
        }
    }
    *out_moved = moved;
    return moved != 0 ? HX_OK : status;
}

static enum hx_status pages_take(struct io_buffer *from, struct disk_io *io, size_t size_bytes,
                                 size_t *out_taken) {
    enum hx_status status = HX_OK;
    *out_taken = 0;
    while (status == HX_OK && *out_taken < size_bytes) {
        size_t done = 0;
        status = io_buffer_take(from, io->pages[*out_taken / PAGE_SIZE],
                                MIN_OF(size_bytes - *out_taken, (size_t)PAGE_SIZE), &done);
        *out_taken += done;
    }
    return status;
}

// Of bytes that cannot be taken, those that fill sectors before them are written.
static enum hx_status write_sectors(const struct opened *opened, struct io_buffer *from,
                                    uint64_t offset, size_t run, size_t *inout_moved) {
    size_t taken = 0;
    struct disk_io *io = disk_io_create(run, true);
    if (io == NULL) {
        return HX_ERR_NO_MEMORY;
    }
    enum hx_status copied = pages_take(from, io, run, &taken);
    taken &= ~(size_t)(opened->disk->info.sector_bytes - 1);
    enum hx_status status = copied;
    if (taken > 0) {
        status = transfer_beside(opened, io, true, offset, taken);
    }
    if (status == HX_OK) {
        *inout_moved += taken;
        status = copied;
    }
    disk_io_put(io);
    return status;
}

// A part of a sector: what is there, and the bytes in it, without anybody in between.
static enum hx_status sector_change(const struct opened *opened, uint64_t offset, const void *bytes,
                                    size_t length) {
    struct disk *disk = opened->disk;
    const uint32_t sector = disk->info.sector_bytes;
    const uint64_t at = sector_of(opened, offset);
    struct disk_io *old = disk_io_create(sector, false);
    struct disk_io *new = disk_io_create(sector, true);
    enum hx_status status = HX_ERR_NO_MEMORY;
    if (old != NULL && new != NULL) {
        rwlock_write(&disk->writing);
        status = disk_transfer(disk, old, false, at, sector);
        if (status == HX_OK) {
            memcpy(new->pages[0], old->pages[0], sector);
            memcpy((uint8_t *)new->pages[0] + offset % sector, bytes, length);
            status = disk_transfer(disk, new, true, at, sector);
        }
        rwlock_write_done(&disk->writing);
    }
    if (new != NULL) {
        disk_io_put(new);
    }
    if (old != NULL) {
        disk_io_put(old);
    }
    return status;
}

static enum hx_status write_part(const struct opened *opened, struct io_buffer *from,
                                 uint64_t offset, size_t *inout_moved) {
    const uint32_t sector = opened->disk->info.sector_bytes;
    const size_t wanted = (size_t)MIN_OF(sector - offset % sector, from->remaining);
    size_t taken = 0;
    uint8_t *bytes = heap_alloc(sector, MEMORY_SLEEP);
    if (bytes == NULL) {
        return HX_ERR_NO_MEMORY;
    }
    enum hx_status status = io_buffer_take(from, bytes, wanted, &taken);
    if (taken > 0) {
        enum hx_status copied = status;
        status = sector_change(opened, offset, bytes, taken);
        *inout_moved += status == HX_OK ? taken : 0;
        status = status == HX_OK ? copied : status;
    }
    heap_free(bytes);
    return status;
}

static enum hx_status write_some(const struct opened *opened, struct io_buffer *from,
                                 uint64_t offset, size_t *inout_moved) {
    const uint32_t sector = opened->disk->info.sector_bytes;
    return offset % sector != 0 || from->remaining < sector
               ? write_part(opened, from, offset, inout_moved)
               : write_sectors(opened, from, offset,
                               run_of(opened, offset, from->remaining, IO_BYTES), inout_moved);
}

static enum hx_status disk_write(struct file *file, struct io_buffer *from, uint64_t offset,
                                 size_t *out_moved) {
    const struct opened *opened = file->data;
    const uint64_t end = bytes_of(opened);
    size_t moved = 0;
    enum hx_status status = is_refused(file, from, offset) ? HX_ERR_INVALID
                            : (opened->disk->info.marks & BLOCK_READ_ONLY) != 0
                                ? HX_ERR_NOT_PERMITTED
                            : offset >= end && from->remaining > 0 ? HX_ERR_NO_SPACE
                                                                   : HX_OK;
    while (status == HX_OK && from->remaining > 0 && offset + moved < end && !ends_short(moved)) {
        // What lies beyond the end is never taken.
        const uint64_t beyond = from->remaining - MIN_OF(from->remaining, end - offset - moved);
        from->remaining -= beyond;
        status = move_direct(file, from, true, offset + moved, &moved);
        if (status == HX_ERR_NOT_SUPPORTED) {
            status = write_some(opened, from, offset + moved, &moved);
        }
        from->remaining += beyond;
    }
    if (moved != 0 && (file_flags(file) & FILE_SYNC) != 0) {
        status = disk_flush(opened->disk);
        moved = status == HX_OK ? moved : 0;
    }
    *out_moved = moved;
    return moved != 0 ? HX_OK : status;
}

static enum hx_status disk_seek(struct file *file, int64_t offset, uint32_t whence,
                                uint64_t *out_position) {
    const uint64_t end = bytes_of(file->data);
    const uint64_t base = whence == SEEK_FROM_CURRENT ? file->position
                          : whence == SEEK_FROM_END   ? end
                                                      : 0;
    int64_t position;
    if (whence > SEEK_FROM_END || __builtin_add_overflow((int64_t)base, offset, &position) ||
        position < 0 || (uint64_t)position > end) {
        return HX_ERR_INVALID;
    }
    file->position = (uint64_t)position;
    *out_position = file->position;
    return HX_OK;
}

static enum hx_status disk_sync(struct file *file) {
    const struct opened *opened = file->data;
    return disk_flush(opened->disk);
}

static enum hx_status put32(uint64_t argument, uint32_t value) {
    return copy_to_user(uaddr_make(argument), &value, sizeof(value));
}

static enum hx_status put64(uint64_t argument, uint64_t value) {
    return copy_to_user(uaddr_make(argument), &value, sizeof(value));
}

static enum hx_status discard(const struct file *file, uint64_t argument) {
    const struct opened *opened = file->data;
    const struct disk *disk = opened->disk;
    const uint64_t end = bytes_of(opened);
    const uint64_t mask = disk->info.sector_bytes - 1;
    uint64_t range[2];
    enum hx_status status = copy_from_user(range, uaddr_make(argument), sizeof(range));
    if ((file_flags(file) & FILE_WRITE) == 0) {
        return HX_ERR_BAD_HANDLE;
    }
    if (status != HX_OK) {
        return status;
    }
    if ((disk->info.marks & BLOCK_READ_ONLY) != 0) {
        return HX_ERR_NOT_PERMITTED;
    }
    if ((disk->info.marks & BLOCK_DISCARDS) == 0) {
        return HX_ERR_NO_OPERATION;
    }
    if (((range[0] | range[1]) & mask) != 0 || range[0] > end || range[1] > end - range[0]) {
        return HX_ERR_INVALID;
    }
    rwlock_read(&opened->disk->writing);
    status =
        disk_discard(opened->disk, sector_of(opened, range[0]), range[1] / disk->info.sector_bytes);
    rwlock_read_done(&opened->disk->writing);
    return status;
}

static enum hx_status disk_control(struct file *file, uint64_t request, uint64_t argument,
                                   int64_t *out_result) {
    const struct opened *opened = file->data;
    const struct block_info *info = &opened->disk->info;
    *out_result = 0;
    switch (request) {
    case BLKGETSIZE64:
        return put64(argument, bytes_of(opened));
    case BLKGETSIZE:
        return put64(argument, bytes_of(opened) / 512);
    case BLKSSZGET:
    case BLKPBSZGET:
    case BLKBSZGET:
        return put32(argument, info->sector_bytes);
    case BLKROGET:
        return put32(argument, (info->marks & BLOCK_READ_ONLY) != 0);
    case BLKFLSBUF:
        return disk_flush(opened->disk);
    case BLKDISCARD:
        return discard(file, argument);
    default:
        return HX_ERR_NOT_TTY;
    }
}

static void disk_release(struct file *file) {
    const struct opened *opened = file->data;
    disk_let_go(opened->disk);
    heap_free(file->data);
}

static const struct file_ops disk_file_ops = {
    .read = disk_read,
    .write = disk_write,
    .seek = disk_seek,
    .sync = disk_sync,
    .control = disk_control,
    .release = disk_release,
};

static enum hx_status open_minor(struct file *file, uint32_t minor) {
    struct disk *disk;
    struct disk_part *part;
    if (!disk_hold(minor, &disk, &part)) {
        return HX_ERR_NO_DEVICE;
    }
    struct opened *opened = heap_alloc(sizeof(*opened), MEMORY_SLEEP);
    if (opened == NULL) {
        disk_let_go(disk);
        return HX_ERR_NO_MEMORY;
    }
    *opened = (struct opened){ disk, part };
    file->ops = &disk_file_ops;
    file->data = opened;
    return HX_OK;
}

enum hx_status disk_files_init(void) {
    opener = (struct device_open){ .is_block = true,
                                   .major = BLOCK_MAJOR,
                                   .minor_last = BLOCK_DISKS_MAX * BLOCK_MINORS - 1,
                                   .open = open_minor };
    return device_open_register(&opener);
}

enum hx_status disk_nodes_add(const struct disk *disk) {
    enum hx_status status = HX_OK;
    for (uint32_t i = 0; i < disk->part_count && status == HX_OK; i++) {
        status = device_node_add(disk->parts[i].name, FS_MODE_BLOCK | 0660, BLOCK_MAJOR,
                                 disk->parts[i].minor);
    }
    return status;
}

void disk_nodes_remove(const struct disk *disk) {
    for (uint32_t i = 0; i < disk->part_count; i++) {
        device_node_remove(disk->parts[i].name);
    }
}
