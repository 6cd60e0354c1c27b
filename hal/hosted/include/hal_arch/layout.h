// SPDX-License-Identifier: MIT OR Apache-2.0
// <hal_arch/layout.h>: where things lie in the process that is the machine.
//
// User addresses are those of the software MMU and mean nothing to the host. The host chooses where
// the machine's memory and the window for mapped pages go (sanitizers and valgrind leave no address
// free that would do for all), once, before the kernel runs.
#pragma once

#include <helix/types.h>

extern uint64_t hosted_direct_base; // the machine's memory, one mapping
extern uint64_t hosted_direct_end;
extern uint64_t hosted_vmap_base;

#define HOSTED_VMAP_BYTES (4ull << 30)

#define HAL_USER_END        0x0000400000000000ull
#define HAL_USER_LAYOUT_END HAL_USER_END
#define HAL_DIRECT_BASE     hosted_direct_base
#define HAL_DIRECT_END      hosted_direct_end
#define HAL_VMAP_BASE       hosted_vmap_base
#define HAL_VMAP_END        (hosted_vmap_base + HOSTED_VMAP_BYTES)

struct hal_pagetable {
    struct paddr root; // 4 levels of tables in software (hal/hosted/pagetable.c)
    uint64_t pages;    // tables, the root included
};
