// SPDX-License-Identifier: MIT OR Apache-2.0
// <hal/branch.h>: branches whose outcome is written into the code.
//
// For what is off almost always, on paths where a load and a compare count: while a key is off, a
// place that asks for it costs one instruction that does nothing. Any number of places ask for a
// key. Code stays unwritable for everybody: the machine changes it in a way of its own.
#pragma once

#include <helix/types.h>

#define HAL_BRANCH_KEYS 4u // keys are 0 … HAL_BRANCH_KEYS - 1; core hands them out

// Whether `key`, a constant, is on. While it changes, each place answers yes or no. Orders nothing.
// Any context, except inside hal_branch_write().
static inline bool hal_branch(uint32_t key);

// Takes step 0 … HAL_BRANCH_STEPS - 1 of switching `key`. Between two steps, and after the last,
// all processors call hal_branch_sync(); then all see the outcome. One key at a time. Never waits.
// The key must differ from `on` before step 0. Thread context, once other parts of the kernel's
// page tables can be changed (after hal_init()).
void hal_branch_write(uint32_t key, bool on, uint32_t step);
// What this processor runs from here on is what was written before the caller knew of it. Any
// context.
void hal_branch_sync(void);

// The machine's part defines HAL_BRANCH_STEPS and hal_branch().
#include <hal_arch/branch.h>
