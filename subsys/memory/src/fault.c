// SPDX-License-Identifier: MIT OR Apache-2.0
// fault.c: resolving one page.
//
//   mapping                page is            read                     write
//   private, anonymous     absent             the zero page (*)        a fresh zero page
//                          own, shared frame  the frame, read-only     a copy
//                          own, sole frame    the frame, writable      the frame, writable
//   private, over a file   absent             the file's, read-only    a copy of the file's
//   shared                 any                the object's             the object's, dirty
//   (*) or a fresh one, see read_makes_page()
//
// Threads of one program fault in parallel: the address space's lock is held for reading only. Two
// faults on the same page meet at the lock of the object that owns it; a translation is installed
// while that lock is held, so that whoever takes the page out afterwards finds it.
#include "private.h"

#include <core/time.h>
#include <core/trace.h>

#define AROUND_BYTES (16u * PAGE_SIZE) // resident neighbours of a file's page that are mapped too

struct fault {
    struct aspace *aspace;
    struct mapping *mapping;
    uint64_t address; // of the page
    uint64_t page;    // in the object
    bool write;
    struct frame **out_frame;                // NULL: not wanted
    const struct memory_object *only_object; // the mapping must be one of its page; NULL: of any
    uint64_t only_page;
    struct memory_object *wait; // with WOULD_BLOCK: has a reference; what to wait for
    bool is_own;     // with LIMIT: an account refused that the address space is charged to
    bool has_waited; // a page had to be read
};

// Who is charged for a page of the fault has none left. Those within the account that refused wait
// for one that is made free there; to others it cannot be theirs to make free.
static enum hx_status refused(struct fault *fault, struct account *charged) {
    struct aspace *aspace = fault->aspace;
    struct account *full = account_full(charged, ACCOUNT_FRAMES);
    // NULL: one came free meanwhile.
    fault->is_own = full == NULL || account_is_within(aspace->account, full);
    if (fault->is_own) {
        atomic_store_explicit(&aspace->refused, full, memory_order_relaxed);
    }
    return HX_ERR_LIMIT;
}

// Whether the mapping still has the object that the caller decided by, and, if that is private, no
// page of it was cut off since. Under table_lock, as who cuts undoes them.
static bool is_as_expected(const struct mapping *mapping, const struct memory_object *expected) {
    return mapping_object(mapping) == expected &&
           (mapping_private(mapping) == NULL ||
            atomic_load_explicit(&mapping->stale_page, memory_order_acquire) == STALE_NONE);
}

// Puts the translation in, if the mapping is as the caller saw it.
// HX_ERR_RESTART: it is not. HX_ERR_NO_MEMORY, HX_ERR_LIMIT: no page for a table.
// HX_ERR_ACCESS_DENIED: the mapping is dead; a revocation undoes translations under the same lock.
static enum hx_status install(struct fault *fault, const struct memory_object *expected,
                              struct paddr page, uint32_t flags) {
    struct aspace *aspace = fault->aspace;
    struct hal_pagetable *table = &aspace->core.table;
    const uint32_t rights = HAL_MAP_READ | HAL_MAP_WRITE | HAL_MAP_EXECUTE;
    enum hx_status status = HX_OK;
    struct paddr old = { 0 };
    uint32_t old_flags = 0;
    bool had = false;
    bool replaced = false;
    spin_lock(&aspace->table_lock);
    if (!is_as_expected(fault->mapping, expected)) {
        status = HX_ERR_RESTART;
    } else if (mapping_is_dead(fault->mapping)) {
        status = HX_ERR_ACCESS_DENIED;
    } else if ((flags & rights) != 0) {
        had = hal_page_query(table, fault->address, &old, &old_flags);
        if (!had || old.value != page.value || (flags & ~old_flags & rights) != 0) {
            status = aspace_map_page(aspace, fault->address, page, flags);
            if (!had && status == HX_OK) {
                resident_add(aspace, 1);
            } else if (status == HX_ERR_LIMIT) {
                status = refused(fault, aspace->account);
            }
            replaced = had && status == HX_OK && old.value != page.value;
        }
    }
    if (replaced) {
        aspace_undo_begin(aspace);
    }
    spin_unlock(&aspace->table_lock);
    if (replaced) {
        aspace_undo_end(aspace, fault->address, fault->address + PAGE_SIZE, true);
    } else if (had && status == HX_OK) {
        hal_tlb_flush_page(fault->address); // others fault once more if theirs is stale
    }
    return status;
}

static void give_frame(const struct fault *fault, struct frame *frame) {
    if (fault->out_frame != NULL) {
        *fault->out_frame = frame_get(frame);
    }
}

// Maps what else of the file is in memory around the address. `object` is locked, and so is the
// private object over it, if there is one.
static void map_around(struct fault *fault, struct memory_object *object,
                       struct memory_object *private) REQUIRES(object -> lock) {
    struct mapping *mapping = fault->mapping;
    struct hal_pagetable *table = &fault->aspace->core.table;
    uint32_t flags = mapping_hal_flags(mapping, (mapping->flags & ASPACE_SHARED) &&
                                                    object->kind == MEMORY_PLAIN);
    uint64_t window = ALIGN_DOWN(fault->address, (uint64_t)AROUND_BYTES);
    uint64_t start = MAX_OF(mapping->start, window);
    uint64_t end = MIN_OF(mapping->end, window + AROUND_BYTES);
    uint64_t page = mapping_page(mapping, start);
    uint64_t limit = object_end_page(object);
    int64_t mapped = 0;
    spin_lock(&fault->aspace->table_lock);
    if (!is_as_expected(mapping, private != NULL ? private : object) || mapping_is_dead(mapping)) {
        end = start; // it changed meanwhile: neighbours may have copies
    }
    for (uint64_t at = start; at < end && page < limit; at += PAGE_SIZE, page++) {
        struct paddr old;
        uint32_t old_flags;
        const struct frame *frame = at != fault->address ? radix_get(&object->pages, page) : NULL;
        if (frame == NULL ||
            (atomic_load_explicit(&frame->flags, memory_order_relaxed) & FRAME_BUSY) ||
            (private != NULL && radix_get(&private->pages, page) != NULL) ||
            hal_page_query(table, at, &old, &old_flags)) {
            continue;
        }
        if (aspace_map_page(fault->aspace, at, frame_address(frame), flags) != HX_OK) {
            break;
        }
        mapped++;
    }
    resident_add(fault->aspace, mapped);
    spin_unlock(&fault->aspace->table_lock);
}

// Remembers what to wait for once all locks are dropped.
static enum hx_status wait_for_page(struct fault *fault, struct memory_object *object) {
    fault->wait = memory_object_get(object);
    return HX_ERR_WOULD_BLOCK;
}

// The page of the file or plain object itself. `private` is the private object over it, or NULL.
static enum hx_status resolve_below(struct fault *fault, struct memory_object *object,
                                    struct memory_object *private) REQUIRES(object -> lock) {
    struct mapping *mapping = fault->mapping;
    const struct memory_object *expected = private != NULL ? private : object;
    bool shared = (mapping->flags & ASPACE_SHARED) != 0;
    struct frame *frame;
    if (fault->page >= object_end_page(object)) {
        return HX_ERR_OVERFLOW;
    }
    if (object->kind == MEMORY_DEVICE) {
        struct paddr page = paddr_make(object->device_base.value + (fault->page << PAGE_SHIFT));
        return fault->out_frame != NULL
                   ? HX_ERR_ACCESS_DENIED
                   : install(fault, expected, page, mapping_hal_flags(mapping, true));
    }
    enum hx_status status = object_find_locked(object, fault->page, true, &frame);
    if (status != HX_OK) {
        return status == HX_ERR_WOULD_BLOCK ? wait_for_page(fault, object)
               : status == HX_ERR_LIMIT     ? refused(fault, object->account)
                                            : status;
    }
    bool write = shared && (fault->write || object->kind == MEMORY_PLAIN);
    if (shared && fault->write) {
        atomic_fetch_or_explicit(&frame->flags, FRAME_DIRTY, memory_order_relaxed);
        atomic_store_explicit(&object->written, time_now(), memory_order_relaxed);
    }
    status = install(fault, expected, frame_address(frame), mapping_hal_flags(mapping, write));
    if (status == HX_OK) {
        give_frame(fault, frame);
        if (!fault->write && object->page_count > 1 && mapping->protection != 0) {
            map_around(fault, object, private);
        }
    }
    return status;
}

// ---- private mappings --------------------------------------------------------------------------

// After a cut of the file, copies from behind its end are gone for good.
static void drop_stale(struct fault *fault, struct memory_object *private)
    REQUIRES(private -> lock) {
    struct mapping *mapping = fault->mapping;
    uint64_t first =
        atomic_exchange_explicit(&mapping->stale_page, STALE_NONE, memory_order_acq_rel);
    uint64_t end = mapping->object_page + mapping_pages(mapping);
    first = MAX_OF(first, mapping->object_page);
    if (first < end) {
        uint64_t start = mapping->start + ((first - mapping->object_page) << PAGE_SHIFT);
        aspace_zap_flush(fault->aspace, start, mapping->end);
        object_remove_locked(private, first, end);
    }
}

// A frame of its own for a page that the private object does not have yet.
static enum hx_status make_own(struct fault *fault, struct memory_object *private,
                               struct frame **out_frame) REQUIRES(private -> lock) {
    struct memory_object *backing = private->backing;
    struct frame *below = NULL;
    enum hx_status status = HX_OK;
    if (backing != NULL) {
        mutex_lock(&backing->lock);
        status = fault->page < object_end_page(backing)
                     ? object_find_locked(backing, fault->page, false, &below)
                     : HX_ERR_OVERFLOW;
        if (status == HX_OK && below != NULL) {
            frame_get(below);
        }
        mutex_unlock(&backing->lock);
        if (status != HX_OK) {
            return status == HX_ERR_WOULD_BLOCK ? wait_for_page(fault, backing) : status;
        }
    }
    struct frame *frame = user_frame(below == NULL);
    if (frame == NULL) {
        status = HX_ERR_NO_MEMORY;
    } else {
        if (below != NULL) {
            page_copy(frame_data(frame), frame_data(below));
        }
        status = object_insert_locked(private, fault->page, frame);
        if (status != HX_OK) {
            frame_put(frame);
            status = status == HX_ERR_LIMIT ? refused(fault, private->account) : status;
        }
    }
    if (below != NULL) {
        frame_put(below);
    }
    *out_frame = frame;
    return status;
}

// The frame is shared with a clone: a copy takes its place.
static enum hx_status break_sharing(struct fault *fault, struct memory_object *private,
                                    struct frame *old) REQUIRES(private -> lock) {
    struct frame *frame = user_frame(false);
    if (frame == NULL) {
        return HX_ERR_NO_MEMORY;
    }
    page_copy(frame_data(frame), frame_data(old));
    frame->object = private->family;
    frame->offset = fault->page;
    enum hx_status status = radix_set(&private->pages, fault->page, frame);
    ASSERT(status == HX_OK); // replacing never fails
    status = install(fault, private, frame_address(frame), mapping_hal_flags(fault->mapping, true));
    if (status != HX_OK) { // the old frame may be mapped: it stays
        HX_IGNORE(radix_set(&private->pages, fault->page, old)); // replacing never fails
        frame_put(frame);
        return status;
    }
    give_frame(fault, frame);
    frame_put(old);
    return HX_OK;
}

// A first read of anonymous memory maps the zero page, which costs nothing, but the store that may
// follow must then reach every processor that runs the program. Where there are several of them,
// and memory is plentiful, the page is made at once.
static bool read_makes_page(const struct fault *fault) {
    uint64_t active = atomic_load_explicit(&fault->aspace->core.active, memory_order_relaxed);
    return (active & (active - 1)) != 0 && (fault->mapping->protection & ASPACE_WRITE) &&
           mapping_below(fault->mapping) == NULL && frames_are_plentiful();
}

// Whether nobody else sees the frame: who has a writable translation shares with no clone, whatever
// other references there are (a device's, while it is lent).
static bool is_exclusive(struct fault *fault, const struct frame *frame) {
    struct aspace *aspace = fault->aspace;
    struct paddr page;
    uint32_t flags;
    if (frame_references(frame) == 1) {
        return true;
    }
    spin_lock(&aspace->table_lock);
    const bool is_mapped = hal_page_query(&aspace->core.table, fault->address, &page, &flags);
    spin_unlock(&aspace->table_lock);
    return is_mapped && (flags & HAL_MAP_WRITE) != 0 && frame_of(page) == frame;
}

static enum hx_status resolve_private(struct fault *fault, struct memory_object *private)
    REQUIRES(private -> lock) {
    struct memory_object *backing = private->backing;
    if (backing != NULL && fault->page >= object_end_page(backing)) {
        return HX_ERR_OVERFLOW;
    }
    if (atomic_load_explicit(&fault->mapping->stale_page, memory_order_acquire) != STALE_NONE) {
        drop_stale(fault, private);
    }
    struct frame *frame = radix_get(&private->pages, fault->page);
    enum hx_status status = HX_OK;
    if (frame == NULL && !fault->write && !read_makes_page(fault)) {
        if (backing != NULL) {
            mutex_lock(&backing->lock);
            status = resolve_below(fault, backing, private);
            mutex_unlock(&backing->lock);
            return status;
        }
        frame = frame_zero_page();
        status =
            install(fault, private, frame_address(frame), mapping_hal_flags(fault->mapping, false));
    } else if (frame != NULL && fault->write && !is_exclusive(fault, frame)) {
        return break_sharing(fault, private, frame);
    } else {
        if (frame == NULL) {
            status = make_own(fault, private, &frame);
        }
        if (status == HX_OK) {
            const bool sole = is_exclusive(fault, frame);
            status = install(fault, private, frame_address(frame),
                             mapping_hal_flags(fault->mapping, sole));
        }
    }
    if (status == HX_OK) {
        give_frame(fault, frame);
    }
    return status;
}

// ---- one attempt -------------------------------------------------------------------------------

static enum hx_status permitted(const struct mapping *mapping, uint32_t access) {
    uint32_t wanted = access & (ASPACE_READ | ASPACE_WRITE | ASPACE_EXECUTE);
    uint32_t has = mapping->protection;
    if ((access & FAULT_BORROW) && mapping->under != NULL) {
        return HX_ERR_ACCESS_DENIED;
    }
    if (access & FAULT_FORCE) {
        bool may =
            !(wanted & ASPACE_WRITE) || !(mapping->flags & ASPACE_SHARED) || (has & ASPACE_WRITE);
        return may ? HX_OK : HX_ERR_ACCESS_DENIED;
    }
    // Whatever can be written or executed can be read on the machines that there are.
    has |= has != 0 ? ASPACE_READ : 0;
    return (wanted & ~has) == 0 ? HX_OK : HX_ERR_ACCESS_DENIED;
}

static enum hx_status resolve(struct fault *fault) {
    struct memory_object *object = mapping_object(fault->mapping);
    enum hx_status status;
    if (!(fault->mapping->flags & ASPACE_SHARED) &&
        (object == NULL || object->kind != MEMORY_PRIVATE) &&
        (fault->write || read_makes_page(fault))) {
        status = mapping_make_private(fault->mapping);
        if (status != HX_OK) {
            return status;
        }
        object = mapping_object(fault->mapping);
    }
    if (object == NULL) {
        struct frame *zero = frame_zero_page();
        status =
            install(fault, NULL, frame_address(zero), mapping_hal_flags(fault->mapping, false));
        if (status == HX_OK) {
            give_frame(fault, zero);
        }
        return status;
    }
    mutex_lock(&object->lock);
    status = object->kind == MEMORY_PRIVATE ? resolve_private(fault, object)
                                            : resolve_below(fault, object, NULL);
    mutex_unlock(&object->lock);
    return status;
}

// HX_ERR_NOT_FOUND: nothing is mapped there, but a stack may grow down to it.
static enum hx_status fault_locked(struct fault *fault, uint32_t access) {
    struct mapping *mapping = mapping_find(fault->aspace, fault->address);
    if (mapping == NULL) {
        return HX_ERR_BAD_ADDRESS;
    }
    if (mapping->start > fault->address) {
        return mapping->flags & ASPACE_GROWSDOWN ? HX_ERR_NOT_FOUND : HX_ERR_BAD_ADDRESS;
    }
    enum hx_status status = permitted(mapping, access);
    if (status != HX_OK) {
        return status;
    }
    fault->mapping = mapping;
    fault->page = mapping_page(mapping, fault->address);
    if (fault->only_object != NULL &&
        (fault->only_object != mapping_below(mapping) || fault->only_page != fault->page)) {
        return HX_ERR_BAD_ADDRESS;
    }
    return resolve(fault);
}

// ---- until it is resolved ----------------------------------------------------------------------

static bool stack_may_grow(struct aspace *aspace, struct mapping *stack, uint64_t start) {
    uint64_t grown = (stack->start - start) >> PAGE_SHIFT;
    const struct mapping *lower = mapping_previous(stack);
    return stack->end - start <= aspace->stack_limit_bytes && start >= ASPACE_LOWEST &&
           (lower == NULL || lower->end + ASPACE_GUARD <= start) && stack->object_page >= grown &&
           aspace->mapped_pages + grown <= aspace->limit_pages;
}

static enum hx_status grow_stack(struct aspace *aspace, uint64_t address) {
    enum hx_status status = HX_ERR_BAD_ADDRESS;
    rwlock_write(&aspace->lock);
    struct mapping *mapping = mapping_find(aspace, address);
    if (mapping != NULL && mapping->start <= address) {
        status = HX_OK; // another thread was faster
    } else if (mapping != NULL && (mapping->flags & ASPACE_GROWSDOWN) &&
               stack_may_grow(aspace, mapping, address)) {
        mapping_resize(aspace, mapping, address, mapping->end);
        status = HX_OK;
    }
    rwlock_write_done(&aspace->lock);
    return status;
}

// Reads the page that stopped an attempt.
static enum hx_status wait_done(struct fault *fault) {
    struct memory_object *object = fault->wait;
    ASSERT(object != NULL);
    enum hx_status status = object_wait_page(object, fault->page);
    if (status == HX_ERR_LIMIT) {
        HX_IGNORE(refused(fault, object->account)); // the same status
    }
    memory_object_put(object);
    fault->wait = NULL;
    fault->has_waited = true;
    return status == HX_OK || status == HX_ERR_NO_MEMORY || status == HX_ERR_CANCELED ||
                   status == HX_ERR_LIMIT
               ? status
               : HX_ERR_IO;
}

// What a caller learns: whether it may wait for memory, and, in the address space, for whose.
static enum hx_status why_not(const struct fault *fault, enum hx_status status) {
    if (status == HX_ERR_NO_MEMORY) {
        atomic_store_explicit(&fault->aspace->refused, NULL, memory_order_relaxed);
    }
    return status == HX_ERR_LIMIT && fault->is_own ? HX_ERR_NO_MEMORY : status;
}

static enum hx_status attempt_until_done(struct fault *fault, uint32_t access) {
    struct aspace *aspace = fault->aspace;
    bool reclaimed = false;
    for (;;) {
        rwlock_read(&aspace->lock);
        enum hx_status status = fault_locked(fault, access);
        rwlock_read_done(&aspace->lock);
        if (status == HX_OK) {
            return HX_OK;
        }
        if (status == HX_ERR_WOULD_BLOCK) {
            status = wait_done(fault);
        } else if (status == HX_ERR_NOT_FOUND) {
            status = grow_stack(aspace, fault->address);
        } else if (status == HX_ERR_NO_MEMORY && !reclaimed && memory_reclaim(16) > 0) {
            reclaimed = true; // perhaps for a page of a table, which does not wait for reclaim
            status = HX_OK;
        }
        if (status != HX_OK && status != HX_ERR_RESTART) {
            return why_not(fault, status);
        }
    }
}

enum hx_status fault_page(struct aspace *aspace, uint64_t address, uint32_t access,
                          struct frame **out_frame) {
    struct fault fault = {
        .aspace = aspace,
        .address = ALIGN_DOWN(address, (uint64_t)PAGE_SIZE),
        .write = (access & ASPACE_WRITE) != 0,
        .out_frame = out_frame,
    };
    const enum hx_status status = attempt_until_done(&fault, access);
    if (status == HX_OK) {
        thread_count_fault(fault.has_waited);
    }
    return status;
}

enum hx_status aspace_own_page(struct aspace *aspace, struct uaddr address,
                               const struct memory_object *object, uint64_t page,
                               struct frame **out_frame) {
    struct fault fault = {
        .aspace = aspace,
        .address = ALIGN_DOWN(address.value, (uint64_t)PAGE_SIZE),
        .write = true,
        .out_frame = out_frame,
        .only_object = object,
        .only_page = page,
    };
    return address.value < HAL_USER_END ? attempt_until_done(&fault, FAULT_FORCE | ASPACE_WRITE)
                                        : HX_ERR_BAD_ADDRESS;
}

enum hx_status aspace_fault(struct aspace *aspace, uint64_t address, uint32_t access) {
    if (address >= HAL_USER_END) {
        return HX_ERR_BAD_ADDRESS;
    }
    trace(TRACE_FAULT, address, access);
    return fault_page(aspace, address, access, NULL);
}
