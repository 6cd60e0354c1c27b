// SPDX-License-Identifier: MIT OR Apache-2.0
// hal/x86_64/pagetable.h: page-table entries (SDM 3A 4.5), shared by the user and the kernel half.
//
// An entry that points at a table also says, in bits that the processor ignores there (52 … 62),
// which part of that table is in use: the first used group of 8 entries (6 bits) and the last used
// group of 16 (5 bits). Walks of sparse tables and their release look only there.
#pragma once

#include "private.h"

#define PTE_PRESENT  (1ull << 0)
#define PTE_WRITE    (1ull << 1)
#define PTE_USER     (1ull << 2)
#define PTE_UNCACHED (3ull << 3) // PAT entry 3, as at reset: uncached
#define PTE_ACCESSED (1ull << 5)
#define PTE_DIRTY    (1ull << 6)
#define PTE_LARGE    (1ull << 7)
#define PTE_GLOBAL   (1ull << 8)
#define PTE_KEPT     (1ull << 9) // ours: a page is here, but nothing may touch it (no rights)
#define PTE_NX       (1ull << 63)
#define PTE_ADDRESS  0x000ffffffffff000ull

#define TABLE_ENTRIES 512u
#define LEVEL_PAGE    0u // its entries map 4 KiB
#define LEVEL_LARGE   1u // … 2 MiB
#define LEVEL_HUGE    2u // … 1 GiB
#define LEVEL_ROOT    3u
#define LARGE_BYTES   (1ull << 21)
#define HUGE_BYTES    (1ull << 30)

#define HINT_FIRST_SHIFT 52u
#define HINT_LAST_SHIFT  58u
#define HINT_MASK        (0x7ffull << HINT_FIRST_SHIFT)
#define HINT_EMPTY       (63ull << HINT_FIRST_SHIFT)

static inline uint32_t table_index(uint64_t address, uint32_t level) {
    return (uint32_t)(address >> (PAGE_SHIFT + 9 * level)) & (TABLE_ENTRIES - 1);
}

static inline uint64_t *table_of(uint64_t entry) {
    return hal_phys_to_virt(paddr_make(entry & PTE_ADDRESS));
}

static inline bool entry_is_used(uint64_t entry) {
    return (entry & (PTE_PRESENT | PTE_KEPT)) != 0;
}

static inline uint32_t hint_first(uint64_t entry) {
    return (uint32_t)(entry >> HINT_FIRST_SHIFT & 63) * 8;
}

static inline uint32_t hint_end(uint64_t entry) { // the first index behind
    return (uint32_t)(entry >> HINT_LAST_SHIFT & 31) * 16 + 16;
}

// Notes in `parent`, the entry that points at a table, that entry `index` of the table is in use.
static inline void hint_add(uint64_t *parent, uint32_t index) {
    uint64_t entry = *parent;
    uint64_t first = MIN_OF(entry >> HINT_FIRST_SHIFT & 63, (uint64_t)index / 8);
    uint64_t last = MAX_OF(entry >> HINT_LAST_SHIFT & 31, (uint64_t)index / 16);
    *parent = (entry & ~HINT_MASK) | first << HINT_FIRST_SHIFT | last << HINT_LAST_SHIFT;
}

// Turns HAL_MAP_… into the bits of a last-level entry; without any right, one that is only kept.
static inline uint64_t entry_flags(uint32_t flags) {
    uint64_t entry = flags & (HAL_MAP_READ | HAL_MAP_WRITE | HAL_MAP_EXECUTE)
                         ? PTE_PRESENT | PTE_KEPT
                         : PTE_KEPT;
    entry |= flags & HAL_MAP_WRITE ? PTE_WRITE : 0;
    entry |= flags & HAL_MAP_EXECUTE ? 0 : PTE_NX;
    entry |= flags & HAL_MAP_USER ? PTE_USER : 0;
    entry |= flags & HAL_MAP_UNCACHED ? PTE_UNCACHED : 0;
    return entry;
}

// And back.
static inline uint32_t entry_rights(uint64_t entry) {
    uint32_t flags = entry & PTE_USER ? HAL_MAP_USER : 0;
    if (entry & PTE_PRESENT) {
        flags |= HAL_MAP_READ;
        flags |= entry & PTE_WRITE ? HAL_MAP_WRITE : 0;
        flags |= entry & PTE_NX ? 0 : HAL_MAP_EXECUTE;
    }
    flags |= entry & PTE_UNCACHED ? HAL_MAP_UNCACHED : 0;
    flags |= entry & PTE_ACCESSED ? HAL_MAP_ACCESSED : 0;
    flags |= entry & PTE_DIRTY ? HAL_MAP_DIRTY : 0;
    return flags;
}

static inline bool flags_are_wx(uint32_t flags) {
    return (flags & HAL_MAP_WRITE) && (flags & HAL_MAP_EXECUTE);
}
