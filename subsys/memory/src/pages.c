// SPDX-License-Identifier: MIT OR Apache-2.0
// pages.c: the pages of one object: finding, making and removing them.
#include "private.h"

#include <lib/string.h>

enum hx_status object_insert_locked(struct memory_object *object, uint64_t page,
                                    struct frame *frame) {
    enum hx_status status = account_charge(object->account, ACCOUNT_FRAMES, 1);
    if (status != HX_OK) {
        return status;
    }
    status = radix_set(&object->pages, page, frame);
    if (status != HX_OK) {
        account_release(object->account, ACCOUNT_FRAMES, 1);
        return status;
    }
    object->page_count++;
    frame->object = object->family;
    frame->offset = page;
    return HX_OK;
}

// Fills a hole with a zero page.
static enum hx_status make_zero_locked(struct memory_object *object, uint64_t page,
                                       struct frame **out_frame) REQUIRES(object -> lock) {
    struct frame *frame = user_frame(true);
    if (frame == NULL) {
        return HX_ERR_NO_MEMORY;
    }
    enum hx_status status = object_insert_locked(object, page, frame);
    if (status != HX_OK) {
        frame_put(frame);
        return status;
    }
    *out_frame = frame;
    return HX_OK;
}

enum hx_status object_find_locked(struct memory_object *object, uint64_t page, bool create,
                                  struct frame **out_frame) {
    struct frame *frame = radix_get(&object->pages, page);
    if (frame != NULL) {
        uint32_t flags = atomic_load_explicit(&frame->flags, memory_order_relaxed);
        if (flags & FRAME_BUSY) {
            return HX_ERR_WOULD_BLOCK;
        }
        *out_frame = frame;
        return HX_OK;
    }
    if (object->kind == MEMORY_PAGED) {
        return HX_ERR_WOULD_BLOCK;
    }
    if (create) {
        return make_zero_locked(object, page, out_frame);
    }
    *out_frame = NULL;
    return HX_OK;
}

// Private objects: a copy of what the backing has; holes without CREATE show the backing's page.
// With object->lock; the backing's lock is taken inside.
static enum hx_status private_find_locked(struct memory_object *object, uint64_t page,
                                          uint32_t flags, struct frame **out_frame)
    REQUIRES(object -> lock) {
    struct memory_object *backing = object->backing;
    struct frame *frame = radix_get(&object->pages, page);
    bool write = (flags & MEMORY_GET_WRITE) != 0;
    if (frame != NULL && !(write && frame_references(frame) > 1)) {
        *out_frame = frame_get(frame);
        return HX_OK;
    }
    if (frame != NULL) {
        // Shared with a clone and about to be written outside of any mapping: its own mapping would
        // go on showing the old frame, so this is left to faults.
        return HX_ERR_BUSY;
    }
    struct frame *below = NULL;
    enum hx_status status = HX_OK;
    if (backing != NULL) {
        mutex_lock(&backing->lock);
        status = object_find_locked(backing, object->backing_offset + page, false, &below);
        if (status == HX_OK && below != NULL) {
            frame_get(below);
        }
        mutex_unlock(&backing->lock);
    }
    if (status == HX_OK && write) {
        status = make_zero_locked(object, page, &frame);
        if (status == HX_OK && below != NULL) {
            page_copy(frame_data(frame), frame_data(below));
        }
        if (below != NULL) {
            frame_put(below);
        }
        if (status == HX_OK) {
            *out_frame = frame_get(frame);
        }
        return status;
    }
    if (status == HX_OK) {
        *out_frame = below;
        return below != NULL ? HX_OK : HX_ERR_NOT_FOUND;
    }
    return status;
}

static enum hx_status page_once(struct memory_object *object, uint64_t page, uint32_t flags,
                                struct frame **out_frame) {
    struct frame *frame = NULL;
    enum hx_status status;
    mutex_lock(&object->lock);
    if (object->kind == MEMORY_PRIVATE) {
        status = private_find_locked(object, page, flags, out_frame);
        mutex_unlock(&object->lock);
        return status;
    }
    status = object_find_locked(object, page, (flags & MEMORY_GET_CREATE) != 0, &frame);
    if (status == HX_OK && frame != NULL) {
        if (flags & MEMORY_GET_WRITE) {
            atomic_fetch_or_explicit(&frame->flags, FRAME_DIRTY, memory_order_relaxed);
        }
        *out_frame = frame_get(frame);
    } else if (status == HX_OK) {
        status = HX_ERR_NOT_FOUND;
    } else if (status == HX_ERR_WOULD_BLOCK && !(flags & MEMORY_GET_CREATE) &&
               radix_get(&object->pages, page) == NULL) {
        status = HX_ERR_NOT_FOUND;
    }
    mutex_unlock(&object->lock);
    return status;
}

enum hx_status memory_object_page(struct memory_object *object, uint64_t page, uint32_t flags,
                                  struct frame **out_frame) {
    if (page > UINT64_MAX >> PAGE_SHIFT || object->kind == MEMORY_DEVICE) {
        return HX_ERR_OVERFLOW;
    }
    for (;;) {
        enum hx_status status = page_once(object, page, flags, out_frame);
        if (status != HX_ERR_WOULD_BLOCK) {
            return status;
        }
        status = object->kind == MEMORY_PRIVATE
                     ? object_wait_page(object->backing, object->backing_offset + page)
                     : object_wait_page(object, page);
        if (status != HX_OK) {
            return status;
        }
    }
}

void object_remove_locked(struct memory_object *object, uint64_t first, uint64_t end) {
    uint64_t page = first;
    int64_t removed = 0;
    while (page < end) {
        struct frame *frame = radix_next(&object->pages, page, &page);
        if (frame == NULL || page >= end) {
            break;
        }
        radix_remove(&object->pages, page);
        if (object->kind != MEMORY_PRIVATE) { // others of its family may have it, too
            frame->object = NULL; // a reader may still hold it, but it is not the file's
        }
        frame_put(frame);
        removed++;
        page++;
    }
    object->page_count -= (uint64_t)removed;
    if (removed > 0) {
        account_release(object->account, ACCOUNT_FRAMES, removed);
    }
}

void memory_object_drop(struct memory_object *object, uint64_t first, uint64_t count) {
    uint64_t end = count > UINT64_MAX - first ? UINT64_MAX : first + count;
    mutex_lock(&object->lock);
    object_unmap_locked(object, first, end, false);
    object_remove_locked(object, first, end);
    mutex_unlock(&object->lock);
}

void memory_object_truncate(struct memory_object *object, uint64_t size_bytes) {
    mutex_lock(&object->lock);
    uint64_t old = atomic_load_explicit(&object->size_bytes, memory_order_relaxed);
    atomic_store_explicit(&object->size_bytes, size_bytes, memory_order_release);
    if (size_bytes < old) {
        uint64_t end = object_end_page(object);
        if (!list_is_empty(&object->mappings)) {
            object_unmap_locked(object, end, UINT64_MAX, true);
        }
        object_remove_locked(object, end, UINT64_MAX);
        struct frame *last = NULL;
        if (size_bytes & PAGE_MASK) {
            last = radix_get(&object->pages, end - 1);
        }
        if (last != NULL) {
            size_t tail = size_bytes & PAGE_MASK;
            memset((uint8_t *)frame_data(last) + tail, 0, PAGE_SIZE - tail);
            atomic_fetch_or_explicit(&last->flags, FRAME_DIRTY, memory_order_relaxed);
        }
    }
    mutex_unlock(&object->lock);
}
