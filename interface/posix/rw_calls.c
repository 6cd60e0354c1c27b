// SPDX-License-Identifier: MIT OR Apache-2.0
// rw_calls.c: read, write and their relatives, lseek.
//
// All forms come down to one function: which descriptor, which direction, which buffer, which
// offset. Linux 6.1's fs/read_write.c is the reference for the order of the checks.
#include "descriptor.h"

#include <memory/heap.h>
#include <net/socket.h>

#define RWF_HIPRI     0x01
#define RWF_DSYNC     0x02
#define RWF_SYNC      0x04
#define RWF_APPEND    0x10
#define SEEK_TO_END   2u // SEEK_END
#define RWF_SUPPORTED (RWF_HIPRI | RWF_DSYNC | RWF_SYNC | RWF_APPEND)

enum hx_status call_broken_pipe(struct call *call) {
    const struct posix_siginfo info = {
        .number = SIGPIPE,
        .pid = call->process->pid,
        .uid = atomic_load_explicit(&call->process->uid, memory_order_relaxed),
    };
    posix_signal_thread(call->thread, SIGPIPE, &info);
    return HX_ERR_BROKEN_PIPE;
}

enum hx_status call_limit_write(struct call *call, const struct file *file, int64_t offset,
                                uint64_t *size_bytes) {
    const uint64_t limit = posix_limit(call->process, RLIMIT_FSIZE);
    if (limit == UINT64_MAX || *size_bytes == 0 || file->inode == NULL ||
        inode_type(file->inode) != FS_MODE_REGULAR) {
        return HX_OK;
    }
    uint64_t start = (uint64_t)offset;
    if ((file_flags(file) & FILE_APPEND) != 0) {
        start = inode_size(file->inode);
    } else if (offset == OFFSET_NONE) {
        start = file->position;
    }
    if (start >= limit) {
        posix_signal_thread(call->thread, SIGXFSZ, NULL);
        return HX_ERR_FILE_TOO_BIG;
    }
    *size_bytes = MIN_OF(*size_bytes, limit - start);
    return HX_OK;
}

static bool is_regular(const struct file *file) {
    return file->inode != NULL && inode_type(file->inode) == FS_MODE_REGULAR;
}

static inline enum hx_status do_read(struct call *call, struct file *file, struct io_buffer *to,
                                     int64_t offset) {
    if ((file_flags(file) & FILE_READ) == 0) {
        return HX_ERR_BAD_HANDLE;
    }
    if (to->remaining == 0 && !(file->inode != NULL && file->ops->read == NULL)) {
        return call_ok(call, 0);
    }
    size_t moved = 0;
    enum hx_status status = offset == OFFSET_NONE
                                ? file_read(file, to, &moved)
                                : file_read_at(file, to, (uint64_t)offset, &moved);
    if (status == HX_OK) {
        return call_ok(call, (int64_t)moved);
    }
    return restart_if_interrupted(status);
}

static inline enum hx_status do_write(struct call *call, struct file *file, struct io_buffer *from,
                                      int64_t offset) {
    if ((file_flags(file) & FILE_WRITE) == 0) {
        return HX_ERR_BAD_HANDLE;
    }
    if (is_regular(file)) {
        enum hx_status limited = call_limit_write(call, file, offset, &from->remaining);
        if (limited != HX_OK) {
            return limited;
        }
    }
    if (from->remaining == 0 && socket_of(file) == NULL) { // a socket may send an empty message
        return call_ok(call, 0);
    }
    size_t moved = 0;
    enum hx_status status = offset == OFFSET_NONE
                                ? file_write(file, from, &moved)
                                : file_write_at(file, from, (uint64_t)offset, &moved);
    if (status == HX_OK) {
        return call_ok(call, (int64_t)moved);
    }
    return status == HX_ERR_BROKEN_PIPE ? call_broken_pipe(call) : restart_if_interrupted(status);
}

static bool can_seek(const struct file *file) {
    return file->ops->seek != NULL;
}

// The common end of the forms with many segments. `writing` tells the direction.
static enum hx_status move(struct call *call, struct file *file, struct io_buffer *buffer,
                           bool writing, int64_t offset) {
    return writing ? do_write(call, file, buffer, offset) : do_read(call, file, buffer, offset);
}

// The buffer at argument 1 with the size at argument 2. HX_ERR_BAD_ADDRESS: no buffer is that
// large.
static inline enum hx_status one_buffer(const struct call *call, struct io_buffer *out_buffer) {
    const uint64_t count = call->args[2];
    if ((int64_t)count < 0) {
        return HX_ERR_BAD_ADDRESS;
    }
    io_buffer_user(out_buffer, call_address(call, 1), MIN_OF(count, RW_COUNT_MAX));
    return HX_OK;
}

enum hx_status sys_read(struct call *call) {
    struct descriptor descriptor;
    enum hx_status status = descriptor_get(call, call_int(call, 0), HX_RIGHT_READ, &descriptor);
    if (status != HX_OK) {
        return status;
    }
    struct io_buffer buffer;
    status = one_buffer(call, &buffer);
    if (status == HX_OK) {
        status = do_read(call, descriptor.file, &buffer, OFFSET_NONE);
    }
    descriptor_put(&descriptor);
    return status;
}

enum hx_status sys_write(struct call *call) {
    struct descriptor descriptor;
    enum hx_status status = descriptor_get(call, call_int(call, 0), HX_RIGHT_WRITE, &descriptor);
    if (status != HX_OK) {
        return status;
    }
    struct io_buffer buffer;
    status = one_buffer(call, &buffer);
    if (status == HX_OK) {
        status = do_write(call, descriptor.file, &buffer, OFFSET_NONE);
    }
    descriptor_put(&descriptor);
    return status;
}

static rights_t move_needs(bool writing) {
    return writing ? HX_RIGHT_WRITE : HX_RIGHT_READ;
}

// The file of a call that names an offset. HX_ERR_INVALID, HX_ERR_BAD_HANDLE, HX_ERR_NOT_SEEKABLE.
static enum hx_status descriptor_get_at(struct call *call, rights_t need, int64_t offset,
                                        struct descriptor *out_descriptor) {
    if (offset < 0) {
        return HX_ERR_INVALID;
    }
    enum hx_status status = descriptor_get(call, call_int(call, 0), need, out_descriptor);
    if (status == HX_OK && !can_seek(out_descriptor->file)) {
        descriptor_put(out_descriptor);
        return HX_ERR_NOT_SEEKABLE;
    }
    return status;
}

static enum hx_status move_one_at(struct call *call, bool writing) {
    const int64_t offset = (int64_t)call->args[3];
    struct descriptor descriptor;
    enum hx_status status = descriptor_get_at(call, move_needs(writing), offset, &descriptor);
    if (status != HX_OK) {
        return status;
    }
    struct io_buffer buffer;
    status = one_buffer(call, &buffer);
    if (status == HX_OK) {
        status = move(call, descriptor.file, &buffer, writing, offset);
    }
    descriptor_put(&descriptor);
    return status;
}

enum hx_status sys_pread64(struct call *call) {
    return move_one_at(call, false);
}

enum hx_status sys_pwrite64(struct call *call) {
    return move_one_at(call, true);
}

void segments_end(struct user_segments *segments) {
    if (segments->all != segments->few) {
        heap_free(segments->all);
    }
}

// Checks the lengths and cuts their sum at RW_COUNT_MAX. HX_ERR_INVALID: one is negative.
static enum hx_status segments_check(struct io_segment *segments, uint32_t count) {
    uint64_t left = RW_COUNT_MAX;
    for (uint32_t i = 0; i < count; i++) {
        if ((int64_t)segments[i].length < 0) {
            return HX_ERR_INVALID;
        }
        segments[i].length = MIN_OF(segments[i].length, left);
        left -= segments[i].length;
    }
    return HX_OK;
}

enum hx_status segments_begin(struct uaddr from, uint64_t count, struct user_segments *segments) {
    if (count > IO_SEGMENTS_MAX) {
        return HX_ERR_INVALID;
    }
    segments->all = segments->few;
    if (count > SEGMENTS_ON_STACK) {
        segments->all = heap_alloc(count * sizeof(struct io_segment), MEMORY_SLEEP);
        if (segments->all == NULL) {
            return HX_ERR_NO_MEMORY;
        }
    }
    enum hx_status status = copy_from_user(segments->all, from, count * sizeof(struct io_segment));
    if (status == HX_OK) {
        status = segments_check(segments->all, (uint32_t)count);
    }
    if (status != HX_OK) {
        segments_end(segments);
        return status;
    }
    io_buffer_segments(&segments->buffer, segments->all, (uint32_t)count);
    return HX_OK;
}

static enum hx_status move_segments(struct call *call, struct file *file, bool writing,
                                    int64_t offset) {
    const uint32_t wanted = writing ? FILE_WRITE : FILE_READ;
    if ((file_flags(file) & wanted) == 0) {
        return HX_ERR_BAD_HANDLE;
    }
    struct user_segments segments;
    enum hx_status status = segments_begin(call_address(call, 1), call->args[2], &segments);
    if (status == HX_OK) {
        status = move(call, file, &segments.buffer, writing, offset);
        segments_end(&segments);
    }
    return status;
}

static enum hx_status move_many(struct call *call, bool writing) {
    struct descriptor descriptor;
    enum hx_status status =
        descriptor_get(call, call_int(call, 0), move_needs(writing), &descriptor);
    if (status == HX_OK) {
        status = move_segments(call, descriptor.file, writing, OFFSET_NONE);
        descriptor_put(&descriptor);
    }
    return status;
}

enum hx_status sys_readv(struct call *call) {
    return move_many(call, false);
}

enum hx_status sys_writev(struct call *call) {
    return move_many(call, true);
}

// The offset comes as two registers on all machines; on 64-bit ones the lower has all of it.
static enum hx_status move_many_at(struct call *call, bool writing) {
    const int64_t offset = (int64_t)call->args[3];
    struct descriptor descriptor;
    enum hx_status status = descriptor_get_at(call, move_needs(writing), offset, &descriptor);
    if (status == HX_OK) {
        status = move_segments(call, descriptor.file, writing, offset);
        descriptor_put(&descriptor);
    }
    return status;
}

enum hx_status sys_preadv(struct call *call) {
    return move_many_at(call, false);
}

enum hx_status sys_pwritev(struct call *call) {
    return move_many_at(call, true);
}

// preadv2, pwritev2: an offset of -1 means the position; flags per call.
static enum hx_status move_many_flags(struct call *call, bool writing) {
    const int64_t offset = (int64_t)call->args[3];
    const int32_t flags = call_int(call, 5);
    struct descriptor descriptor;
    enum hx_status status =
        offset == OFFSET_NONE
            ? descriptor_get(call, call_int(call, 0), move_needs(writing), &descriptor)
            : descriptor_get_at(call, move_needs(writing), offset, &descriptor);
    if (status != HX_OK) {
        return status;
    }
    if ((flags & ~RWF_SUPPORTED) != 0) {
        descriptor_put(&descriptor);
        return HX_ERR_NO_OPERATION;
    }
    struct file *file = descriptor.file;
    int64_t where = offset;
    if (writing && (flags & RWF_APPEND) != 0 && is_regular(file)) {
        uint64_t end = inode_size(file->inode);
        if (offset == OFFSET_NONE) { // the position goes to the end, too
            status = file_seek(file, 0, SEEK_TO_END, &end);
        } else {
            where = (int64_t)end;
        }
    }
    if (status != HX_OK) {
        descriptor_put(&descriptor);
        return status;
    }
    status = move_segments(call, file, writing, where);
    if (status == HX_OK && writing && (flags & (RWF_DSYNC | RWF_SYNC)) != 0 &&
        file->ops->sync != NULL) {
        status = file->ops->sync(file);
    }
    descriptor_put(&descriptor);
    return status;
}

enum hx_status sys_preadv2(struct call *call) {
    return move_many_flags(call, false);
}

enum hx_status sys_pwritev2(struct call *call) {
    return move_many_flags(call, true);
}

enum hx_status sys_lseek(struct call *call) {
    struct descriptor descriptor;
    enum hx_status status = descriptor_get(call, call_int(call, 0), 0, &descriptor);
    if (status != HX_OK) {
        return status;
    }
    const uint32_t whence = call_uint(call, 2);
    uint64_t position = 0;
    if (whence > 4) {
        status = HX_ERR_INVALID;
    } else if ((capability_rights(descriptor.capability) & (HX_RIGHT_READ | HX_RIGHT_WRITE)) == 0) {
        status = capability_refusal(descriptor.capability); // the position is all sharers'
    } else {
        status = file_seek(descriptor.file, (int64_t)call->args[1], whence, &position);
    }
    descriptor_put(&descriptor);
    return status == HX_OK ? call_ok(call, (int64_t)position) : status;
}
