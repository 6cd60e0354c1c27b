// SPDX-License-Identifier: MIT OR Apache-2.0
// pipe_splice.c: moving bytes between pipes and other files, without a program's memory.
//
// Foreign files are read and written without the pipe's lock, which others may need meanwhile. What
// is read for a pipe has a place reserved before; a pipe whose bytes are written elsewhere is lent:
// they stay in it until they are written, and to everybody else it looks empty.
#include "pipe.h"

#include <memory/frame.h>

// Lending
// -----------------------------------------------------------------------------------------------

// *out_is_lent is false at the end: no bytes, no writers.
static enum hx_status lend(struct pipe *pipe, bool nonblock, bool *out_is_lent) {
    for (;;) {
        mutex_lock(&pipe->lock);
        if (pipe->ring.used > 0 && !pipe->is_lent) {
            pipe->is_lent = *out_is_lent = true;
            waitable_update(&pipe->readable, WAIT_HANGUP, 0);
            pipe_unlock_and_tell(pipe, false, false);
            return HX_OK;
        }
        *out_is_lent = false;
        const bool is_end = pipe->writers == 0 && !pipe->is_lent;
        mutex_unlock(&pipe->lock);
        if (is_end) {
            return HX_OK;
        }
        enum hx_status status = nonblock ? HX_ERR_WOULD_BLOCK : pipe_wait_for_bytes(pipe);
        if (status != HX_OK) {
            return status;
        }
    }
}

static void give_back(struct pipe *pipe) {
    mutex_lock(&pipe->lock);
    pipe->is_lent = false;
    if (pipe->writers == 0) {
        waitable_update(&pipe->readable, 0, WAIT_HANGUP);
    }
    pipe_unlock_and_tell(pipe, false, false);
}

static void consume(struct pipe *pipe, uint32_t bytes) {
    mutex_lock(&pipe->lock);
    pipe_ring_consume(&pipe->ring, bytes);
    pipe_unlock_and_tell(pipe, false, true);
}

// A page of a pipe that is lent, with a reference to its frame; false: there are no more.
static bool share(struct pipe *pipe, uint32_t index, uint64_t bytes, struct pipe_page *out_page) {
    mutex_lock(&pipe->lock);
    const bool is_there = index < pipe->ring.used;
    if (is_there) {
        *out_page = pipe_ring_share(&pipe->ring, index, bytes);
    }
    mutex_unlock(&pipe->lock);
    return is_there;
}

// From a pipe
// -----------------------------------------------------------------------------------------------

static enum hx_status move_with(const struct pipe_peer *peer, bool is_write,
                                struct io_buffer *buffer, size_t *out_moved) {
    enum hx_status status;
    *out_moved = 0;
    if (peer->offset == NULL) {
        return is_write ? file_write(peer->file, buffer, out_moved)
                        : file_read(peer->file, buffer, out_moved);
    }
    status = is_write ? file_write_at(peer->file, buffer, *peer->offset, out_moved)
                      : file_read_at(peer->file, buffer, *peer->offset, out_moved);
    *peer->offset += *out_moved;
    return status;
}

static enum hx_status drain_lent(struct pipe *pipe, const struct pipe_peer *to, uint64_t size_bytes,
                                 uint64_t *moved) {
    struct pipe_page page;
    while (*moved < size_bytes && share(pipe, 0, size_bytes - *moved, &page)) {
        struct io_buffer buffer;
        size_t done;
        io_buffer_kernel(&buffer, (char *)frame_data(page.frame) + page.offset, page.length);
        enum hx_status status = move_with(to, true, &buffer, &done);
        frame_put(page.frame);
        *moved += done;
        if (done != 0) {
            consume(pipe, (uint32_t)done);
        }
        if (status != HX_OK || done < page.length) {
            return status;
        }
    }
    return HX_OK;
}

enum hx_status pipe_drain(struct file *file, const struct pipe_peer *to, uint64_t size_bytes,
                          bool nonblock, uint64_t *out_moved) {
    struct pipe *pipe = file->data;
    bool is_lent;
    *out_moved = 0;
    enum hx_status status =
        lend(pipe, nonblock || (file_flags(file) & FILE_NONBLOCK) != 0, &is_lent);
    if (status == HX_OK && is_lent) {
        status = drain_lent(pipe, to, size_bytes, out_moved);
        give_back(pipe);
    }
    return *out_moved != 0 ? HX_OK : status;
}

// Into a pipe
// -----------------------------------------------------------------------------------------------

// Keeps a place for a page, if there is one. HX_ERR_WOULD_BLOCK: there is none.
static enum hx_status try_to_reserve(struct pipe *pipe) {
    enum hx_status status = HX_ERR_WOULD_BLOCK;
    mutex_lock(&pipe->lock);
    if (pipe->readers == 0) {
        status = HX_ERR_BROKEN_PIPE;
    } else if (pipe_ring_has_room(&pipe->ring)) {
        status = pipe_ring_reserve(&pipe->ring);
    }
    pipe_unlock_and_tell(pipe, false, false);
    return status;
}

static enum hx_status reserve(struct pipe *pipe, bool nonblock) {
    enum hx_status status = try_to_reserve(pipe);
    while (status == HX_ERR_WOULD_BLOCK && !nonblock) {
        status = pipe_wait_for_room(pipe);
        if (status == HX_OK) {
            status = try_to_reserve(pipe);
        }
    }
    return status;
}

static void place(struct pipe *pipe, struct pipe_page page) {
    mutex_lock(&pipe->lock);
    pipe_ring_place(&pipe->ring, page);
    pipe_unlock_and_tell(pipe, page.length != 0, page.length == 0);
}

// Reads a page at most into a place that is kept for it.
static enum hx_status fill_page(struct pipe *pipe, const struct pipe_peer *from, size_t size_bytes,
                                size_t *out_moved) {
    struct pipe_page page = { .frame = frame_alloc(MEMORY_SLEEP, false), .flags = PIPE_PAGE_OWN };
    enum hx_status status = HX_ERR_NO_MEMORY;
    *out_moved = 0;
    if (page.frame != NULL) {
        struct io_buffer buffer;
        io_buffer_kernel(&buffer, frame_data(page.frame), size_bytes);
        status = move_with(from, false, &buffer, out_moved);
        page.length = (uint16_t)*out_moved;
    }
    place(pipe, page);
    return status;
}

enum hx_status pipe_fill(struct file *file, const struct pipe_peer *from, uint64_t size_bytes,
                         bool nonblock, uint64_t *out_moved) {
    struct pipe *pipe = file->data;
    uint64_t moved = 0;
    size_t done;
    enum hx_status status;
    nonblock = nonblock || (file_flags(file) & FILE_NONBLOCK) != 0;
    do {
        const size_t want = MIN_OF(size_bytes - moved, (uint64_t)PAGE_SIZE);
        status = reserve(pipe, nonblock || moved != 0);
        if (status != HX_OK) {
            break;
        }
        status = fill_page(pipe, from, want, &done);
        moved += done;
        // A file that has no more just now may have to be waited for.
        if (status != HX_OK || done < want) {
            break;
        }
    } while (moved < size_bytes && (file_ready(from->file) & WAIT_READABLE) != 0);
    *out_moved = moved;
    return moved != 0 ? HX_OK : status;
}

// Between pipes
// -----------------------------------------------------------------------------------------------

static enum hx_status add_shared(struct pipe *pipe, struct pipe_page page) {
    enum hx_status status = try_to_reserve(pipe);
    if (status == HX_OK) {
        place(pipe, page);
    } else {
        frame_put(page.frame);
    }
    return status;
}

// As much as there is in the one, which is lent, and room for in the other; never waits.
static enum hx_status pass_lent(struct pipe *from, struct pipe *to, uint64_t size_bytes, bool keep,
                                uint64_t *moved) {
    struct pipe_page page;
    uint32_t index = 0;
    while (*moved < size_bytes && share(from, index, size_bytes - *moved, &page)) {
        enum hx_status status = add_shared(to, page);
        if (status != HX_OK) {
            return status;
        }
        *moved += page.length;
        if (keep) {
            index++;
        } else {
            consume(from, page.length);
        }
    }
    return HX_OK;
}

enum hx_status pipe_pass(struct file *from, struct file *to, uint64_t size_bytes, bool keep,
                         bool nonblock, uint64_t *out_moved) {
    struct pipe *source = from->data;
    enum hx_status status;
    bool is_lent;
    *out_moved = 0;
    nonblock = nonblock || ((file_flags(from) | file_flags(to)) & FILE_NONBLOCK) != 0;
    do {
        status = lend(source, nonblock, &is_lent);
        if (status != HX_OK || !is_lent) {
            return status;
        }
        status = pass_lent(source, to->data, size_bytes, keep, out_moved);
        give_back(source); // nobody waits for room while others may want its bytes
        if (*out_moved != 0) {
            return HX_OK;
        }
        if (status == HX_ERR_WOULD_BLOCK && !nonblock) {
            status = pipe_wait_for_room(to->data);
        } else if (status != HX_OK) {
            return status;
        }
    } while (status == HX_OK);
    return status;
}
