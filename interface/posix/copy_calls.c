// SPDX-License-Identifier: MIT OR Apache-2.0
// copy_calls.c: moving data between files inside the kernel, and space inside files.
#include "copy.h"

#include <lib/string.h>
#include <memory/heap.h>
#include <vfs/pipe.h>
#include <vfs/watch.h>

#define COPY_BYTES 32768u

#define FALLOC_FL_KEEP_SIZE      0x01
#define FALLOC_FL_PUNCH_HOLE     0x02
#define FALLOC_FL_COLLAPSE_RANGE 0x08
#define FALLOC_FL_ZERO_RANGE     0x10
#define FALLOC_FL_INSERT_RANGE   0x20
#define FALLOC_FL_UNSHARE_RANGE  0x40
#define FALLOC_FL_KNOWN          0x7b // all of them

#define POSIX_FADV_NOREUSE 5

static bool is_type(const struct file *file, uint32_t type) {
    return file->inode != NULL && inode_type(file->inode) == type;
}

enum hx_status copy_limit(struct call *call, const struct copy_end *out, uint64_t *size_bytes) {
    return call_limit_write(call, out->file, out->own_offset ? (int64_t)out->offset : OFFSET_NONE,
                            size_bytes);
}

// Moves up to `size_bytes` bytes by one read and as many writes as they need. What was read but not
// written is put back by moving the source's position.
static enum hx_status copy_piece(struct call *call, struct copy_end *in, struct copy_end *out,
                                 uint8_t *memory, size_t size_bytes, size_t *out_moved) {
    struct io_buffer buffer;
    io_buffer_kernel(&buffer, memory, size_bytes);
    size_t got = 0;
    enum hx_status status = in->own_offset ? file_read_at(in->file, &buffer, in->offset, &got)
                                           : file_read(in->file, &buffer, &got);
    if (status != HX_OK || got == 0) {
        *out_moved = 0;
        return status;
    }
    uint64_t allowed = got;
    status = copy_limit(call, out, &allowed);
    io_buffer_kernel(&buffer, memory, allowed);
    size_t done = 0;
    while (status == HX_OK && done < allowed) {
        size_t moved = 0;
        status = out->own_offset ? file_write_at(out->file, &buffer, out->offset, &moved)
                                 : file_write(out->file, &buffer, &moved);
        if (status != HX_OK || moved == 0) {
            break;
        }
        done += moved;
        out->offset += moved;
    }
    in->offset += done;
    if (!in->own_offset && done < got) {
        uint64_t position;
        // The source was just read at its position; a file without one cannot be put back.
        HX_IGNORE(file_seek(in->file, -(int64_t)(got - done), 1, &position));
    }
    *out_moved = done;
    return done != 0 ? HX_OK : status;
}

static enum hx_status copy_all(struct call *call, struct copy_end *in, struct copy_end *out,
                               uint64_t size_bytes) {
    size_bytes = MIN_OF(size_bytes, RW_COUNT_MAX);
    enum hx_status status = HX_OK;
    uint8_t *memory = heap_alloc(COPY_BYTES, MEMORY_SLEEP);
    if (memory == NULL) {
        return HX_ERR_NO_MEMORY;
    }
    uint64_t total = 0;
    while (total < size_bytes) {
        size_t moved = 0;
        const size_t piece = MIN_OF(size_bytes - total, (uint64_t)COPY_BYTES);
        status = copy_piece(call, in, out, memory, piece, &moved);
        total += moved;
        if (status != HX_OK || moved < piece || posix_signal_pending(call->thread)) {
            break;
        }
    }
    heap_free(memory);
    if (total != 0) {
        return call_ok(call, (int64_t)total);
    }
    if (status == HX_ERR_BROKEN_PIPE) {
        posix_signal_thread(call->thread, SIGPIPE, NULL);
    }
    return status == HX_OK ? call_ok(call, 0) : restart_if_interrupted(status);
}

enum hx_status copy_check_ends(const struct copy_end *in, const struct copy_end *out) {
    if ((file_flags(in->file) & FILE_READ) == 0 || (file_flags(out->file) & FILE_WRITE) == 0) {
        return HX_ERR_BAD_HANDLE;
    }
    return HX_OK;
}

enum hx_status copy_end_offset(struct copy_end *end, struct uaddr address) {
    if (uaddr_is_null(address)) {
        return HX_OK;
    }
    enum hx_status status = copy_from_user(&end->offset, address, sizeof(end->offset));
    if (status != HX_OK) {
        return status;
    }
    if (end->file->ops->seek == NULL) {
        return HX_ERR_NOT_SEEKABLE;
    }
    end->own_offset = true;
    return (int64_t)end->offset < 0 ? HX_ERR_INVALID : HX_OK;
}

enum hx_status copy_end_offset_back(const struct copy_end *end, struct uaddr address) {
    return end->own_offset ? copy_to_user(address, &end->offset, sizeof(end->offset)) : HX_OK;
}

static enum hx_status sendfile_files(struct call *call, struct copy_end *in, struct copy_end *out) {
    enum hx_status status = copy_check_ends(in, out);
    if (status != HX_OK) {
        return status;
    }
    if ((!is_type(in->file, FS_MODE_REGULAR) && !is_type(in->file, FS_MODE_BLOCK)) ||
        (file_flags(out->file) & FILE_APPEND) != 0 || (int64_t)call->args[3] < 0) {
        return HX_ERR_INVALID;
    }
    status = copy_all(call, in, out, call->args[3]);
    if (status == HX_OK) {
        status = copy_end_offset_back(in, call_address(call, 2));
    }
    return status;
}

enum hx_status copy_with_ends(struct call *call, int32_t in_fd, int32_t out_fd,
                              copy_function_t copy) {
    struct descriptor in;
    enum hx_status status = descriptor_get(call, in_fd, HX_RIGHT_READ, &in);
    if (status != HX_OK) {
        return status;
    }
    struct descriptor out;
    status = descriptor_get(call, out_fd, HX_RIGHT_WRITE, &out);
    if (status == HX_OK) {
        struct copy_end in_end = { .file = in.file };
        struct copy_end out_end = { .file = out.file };
        status = copy(call, &in_end, &out_end);
        descriptor_put(&out);
    }
    descriptor_put(&in);
    return status;
}

enum hx_status sys_sendfile(struct call *call) {
    struct descriptor in;
    enum hx_status status = descriptor_get(call, call_int(call, 1), HX_RIGHT_READ, &in);
    if (status != HX_OK) {
        return status;
    }
    // What is wrong with where it comes from is told before the other file is looked at.
    struct copy_end in_end = { .file = in.file };
    status = (file_flags(in.file) & FILE_READ) == 0
                 ? HX_ERR_BAD_HANDLE
                 : copy_end_offset(&in_end, call_address(call, 2));
    struct descriptor out;
    if (status == HX_OK) {
        status = descriptor_get(call, call_int(call, 0), HX_RIGHT_WRITE, &out);
    }
    if (status == HX_OK) {
        struct copy_end out_end = { .file = out.file };
        status = sendfile_files(call, &in_end, &out_end);
        descriptor_put(&out);
    }
    descriptor_put(&in);
    return status;
}

static uint64_t end_position(const struct copy_end *end) {
    return end->own_offset ? end->offset : end->file->position;
}

// Where it begins, as far as can be said before the files are looked at.
static enum hx_status copy_range_offset(struct copy_end *end, struct uaddr address) {
    if (uaddr_is_null(address)) {
        return HX_OK;
    }
    end->own_offset = true;
    return copy_from_user(&end->offset, address, sizeof(end->offset));
}

// In the order of copy_file_range(2): the flags, the types, how they are open, the places.
static enum hx_status copy_range_files(struct call *call, struct copy_end *in,
                                       struct copy_end *out) {
    enum hx_status status = copy_range_offset(in, call_address(call, 1));
    if (status == HX_OK) {
        status = copy_range_offset(out, call_address(call, 3));
    }
    if (status != HX_OK) {
        return status;
    }
    if (call_uint(call, 5) != 0) {
        return HX_ERR_INVALID;
    }
    if (is_type(in->file, FS_MODE_DIRECTORY) || is_type(out->file, FS_MODE_DIRECTORY)) {
        return HX_ERR_IS_DIRECTORY;
    }
    const uint64_t length = call->args[4];
    if (!is_type(in->file, FS_MODE_REGULAR) || !is_type(out->file, FS_MODE_REGULAR) ||
        (int64_t)length < 0) {
        return HX_ERR_INVALID;
    }
    status = copy_check_ends(in, out);
    if (status != HX_OK) {
        return status;
    }
    if ((file_flags(out->file) & FILE_APPEND) != 0) {
        return HX_ERR_BAD_HANDLE;
    }
    if ((int64_t)end_position(in) < 0 || (int64_t)end_position(out) < 0) {
        return HX_ERR_INVALID;
    }
    const uint64_t from = end_position(in);
    const uint64_t to = end_position(out);
    uint64_t room = MAX_OF(length, UINT64_C(1));
    status = copy_limit(call, out, &room); // also where there is nothing to copy
    if (status != HX_OK) {
        return status;
    }
    const uint64_t size = inode_size(in->file->inode);
    const uint64_t there = size > from ? size - from : 0;
    const uint64_t size_bytes = MIN_OF(MIN_OF(length, there), room);
    if (in->file->inode == out->file->inode && from < to + size_bytes && to < from + size_bytes) {
        return HX_ERR_INVALID; // what is there to copy reaches into where it goes
    }
    status = copy_all(call, in, out, size_bytes);
    if (status == HX_OK) {
        status = copy_end_offset_back(in, call_address(call, 1));
    }
    if (status == HX_OK) {
        status = copy_end_offset_back(out, call_address(call, 3));
    }
    return status;
}

enum hx_status sys_copy_file_range(struct call *call) {
    return copy_with_ends(call, call_int(call, 0), call_int(call, 2), copy_range_files);
}

static enum hx_status zero_bytes(struct memory_object *pages, uint64_t from, uint64_t to) {
    static const uint8_t zeroes[512];
    while (from < to) {
        const size_t piece = MIN_OF(to - from, (uint64_t)sizeof(zeroes));
        enum hx_status status = memory_object_write(pages, from, zeroes, piece);
        if (status != HX_OK) {
            return status;
        }
        from += piece;
    }
    return HX_OK;
}

static enum hx_status no_bytes(struct inode *inode, uint64_t from, uint64_t to) {
    (void)inode;
    (void)from;
    (void)to;
    return HX_OK;
}

// Makes the bytes of [from, to) read as zero and gives whole pages back.
static enum hx_status punch_hole(struct inode *inode, uint64_t from, uint64_t to) {
    to = MIN_OF(to, inode_size(inode));
    if (from >= to) {
        return HX_OK;
    }
    const uint64_t first = ALIGN_UP(from, PAGE_SIZE);
    const uint64_t end = ALIGN_DOWN(to, PAGE_SIZE);
    if (first > end) {
        return zero_bytes(inode->pages, from, to);
    }
    enum hx_status status = zero_bytes(inode->pages, from, first);
    if (status == HX_OK) {
        status = zero_bytes(inode->pages, end, to);
    }
    if (status == HX_OK && first < end) {
        memory_object_drop(inode->pages, first >> PAGE_SHIFT, (end - first) >> PAGE_SHIFT);
    }
    return status;
}

// Makes every page of [from, to) exist, so that later writes do not run out of space.
static enum hx_status reserve_pages(struct call *call, struct inode *inode, uint64_t from,
                                    uint64_t to) {
    const uint64_t first = from >> PAGE_SHIFT;
    const uint64_t end = ALIGN_UP(to, PAGE_SIZE) >> PAGE_SHIFT;
    struct frame_stats stats;
    frame_stats(&stats);
    if (end - first > stats.free + stats.cached) {
        return HX_ERR_NO_SPACE;
    }
    for (uint64_t page = first; page < end; page++) {
        struct frame *frame;
        enum hx_status status = memory_object_page(inode->pages, page, MEMORY_GET_CREATE, &frame);
        if (status != HX_OK) {
            return status == HX_ERR_NO_MEMORY || status == HX_ERR_LIMIT ? HX_ERR_NO_SPACE : status;
        }
        frame_put(frame);
        if (posix_signal_pending(call->thread)) {
            return HX_ERR_INTERRUPTED;
        }
    }
    return HX_OK;
}

static enum hx_status allocate(struct call *call, struct file *file, int32_t mode, uint64_t from,
                               uint64_t to) {
    struct inode *inode = file->inode;
    const bool is_zeroed = (mode & (FALLOC_FL_PUNCH_HOLE | FALLOC_FL_ZERO_RANGE)) != 0;
    enum hx_status status = file_change(file, is_zeroed ? punch_hole : no_bytes, from, to);
    if ((mode & FALLOC_FL_PUNCH_HOLE) != 0) {
        return status;
    }
    if (status == HX_OK) {
        status = reserve_pages(call, inode, from, to);
    }
    if (status == HX_OK && (mode & FALLOC_FL_KEEP_SIZE) == 0 && to > inode_size(inode)) {
        status = inode_truncate(inode, to);
    }
    return status;
}

// Modes that fallocate(2) refuses before it looks at the file.
static enum hx_status allocate_check_mode(int32_t mode) {
    const int32_t punch_and_keep = FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE;
    if ((mode & ~FALLOC_FL_KNOWN) != 0 ||
        ((mode & FALLOC_FL_PUNCH_HOLE) != 0 &&
         ((mode & FALLOC_FL_ZERO_RANGE) != 0 || (mode & punch_and_keep) != punch_and_keep))) {
        return HX_ERR_NO_OPERATION;
    }
    const bool is_alone = (mode & (mode - 1)) == 0;
    if (((mode & (FALLOC_FL_COLLAPSE_RANGE | FALLOC_FL_INSERT_RANGE)) != 0 && !is_alone) ||
        ((mode & FALLOC_FL_UNSHARE_RANGE) != 0 &&
         (mode & ~(FALLOC_FL_UNSHARE_RANGE | FALLOC_FL_KEEP_SIZE)) != 0)) {
        return HX_ERR_INVALID;
    }
    return HX_OK;
}

static enum hx_status allocate_checked(struct call *call, struct file *file, int32_t mode) {
    const int64_t offset = (int64_t)call->args[2];
    const int64_t length = (int64_t)call->args[3];
    int64_t end;
    if (offset < 0 || length <= 0) {
        return HX_ERR_INVALID;
    }
    const enum hx_status status = allocate_check_mode(mode);
    if (status != HX_OK) {
        return status;
    }
    if ((file_flags(file) & FILE_WRITE) == 0) {
        return HX_ERR_BAD_HANDLE;
    }
    if (file_is_pipe(file)) {
        return HX_ERR_NOT_SEEKABLE;
    }
    if (file->inode == NULL) {
        return call_fail(call, HX_ERR_NO_DEVICE, ENODEV);
    }
    if (inode_type(file->inode) == FS_MODE_FIFO) {
        return HX_ERR_NOT_SEEKABLE;
    }
    if (inode_type(file->inode) == FS_MODE_DIRECTORY) {
        return HX_ERR_IS_DIRECTORY;
    }
    if (inode_type(file->inode) != FS_MODE_REGULAR) {
        return call_fail(call, HX_ERR_NO_DEVICE, ENODEV);
    }
    if (__builtin_add_overflow(offset, length, &end)) {
        return HX_ERR_FILE_TOO_BIG;
    }
    const int32_t supported = FALLOC_FL_KEEP_SIZE | FALLOC_FL_PUNCH_HOLE | FALLOC_FL_ZERO_RANGE;
    if (file->inode->pages == NULL || file->inode->kind != NULL) {
        return HX_ERR_NO_OPERATION;
    }
    if ((mode & ~supported) != 0) {
        return HX_ERR_NO_OPERATION; // the file system's answer, so behind all others
    }
    if ((uint64_t)end > posix_limit(call->process, RLIMIT_FSIZE) &&
        (mode & FALLOC_FL_KEEP_SIZE) == 0) {
        posix_signal_thread(call->thread, SIGXFSZ, NULL);
        return HX_ERR_FILE_TOO_BIG;
    }
    return allocate(call, file, mode, (uint64_t)offset, (uint64_t)end);
}

enum hx_status sys_fallocate(struct call *call) {
    struct descriptor descriptor;
    enum hx_status status = descriptor_get(call, call_int(call, 0), HX_RIGHT_WRITE, &descriptor);
    if (status == HX_OK) {
        status = allocate_checked(call, descriptor.file, call_int(call, 1));
        if (status == HX_OK) {
            watch_file(descriptor.file, WATCH_MODIFY);
        }
        descriptor_put(&descriptor);
    }
    return status;
}

// Advice: doing nothing is correct.
enum hx_status sys_fadvise64(struct call *call) {
    struct descriptor descriptor;
    enum hx_status status = descriptor_get(call, call_int(call, 0), 0, &descriptor);
    if (status != HX_OK) {
        return status;
    }
    if (file_is_pipe(descriptor.file) || is_type(descriptor.file, FS_MODE_FIFO)) {
        status = HX_ERR_NOT_SEEKABLE;
    } else if ((int64_t)call->args[2] < 0 || call_uint(call, 3) > POSIX_FADV_NOREUSE) {
        status = HX_ERR_INVALID;
    }
    descriptor_put(&descriptor);
    return status == HX_OK ? call_ok(call, 0) : status;
}

enum hx_status sys_readahead(struct call *call) {
    struct descriptor descriptor;
    enum hx_status status = descriptor_get(call, call_int(call, 0), HX_RIGHT_READ, &descriptor);
    if (status != HX_OK) {
        return status;
    }
    if ((file_flags(descriptor.file) & FILE_READ) == 0) {
        status = HX_ERR_BAD_HANDLE;
    } else if (!is_type(descriptor.file, FS_MODE_REGULAR)) {
        status = HX_ERR_INVALID;
    }
    descriptor_put(&descriptor);
    return status == HX_OK ? call_ok(call, 0) : status;
}
