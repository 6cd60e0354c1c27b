// SPDX-License-Identifier: MIT OR Apache-2.0
// remap.c: mremap(2): growing, shrinking and moving a mapping with its pages.
#include "private.h"

struct remap {
    struct aspace *aspace;
    uint64_t start, old_size, new_size;
    bool may_move, fixed;
    uint64_t to;
    struct list gone; // mappings to release after the lock
};

// Moves translations; one that finds no table there comes back by a fault.
static void move_translations(struct aspace *aspace, uint64_t from, uint64_t size, uint64_t to) {
    struct hal_pagetable *table = &aspace->core.table;
    bool any = false;
    for (uint64_t at = from; at < from + size;) {
        uint32_t moved = 0;
        spin_lock(&aspace->table_lock);
        at = hal_page_next(table, at, from + size);
        while (at < from + size && moved < 128) {
            struct paddr page;
            uint32_t flags;
            if (hal_page_unmap(table, at, &page, &flags)) {
                flags &= ~(HAL_MAP_ACCESSED | HAL_MAP_DIRTY);
                if (hal_page_map(table, to + (at - from), page, PAGE_SHIFT, flags) != HX_OK) {
                    resident_add(aspace, -1);
                }
                moved++;
            }
            at = hal_page_next(table, at + PAGE_SIZE, from + size);
        }
        spin_unlock(&aspace->table_lock);
        any = any || moved > 0;
    }
    if (any) {
        aspace_flush_range(aspace, from, from + size);
    }
}

static bool has_room(const struct aspace *aspace, uint64_t more_bytes) {
    return aspace->mapped_pages + (more_bytes >> PAGE_SHIFT) <= aspace->limit_pages;
}

// Whether the pages behind the last one of a range can be given to it: a private object may have
// pages of another mapping there.
static bool can_number(const struct mapping *mapping, uint64_t end) {
    return mapping_private(mapping) == NULL || (mapping->end == end && mapping_is_sole(mapping));
}

static bool grow_in_place(const struct remap *remap, struct mapping *mapping) {
    uint64_t end = remap->start + remap->old_size;
    uint64_t new_end = remap->start + remap->new_size;
    if (mapping->end != end || new_end > HAL_USER_END || !can_number(mapping, end)) {
        return false;
    }
    const struct mapping *above = mapping_next(mapping);
    if (above != NULL && new_end + above->guard > above->start) {
        return false;
    }
    mapping_resize(remap->aspace, mapping, mapping->start, new_end);
    return true;
}

static enum hx_status find_target(struct remap *remap, const struct mapping *mapping,
                                  uint64_t *out_to) {
    struct aspace *aspace = remap->aspace;
    uint64_t end;
    if (!remap->fixed) {
        return place_find(aspace, remap->new_size, mapping->flags, out_to) ? HX_OK
                                                                           : HX_ERR_NO_MEMORY;
    }
    uint64_t from_end = remap->start + MAX_OF(remap->old_size, remap->new_size);
    if (!range_valid(remap->to, remap->new_size, &end) || remap->to < ASPACE_LOWEST ||
        (remap->to < from_end && remap->start < end)) {
        return HX_ERR_INVALID;
    }
    *out_to = remap->to;
    return unmap_locked(aspace, remap->to, end, &remap->gone);
}

static void relocate(const struct remap *remap, struct mapping *mapping, uint64_t to) {
    struct aspace *aspace = remap->aspace;
    move_translations(aspace, remap->start, remap->old_size, to);
    aspace->mapped_pages -= mapping_pages(mapping);
    gaps_remove(&aspace->mappings, &mapping->place);
    mapping->start = to;
    mapping->end = to + remap->new_size;
    gaps_insert(&aspace->mappings, &mapping->place);
    aspace->mapped_pages += mapping_pages(mapping);
}

// Moves [start, start + old) of `mapping` and gives it the new size.
static enum hx_status move(struct remap *remap, struct mapping *mapping, uint64_t *out_to) {
    struct aspace *aspace = remap->aspace;
    uint64_t end = remap->start + remap->old_size;
    if (remap->new_size > remap->old_size && !can_number(mapping, end)) {
        // Numbers of its own would mean moving each page to another object.
        return HX_ERR_NO_MEMORY;
    }
    enum hx_status status = find_target(remap, mapping, out_to);
    if (status == HX_OK) {
        status = mapping_isolate(aspace, remap->start, end);
    }
    if (status != HX_OK) {
        return status;
    }
    mapping = mapping_find(aspace, remap->start);
    mapping_lock(mapping); // nobody undoes or counts translations between the two places
    relocate(remap, mapping, *out_to);
    mapping_unlock(mapping);
    return HX_OK;
}

static enum hx_status remap_locked(struct remap *remap, uint64_t *out_address) {
    struct aspace *aspace = remap->aspace;
    struct mapping *mapping = mapping_find(aspace, remap->start);
    if (mapping == NULL || mapping->start > remap->start ||
        mapping->end < remap->start + remap->old_size) {
        return HX_ERR_BAD_ADDRESS;
    }
    *out_address = remap->start;
    if (remap->new_size < remap->old_size) {
        enum hx_status status = unmap_locked(aspace, remap->start + remap->new_size,
                                             remap->start + remap->old_size, &remap->gone);
        if (status != HX_OK) {
            return status;
        }
        remap->old_size = remap->new_size;
        mapping = mapping_find(aspace, remap->start);
    }
    if (!remap->fixed && remap->new_size == remap->old_size) {
        return HX_OK;
    }
    uint64_t last = mapping_page(mapping, remap->start) + (remap->new_size >> PAGE_SHIFT);
    if (!has_room(aspace, remap->new_size - remap->old_size) || last > UINT64_MAX >> PAGE_SHIFT) {
        return HX_ERR_NO_MEMORY;
    }
    if (!remap->fixed && grow_in_place(remap, mapping)) {
        return HX_OK;
    }
    return remap->may_move || remap->fixed ? move(remap, mapping, out_address) : HX_ERR_NO_MEMORY;
}

enum hx_status aspace_remap(struct aspace *aspace, struct uaddr address, uint64_t old_bytes,
                            uint64_t new_bytes, bool may_move, bool fixed, struct uaddr to,
                            struct uaddr *out_address) {
    uint64_t end;
    if (old_bytes == 0 || new_bytes == 0 || new_bytes > HAL_USER_END ||
        !range_valid(address.value, old_bytes, &end) || (fixed && (to.value & PAGE_MASK))) {
        return new_bytes > HAL_USER_END ? HX_ERR_NO_MEMORY : HX_ERR_INVALID;
    }
    struct remap remap = {
        .aspace = aspace,
        .start = address.value,
        .old_size = end - address.value,
        .new_size = ALIGN_UP(new_bytes, (uint64_t)PAGE_SIZE),
        .may_move = may_move,
        .fixed = fixed,
        .to = to.value,
    };
    uint64_t result;
    list_init(&remap.gone);
    rwlock_write(&aspace->lock);
    enum hx_status status = remap_locked(&remap, &result);
    rwlock_write_done(&aspace->lock);
    mappings_release(&remap.gone);
    if (status == HX_OK) {
        *out_address = uaddr_make(result);
    }
    return status;
}
