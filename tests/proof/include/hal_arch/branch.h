// SPDX-License-Identifier: MIT OR Apache-2.0
// <hal_arch/branch.h> for proofs: nothing is recorded on demand, so no interleaving is about it.
#pragma once

#include <stdbool.h>
#include <stdint.h>

#define HAL_BRANCH_STEPS 1u

static inline bool hal_branch(uint32_t key) {
    (void)key;
    return false;
}
