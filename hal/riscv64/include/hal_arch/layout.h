// SPDX-License-Identifier: MIT OR Apache-2.0
// <hal_arch/layout.h>: where things lie in the address space of riscv64, and what a page table is.
//
// The kernel lives in the last 256 GiB, which are the upper half of Sv39 and the end of that of
// Sv48 and Sv57, so that its addresses do not depend on which of them is in use.
//
//   0000000000000000 … HAL_USER_END          user half: 2^38, 2^47 or 2^56 bytes
//   HAL_DIRECT_BASE  …                       all RAM, at its physical address, never executable
//   HAL_VMAP_BASE … HAL_VMAP_END             mapped by core, page by page
//   RISCV64_DEVICE_BASE … RISCV64_RETURN     registers that hal itself maps
//   RISCV64_RETURN                           a page that programs may execute: the return of
//                                            signals
//   RISCV64_IMAGE_BASE …                     the kernel image, wherever it was loaded
#pragma once

#define HAL_USER_END        riscv64_user_end
#define HAL_USER_LAYOUT_END MIN_OF(riscv64_user_end, 1ull << 47)
#define HAL_DIRECT_BASE     0xffffffc000000000ull
#define HAL_DIRECT_END      0xffffffefffffffffull
#define HAL_VMAP_BASE       0xfffffff000000000ull
#define HAL_VMAP_END        0xfffffff100000000ull // 4 GiB
#define RISCV64_DEVICE_BASE 0xffffffff00000000ull
#define RISCV64_RETURN      0xffffffff3ffff000ull // the last page of the devices' GiB
#define RISCV64_IMAGE_BASE  0xffffffff80000000ull

#ifndef __ASSEMBLER__
#include <helix/types.h>

extern uint64_t riscv64_user_end; // constant from hal_mmu_init() on

struct hal_pagetable {
    struct paddr root;
    uint64_t pages; // tables, the root included
};
#endif
