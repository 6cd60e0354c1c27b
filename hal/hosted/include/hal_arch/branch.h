// SPDX-License-Identifier: MIT OR Apache-2.0
// <hal_arch/branch.h>: the inline part of <hal/branch.h>, documented there.
//
// The code of this process is the host's to map, so a branch asks a word here.
#pragma once

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#define HAL_BRANCH_STEPS 1u

extern _Atomic bool hosted_branches[];

static inline bool hal_branch(uint32_t key) {
    return atomic_load_explicit(&hosted_branches[key], memory_order_relaxed);
}
