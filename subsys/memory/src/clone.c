// SPDX-License-Identifier: MIT OR Apache-2.0
// clone.c: fork's copy of an address space.
//
// Pages are shared by reference and become read-only on both sides; the child gets the parent's
// translations of them, so that it does not fault to read. Pages of files come back by faults. The
// parent's processors are told once, at the end.
//
// Whoever undoes or counts translations may find the child as soon as a mapping of it is in a list,
// so its page table is locked, too, and its mapping is in the lists before it gets translations:
// behind the parent's, so that what was undone in the parent does not come up in the child later.
#include "private.h"

#define SLICE_PAGES 512u // copied at once under the locks of the page tables

struct share {
    struct hal_pagetable *parent;
    struct aspace *child;
    uint64_t start; // address of page 0 of the object, may wrap
    uint32_t flags;
    int64_t mapped;
    bool any;
};

static void share_one(void *context, uint64_t page, struct frame *frame)
    HX_ATTR(no_thread_safety_analysis) {
    struct share *share = context;
    uint64_t address = share->start + (page << PAGE_SHIFT);
    if (hal_page_protect(share->parent, address, share->flags)) {
        share->any = true;
        // Without memory for a table the child faults instead.
        share->mapped +=
            aspace_map_page(share->child, address, frame_address(frame), share->flags) == HX_OK;
    }
}

static void lock_tables(struct aspace *parent, struct aspace *child)
    HX_ATTR(no_thread_safety_analysis) {
    spin_lock(parent < child ? &parent->table_lock : &child->table_lock);
    spin_lock(parent < child ? &child->table_lock : &parent->table_lock);
}

static void unlock_tables(struct aspace *parent, struct aspace *child)
    HX_ATTR(no_thread_safety_analysis) {
    spin_unlock(&child->table_lock);
    spin_unlock(&parent->table_lock);
}

// Makes the pages of a private object that the mapping covers read-only in the parent and maps them
// in the child. Returns whether the parent had any.
static bool share_translations(struct aspace *parent, struct aspace *child,
                               const struct mapping *mapping, struct memory_object *private) {
    struct share share = {
        .parent = &parent->core.table,
        .child = child,
        .start = mapping->start - (mapping->object_page << PAGE_SHIFT),
        .flags = mapping_hal_flags(mapping, false),
    };
    const uint64_t end = mapping->object_page + mapping_pages(mapping);
    if (share.flags == 0) {
        return false; // nothing of it is translated
    }
    mutex_lock(&private->lock);
    uint64_t first = mapping->object_page;
    while (radix_next(&private->pages, first, &first) != NULL && first < end) {
        struct pages_visit visit = { first, MIN_OF(first + SLICE_PAGES, end), share_one, &share };
        share.mapped = 0;
        lock_tables(parent, child);
        object_visit_locked(private, &visit);
        resident_add(child, share.mapped);
        unlock_tables(parent, child);
        first = visit.end;
    }
    mutex_unlock(&private->lock);
    return share.any;
}

// The child's private object in place of `private`, which several mappings may share.
static struct memory_object *cloned_object(struct aspace *child, struct memory_object *private) {
    if (private->clone == NULL) {
        private->clone = private_clone(private, child->account);
        return private->clone;
    }
    return memory_object_get(private->clone);
}

// The child has what lies below the parent's own pages, or nothing.
static void wipe(struct mapping *mapping) {
    struct memory_object *private = mapping_private(mapping);
    if (private != NULL) {
        struct memory_object *below = private->backing;
        atomic_store_explicit(&mapping->object, below != NULL ? memory_object_get(below) : NULL,
                              memory_order_relaxed);
        memory_object_put(private); // not the last one: the parent's mapping keeps it
    }
}

// HX_OK or HX_ERR_NO_MEMORY (nothing was added).
static enum hx_status clone_mapping(struct aspace *parent, struct aspace *child,
                                    struct mapping *mapping, bool *any) {
    struct mapping *copy = mapping_alloc();
    if (copy == NULL) {
        return HX_ERR_NO_MEMORY;
    }
    mapping_copy(copy, mapping);
    struct memory_object *private = mapping_private(mapping);
    if (mapping->flags & ASPACE_WIPE_FORK) {
        wipe(copy);
    } else if (private != NULL) {
        struct memory_object *clone = cloned_object(child, private);
        if (clone == NULL) {
            mapping_release(copy);
            return HX_ERR_NO_MEMORY;
        }
        memory_object_put(private); // the copy's reference
        atomic_store_explicit(&copy->object, clone, memory_order_relaxed);
    }
    mapping_insert_copy(child, copy, mapping);
    if (mapping_private(copy) != NULL) {
        *any = share_translations(parent, child, mapping, private) || *any;
    }
    return HX_OK;
}

static enum hx_status clone_mappings(struct aspace *parent, struct aspace *child, bool *any) {
    struct mapping *mapping = mapping_find(parent, 0);
    for (; mapping != NULL; mapping = mapping_next(mapping)) {
        if (mapping->flags & ASPACE_NO_FORK) {
            continue;
        }
        enum hx_status status = clone_mapping(parent, child, mapping, any);
        if (status != HX_OK) {
            return status;
        }
    }
    return HX_OK;
}

struct aspace *aspace_clone(struct aspace *aspace, struct account *account) {
    struct aspace *child = aspace_create(account);
    if (child == NULL) {
        return NULL;
    }
    bool any = false;
    rwlock_write(&aspace->lock);
    aspace_undo_begin(aspace);
    child->limit_pages = aspace->limit_pages;
    child->stack_limit_bytes = aspace->stack_limit_bytes;
    child->map_base = aspace->map_base;
    enum hx_status status = clone_mappings(aspace, child, &any);
    struct mapping *mapping = mapping_find(aspace, 0);
    for (; mapping != NULL; mapping = mapping_next(mapping)) {
        struct memory_object *private = mapping_private(mapping);
        if (private != NULL) {
            private->clone = NULL;
        }
    }
    aspace_undo_end(aspace, 0, HAL_USER_END, any);
    rwlock_write_done(&aspace->lock);
    if (status != HX_OK) {
        aspace_put(child);
        return NULL;
    }
    return child;
}
