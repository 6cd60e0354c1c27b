// SPDX-License-Identifier: MIT OR Apache-2.0
// hal/riscv64/pagetable.h: page-table entries (privileged ISA 20211203, 4.3.1), shared by the user
// and the kernel half.
#pragma once

#include "private.h"

#define PTE_VALID    (1ull << 0)
#define PTE_READ     (1ull << 1) // with none of these three: a table
#define PTE_WRITE    (1ull << 2)
#define PTE_EXECUTE  (1ull << 3)
#define PTE_USER     (1ull << 4)
#define PTE_GLOBAL   (1ull << 5)
#define PTE_ACCESSED (1ull << 6)
#define PTE_DIRTY    (1ull << 7)
#define PTE_KEPT     (1ull << 8) // software's: a page is here, perhaps one that nothing may touch
#define PTE_DEVICE   (1ull << 9) // software's: the machine itself knows what is uncached (3.6)

#define PTE_ADDRESS_SHIFT 2u // from an address' bits to those of the entry
#define PTE_ADDRESS       0x003ffffffffffc00ull
#define ADDRESS_END       (1ull << 56)

#define TABLE_ENTRIES     512u
#define ROOT_USER_ENTRIES 256u
#define LEVEL_PAGE        0u // its entries map 4 KiB
#define LEVEL_LARGE       1u // … 2 MiB
#define LEVEL_HUGE        2u // … 1 GiB
#define LARGE_BYTES       (1ull << 21)
#define HUGE_BYTES        (1ull << 30)

static inline uint32_t table_index(uint64_t address, uint32_t level) {
    return (uint32_t)(address >> (PAGE_SHIFT + 9 * level)) & (TABLE_ENTRIES - 1);
}

static inline struct paddr entry_page(uint64_t entry) {
    return paddr_make((entry & PTE_ADDRESS) << PTE_ADDRESS_SHIFT);
}

static inline uint64_t entry_make_for(struct paddr page) {
    return page.value >> PTE_ADDRESS_SHIFT;
}

static inline uint64_t *table_of(uint64_t entry) {
    return hal_phys_to_virt(entry_page(entry));
}

// A page, of whatever size; else nothing, or a table.
static inline bool entry_is_block(uint64_t entry) {
    return (entry & PTE_KEPT) != 0;
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
