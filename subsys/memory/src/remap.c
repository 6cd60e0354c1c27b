// SPDX-License-Identifier: MIT OR Apache-2.0
// remap.c: mremap(2): growing, shrinking and moving memory with its pages.
//
// What a program takes for one mapping may be several: pieces of a private object keep the numbers
// that their pages have, since clones may share the pages. Pieces are moved one after the other,
// and pages that cannot be numbered on from the last one's come in a mapping of their own. All that
// can fail is done before the first change: splits, which nobody sees, and that mapping.
#include "private.h"

struct remap {
    struct aspace *aspace;
    uint64_t start, old_size, new_size;
    uint64_t kept; // the smaller size: bytes that keep their pages
    uint32_t flags;
    uint64_t to;           // where it goes, or has gone
    struct mapping *fresh; // NULL, or for new pages, made before the first change
    struct list gone;      // mappings to release after the lock
};

// One translation; where there is no table for it, it comes back by a fault. False: there is none.
static bool move_translation(struct aspace *aspace, uint64_t from, uint64_t to)
    REQUIRES(aspace -> table_lock) {
    struct hal_pagetable *table = &aspace->core.table;
    struct paddr page;
    uint32_t flags;
    if (!hal_page_unmap(table, from, &page, &flags)) {
        return false;
    }
    flags &= ~(HAL_MAP_ACCESSED | HAL_MAP_DIRTY);
    if (aspace_map_page(aspace, to, page, flags) != HX_OK) {
        resident_add(aspace, -1);
    }
    return true;
}

static void move_translations(struct aspace *aspace, uint64_t from, uint64_t size, uint64_t to) {
    struct hal_pagetable *table = &aspace->core.table;
    bool any = false;
    aspace_undo_begin(aspace);
    for (uint64_t at = from; at < from + size;) {
        uint32_t moved = 0;
        spin_lock(&aspace->table_lock);
        at = hal_page_next(table, at, from + size);
        while (at < from + size && moved < 128) {
            moved += move_translation(aspace, at, to + (at - from));
            at = hal_page_next(table, at + PAGE_SIZE, from + size);
        }
        spin_unlock(&aspace->table_lock);
        any = any || moved > 0;
    }
    aspace_undo_end(aspace, from, from + size, any);
}

static bool has_room(const struct aspace *aspace, uint64_t more_bytes) {
    return aspace->mapped_pages + (more_bytes >> PAGE_SHIFT) <= aspace->limit_pages;
}

// The last of the mappings that cover the bytes from inside `first` up to `end` as one mapping
// would; NULL: there is a hole, or they are not alike.
static struct mapping *last_piece(struct mapping *first, uint64_t end) {
    while (first != NULL && first->end < end) {
        struct mapping *next = mapping_next(first);
        first = next != NULL && mapping_goes_on(first, next) ? next : NULL;
    }
    return first;
}

// Makes the mapping that new pages need, if they do: pages behind the last piece can have the
// numbers behind its own, unless another mapping of the same private object may have them.
static enum hx_status prepare(struct remap *remap, const struct mapping *last) {
    bool can_number = mapping_private(last) == NULL || mapping_is_sole(last);
    if (!(remap->flags & ASPACE_REMAP_LEAVE) && (remap->new_size == remap->kept || can_number)) {
        return HX_OK;
    }
    remap->fresh = mapping_create_like(remap->aspace, last);
    return remap->fresh != NULL ? HX_OK : HX_ERR_NO_MEMORY;
}

static void insert_fresh(const struct remap *remap, uint64_t start, uint64_t end, uint64_t page) {
    struct mapping *fresh = remap->fresh;
    fresh->start = start;
    fresh->end = end;
    fresh->object_page = page;
    mapping_insert(remap->aspace, fresh);
}

static void grow(const struct remap *remap, struct mapping *last) {
    uint64_t end = last->end + (remap->new_size - remap->kept);
    if (remap->fresh == NULL) {
        mapping_resize(remap->aspace, last, last->start, end);
        return;
    }
    remap->fresh->guard = 0;
    remap->fresh->flags &= ~ASPACE_GROWSDOWN;
    insert_fresh(remap, last->end, end, mapping_page(last, last->end));
}

static bool can_grow_in_place(const struct remap *remap, struct mapping *last) {
    uint64_t new_end = remap->start + remap->new_size;
    const struct mapping *above = mapping_next(last);
    return last->end == remap->start + remap->old_size && new_end <= HAL_USER_END &&
           (above == NULL || new_end + above->guard <= above->start);
}

// A whole mapping.
static void relocate(struct aspace *aspace, struct mapping *mapping, uint64_t to) {
    uint64_t size = mapping->end - mapping->start;
    mapping_lock(mapping); // nobody undoes or counts translations between the two places
    move_translations(aspace, mapping->start, size, to);
    gaps_remove(&aspace->mappings, &mapping->place);
    mapping->start = to;
    mapping->end = to + size;
    gaps_insert(&aspace->mappings, &mapping->place);
    mapping_unlock(mapping);
}

static enum hx_status split_at_borders(const struct remap *remap) {
    uint64_t kept_end = remap->start + remap->kept;
    enum hx_status status =
        mapping_isolate(remap->aspace, remap->start, remap->start + remap->old_size);
    if (status == HX_OK) {
        status = mapping_isolate(remap->aspace, kept_end, kept_end);
    }
    return status != HX_OK ? status
                           : mapping_isolate(remap->aspace, remap->to, remap->to + remap->new_size);
}

static void join_at_borders(const struct remap *remap) {
    mapping_merge_range(remap->aspace, remap->start, remap->start + remap->old_size);
    mapping_merge_range(remap->aspace, remap->to, remap->to + remap->new_size);
}

// There are mappings' borders at all ends.
static void unmap_whole(struct remap *remap, uint64_t start, uint64_t end) {
    enum hx_status status = unmap_locked(remap->aspace, start, end, &remap->gone);
    ASSERT(status == HX_OK);
}

static void commit(struct remap *remap) {
    struct aspace *aspace = remap->aspace;
    uint64_t kept_end = remap->start + remap->kept;
    unmap_whole(remap, remap->to, remap->to + remap->new_size);
    unmap_whole(remap, kept_end, remap->start + remap->old_size);
    for (uint64_t at = remap->start; at < kept_end;) {
        struct mapping *mapping = mapping_find(aspace, at);
        uint64_t next = mapping->end;
        relocate(aspace, mapping, remap->to + (at - remap->start));
        at = next;
    }
    if (remap->flags & ASPACE_REMAP_LEAVE) {
        insert_fresh(remap, remap->start, kept_end, mapping_find(aspace, remap->to)->object_page);
    } else if (remap->new_size > remap->kept) {
        grow(remap, mapping_find(aspace, remap->to + remap->kept - PAGE_SIZE));
    }
}

// Moves [start, start + kept), cuts off the rest, and gives it the new size.
static enum hx_status move(struct remap *remap, uint32_t mapping_flags) {
    struct aspace *aspace = remap->aspace;
    if (!(remap->flags & ASPACE_REMAP_FIXED) &&
        !place_find(aspace, remap->new_size, mapping_flags, &remap->to)) {
        return HX_ERR_NO_MEMORY;
    }
    enum hx_status status = split_at_borders(remap);
    if (status == HX_OK) {
        status = prepare(remap, mapping_find(aspace, remap->start + remap->kept - PAGE_SIZE));
    }
    if (status == HX_OK) {
        commit(remap);
    }
    join_at_borders(remap);
    return status;
}

static enum hx_status enlarge_or_move(struct remap *remap, struct mapping *last) {
    bool leaves = (remap->flags & ASPACE_REMAP_LEAVE) != 0;
    uint64_t more = leaves ? remap->old_size : remap->new_size - remap->kept;
    uint64_t end_page = mapping_page(last, remap->start + remap->kept) + (more >> PAGE_SHIFT);
    if (!has_room(remap->aspace, more) || end_page > UINT64_MAX >> PAGE_SHIFT) {
        return HX_ERR_NO_MEMORY;
    }
    if (!leaves && !(remap->flags & ASPACE_REMAP_FIXED) && can_grow_in_place(remap, last)) {
        enum hx_status status = prepare(remap, last);
        if (status == HX_OK) {
            grow(remap, last);
            remap->to = remap->start;
        }
        return status;
    }
    return remap->flags & ASPACE_REMAP_MOVE ? move(remap, last->flags) : HX_ERR_NO_MEMORY;
}

// Whether a chosen place can be the user's, apart from the old one.
static bool target_valid(const struct remap *remap) {
    uint64_t end;
    return range_valid(remap->to, remap->new_size, &end) && remap->to >= ASPACE_LOWEST &&
           (remap->to >= remap->start + remap->old_size || remap->start >= end);
}

static enum hx_status remap_locked(struct remap *remap) {
    struct mapping *first = mapping_find(remap->aspace, remap->start);
    if (first == NULL || first->start > remap->start) {
        return HX_ERR_BAD_ADDRESS;
    }
    if ((remap->flags & ASPACE_REMAP_FIXED) && !target_valid(remap)) {
        return HX_ERR_INVALID;
    }
    uint64_t kept_end = remap->start + remap->kept;
    uint64_t old_end = remap->start + remap->old_size;
    if (!(remap->flags & (ASPACE_REMAP_FIXED | ASPACE_REMAP_LEAVE)) &&
        remap->new_size == remap->kept) {
        remap->to = remap->start;
        return kept_end == old_end ? HX_OK
                                   : unmap_locked(remap->aspace, kept_end, old_end, &remap->gone);
    }
    struct mapping *last = last_piece(first, kept_end);
    return last != NULL ? enlarge_or_move(remap, last) : HX_ERR_BAD_ADDRESS;
}

enum hx_status aspace_remap(struct aspace *aspace, struct uaddr address, uint64_t old_bytes,
                            uint64_t new_bytes, uint32_t flags, struct uaddr *place) {
    uint64_t end;
    if (old_bytes == 0 || new_bytes == 0 || new_bytes > HAL_USER_END ||
        !range_valid(address.value, old_bytes, &end)) {
        return new_bytes > HAL_USER_END ? HX_ERR_NO_MEMORY : HX_ERR_INVALID;
    }
    struct remap remap = {
        .aspace = aspace,
        .start = address.value,
        .old_size = end - address.value,
        .new_size = ALIGN_UP(new_bytes, (uint64_t)PAGE_SIZE),
        .flags = flags,
        .to = place->value,
    };
    remap.kept = MIN_OF(remap.old_size, remap.new_size);
    list_init(&remap.gone);
    rwlock_write(&aspace->lock);
    enum hx_status status = remap_locked(&remap);
    rwlock_write_done(&aspace->lock);
    mappings_release(&remap.gone);
    if (status == HX_OK) {
        *place = uaddr_make(remap.to);
    }
    return status;
}
