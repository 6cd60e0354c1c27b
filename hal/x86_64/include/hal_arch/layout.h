// SPDX-License-Identifier: MIT OR Apache-2.0
// <hal_arch/layout.h>: where things lie in the 48-bit address space of x86_64 (4-level paging), and
// what a page table is.
//
//   0000000000000000 … HAL_USER_END    user half; the last page stays unmapped, so that the address
//                                      after any user instruction is canonical (SDM 2B, SYSRET)
//   HAL_DIRECT_BASE  …                 all RAM, at its physical address, never executable
//   HAL_VMAP_BASE … HAL_VMAP_END       mapped by core, page by page
//   X86_DEVICE_BASE … X86_IMAGE_BASE   registers and tables that hal itself maps
//   X86_IMAGE_BASE …                   the kernel image, at its physical address
#pragma once

#define HAL_USER_END        0x00007ffffffff000ull
#define HAL_USER_LAYOUT_END HAL_USER_END
#define HAL_DIRECT_BASE     0xffff800000000000ull
#define HAL_DIRECT_END      0xffffbfffffffffffull
#define HAL_VMAP_BASE       0xffffc00000000000ull
#define HAL_VMAP_END        0xffffc08000000000ull // one entry of the top table
#define X86_DEVICE_BASE     0xffffff8000000000ull
#define X86_IMAGE_BASE      0xffffffff80000000ull

// The page below 1 MiB where the other processors start; boot keeps it out of the usable memory.
#define X86_TRAMPOLINE 0x1000ull

#ifndef __ASSEMBLER__
#include <helix/types.h>

struct hal_pagetable {
    struct paddr root;
    uint64_t pages;    // tables, the root included
    uint64_t slots[4]; // which of the 256 entries of the root's user half are in use
};
#endif
