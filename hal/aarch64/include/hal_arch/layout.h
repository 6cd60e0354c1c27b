// SPDX-License-Identifier: MIT OR Apache-2.0
// <hal_arch/layout.h>: where things lie in the two 48-bit halves of the address space of aarch64
// (4 KiB granule, 4 levels), and what a page table is.
//
//   0000000000000000 … HAL_USER_END          user half (TTBR0)
//   HAL_DIRECT_BASE  …                       all RAM, at its physical address, never executable
//   HAL_VMAP_BASE … HAL_VMAP_END             mapped by core, page by page
//   AARCH64_DEVICE_BASE … AARCH64_RETURN     registers that hal itself maps
//   AARCH64_RETURN                           a page that programs may execute: the return of
//   signals AARCH64_IMAGE_BASE …                     the kernel image, wherever it was loaded
#pragma once

#define HAL_USER_END        0x0001000000000000ull
#define HAL_USER_LAYOUT_END HAL_USER_END
#define HAL_DIRECT_BASE     0xffff000000000000ull
#define HAL_DIRECT_END      0xffff7fffffffffffull
#define HAL_VMAP_BASE       0xffff800000000000ull
#define HAL_VMAP_END        0xffff808000000000ull // one entry of the top table
#define AARCH64_DEVICE_BASE 0xffffff8000000000ull // its entry of the top table is the image's too
#define AARCH64_RETURN      0xffffffff7ffff000ull
#define AARCH64_IMAGE_BASE  0xffffffff80000000ull

#ifndef __ASSEMBLER__
#include <helix/types.h>

struct hal_pagetable {
    struct paddr root;
    uint64_t pages;    // tables, the root included
    uint64_t slots[8]; // which of the root's 512 entries are in use
};
#endif
