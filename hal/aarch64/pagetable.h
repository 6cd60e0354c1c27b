// SPDX-License-Identifier: MIT OR Apache-2.0
// hal/aarch64/pagetable.h: page-table entries (Arm ARM, D8.3), shared by the user and the kernel
// half.
//
// An entry that points at a table also says, in bits that the processor ignores there (2 … 11 and
// 52 … 57), which part of that table is in use: the first and the last used group of 8 entries.
#pragma once

#include "private.h"

#define PTE_VALID     (1ull << 0)
#define PTE_TABLE     (1ull << 1) // at the last level: a page; above: a table, else a block
#define PTE_DEVICE    (1ull << 2) // AttrIndx 1 of MAIR_EL1 (boot/aarch64/entry.S)
#define PTE_USER      (1ull << 6) // AP[1]
#define PTE_READONLY  (1ull << 7) // AP[2]
#define PTE_SHARED    (3ull << 8) // inner
#define PTE_ACCESSED  (1ull << 10)
#define PTE_NOTGLOBAL (1ull << 11)
#define PTE_PXN       (1ull << 53)
#define PTE_UXN       (1ull << 54)
#define PTE_KEPT      (1ull << 58) // ours: a page is here, perhaps one that nothing may touch
#define PTE_ADDRESS   0x0000fffffffff000ull

#define TABLE_ENTRIES 512u
#define LEVEL_PAGE    0u // its entries map 4 KiB
#define LEVEL_LARGE   1u // … 2 MiB
#define LEVEL_HUGE    2u // … 1 GiB
#define LEVEL_ROOT    3u
#define LARGE_BYTES   (1ull << 21)
#define HUGE_BYTES    (1ull << 30)

#define HINT_FIRST_SHIFT 2u  // 6 bits
#define HINT_LAST_SHIFT  52u // 6 bits, below PTE_KEPT
#define HINT_MASK        (63ull << HINT_FIRST_SHIFT | 63ull << HINT_LAST_SHIFT)
#define HINT_EMPTY       (63ull << HINT_FIRST_SHIFT)

static inline uint32_t table_index(uint64_t address, uint32_t level) {
    return (uint32_t)(address >> (PAGE_SHIFT + 9 * level)) & (TABLE_ENTRIES - 1);
}

static inline uint64_t *table_of(uint64_t entry) {
    return hal_phys_to_virt(paddr_make(entry & PTE_ADDRESS));
}

static inline bool entry_is_used(uint64_t entry) {
    return (entry & (PTE_VALID | PTE_KEPT)) != 0;
}

static inline bool entry_is_block(uint64_t entry) {
    return entry_is_used(entry) && (entry & PTE_KEPT) != 0;
}

static inline uint32_t hint_first(uint64_t entry) {
    return (uint32_t)(entry >> HINT_FIRST_SHIFT & 63) * 8;
}

static inline uint32_t hint_end(uint64_t entry) { // the first index behind
    return (uint32_t)(entry >> HINT_LAST_SHIFT & 63) * 8 + 8;
}

// Notes in `parent`, the entry that points at a table, that entry `index` of the table is in use.
static inline void hint_add(uint64_t *parent, uint32_t index) {
    uint64_t entry = *parent;
    uint64_t first = MIN_OF(entry >> HINT_FIRST_SHIFT & 63, (uint64_t)index / 8);
    uint64_t last = MAX_OF(entry >> HINT_LAST_SHIFT & 63, (uint64_t)index / 8);
    *parent = (entry & ~HINT_MASK) | first << HINT_FIRST_SHIFT | last << HINT_LAST_SHIFT;
}

// Turns HAL_MAP_… into the bits of a last-level entry; without any right, one that is only kept.
// There is no hardware that sets accessed and dirty everywhere, so a mapping counts as accessed,
// and as dirty if it may be written.
static inline uint64_t entry_flags(uint32_t flags) {
    const bool user = (flags & HAL_MAP_USER) != 0;
    const bool execute = (flags & HAL_MAP_EXECUTE) != 0;
    uint64_t entry = PTE_KEPT | PTE_TABLE | PTE_SHARED | PTE_ACCESSED;
    entry |= flags & (HAL_MAP_READ | HAL_MAP_WRITE | HAL_MAP_EXECUTE) ? PTE_VALID : 0;
    entry |= flags & HAL_MAP_WRITE ? 0 : PTE_READONLY;
    entry |= user ? PTE_USER | PTE_NOTGLOBAL | PTE_PXN : PTE_UXN;
    entry |= execute ? 0 : PTE_UXN | PTE_PXN;
    entry |= flags & HAL_MAP_UNCACHED ? PTE_DEVICE : 0;
    return entry;
}

// And back.
static inline uint32_t entry_rights(uint64_t entry) {
    uint32_t flags = entry & PTE_USER ? HAL_MAP_USER : 0;
    if (entry & PTE_VALID) {
        flags |= HAL_MAP_READ | HAL_MAP_ACCESSED;
        flags |= entry & PTE_READONLY ? 0 : HAL_MAP_WRITE | HAL_MAP_DIRTY;
        flags |= entry & (entry & PTE_USER ? PTE_UXN : PTE_PXN) ? 0 : HAL_MAP_EXECUTE;
    }
    flags |= entry & PTE_DEVICE ? HAL_MAP_UNCACHED : 0;
    return flags;
}

static inline bool flags_are_wx(uint32_t flags) {
    return (flags & HAL_MAP_WRITE) && (flags & HAL_MAP_EXECUTE);
}
