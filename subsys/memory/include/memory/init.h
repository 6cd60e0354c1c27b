// SPDX-License-Identifier: MIT OR Apache-2.0
// <memory/init.h>: bringing memory up; called by runtime/kernel in this order.
#pragma once

#include <boot/boot_info.h>
#include <helix/types.h>

// Before hal_mmu_init(): a bump allocator over usable memory that is not the image, the initrd or
// boot data; registers it as hal_page_ops and core_memory_ops.boot_alloc.
void memory_init_early(const struct boot_info *info);
// After hal_mmu_init(): frames, heap, kernel stacks, the fault handler. Panics only if the machine
// has too little memory to start at all.
void memory_init(const struct boot_info *info);
// When the initial file system is unpacked: gives the initrd's frames back.
void memory_release_initrd(const struct boot_info *info);
