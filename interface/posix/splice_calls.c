// SPDX-License-Identifier: MIT OR Apache-2.0
// splice_calls.c: splice, tee, vmsplice. Linux 6.1's fs/splice.c is the reference for the order of
// the checks.
#include "copy.h"

#include <net/socket.h>
#include <vfs/pipe.h>

#define SPLICE_F_NONBLOCK 0x02u
#define SPLICE_F_ALL      0x0fu // the others are advice

static enum hx_status finish(struct call *call, enum hx_status status, uint64_t moved) {
    if (status == HX_OK) {
        return call_ok(call, (int64_t)moved);
    }
    return status == HX_ERR_BROKEN_PIPE ? call_broken_pipe(call) : restart_if_interrupted(status);
}

// Files of bytes, as against events and directories; to read, also as against sockets of messages,
// which a page would cut.
static bool can_splice(const struct file *file, bool is_read) {
    if (file->inode == NULL) {
        const struct socket *socket = socket_of(file);
        return socket != NULL && (!is_read || socket_is_stream(socket));
    }
    const uint32_t type = inode_type(file->inode);
    return type == FS_MODE_REGULAR || type == FS_MODE_BLOCK || type == FS_MODE_CHAR;
}

static enum hx_status between_pipes(struct call *call, const struct copy_end *in,
                                    const struct copy_end *out, uint64_t size_bytes, bool keep,
                                    bool nonblock) {
    if (pipe_is_same(in->file, out->file)) {
        return HX_ERR_INVALID;
    }
    uint64_t moved;
    enum hx_status status = pipe_pass(in->file, out->file, size_bytes, keep, nonblock, &moved);
    return finish(call, status, moved);
}

// The end that is no pipe, with the offset that the program gave.
static enum hx_status take_peer(struct call *call, struct copy_end *end, unsigned argument,
                                bool is_read, struct pipe_peer *out_peer) {
    enum hx_status status = copy_end_offset(end, call_address(call, argument));
    if (status == HX_ERR_NOT_SEEKABLE || !can_splice(end->file, is_read)) {
        return HX_ERR_INVALID;
    }
    const bool is_regular =
        end->file->inode != NULL && inode_type(end->file->inode) == FS_MODE_REGULAR;
    *out_peer = (struct pipe_peer){
        .file = end->file,
        .offset = end->own_offset ? &end->offset : NULL,
        .limit_bytes = is_regular ? posix_limit(call->process, RLIMIT_FSIZE) : UINT64_MAX,
    };
    return status;
}

static enum hx_status from_pipe(struct call *call, const struct copy_end *in, struct copy_end *out,
                                uint64_t size_bytes, bool nonblock) {
    struct pipe_peer peer;
    uint64_t moved;
    enum hx_status status = take_peer(call, out, 3, false, &peer);
    if (status == HX_OK && (file_flags(out->file) & FILE_APPEND) != 0) {
        return HX_ERR_INVALID;
    }
    if (status != HX_OK) {
        return status;
    }
    status = pipe_drain(in->file, &peer, size_bytes, nonblock, &moved);
    if (status == HX_ERR_FILE_TOO_BIG && pipe_peer_room(&peer) == 0) {
        posix_signal_thread(call->thread, SIGXFSZ, NULL); // the limit's, not the file system's
    }
    status = finish(call, status, moved);
    return status == HX_OK ? copy_end_offset_back(out, call_address(call, 3)) : status;
}

static enum hx_status into_pipe(struct call *call, struct copy_end *in, const struct copy_end *out,
                                uint64_t size_bytes, bool nonblock) {
    struct pipe_peer peer;
    uint64_t moved;
    enum hx_status status = take_peer(call, in, 1, true, &peer);
    if (status != HX_OK) {
        return status;
    }
    status = pipe_fill(out->file, &peer, size_bytes, nonblock, &moved);
    status = finish(call, status, moved);
    return status == HX_OK ? copy_end_offset_back(in, call_address(call, 1)) : status;
}

static enum hx_status splice_files(struct call *call, struct copy_end *in, struct copy_end *out) {
    const uint64_t size_bytes = MIN_OF(call->args[4], RW_COUNT_MAX);
    const bool nonblock = (call_uint(call, 5) & SPLICE_F_NONBLOCK) != 0;
    const bool in_is_pipe = file_is_pipe(in->file);
    const bool out_is_pipe = file_is_pipe(out->file);
    if ((in_is_pipe && !uaddr_is_null(call_address(call, 1))) ||
        (out_is_pipe && !uaddr_is_null(call_address(call, 3)))) {
        return HX_ERR_NOT_SEEKABLE;
    }
    enum hx_status status = copy_check_ends(in, out);
    if (status != HX_OK) {
        return status;
    }
    if (in_is_pipe && out_is_pipe) {
        return between_pipes(call, in, out, size_bytes, false, nonblock);
    }
    if ((int64_t)call->args[4] < 0) {
        return HX_ERR_INVALID;
    }
    if (in_is_pipe) {
        return from_pipe(call, in, out, size_bytes, nonblock);
    }
    return out_is_pipe ? into_pipe(call, in, out, size_bytes, nonblock) : HX_ERR_INVALID;
}

enum hx_status sys_splice(struct call *call) {
    if (call->args[4] == 0) {
        return call_ok(call, 0);
    }
    if ((call_uint(call, 5) & ~SPLICE_F_ALL) != 0) {
        return HX_ERR_INVALID;
    }
    return copy_with_ends(call, call_int(call, 0), call_int(call, 2), splice_files);
}

static enum hx_status tee_files(struct call *call, struct copy_end *in, struct copy_end *out) {
    enum hx_status status = copy_check_ends(in, out);
    if (status != HX_OK) {
        return status;
    }
    if (!file_is_pipe(in->file) || !file_is_pipe(out->file)) {
        return HX_ERR_INVALID;
    }
    return between_pipes(call, in, out, MIN_OF(call->args[2], RW_COUNT_MAX), true,
                         (call_uint(call, 3) & SPLICE_F_NONBLOCK) != 0);
}

enum hx_status sys_tee(struct call *call) {
    if ((call_uint(call, 3) & ~SPLICE_F_ALL) != 0) {
        return HX_ERR_INVALID;
    }
    if (call->args[2] == 0) {
        return call_ok(call, 0);
    }
    return copy_with_ends(call, call_int(call, 0), call_int(call, 1), tee_files);
}

// To the pipe if the descriptor can be written, else from it. The bytes are copied, whether they
// are a gift or not.
static enum hx_status vmsplice_file(struct call *call, const struct descriptor *descriptor) {
    struct file *file = descriptor->file;
    const bool is_write = (file_flags(file) & FILE_WRITE) != 0;
    const bool nonblock = (call_uint(call, 3) & SPLICE_F_NONBLOCK) != 0; // not the file's flag
    const rights_t need = is_write ? HX_RIGHT_WRITE : HX_RIGHT_READ;
    struct user_segments segments;
    size_t moved;
    if (!file_is_pipe(file)) {
        return HX_ERR_BAD_HANDLE;
    }
    if ((need & ~capability_rights(descriptor->capability)) != 0) {
        return HX_ERR_ACCESS_DENIED;
    }
    enum hx_status status = segments_begin(call_address(call, 1), call->args[2], &segments);
    if (status != HX_OK) {
        return status;
    }
    status = is_write ? pipe_put(file, &segments.buffer, nonblock, &moved)
                      : pipe_get(file, &segments.buffer, nonblock, &moved);
    segments_end(&segments);
    return finish(call, status, moved);
}

enum hx_status sys_vmsplice(struct call *call) {
    if ((call_uint(call, 3) & ~SPLICE_F_ALL) != 0) {
        return HX_ERR_INVALID;
    }
    struct descriptor descriptor;
    enum hx_status status = descriptor_get(call, call_int(call, 0), 0, &descriptor);
    if (status == HX_OK) {
        status = vmsplice_file(call, &descriptor);
        descriptor_put(&descriptor);
    }
    return status;
}
