// SPDX-License-Identifier: MIT OR Apache-2.0
// paged.c: pages that come from a pager. A page that is being read is in the object already, BUSY;
// who needs it waits. The pager runs without any lock of memory's.
#include "private.h"

#define READ_CLUSTER 8u  // pages that are read together
#define WAIT_BUCKETS 16u // waits are told apart by object, roughly

static struct waitable
    ready[WAIT_BUCKETS]; // pulsed when a page of such an object is no longer BUSY

void paged_init(void) {
    for (uint32_t i = 0; i < WAIT_BUCKETS; i++) {
        waitable_init(&ready[i], 0);
    }
}

static struct waitable *ready_of(const struct memory_object *object) {
    return &ready[((uintptr_t)object / sizeof *object) % WAIT_BUCKETS];
}

// Puts fresh BUSY frames at `page` and at the holes that follow. Returns how many.
static uint32_t reserve_locked(struct memory_object *object, uint64_t page, struct frame **frames,
                               enum hx_status *out_status) REQUIRES(object -> lock) {
    uint64_t end = MAX_OF(object_end_page(object), page + 1);
    uint32_t count = 0;
    *out_status = HX_OK;
    while (count < READ_CLUSTER && page + count < end &&
           radix_get(&object->pages, page + count) == NULL) {
        struct frame *frame = user_frame(true);
        if (frame == NULL) {
            *out_status = HX_ERR_NO_MEMORY;
            break;
        }
        atomic_store_explicit(&frame->flags, FRAME_BUSY, memory_order_relaxed);
        *out_status = object_insert_locked(object, page + count, frame);
        if (*out_status != HX_OK) {
            frame_put(frame);
            break;
        }
        frames[count++] = frame_get(frame);
    }
    return count;
}

static void read_done(struct memory_object *object, uint64_t page, struct frame **frames,
                      uint32_t count, enum hx_status status) {
    mutex_lock(&object->lock);
    for (uint32_t i = 0; i < count; i++) {
        bool mine = radix_get(&object->pages, page + i) == frames[i]; // else cut off meanwhile
        if (status != HX_OK && mine) {
            object_remove_locked(object, page + i, page + i + 1);
        }
        atomic_fetch_and_explicit(&frames[i]->flags, (uint16_t)~FRAME_BUSY, memory_order_release);
        frame_put(frames[i]);
    }
    mutex_unlock(&object->lock);
    waitable_pulse(ready_of(object));
}

enum hx_status object_wait_page(struct memory_object *object, uint64_t page) {
    struct frame *frames[READ_CLUSTER];
    struct waitable *wait = ready_of(object);
    uint32_t sequence = waitable_sequence(wait);
    enum hx_status status = HX_OK;
    mutex_lock(&object->lock);
    const struct frame *there = radix_get(&object->pages, page);
    if (there != NULL) {
        bool busy = atomic_load_explicit(&there->flags, memory_order_relaxed) & FRAME_BUSY;
        mutex_unlock(&object->lock);
        return busy ? wait_change(wait, sequence, TIME_NEVER, WAIT_KILLABLE) : HX_OK;
    }
    uint32_t count = reserve_locked(object, page, frames, &status);
    mutex_unlock(&object->lock);
    if (count == 0) {
        return status;
    }
    status = object->pager->read(object->pager_context, page, frames, count);
    read_done(object, page, frames, count, status);
    return status;
}

// The next run of dirty pages from *page on, marked clean, with references. Returns its length.
static uint32_t collect_dirty(struct memory_object *object, uint64_t *page, uint64_t end,
                              struct frame **frames) {
    uint32_t count = 0;
    mutex_lock(&object->lock);
    uint64_t at = *page;
    while (count < READ_CLUSTER && at < end) {
        struct frame *frame = radix_next(&object->pages, at, &at);
        if (frame == NULL || at >= end) {
            break;
        }
        uint32_t flags = atomic_load_explicit(&frame->flags, memory_order_relaxed);
        bool dirty = (flags & FRAME_DIRTY) && !(flags & FRAME_BUSY);
        if (count > 0 && (!dirty || at != *page + count)) {
            break;
        }
        if (dirty) {
            if (count == 0) {
                *page = at;
            }
            // Writable translations go first, so that a later store faults and marks it again.
            object_unmap_locked(object, at, at + 1, false);
            atomic_fetch_and_explicit(&frame->flags, (uint16_t)~FRAME_DIRTY, memory_order_acq_rel);
            frames[count++] = frame_get(frame);
        }
        at++;
    }
    mutex_unlock(&object->lock);
    return count;
}

enum hx_status memory_object_sync(struct memory_object *object, uint64_t first, uint64_t count) {
    struct frame *frames[READ_CLUSTER];
    uint64_t end = count > UINT64_MAX - first ? UINT64_MAX : first + count;
    if (object->kind != MEMORY_PAGED || object->pager->write == NULL) {
        return HX_OK;
    }
    for (uint64_t page = first;;) {
        uint32_t got = collect_dirty(object, &page, end, frames);
        if (got == 0) {
            return HX_OK;
        }
        enum hx_status status = object->pager->write(object->pager_context, page, frames, got);
        for (uint32_t i = 0; i < got; i++) {
            if (status != HX_OK) {
                atomic_fetch_or_explicit(&frames[i]->flags, FRAME_DIRTY, memory_order_relaxed);
            }
            frame_put(frames[i]);
        }
        if (status != HX_OK) {
            return status;
        }
        page += got;
    }
}
