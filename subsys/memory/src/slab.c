// SPDX-License-Identifier: MIT OR Apache-2.0
// slab.c: equal objects in blocks of frames. A free object's first word links to the next one;
// objects that were never given out are not touched (slab_carved counts them). One slab of each
// cache may stay empty; further ones go back to the frames.
#include "slab.h"

static const struct lock_class slab_class = { "slab", LOCK_RANK_HEAP, false };

void slab_cache_init(struct heap_cache *cache, const char *name, size_t object_bytes) {
    size_t size =
        object_bytes < 64 ? ALIGN_UP(object_bytes, (size_t)16) : ALIGN_UP(object_bytes, (size_t)64);
    uint32_t order = 0;
    // At most an eighth is lost, and a slab holds four objects or more.
    while (order < 3 && ((PAGE_SIZE << order) / size < 4 ||
                         (PAGE_SIZE << order) % size > (PAGE_SIZE << order) / 8)) {
        order++;
    }
    cache->name = name;
    cache->object_bytes = (uint32_t)size;
    cache->slab_order = order;
    cache->per_slab = (uint32_t)((PAGE_SIZE << order) / size);
    cache->capacity = size <= 256 ? MAGAZINE_OBJECTS : size <= 1024 ? 14 : 6;
    spinlock_init(&cache->lock, &slab_class);
    list_init(&cache->partial);
    cache->empty = 0;
    cache->slabs = 0;
    atomic_init(&cache->out, 0);
}

struct frame *slab_frame(const void *memory) {
    struct frame *frame = frame_of(hal_virt_to_phys(memory));
    ASSERT(frame != NULL); // a foreign pointer
    return frame - (frame->number & ((1u << frame->order) - 1));
}

// Gives one object of a slab that has one.
static void *take_one(struct heap_cache *cache, struct frame *slab) {
    cache->empty -= slab->slab_used == 0;
    slab->slab_used++;
    void *object = slab->slab_free;
    if (object != NULL) {
        slab->slab_free = *(void **)object;
    } else {
        object = (char *)frame_data(slab) + (size_t)slab->slab_carved * cache->object_bytes;
        slab->slab_carved++;
    }
    if (slab->slab_used == cache->per_slab) {
        list_remove(&slab->link);
    }
    return object;
}

uint32_t slab_take(struct heap_cache *cache, void **out_objects, uint32_t want,
                   enum memory_mode mode) {
    uint32_t got = 0;
    unsigned long state = spin_lock_irq(&cache->lock);
    while (got < want) {
        if (list_is_empty(&cache->partial)) {
            if (got > 0) {
                break; // enough to go on; no new slab for a stock
            }
            spin_unlock_irq(&cache->lock, state);
            struct frame *slab = frames_alloc_block(cache->slab_order, mode, FRAME_SLAB, cache);
            if (slab == NULL) {
                return 0;
            }
            slab->slab_free = NULL;
            slab->slab_used = 0;
            slab->slab_carved = 0;
            for (uint32_t i = 0; i < 1u << cache->slab_order; i++) {
                slab[i].cache = cache->number;
            }
            state = spin_lock_irq(&cache->lock);
            list_push_front(&cache->partial, &slab->link);
            cache->empty++;
            cache->slabs++;
        }
        struct frame *slab = LIST_ENTRY(cache->partial.next, struct frame, link);
        out_objects[got++] = take_one(cache, slab);
    }
    spin_unlock_irq(&cache->lock, state);
    atomic_fetch_add_explicit(&cache->out, got, memory_order_relaxed);
    return got;
}

// Takes one object back. Returns whether its slab left the cache and must be freed.
static bool give_one(struct heap_cache *cache, struct frame *slab, void *object) {
    ASSERT(frame_use(slab) == FRAME_SLAB && slab->owner == cache && slab->slab_used > 0 &&
           slab->slab_free != object);
    if (slab->slab_used == cache->per_slab) {
        list_push_front(&cache->partial, &slab->link);
    }
    *(void **)object = slab->slab_free;
    slab->slab_free = object;
    slab->slab_used--;
    if (slab->slab_used > 0) {
        return false;
    }
    if (cache->empty > 0) {
        list_remove(&slab->link);
        cache->slabs--;
        return true;
    }
    cache->empty++;
    return false;
}

void slab_give(struct heap_cache *cache, void *const *objects, uint32_t count) {
    struct list freed = LIST_INIT(freed);
    unsigned long state = spin_lock_irq(&cache->lock);
    for (uint32_t i = 0; i < count; i++) {
        struct frame *slab = slab_frame(objects[i]);
        if (give_one(cache, slab, objects[i])) {
            list_push_back(&freed, &slab->link);
        }
    }
    spin_unlock_irq(&cache->lock, state);
    atomic_fetch_sub_explicit(&cache->out, count, memory_order_relaxed);
    list_for_each_safe (link, &freed) {
        frame_put(LIST_ENTRY(link, struct frame, link));
    }
}

void slab_trim(struct heap_cache *cache) {
    struct frame *empty = NULL;
    unsigned long state = spin_lock_irq(&cache->lock);
    if (cache->empty > 0) {
        list_for_each (link, &cache->partial) {
            struct frame *slab = LIST_ENTRY(link, struct frame, link);
            if (slab->slab_used == 0) {
                empty = slab;
                break;
            }
        }
        ASSERT(empty != NULL);
        list_remove(&empty->link);
        cache->empty--;
        cache->slabs--;
    }
    spin_unlock_irq(&cache->lock, state);
    if (empty != NULL) {
        frame_put(empty);
    }
}
