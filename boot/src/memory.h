// SPDX-License-Identifier: MIT OR Apache-2.0
// boot/src/memory.h: builds the memory map of struct boot_info from what a loader lists.
#pragma once

#include <boot/boot_info.h>

// Adds [base, base + size_bytes), less what the map already has: the first one to name a byte wins.
// Usable memory is trimmed to whole pages. Keeps the map sorted; drops what does not fit.
// Needs: base + size_bytes does not overflow.
void boot_memory_add(struct boot_info *info, uint64_t base, uint64_t size_bytes,
                     enum boot_memory_kind kind);
