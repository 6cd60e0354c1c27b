// SPDX-License-Identifier: MIT OR Apache-2.0
// <core/aspace.h>: the part of an address space that switching threads needs, and shoot-down.
#pragma once

#include <core/object.h>
#include <hal/mmu.h>
#include <helix/types.h>

// Embedded first in subsys/memory's struct aspace.
struct core_aspace {
    struct object object;
    struct hal_pagetable table;
    _Atomic uint64_t active; // processors on which it is loaded
};

// Loads `aspace` (NULL: none) on this processor, if it is not loaded already. Interrupts off; for
// the switch and for exec.
void core_aspace_activate(struct core_aspace *aspace);

// The processors (a mask) on which threads of it may run that do not see what the caller stored
// before: all others see that before they run one, and what they ran is seen by the caller. Any
// context.
uint64_t core_aspace_processors(const struct core_aspace *aspace);

// Takes it off every processor that still has it loaded without running a thread of it (kernel
// threads borrow the last one). Needed before hal_pagetable_fini(). Thread context, interrupts on.
void core_aspace_unload(struct core_aspace *aspace);

// Makes every processor forget translations of `npages` pages at `address` in this aspace; above a
// small number it flushes all. Returns when all have. Interrupts on; the page-table lock may be
// held by the caller only if no interrupt handler takes it.
void core_aspace_flush(struct core_aspace *aspace, uint64_t address, uint64_t npages);
// The same for the kernel half, everywhere.
void core_kernel_flush(uint64_t address, uint64_t npages);
