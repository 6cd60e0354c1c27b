// SPDX-License-Identifier: MIT OR Apache-2.0
// A physical address is no pointer; the direct map makes one of it.
// PART: subsys/memory/
// FAILS: type 'struct paddr'
#include <hal/mmu.h>

const uint8_t *bytes_of(struct paddr page);

const uint8_t *bytes_of(struct paddr page) {
#ifdef BREAK_RULE
    return (const uint8_t *)page;
#else
    return hal_phys_to_virt(page);
#endif
}
