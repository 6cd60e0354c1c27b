// SPDX-License-Identifier: MIT OR Apache-2.0
// hal/hosted/pagetable.h: an entry of the software MMU's tables, and its walk.
#pragma once

#include <hal/mmu.h>

#define ENTRY_USED     (1ull << 0) // by a table or a page, accessible or not
#define ENTRY_READ     (1ull << 1)
#define ENTRY_WRITE    (1ull << 2)
#define ENTRY_EXECUTE  (1ull << 3)
#define ENTRY_ACCESSED (1ull << 4)
#define ENTRY_DIRTY    (1ull << 5)
#define ENTRY_LARGE    (1ull << 6)
#define ENTRY_ADDRESS  (~(uint64_t)PAGE_MASK)

// What the processor does on a miss: finds the page for an access (HAL_ACCESS_…), marks its entry
// accessed and, for a write, dirty. False: not mapped, or not for this access.
bool pagetable_walk(const struct hal_pagetable *table, uint64_t address, uint32_t access,
                    struct paddr *out_page);
