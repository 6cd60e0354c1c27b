// SPDX-License-Identifier: MIT OR Apache-2.0
// hal/hosted/branch.c: branches are words.
#include <hal/branch.h>

_Atomic bool hosted_branches[HAL_BRANCH_KEYS];

void hal_branch_write(uint32_t key, bool on, uint32_t step) {
    (void)step; // there is one
    atomic_store_explicit(&hosted_branches[key], on, memory_order_relaxed);
}

void hal_branch_sync(void) {
    atomic_thread_fence(memory_order_seq_cst);
}
