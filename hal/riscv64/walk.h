// SPDX-License-Identifier: MIT OR Apache-2.0
// hal/riscv64/walk.h: page-table entries (privileged ISA 20211203, 4.3.1), and the walk that the
// kernel makes in the hart's place when it reaches a program's memory. Pure: its test runs on the
// host.
#pragma once

#include <helix/types.h>

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

// A page, of whatever size; else nothing, or a table.
static inline bool entry_is_block(uint64_t entry) {
    return (entry & PTE_KEPT) != 0;
}

// The entry that maps or keeps the page at `address`, and its level; 0: there is none. `root_level`
// is that of the entries in `root`; physical address 0 is found at `direct_base`. The tables stay,
// their entries may change meanwhile.
static inline uint64_t walk_find(const uint64_t *root, uint32_t root_level, uint64_t direct_base,
                                 uint64_t address, uint32_t *out_level) {
    const uint64_t *entries = root;
    for (uint32_t level = root_level;; level--) {
        const uint64_t entry =
            __atomic_load_n(&entries[table_index(address, level)], __ATOMIC_ACQUIRE);
        if ((entry & (PTE_VALID | PTE_KEPT)) != PTE_VALID) {
            *out_level = level;
            return entry;
        }
        // NOLINTNEXTLINE(performance-no-int-to-ptr): this is where addresses are made
        entries = (const uint64_t *)(uintptr_t)(entry_page(entry).value + direct_base);
    }
}

// Where the byte at `address` lies in memory. False: a program's access would fault there, or a
// device's registers are mapped, which are no memory and not in the direct map.
static inline bool walk_reach(const uint64_t *root, uint32_t root_level, uint64_t direct_base,
                              uint64_t address, bool is_write, struct paddr *out_at) {
    const uint64_t needed = PTE_VALID | PTE_USER | PTE_READ | (is_write ? PTE_WRITE : 0);
    uint32_t level;
    const uint64_t entry = walk_find(root, root_level, direct_base, address, &level);
    const uint64_t inside = address & ((1ull << (PAGE_SHIFT + 9 * level)) - 1);
    *out_at = paddr_make(entry_page(entry).value + inside);
    return (entry & (needed | PTE_DEVICE)) == needed;
}
