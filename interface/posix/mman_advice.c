// SPDX-License-Identifier: MIT OR Apache-2.0
// interface/posix/mman_advice.c: what programs tell and ask about memory they have: madvise,
// mincore, mlock, msync, membarrier.
//
// Nothing is swapped out, so memory that is there is locked.
#include "life.h"

#include <core/cpu.h>
#include <lib/string.h>
#include <memory/usercopy.h>
#include <posix/linux.h>

#define MADV_NORMAL         0
#define MADV_RANDOM         1
#define MADV_SEQUENTIAL     2
#define MADV_WILLNEED       3
#define MADV_DONTNEED       4
#define MADV_FREE           8
#define MADV_DONTFORK       10
#define MADV_DOFORK         11
#define MADV_MERGEABLE      12
#define MADV_UNMERGEABLE    13
#define MADV_HUGEPAGE       14
#define MADV_NOHUGEPAGE     15
#define MADV_DONTDUMP       16
#define MADV_DODUMP         17
#define MADV_WIPEONFORK     18
#define MADV_KEEPONFORK     19
#define MADV_COLD           20
#define MADV_PAGEOUT        21
#define MADV_POPULATE_READ  22
#define MADV_POPULATE_WRITE 23

#define MS_ASYNC      1u
#define MS_INVALIDATE 2u
#define MS_SYNC       4u

#define MCL_CURRENT 1u
#define MCL_FUTURE  2u
#define MCL_ONFAULT 4u

#define CAPABILITY_IPC_LOCK 14u

#define MEMBARRIER_QUERY            0
#define MEMBARRIER_GLOBAL           1
#define MEMBARRIER_PRIVATE          8
#define MEMBARRIER_REGISTER_PRIVATE 16

#define MINCORE_BATCH 1024u // pages at a time

// Page-aligned address and a size that does not overflow; *out_size is whole pages.
static bool range_of(const struct call *call, uint64_t *out_size) {
    const uint64_t start = call->args[0];
    const uint64_t size = ALIGN_UP(call->args[1], (uint64_t)PAGE_SIZE);
    *out_size = size;
    return (start & PAGE_MASK) == 0 && size >= call->args[1] && start + size >= start;
}

// Is every page of the range in some mapping?
static bool is_mapped(uint64_t start, uint64_t size) {
    const uint64_t end = start + size;
    struct mapping_info info;
    while (start < end) {
        if (!aspace_next_mapping(aspace_current(), start, &info)) {
            return false;
        }
        if (info.file != NULL) {
            object_put(info.file);
        }
        if (info.start > start) {
            return false;
        }
        start = info.end;
    }
    return true;
}

static bool advice_of(int32_t code, enum aspace_advice *out_advice, bool *out_is_hint) {
    *out_is_hint = false;
    switch (code) {
    case MADV_DONTNEED:
    case MADV_FREE: // the contents may go at any time; now is one
        *out_advice = ASPACE_ADVICE_DONTNEED;
        return true;
    case MADV_DONTFORK:
        *out_advice = ASPACE_ADVICE_DONTFORK;
        return true;
    case MADV_DOFORK:
        *out_advice = ASPACE_ADVICE_DOFORK;
        return true;
    case MADV_WIPEONFORK:
        *out_advice = ASPACE_ADVICE_WIPEONFORK;
        return true;
    case MADV_KEEPONFORK:
        *out_advice = ASPACE_ADVICE_KEEPONFORK;
        return true;
    case MADV_POPULATE_READ:
    case MADV_POPULATE_WRITE:
        *out_advice = ASPACE_ADVICE_POPULATE;
        return true;
    case MADV_NORMAL:
    case MADV_RANDOM:
    case MADV_SEQUENTIAL:
    case MADV_WILLNEED:
    case MADV_MERGEABLE:
    case MADV_UNMERGEABLE:
    case MADV_HUGEPAGE:
    case MADV_NOHUGEPAGE:
    case MADV_DONTDUMP:
    case MADV_DODUMP:
    case MADV_COLD:
    case MADV_PAGEOUT:
        *out_is_hint = true;
        return true;
    default:
        return false;
    }
}

enum hx_status sys_madvise(struct call *call) {
    enum aspace_advice advice;
    bool is_hint;
    uint64_t size;
    if (!advice_of(call_int(call, 2), &advice, &is_hint) || !range_of(call, &size)) {
        return HX_ERR_INVALID;
    }
    if (size == 0) {
        return HX_OK;
    }
    if (is_hint) {
        return is_mapped(call->args[0], size) ? HX_OK : HX_ERR_NO_MEMORY;
    }
    return aspace_advise(aspace_current(), call_address(call, 0), size, advice);
}

enum hx_status sys_msync(struct call *call) {
    const uint32_t flags = call_uint(call, 2);
    uint64_t size;
    if (!range_of(call, &size) || (flags & ~(MS_ASYNC | MS_INVALIDATE | MS_SYNC)) != 0 ||
        ((flags & MS_ASYNC) && (flags & MS_SYNC))) {
        return HX_ERR_INVALID;
    }
    // Mappings of a file are its pages: nothing has to be carried over.
    return is_mapped(call->args[0], size) ? HX_OK : HX_ERR_NO_MEMORY;
}

enum hx_status sys_mincore(struct call *call) {
    struct aspace *aspace = aspace_current();
    uint64_t size;
    if (!range_of(call, &size)) {
        return (call->args[0] & PAGE_MASK) != 0 ? HX_ERR_INVALID : HX_ERR_NO_MEMORY;
    }
    if (!is_mapped(call->args[0], size)) {
        return HX_ERR_NO_MEMORY;
    }
    uint8_t present[MINCORE_BATCH];
    uint64_t done = 0;
    while (done < size >> PAGE_SHIFT) {
        const uint64_t count = MIN_OF((size >> PAGE_SHIFT) - done, (uint64_t)MINCORE_BATCH);
        spin_lock(&aspace->table_lock);
        for (uint64_t i = 0; i < count; i++) {
            struct paddr page;
            uint32_t flags;
            present[i] = hal_page_query(&aspace->core.table, call->args[0] + (done + i) * PAGE_SIZE,
                                        &page, &flags);
        }
        spin_unlock(&aspace->table_lock);
        if (copy_to_user(uaddr_add(call_address(call, 2), done), present, count) != HX_OK) {
            return HX_ERR_BAD_ADDRESS;
        }
        done += count;
    }
    return HX_OK;
}

// Locking ----------------------------------------------------------------------------------------

static enum hx_status may_lock(struct posix_process *process, uint64_t size) {
    if (posix_capable(CAPABILITY_IPC_LOCK)) {
        return HX_OK;
    }
    const uint64_t limit = posix_limit(process, RLIMIT_MEMLOCK);
    if (limit == 0) {
        return HX_ERR_NOT_PERMITTED;
    }
    return size <= limit ? HX_OK : HX_ERR_NO_MEMORY;
}

static enum hx_status lock_range(struct call *call, bool populates) {
    const uint64_t start = ALIGN_DOWN(call->args[0], (uint64_t)PAGE_SIZE);
    const uint64_t size =
        ALIGN_UP(call->args[1] + (call->args[0] & PAGE_MASK), (uint64_t)PAGE_SIZE);
    if (size < call->args[1] || start + size < start) {
        return HX_ERR_INVALID;
    }
    const enum hx_status status = may_lock(call->process, size);
    if (status != HX_OK || size == 0) {
        return status;
    }
    if (!is_mapped(start, size)) {
        return HX_ERR_NO_MEMORY;
    }
    return populates
               ? aspace_advise(aspace_current(), uaddr_make(start), size, ASPACE_ADVICE_POPULATE)
               : HX_OK;
}

enum hx_status sys_mlock(struct call *call) {
    return lock_range(call, true);
}

enum hx_status sys_mlock2(struct call *call) {
    if (call_uint(call, 2) & ~1u) {
        return HX_ERR_INVALID;
    }
    return lock_range(call, call_uint(call, 2) == 0);
}

enum hx_status sys_munlock(struct call *call) {
    const uint64_t start = ALIGN_DOWN(call->args[0], (uint64_t)PAGE_SIZE);
    const uint64_t size =
        ALIGN_UP(call->args[1] + (call->args[0] & PAGE_MASK), (uint64_t)PAGE_SIZE);
    if (size < call->args[1] || start + size < start) {
        return HX_ERR_INVALID;
    }
    return is_mapped(start, size) ? HX_OK : HX_ERR_NO_MEMORY;
}

enum hx_status sys_mlockall(struct call *call) {
    const uint32_t flags = call_uint(call, 0);
    struct aspace *aspace = aspace_current();
    if ((flags & ~(MCL_CURRENT | MCL_FUTURE | MCL_ONFAULT)) != 0 || flags == 0 ||
        flags == MCL_ONFAULT) {
        return HX_ERR_INVALID;
    }
    const enum hx_status status =
        may_lock(call->process, aspace_virtual_pages(aspace) << PAGE_SHIFT);
    if (status != HX_OK || (flags & MCL_CURRENT) == 0 || (flags & MCL_ONFAULT)) {
        return status;
    }
    struct mapping_info info;
    for (uint64_t at = 0; aspace_next_mapping(aspace, at, &info); at = info.end) {
        if (info.file != NULL) {
            object_put(info.file);
        }
        // What cannot be populated (no rights, beyond a file's end) stays as it is, as on Linux.
        HX_IGNORE(aspace_advise(aspace, uaddr_make(info.start), info.end - info.start,
                                ASPACE_ADVICE_POPULATE));
    }
    return HX_OK;
}

enum hx_status sys_munlockall(struct call *call) {
    (void)call;
    return HX_OK;
}

// membarrier -------------------------------------------------------------------------------------

static void fence(void *argument) {
    (void)argument;
    atomic_thread_fence(memory_order_seq_cst);
}

enum hx_status sys_membarrier(struct call *call) {
    if (call_uint(call, 1) != 0) {
        return HX_ERR_INVALID;
    }
    switch (call_int(call, 0)) {
    case MEMBARRIER_QUERY:
        return call_ok(call, MEMBARRIER_GLOBAL | MEMBARRIER_PRIVATE | MEMBARRIER_REGISTER_PRIVATE);
    case MEMBARRIER_GLOBAL:
    case MEMBARRIER_PRIVATE:
        cpu_call(cpu_online_mask(), fence, NULL);
        return HX_OK;
    case MEMBARRIER_REGISTER_PRIVATE:
        return HX_OK;
    default:
        return HX_ERR_INVALID;
    }
}
