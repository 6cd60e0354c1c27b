// SPDX-License-Identifier: MIT OR Apache-2.0
// pipe_splice.c: moving bytes between pipes and other files, without a program's memory.
//
// Foreign files are read and written without the pipe's lock, which others may need meanwhile. What
// is read for a pipe has a place reserved before; a pipe whose bytes are written elsewhere is lent:
// they stay in it until they are written, and to everybody else it looks empty. Between pipes,
// whose locks are held one at a time, a page moves once there is a place for it.
#include "pipe.h"

#include <core/thread.h>
#include <memory/frame.h>

// What was moved is told to the program before more is. That the thread was switched away meanwhile
// calls for nothing.
static bool is_called_away(void) {
    return (thread_attention(thread_current()) & ~THREAD_SWITCHED) != 0;
}

// Lending
// -----------------------------------------------------------------------------------------------

// *out_is_lent is false at the end: no bytes, no writers.
static enum hx_status lend(struct pipe *pipe, bool nonblock, bool *out_is_lent) {
    for (;;) {
        mutex_lock(&pipe->lock);
        if (pipe->ring.used > 0 && !pipe->is_lent) {
            pipe->is_lent = *out_is_lent = true;
            if (pipe->writers == 0) {
                waitable_update(&pipe->readable, WAIT_HANGUP, 0);
            }
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

// The first page of a pipe that is lent, with a reference to its frame; false: there is none.
static bool share_first(struct pipe *pipe, uint64_t bytes, struct pipe_page *out_page) {
    mutex_lock(&pipe->lock);
    const bool is_there = pipe->ring.used != 0;
    if (is_there) {
        *out_page = pipe_ring_share(&pipe->ring, 0, bytes);
    }
    mutex_unlock(&pipe->lock);
    return is_there;
}

// To a file
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

uint64_t pipe_peer_room(const struct pipe_peer *peer) {
    const uint64_t at = peer->offset != NULL ? *peer->offset : peer->file->position;
    return peer->limit_bytes > at ? peer->limit_bytes - at : 0;
}

static enum hx_status drain_lent(struct pipe *pipe, const struct pipe_peer *to, uint64_t size_bytes,
                                 uint64_t *moved) {
    struct pipe_page page;
    while (*moved < size_bytes && !(*moved != 0 && is_called_away())) {
        const uint64_t room = pipe_peer_room(to);
        if (room == 0) {
            return HX_ERR_FILE_TOO_BIG;
        }
        if (!share_first(pipe, MIN_OF(size_bytes - *moved, room), &page)) {
            break;
        }
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

// Whether the peer's read or write would say so. With its end or an error it says that.
static bool would_block(struct file *file, bool is_write) {
    const uint32_t levels = is_write ? WAIT_WRITABLE | WAIT_ERROR | WAIT_SELF_SHUT
                                     : WAIT_READABLE | WAIT_ERROR | WAIT_PEER_SHUT | WAIT_HANGUP;
    return (file_flags(file) & FILE_NONBLOCK) != 0 && (file_ready(file) & levels) == 0;
}

enum hx_status pipe_drain(struct file *file, const struct pipe_peer *to, uint64_t size_bytes,
                          bool nonblock, uint64_t *out_moved) {
    struct pipe *pipe = file->data;
    bool is_lent;
    *out_moved = 0;
    nonblock = nonblock || (file_flags(file) & FILE_NONBLOCK) != 0;
    if (would_block(to->file, true)) {
        return HX_ERR_WOULD_BLOCK; // before who watches the pipe is told that it is lent and back
    }
    enum hx_status status = lend(pipe, nonblock, &is_lent);
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

// Fills the place that was kept, or gives it back if the page has no bytes.
static void place(struct pipe *pipe, struct pipe_page page) {
    mutex_lock(&pipe->lock);
    pipe_ring_place(&pipe->ring, page);
    pipe_unlock_and_tell(pipe, page.length != 0, false);
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

// Of a file that gives all its bytes without waiting, as against one whose next may not be there.
static bool is_plentiful(const struct file *file) {
    return file->ops->seek != NULL;
}

enum hx_status pipe_fill(struct file *file, const struct pipe_peer *from, uint64_t size_bytes,
                         bool nonblock, uint64_t *out_moved) {
    struct pipe *pipe = file->data;
    uint64_t moved = 0;
    size_t done, want;
    enum hx_status status;
    *out_moved = 0;
    nonblock = nonblock || (file_flags(file) & FILE_NONBLOCK) != 0;
    if (would_block(from->file, false)) {
        return HX_ERR_WOULD_BLOCK;
    }
    do {
        want = MIN_OF(size_bytes - moved, (uint64_t)PAGE_SIZE);
        status = reserve(pipe, nonblock || moved != 0);
        if (status != HX_OK) {
            break;
        }
        status = fill_page(pipe, from, want, &done);
        moved += done;
    } while (status == HX_OK && done == want && moved < size_bytes && is_plentiful(from->file) &&
             !is_called_away());
    *out_moved = moved;
    return moved != 0 ? HX_OK : status;
}

// Between pipes
// -----------------------------------------------------------------------------------------------

// How far a thread has come that moves pages out of a pipe, or shares them.
struct passing {
    bool keep;       // they stay
    uint32_t index;  // of the next page
    uint64_t taken;  // bytes that had been taken out of the pipe at the first page
    uint64_t moved;  // bytes
    bool lacks_room; // why it stopped
};

// Whether the next page is there. HX_ERR_WOULD_BLOCK: it is not, or others have taken some that
// were to stay; HX_ERR_NOT_FOUND: and there will be none.
static enum hx_status look_for_page_locked(const struct pipe *pipe, struct passing *passing) {
    const struct pipe_ring *ring = &pipe->ring;
    if (passing->index == 0) {
        passing->taken = ring->taken;
    }
    if (!pipe->is_lent && passing->index < ring->used &&
        (!passing->keep || ring->taken == passing->taken)) {
        return HX_OK;
    }
    return pipe->writers == 0 && !pipe->is_lent ? HX_ERR_NOT_FOUND : HX_ERR_WOULD_BLOCK;
}

static enum hx_status look_for_page(struct pipe *pipe, struct passing *passing) {
    mutex_lock(&pipe->lock);
    const enum hx_status status = look_for_page_locked(pipe, passing);
    mutex_unlock(&pipe->lock);
    return status;
}

static bool has_readers(struct pipe *pipe) {
    mutex_lock(&pipe->lock);
    const bool has = pipe->readers != 0;
    mutex_unlock(&pipe->lock);
    return has;
}

// It, as a whole or its first bytes. As above.
static enum hx_status take_page(struct pipe *pipe, struct passing *passing, uint64_t bytes,
                                struct pipe_page *out_page) {
    struct pipe_ring *ring = &pipe->ring;
    mutex_lock(&pipe->lock);
    const enum hx_status status = look_for_page_locked(pipe, passing);
    if (status != HX_OK) {
        mutex_unlock(&pipe->lock);
        return status;
    }
    *out_page = pipe_ring_share(ring, passing->index, bytes);
    if (passing->keep) {
        passing->index++;
        mutex_unlock(&pipe->lock);
    } else {
        pipe_ring_consume(ring, out_page->length);
        pipe_unlock_and_tell(pipe, false, true);
    }
    return HX_OK;
}

// As much as there is in the one and room for in the other; never waits. A place is kept only where
// there is a page for it: who watches the other pipe would be told that it is gone and back.
static enum hx_status pass_some(struct pipe *from, struct pipe *to, uint64_t size_bytes,
                                struct passing *passing) {
    while (passing->moved < size_bytes && !(passing->moved != 0 && is_called_away())) {
        struct pipe_page page = { .frame = NULL };
        enum hx_status status = look_for_page(from, passing);
        passing->lacks_room = false;
        if (status == HX_OK) {
            status = try_to_reserve(to);
            passing->lacks_room = status == HX_ERR_WOULD_BLOCK;
        } else if (status == HX_ERR_NOT_FOUND && !has_readers(to)) {
            status = HX_ERR_BROKEN_PIPE;
        }
        if (status != HX_OK) {
            return status;
        }
        status = take_page(from, passing, size_bytes - passing->moved, &page);
        place(to, page);
        if (status != HX_OK) {
            return status;
        }
        passing->moved += page.length;
    }
    return HX_OK;
}

enum hx_status pipe_pass(struct file *from, struct file *to, uint64_t size_bytes, bool keep,
                         bool nonblock, uint64_t *out_moved) {
    struct passing passing = { .keep = keep };
    enum hx_status status;
    nonblock = nonblock || ((file_flags(from) | file_flags(to)) & FILE_NONBLOCK) != 0;
    do {
        status = pass_some(from->data, to->data, size_bytes, &passing);
        *out_moved = passing.moved;
        if (passing.moved != 0 || status == HX_ERR_NOT_FOUND) {
            return HX_OK;
        }
        if (status == HX_ERR_WOULD_BLOCK && !nonblock) {
            status =
                passing.lacks_room ? pipe_wait_for_room(to->data) : pipe_wait_for_bytes(from->data);
        } else if (status != HX_OK) {
            return status;
        }
    } while (status == HX_OK);
    return status;
}
