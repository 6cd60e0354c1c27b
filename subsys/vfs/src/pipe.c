// SPDX-License-Identifier: MIT OR Apache-2.0
// pipe.c: pipes and fifos: a ring of pages, whose frames are taken when first needed.
//
// `lock` guards everything; user memory is copied under it, so it sleeps and stands among the locks
// of files. Levels: the readers' waitable is READABLE while there are bytes and HANGUP once the
// last writer has gone; the writers' one is WRITABLE while a page is free and ERROR once the last
// reader has gone. Levels change under `lock`, so they never lag behind the ring; whoever waits,
// waits for a level, so no wake is lost. Preemption is off from the wake to the unlock, lest the
// woken thread runs into the lock.
//
// Bytes go behind those of the last page if they fit there as a whole, else into pages of their
// own: so a write of a page at most is never divided, whenever there is a free page (as in Linux).
//
// A pipe lives as long as its files. A fifo's pipe hangs on `special` of its inode, under the
// inode's lock, while the fifo is open.
#include "pipe.h"

#include <core/log.h>
#include <core/thread.h>
#include <lib/string.h>
#include <memory/heap.h>

static const struct lock_class pipe_class = { "pipe", LOCK_RANK_FILE + 2, false };
static struct heap_cache *pipe_cache;

static struct pipe *pipe_alloc(bool is_fifo) {
    struct pipe *pipe = heap_cache_alloc(pipe_cache, MEMORY_SLEEP);
    if (pipe != NULL) {
        memset(pipe, 0, sizeof(*pipe));
        mutex_init(&pipe->lock, &pipe_class);
        pipe->is_fifo = pipe->has_both = is_fifo;
        pipe->account = account_current();
        object_get(&pipe->account->object);
        pipe_ring_init(&pipe->ring, pipe->account);
        waitable_init(&pipe->readable, is_fifo ? WAIT_WRITABLE : 0);
        waitable_init(&pipe->writable, WAIT_WRITABLE);
        waitable_init(&pipe->opened, 0);
    }
    return pipe;
}

static void pipe_free(struct pipe *pipe) {
    pipe_ring_destroy(&pipe->ring);
    object_put(&pipe->account->object);
    heap_cache_free(pipe_cache, pipe);
}

// Levels
// -----------------------------------------------------------------------------------------------

// Brings a level to what it should be, and tells edge-triggered observers of new bytes or room.
static void set_level(struct waitable *waitable, uint32_t level, bool is_set, bool is_news) {
    bool was_set = (waitable_state(waitable) & level) != 0;
    if (was_set != is_set) {
        waitable_update(waitable, is_set ? 0 : level, is_set ? level : 0);
    } else if (is_news && atomic_load_explicit(&waitable->watchers, memory_order_relaxed) != 0) {
        waitable_pulse(waitable);
    }
}

// After bytes went in or out, or an end came or went. `lock` is held, preemption off.
static void update_levels_locked(struct pipe *pipe, bool is_news_in, bool is_news_out) {
    bool has_room = pipe_ring_has_room(&pipe->ring);
    set_level(&pipe->readable, WAIT_READABLE, pipe->ring.used != 0 && !pipe->is_lent, is_news_in);
    set_level(&pipe->writable, WAIT_WRITABLE, has_room, is_news_out);
    if (pipe->has_both) { // a file that is both ends is waited for on `readable`
        set_level(&pipe->readable, WAIT_WRITABLE, has_room, false);
    }
}

void pipe_unlock_and_tell(struct pipe *pipe, bool is_news_in, bool is_news_out) {
    preempt_disable();
    update_levels_locked(pipe, is_news_in, is_news_out);
    mutex_unlock(&pipe->lock);
    preempt_enable();
}

uint32_t pipe_levels(const struct file *file) {
    const struct pipe *pipe = file->data;
    uint32_t flags = file_flags(file);
    uint32_t levels = 0;
    if ((flags & FILE_READ) != 0) {
        levels |= atomic_load_explicit(&pipe->readable.state, memory_order_seq_cst) &
                  (WAIT_READABLE | WAIT_HANGUP);
    }
    if ((flags & FILE_WRITE) != 0) {
        levels |= atomic_load_explicit(&pipe->writable.state, memory_order_seq_cst) &
                  (WAIT_WRITABLE | WAIT_ERROR);
    }
    return levels;
}

static struct waitable *pipe_waitable(struct file *file) {
    struct pipe *pipe = file->data;
    return (file_flags(file) & FILE_READ) != 0 ? &pipe->readable : &pipe->writable;
}

enum hx_status pipe_wait_for_bytes(struct pipe *pipe) {
    return wait_result(
        wait_one(&pipe->readable, WAIT_READABLE | WAIT_HANGUP, TIME_NEVER, WAIT_INTERRUPTIBLE));
}

enum hx_status pipe_wait_for_room(struct pipe *pipe) {
    return wait_result(
        wait_one(&pipe->writable, WAIT_WRITABLE | WAIT_ERROR, TIME_NEVER, WAIT_INTERRUPTIBLE));
}

// Reading
// -----------------------------------------------------------------------------------------------

static enum hx_status take_bytes_locked(struct pipe *pipe, struct io_buffer *to,
                                        size_t *out_moved) {
    size_t moved = 0;
    bool is_packet = false;
    enum hx_status status = HX_OK;
    while (pipe->ring.used > 0 && to->remaining > 0 && status == HX_OK && !is_packet) {
        const struct pipe_page *page = pipe_ring_page(&pipe->ring, 0);
        const char *bytes = (const char *)frame_data(page->frame) + page->offset;
        size_t done = 0;
        status = io_buffer_put(to, bytes, page->length, &done);
        moved += done;
        is_packet = (page->flags & PIPE_PAGE_PACKET) != 0;
        if (is_packet && status == HX_OK) {
            done = page->length; // what was not wanted of a packet is gone
        }
        pipe_ring_consume(&pipe->ring, (uint32_t)done);
    }
    *out_moved = moved;
    return moved != 0 ? HX_OK : status;
}

enum hx_status pipe_get(struct file *file, struct io_buffer *to, bool nonblock, size_t *out_moved) {
    struct pipe *pipe = file->data;
    *out_moved = 0;
    if (to->remaining == 0) {
        return HX_OK;
    }
    for (;;) {
        mutex_lock(&pipe->lock);
        if (pipe->ring.used > 0 && !pipe->is_lent) {
            enum hx_status status = take_bytes_locked(pipe, to, out_moved);
            pipe_unlock_and_tell(pipe, false, true);
            return status;
        }
        bool is_end = pipe->writers == 0 && !pipe->is_lent;
        mutex_unlock(&pipe->lock);
        if (is_end) {
            return HX_OK;
        }
        if (nonblock) {
            return HX_ERR_WOULD_BLOCK;
        }
        enum hx_status status = pipe_wait_for_bytes(pipe);
        if (status != HX_OK) {
            return status;
        }
    }
}

static enum hx_status pipe_read(struct file *file, struct io_buffer *to, uint64_t offset,
                                size_t *out_moved) {
    (void)offset;
    return pipe_get(file, to, (file_flags(file) & FILE_NONBLOCK) != 0, out_moved);
}

// Writing
// -----------------------------------------------------------------------------------------------

static enum hx_status add_bytes(struct pipe_page *page, struct io_buffer *from, size_t size_bytes,
                                size_t *moved) {
    size_t done = 0;
    char *bytes = (char *)frame_data(page->frame) + page->offset + page->length;
    enum hx_status status = io_buffer_take(from, bytes, size_bytes, &done);
    page->length = (uint16_t)(page->length + done);
    *moved += done;
    return status;
}

// What is more than whole pages goes behind the last page's bytes, if it fits there as a whole.
static enum hx_status add_to_last_locked(struct pipe *pipe, struct io_buffer *from, size_t *moved) {
    const size_t odd = from->remaining & PAGE_MASK;
    if (odd == 0 || pipe->ring.used == 0) {
        return HX_OK;
    }
    struct pipe_page *last = pipe_ring_page(&pipe->ring, pipe->ring.used - 1);
    const bool fits =
        last->flags == PIPE_PAGE_OWN && last->offset + last->length + odd <= PAGE_SIZE;
    return fits ? add_bytes(last, from, odd, moved) : HX_OK;
}

static enum hx_status put_bytes_locked(struct pipe *pipe, struct io_buffer *from, bool is_packet,
                                       size_t *moved) {
    enum hx_status status = add_to_last_locked(pipe, from, moved);
    while (status == HX_OK && from->remaining > 0 && pipe_ring_has_room(&pipe->ring)) {
        struct pipe_page *page = pipe_ring_next(&pipe->ring);
        if (page == NULL) {
            return HX_ERR_NO_MEMORY;
        }
        page->flags |= is_packet ? PIPE_PAGE_PACKET : 0;
        status = add_bytes(page, from, PAGE_SIZE, moved);
        pipe->ring.used += page->length != 0;
    }
    return status;
}

// One attempt: as much as goes in. *out_blocked: the rest has to wait for room.
static enum hx_status write_some(struct file *file, struct io_buffer *from, size_t *moved,
                                 bool *out_blocked) {
    struct pipe *pipe = file->data;
    size_t before = *moved;
    *out_blocked = false;
    mutex_lock(&pipe->lock);
    if (pipe->readers == 0) {
        mutex_unlock(&pipe->lock);
        return HX_ERR_BROKEN_PIPE;
    }
    enum hx_status status =
        put_bytes_locked(pipe, from, (file_flags(file) & FILE_DIRECT) != 0, moved);
    *out_blocked = status == HX_OK && from->remaining > 0;
    pipe_unlock_and_tell(pipe, *moved != before, false);
    return status;
}

// `once`: enough, if anything was moved.
static enum hx_status write_bytes(struct file *file, struct io_buffer *from, bool nonblock,
                                  bool once, size_t *out_moved) {
    size_t moved = 0;
    bool is_blocked;
    enum hx_status status;
    *out_moved = 0;
    if (from->remaining == 0) {
        return HX_OK;
    }
    for (;;) {
        status = write_some(file, from, &moved, &is_blocked);
        if (!is_blocked || (once && moved != 0)) {
            break;
        }
        status = nonblock ? HX_ERR_WOULD_BLOCK : pipe_wait_for_room(file->data);
        if (status != HX_OK) {
            break;
        }
    }
    *out_moved = moved;
    return moved != 0 ? HX_OK : status;
}

enum hx_status pipe_put(struct file *file, struct io_buffer *from, bool nonblock,
                        size_t *out_moved) {
    return write_bytes(file, from, nonblock, true, out_moved);
}

static enum hx_status pipe_write(struct file *file, struct io_buffer *from, uint64_t offset,
                                 size_t *out_moved) {
    (void)offset;
    return write_bytes(file, from, (file_flags(file) & FILE_NONBLOCK) != 0, false, out_moved);
}

// FIONREAD; the result is left to the caller to store.
#define REQUEST_BYTES_READABLE 0x541bu

static enum hx_status pipe_control(struct file *file, uint64_t request, uint64_t argument,
                                   int64_t *out_result) {
    struct pipe *pipe = file->data;
    if (request != REQUEST_BYTES_READABLE) {
        return HX_ERR_NOT_TTY;
    }
    mutex_lock(&pipe->lock);
    const uint32_t count = (uint32_t)pipe_ring_bytes(&pipe->ring);
    mutex_unlock(&pipe->lock);
    *out_result = 0;
    return copy_to_user(uaddr_make(argument), &count, sizeof(count));
}

// Ends
// -----------------------------------------------------------------------------------------------

// Adds an end; tells how often the other side has been opened so far.
static uint64_t end_add(struct pipe *pipe, uint32_t flags) {
    mutex_lock(&pipe->lock);
    uint64_t peer_opens = (flags & FILE_READ) != 0 ? pipe->writer_opens : pipe->reader_opens;
    if ((flags & FILE_READ) != 0) {
        pipe->readers++;
        pipe->reader_opens++;
        waitable_update(&pipe->writable, WAIT_ERROR, 0);
    }
    if ((flags & FILE_WRITE) != 0) {
        pipe->writers++;
        pipe->writer_opens++;
        waitable_update(&pipe->readable, WAIT_HANGUP, 0);
    }
    if (pipe->is_fifo) {
        waitable_pulse(&pipe->opened);
    }
    mutex_unlock(&pipe->lock);
    return peer_opens;
}

static void end_remove(struct pipe *pipe, uint32_t flags) {
    mutex_lock(&pipe->lock);
    if ((flags & FILE_READ) != 0 && --pipe->readers == 0) {
        waitable_update(&pipe->writable, 0, WAIT_ERROR);
    }
    if ((flags & FILE_WRITE) != 0 && --pipe->writers == 0 && !pipe->is_lent) {
        waitable_update(&pipe->readable, 0, WAIT_HANGUP);
    }
    mutex_unlock(&pipe->lock);
}

// Drops a file's hold. Nobody is inside the lock any more when the last one does.
static bool is_last_file(struct pipe *pipe) {
    return atomic_fetch_sub_explicit(&pipe->files, 1, memory_order_acq_rel) == 1;
}

static void fifo_put(struct inode *inode, struct pipe *pipe) {
    rwlock_write(&inode->lock);
    bool is_last = is_last_file(pipe);
    if (is_last) {
        inode->special = NULL;
    }
    rwlock_write_done(&inode->lock);
    if (is_last) {
        pipe_free(pipe);
    }
}

static void pipe_release(struct file *file) {
    struct pipe *pipe = file->data;
    end_remove(pipe, file_flags(file));
    if (pipe->is_fifo) {
        fifo_put(file->inode, pipe);
    } else if (is_last_file(pipe)) {
        pipe_free(pipe);
    }
}

// Looks without the lock, under which user memory is copied: as it was at some moment, roughly.
static void pipe_tally(struct file *file, struct tally *tally) {
    struct pipe *pipe = file->data;
    if (tally_meet(tally, &pipe->tally)) {
        tally->pages += atomic_load_explicit(&pipe->ring.frames, memory_order_relaxed);
    }
}

static const struct file_ops pipe_ops = {
    .name = "pipe",
    .read = pipe_read,
    .write = pipe_write,
    .waitable = pipe_waitable,
    .ready = pipe_levels,
    .control = pipe_control,
    .tally = pipe_tally,
    .release = pipe_release,
};

bool file_is_pipe(const struct file *file) {
    return file->ops == &pipe_ops;
}

bool pipe_is_same(const struct file *one, const struct file *other) {
    return one->data == other->data;
}

uint64_t pipe_size(const struct file *file) {
    struct pipe *pipe = file->data;
    mutex_lock(&pipe->lock);
    const uint64_t slots = pipe->ring.slots;
    mutex_unlock(&pipe->lock);
    return slots << PAGE_SHIFT;
}

enum hx_status pipe_resize(struct file *file, uint64_t size_bytes) {
    struct pipe *pipe = file->data;
    if (size_bytes > PIPE_BYTES_MAX) {
        return HX_ERR_INVALID;
    }
    uint32_t slots = 1;
    while ((uint64_t)slots << PAGE_SHIFT < size_bytes) {
        slots *= 2;
    }
    mutex_lock(&pipe->lock);
    enum hx_status status = pipe_ring_resize(&pipe->ring, slots);
    pipe_unlock_and_tell(pipe, false, status == HX_OK);
    return status;
}

// Pipes
// -----------------------------------------------------------------------------------------------

enum hx_status pipe_create(uint32_t flags, struct file **out_reader, struct file **out_writer) {
    struct pipe *pipe = pipe_alloc(false);
    if (pipe == NULL) {
        return HX_ERR_NO_MEMORY;
    }
    flags &= FILE_NONBLOCK | FILE_DIRECT;
    struct file *reader = file_create(&pipe_ops, FILE_READ | (flags & FILE_NONBLOCK), pipe);
    if (reader == NULL) {
        pipe_free(pipe);
        return HX_ERR_NO_MEMORY;
    }
    atomic_init(&pipe->files, 1);
    end_add(pipe, FILE_READ);
    struct file *writer = file_create(&pipe_ops, FILE_WRITE | flags, pipe);
    if (writer == NULL) {
        file_put(reader); // frees the pipe, too
        return HX_ERR_NO_MEMORY;
    }
    atomic_fetch_add_explicit(&pipe->files, 1, memory_order_relaxed);
    end_add(pipe, FILE_WRITE);
    writer->id = reader->id;
    *out_reader = reader;
    *out_writer = writer;
    return HX_OK;
}

enum hx_status pipe_reopen(struct file *file, uint32_t flags, struct file **out_file) {
    struct pipe *pipe = file->data;
    flags &= FILE_READ | FILE_WRITE | FILE_NONBLOCK;
    if ((flags & (FILE_READ | FILE_WRITE)) == 0) {
        return HX_ERR_INVALID;
    }
    struct file *again = file_create(&pipe_ops, flags, pipe);
    if (again == NULL) {
        return HX_ERR_NO_MEMORY;
    }
    atomic_fetch_add_explicit(&pipe->files, 1, memory_order_relaxed);
    if ((flags & FILE_READ) != 0 && (flags & FILE_WRITE) != 0) {
        mutex_lock(&pipe->lock);
        pipe->has_both = true;
        pipe_unlock_and_tell(pipe, false, false);
    }
    end_add(pipe, flags);
    again->id = file->id;
    *out_file = again;
    return HX_OK;
}

// Fifos
// -----------------------------------------------------------------------------------------------

static struct pipe *fifo_get(struct inode *inode) {
    struct pipe *fresh = pipe_alloc(true);
    if (fresh == NULL) {
        return NULL;
    }
    rwlock_write(&inode->lock);
    struct pipe *pipe = inode->special;
    if (pipe == NULL) {
        pipe = fresh;
        fresh = NULL;
        inode->special = pipe;
    }
    atomic_fetch_add_explicit(&pipe->files, 1, memory_order_relaxed);
    rwlock_write_done(&inode->lock);
    if (fresh != NULL) {
        pipe_free(fresh);
    }
    return pipe;
}

// Waits until the other end is open, or was opened since `opens`, its counter, was `before`.
static enum hx_status wait_for_peer(struct pipe *pipe, const uint32_t *peers, const uint64_t *opens,
                                    uint64_t before) {
    mutex_lock(&pipe->lock);
    while (*peers == 0 && *opens == before) {
        uint32_t sequence = waitable_sequence(&pipe->opened);
        mutex_unlock(&pipe->lock);
        enum hx_status status =
            wait_change(&pipe->opened, sequence, TIME_NEVER, WAIT_INTERRUPTIBLE);
        if (status != HX_OK) {
            return wait_result(status);
        }
        mutex_lock(&pipe->lock);
    }
    mutex_unlock(&pipe->lock);
    return HX_OK;
}

enum hx_status fifo_open(struct file *file) {
    struct inode *inode = file->inode;
    uint32_t flags = file_flags(file);
    uint32_t ends = flags & (FILE_READ | FILE_WRITE);
    bool is_waiting = (flags & FILE_NONBLOCK) == 0;
    enum hx_status status = HX_OK;
    if ((flags & FILE_DIRECT) != 0) {
        return HX_ERR_INVALID; // pipe2() and F_SETFL make packets
    }
    struct pipe *pipe = fifo_get(inode);
    if (pipe == NULL) {
        return HX_ERR_NO_MEMORY;
    }
    if (ends == FILE_WRITE && !is_waiting) {
        mutex_lock(&pipe->lock);
        status = pipe->readers == 0 ? HX_ERR_NO_DEVICE : HX_OK;
        mutex_unlock(&pipe->lock);
    }
    if (status != HX_OK) {
        fifo_put(inode, pipe);
        return status;
    }
    uint64_t before = end_add(pipe, ends);
    if (is_waiting && ends == FILE_READ) {
        status = wait_for_peer(pipe, &pipe->writers, &pipe->writer_opens, before);
    } else if (is_waiting && ends == FILE_WRITE) {
        status = wait_for_peer(pipe, &pipe->readers, &pipe->reader_opens, before);
    }
    if (status != HX_OK) {
        end_remove(pipe, ends);
        fifo_put(inode, pipe);
        return status;
    }
    file->ops = &pipe_ops;
    file->data = pipe;
    return HX_OK;
}

enum hx_status pipes_init(void) {
    pipe_cache = heap_cache_create("pipe", sizeof(struct pipe), alignof(struct pipe));
    return pipe_cache == NULL ? HX_ERR_NO_MEMORY : HX_OK;
}
