// SPDX-License-Identifier: MIT OR Apache-2.0
// <lib/frames.h>: return addresses by frame pointers, for machines where the caller's frame pointer
// and then the return address lie at the frame pointer (x86_64's psABI, 3.4.1; aarch64's AAPCS64,
// 6.4.6) or right below it (RISC-V's calling convention, "Frame Pointer Convention").
#pragma once

#include <helix/types.h>

#define FRAMES_AT    0u
#define FRAMES_BELOW 16u

// Writes the return addresses from the frame at `fp` outwards, at most `capacity`; the number.
// Nothing is read outside [stack_low, stack_high), whatever the frames say, and each frame must lie
// above the one before, so it ends. `below` is one of the two above. Any context.
uint32_t frames_walk(uint64_t fp, uint32_t below, const void *stack_low, const void *stack_high,
                     uint64_t *out_addresses, uint32_t capacity);
