// SPDX-License-Identifier: MIT OR Apache-2.0
// boot/src/memory.h: builds the memory map of struct boot_info from what a loader lists.
#pragma once

#include <boot/boot_info.h>

// Adds [base, base + size_bytes), less what the map already has: the first one to name a byte wins.
// Usable memory is trimmed to whole pages. Keeps the map sorted, and neighbours of a kind as one.
// Where there are too many, the smallest usable range is left out, or two that are not for use
// become one with what is between them, whichever costs less: what may not be used is never left
// out, for it would belong to who names it next. Both are counted in `info`.
// Needs: base + size_bytes does not overflow.
void boot_memory_add(struct boot_info *info, uint64_t base, uint64_t size_bytes,
                     enum boot_memory_kind kind);
