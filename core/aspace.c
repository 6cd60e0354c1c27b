// SPDX-License-Identifier: MIT OR Apache-2.0
// core/aspace.c: which address space is loaded where, and shoot-down.
//
// A bit in aspace->active is set before the table is loaded and cleared after another one is. Who
// changes a page table and then looks at `active` (both sequentially consistent) therefore sees
// every processor that may hold a stale translation; one that sets its bit later loads the new
// entries. It is the same for stores to other memory and threads of the address space that may not
// have seen them. Kernel threads keep the table of the thread before them; their processor's bit
// stays set.
#include <core/aspace.h>

#include "core_private.h"

#include <core/log.h>

#define FLUSH_PAGES_MAX 32u // above it, everything goes

struct flush {
    struct core_aspace *aspace; // NULL: the kernel half
    uint64_t address;
    uint64_t npages;
};

void core_aspace_activate(struct core_aspace *aspace) {
    struct cpu *cpu = cpu_this();
    struct core_aspace *old = cpu->aspace;
    if (old == aspace) {
        return;
    }
    uint64_t bit = UINT64_C(1) << cpu->id;
    if (aspace != NULL) {
        atomic_fetch_or_explicit(&aspace->active, bit, memory_order_seq_cst);
    }
    hal_pagetable_activate(aspace == NULL ? NULL : &aspace->table);
    cpu->aspace = aspace;
    if (old != NULL) {
        // Release: whoever sees it clear may free the tables.
        atomic_fetch_and_explicit(&old->active, ~bit, memory_order_release);
    }
}

uint64_t core_aspace_processors(const struct core_aspace *aspace) {
    atomic_thread_fence(memory_order_seq_cst); // see the top
    return atomic_load_explicit(&aspace->active, memory_order_seq_cst);
}

static void unload_here(void *argument) {
    if (cpu_this()->aspace == argument) {
        core_aspace_activate(NULL);
    }
}

void core_aspace_unload(struct core_aspace *aspace) {
    uint64_t active = atomic_load_explicit(&aspace->active, memory_order_acquire);
    if (active != 0) {
        cpu_call(active, unload_here, aspace);
    }
    ASSERT(atomic_load_explicit(&aspace->active, memory_order_acquire) == 0);
}

static void flush_here(void *argument) {
    const struct flush *flush = argument;
    if (flush->aspace != NULL && cpu_this()->aspace != flush->aspace) {
        return; // loaded another one since: nothing stale is left
    }
    if (flush->npages > FLUSH_PAGES_MAX) {
        if (flush->aspace == NULL) {
            hal_tlb_flush_kernel();
        } else {
            hal_tlb_flush_user();
        }
        return;
    }
    for (uint64_t i = 0; i < flush->npages; i++) {
        hal_tlb_flush_page(flush->address + i * PAGE_SIZE);
    }
}

void core_aspace_flush(struct core_aspace *aspace, uint64_t address, uint64_t npages) {
    struct flush flush = { aspace, address, npages };
    cpu_call(core_aspace_processors(aspace), flush_here, &flush);
}

void core_kernel_flush(uint64_t address, uint64_t npages) {
    struct flush flush = { NULL, address, npages };
    atomic_thread_fence(memory_order_seq_cst); // see cpu_main()
    cpu_call(cpu_online_mask(), flush_here, &flush);
}
