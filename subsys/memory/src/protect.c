// SPDX-License-Identifier: MIT OR Apache-2.0
// protect.c: changing rights and advice of ranges.
#include "private.h"

#include <core/thread.h>

// The first mapping of a range that is mapped without holes; NULL if it is not.
static struct mapping *covered(struct aspace *aspace, uint64_t start, uint64_t end) {
    struct mapping *first = mapping_find(aspace, start);
    uint64_t at = start;
    for (const struct mapping *mapping = first; mapping != NULL && mapping->start <= at;
         mapping = mapping_next((struct mapping *)mapping)) {
        at = mapping->end;
        if (at >= end) {
            return first;
        }
    }
    return NULL;
}

// Brings the translations of a mapping to its new rights. Write access is never given here: the
// fault that asks for it knows whether the frame is shared. Returns whether there were any.
static bool reprotect(struct aspace *aspace, struct mapping *mapping) {
    struct hal_pagetable *table = &aspace->core.table;
    uint32_t rights = mapping_hal_flags(mapping, false);
    if (rights == 0) {
        return aspace_zap(aspace, mapping->start, mapping->end);
    }
    bool any = false;
    spin_lock(&aspace->table_lock);
    for (uint64_t at = hal_page_next(table, mapping->start, mapping->end); at < mapping->end;
         at = hal_page_next(table, at + PAGE_SIZE, mapping->end)) {
        any = hal_page_protect(table, at, rights) || any;
    }
    spin_unlock(&aspace->table_lock);
    return any;
}

static enum hx_status protect_locked(struct aspace *aspace, uint64_t start, uint64_t end,
                                     uint32_t protection) {
    struct mapping *mapping = covered(aspace, start, end);
    if (mapping == NULL) {
        return HX_ERR_NO_MEMORY;
    }
    bool same = true;
    for (struct mapping *at = mapping; at != NULL && at->start < end; at = mapping_next(at)) {
        if ((protection & ~at->protection_max) != 0) {
            return HX_ERR_ACCESS_DENIED;
        }
        same = same && at->protection == protection;
    }
    if (same) {
        return HX_OK;
    }
    enum hx_status status = mapping_isolate(aspace, start, end);
    if (status != HX_OK) {
        return status;
    }
    bool any = false;
    aspace_undo_begin(aspace);
    for (struct mapping *at = mapping_find(aspace, start); at != NULL && at->start < end;
         at = mapping_next(at)) {
        // Rights that only grow leave valid translations behind: faults raise them.
        bool shrinks = (at->protection & ~protection) != 0;
        bool executes = (protection & ~at->protection & ASPACE_EXECUTE) != 0;
        at->protection = protection;
        if (shrinks || executes) {
            any = reprotect(aspace, at) || any;
        }
    }
    aspace_undo_end(aspace, start, end, any);
    mapping_merge_range(aspace, start, end);
    return HX_OK;
}

enum hx_status aspace_protect(struct aspace *aspace, struct uaddr address, uint64_t size_bytes,
                              uint32_t protection) {
    uint64_t end;
    if (address.value & PAGE_MASK) {
        return HX_ERR_INVALID;
    }
    if (size_bytes == 0) {
        return HX_OK;
    }
    if (!range_valid(address.value, size_bytes, &end)) {
        return HX_ERR_NO_MEMORY;
    }
    if ((protection & ASPACE_WRITE) && (protection & ASPACE_EXECUTE)) {
        return HX_ERR_ACCESS_DENIED;
    }
    rwlock_write(&aspace->lock);
    enum hx_status status = protect_locked(aspace, address.value, end, protection);
    rwlock_write_done(&aspace->lock);
    return status;
}

// ---- advice ------------------------------------------------------------------------------------

// Forgets the private pages of a range; shared ones stay in their object.
static enum hx_status forget_locked(struct aspace *aspace, uint64_t start, uint64_t end) {
    enum hx_status status = covered(aspace, start, end) != NULL ? HX_OK : HX_ERR_NO_MEMORY;
    aspace_zap_flush(aspace, start, end);
    for (struct mapping *at = mapping_find(aspace, start); at != NULL && at->start < end;
         at = mapping_next(at)) {
        private_drop(at, MAX_OF(start, at->start), MIN_OF(end, at->end));
    }
    return status;
}

static enum hx_status flag_locked(struct aspace *aspace, uint64_t start, uint64_t end,
                                  uint32_t clear, uint32_t set) {
    if (covered(aspace, start, end) == NULL) {
        return HX_ERR_NO_MEMORY;
    }
    enum hx_status status = mapping_isolate(aspace, start, end);
    if (status != HX_OK) {
        return status;
    }
    for (struct mapping *at = mapping_find(aspace, start); at != NULL && at->start < end;
         at = mapping_next(at)) {
        if ((set & ASPACE_WIPE_FORK) &&
            ((at->flags & ASPACE_SHARED) || mapping_below(at) != NULL)) {
            status = HX_ERR_INVALID; // only anonymous private memory can be wiped
            continue;
        }
        if ((clear & ASPACE_WIPE_FORK) && mapping_below(at) != NULL) {
            continue; // the kernel's pages: they are always wiped
        }
        at->flags = (at->flags & ~clear) | set;
    }
    mapping_merge_range(aspace, start, end);
    return status;
}

static enum hx_status populate(struct aspace *aspace, uint64_t start, uint64_t end) {
    for (uint64_t at = start; at < end; at += PAGE_SIZE) {
        if ((thread_attention(thread_current()) & THREAD_KILL) != 0) {
            return HX_ERR_CANCELED; // the range may take minutes
        }
        rwlock_read(&aspace->lock);
        const struct mapping *mapping = mapping_find(aspace, at);
        bool there = mapping != NULL && mapping->start <= at;
        uint32_t protection = there ? mapping->protection : 0;
        rwlock_read_done(&aspace->lock);
        if (!there) {
            return HX_ERR_NO_MEMORY;
        }
        uint32_t access = protection & ASPACE_WRITE ? ASPACE_WRITE : ASPACE_READ;
        enum hx_status status = fault_page(aspace, at, access, NULL);
        if (status != HX_OK) {
            const bool is_bus = status == HX_ERR_LIMIT || status == HX_ERR_OVERFLOW;
            return is_bus ? HX_ERR_BAD_ADDRESS : status;
        }
    }
    return HX_OK;
}

enum hx_status aspace_advise(struct aspace *aspace, struct uaddr address, uint64_t size_bytes,
                             enum aspace_advice advice) {
    uint64_t start = address.value;
    uint64_t end;
    enum hx_status status;
    if (start & PAGE_MASK) {
        return HX_ERR_INVALID;
    }
    if (size_bytes == 0) {
        return HX_OK;
    }
    if (!range_valid(start, size_bytes, &end)) {
        return HX_ERR_NO_MEMORY;
    }
    if (advice == ASPACE_ADVICE_POPULATE) {
        return populate(aspace, start, end);
    }
    rwlock_write(&aspace->lock);
    switch (advice) {
    case ASPACE_ADVICE_DONTNEED:
        status = forget_locked(aspace, start, end);
        break;
    case ASPACE_ADVICE_DONTFORK:
        status = flag_locked(aspace, start, end, 0, ASPACE_NO_FORK);
        break;
    case ASPACE_ADVICE_DOFORK:
        status = flag_locked(aspace, start, end, ASPACE_NO_FORK, 0);
        break;
    case ASPACE_ADVICE_WIPEONFORK:
        status = flag_locked(aspace, start, end, 0, ASPACE_WIPE_FORK);
        break;
    case ASPACE_ADVICE_KEEPONFORK:
        status = flag_locked(aspace, start, end, ASPACE_WIPE_FORK, 0);
        break;
    default:
        status = HX_ERR_INVALID;
        break;
    }
    rwlock_write_done(&aspace->lock);
    return status;
}
