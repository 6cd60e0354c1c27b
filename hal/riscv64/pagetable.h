// SPDX-License-Identifier: MIT OR Apache-2.0
// hal/riscv64/pagetable.h: what the user and the kernel half share about their entries.
#pragma once

#include "private.h"
#include "walk.h"

static inline uint64_t *table_of(uint64_t entry) {
    return hal_phys_to_virt(entry_page(entry));
}

// Turns HAL_MAP_… into the bits of an entry for a page; without any right, one that is only kept.
// Not every hart sets accessed and dirty by itself (4.3.1), so a mapping counts as accessed, and as
// dirty if it may be written. What may be written or executed may be read.
static inline uint64_t entry_flags(uint32_t flags) {
    uint64_t entry = PTE_KEPT;
    if (flags & (HAL_MAP_READ | HAL_MAP_WRITE | HAL_MAP_EXECUTE)) {
        entry |= PTE_VALID | PTE_READ | PTE_ACCESSED;
    }
    entry |= flags & HAL_MAP_WRITE ? PTE_WRITE | PTE_DIRTY : 0;
    entry |= flags & HAL_MAP_EXECUTE ? PTE_EXECUTE : 0;
    entry |= flags & HAL_MAP_USER ? PTE_USER : PTE_GLOBAL;
    entry |= flags & HAL_MAP_UNCACHED ? PTE_DEVICE : 0;
    return entry;
}

// And back.
static inline uint32_t entry_rights(uint64_t entry) {
    uint32_t flags = entry & PTE_USER ? HAL_MAP_USER : 0;
    if (entry & PTE_VALID) {
        flags |= HAL_MAP_READ | HAL_MAP_ACCESSED;
        flags |= entry & PTE_WRITE ? HAL_MAP_WRITE | HAL_MAP_DIRTY : 0;
        flags |= entry & PTE_EXECUTE ? HAL_MAP_EXECUTE : 0;
    }
    flags |= entry & PTE_DEVICE ? HAL_MAP_UNCACHED : 0;
    return flags;
}

static inline bool flags_are_wx(uint32_t flags) {
    return (flags & HAL_MAP_WRITE) && (flags & HAL_MAP_EXECUTE);
}
