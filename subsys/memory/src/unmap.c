// SPDX-License-Identifier: MIT OR Apache-2.0
// unmap.c: from an object's page to every translation of it.
#include "private.h"

#include <core/cpu.h>

#define LOOKS_MAX 16u // mappings whose processors are asked for

// Undoes translations of [start, end) to frames of `object`. Returns whether there were any.
static bool zap_frames_of(struct aspace *aspace, const struct memory_object *object, uint64_t start,
                          uint64_t end) {
    struct hal_pagetable *table = &aspace->core.table;
    bool any = false;
    spin_lock(&aspace->table_lock);
    for (uint64_t at = hal_page_next(table, start, end); at < end;
         at = hal_page_next(table, at + PAGE_SIZE, end)) {
        struct paddr page;
        uint32_t flags;
        if (!hal_page_query(table, at, &page, &flags)) {
            continue;
        }
        const struct frame *frame = frame_of(page);
        if (object->kind != MEMORY_DEVICE && (frame == NULL || frame->object != object)) {
            continue;
        }
        if (hal_page_unmap(table, at, &page, &flags)) {
            resident_add(aspace, -1);
            any = true;
        }
    }
    spin_unlock(&aspace->table_lock);
    return any;
}

// The mappings' addresses and their address spaces stay while the object's lock is held.
void object_unmap_locked(struct memory_object *object, uint64_t first, uint64_t end, bool all) {
    list_for_each (link, &object->mappings) {
        struct mapping *mapping = LIST_ENTRY(link, struct mapping, object_link);
        uint64_t from = MAX_OF(first, mapping->object_page);
        uint64_t to = MIN_OF(end, mapping->object_page + mapping_pages(mapping));
        if (from >= to) {
            continue;
        }
        uint64_t start = mapping->start + ((from - mapping->object_page) << PAGE_SHIFT);
        uint64_t stop = mapping->start + ((to - mapping->object_page) << PAGE_SHIFT);
        if (all) {
            uint64_t stale = atomic_load_explicit(&mapping->stale_page, memory_order_relaxed);
            if (!(mapping->flags & ASPACE_SHARED) && from < stale) {
                atomic_store_explicit(&mapping->stale_page, from, memory_order_release);
            }
            aspace_zap_flush(mapping->aspace, start, stop);
        } else {
            aspace_undo_begin(mapping->aspace);
            const bool any = zap_frames_of(mapping->aspace, object, start, stop);
            aspace_undo_end(mapping->aspace, start, stop, any);
        }
    }
}

void memory_object_unmap_range(struct memory_object *object, uint64_t first, uint64_t count) {
    uint64_t end = count > UINT64_MAX - first ? UINT64_MAX : first + count;
    mutex_lock(&object->lock);
    object_unmap_locked(object, first, end, false);
    mutex_unlock(&object->lock);
}

void memory_object_revoke(struct memory_object *object) {
    mutex_lock(&object->lock);
    list_for_each (link, &object->mappings) {
        struct mapping *mapping = LIST_ENTRY(link, struct mapping, object_link);
        if (mapping_is_dead(mapping)) {
            aspace_zap_flush(mapping->aspace, mapping->start, mapping->end);
        }
    }
    mutex_unlock(&object->lock);
}

uint64_t memory_object_processors(struct memory_object *object) {
    uint64_t processors = 0;
    uint32_t looks = 0;
    mutex_lock(&object->lock);
    list_for_each (link, &object->mappings) {
        if (looks++ == LOOKS_MAX) {
            processors = cpu_online_mask();
            break;
        }
        const struct mapping *mapping = LIST_ENTRY(link, struct mapping, object_link);
        processors |= core_aspace_processors(&mapping->aspace->core);
    }
    mutex_unlock(&object->lock);
    return processors;
}
