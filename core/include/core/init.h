// SPDX-License-Identifier: MIT OR Apache-2.0
// <core/init.h>: bringing the core up; called by runtime/kernel in this order.
#pragma once

#include <helix/types.h>

// What to give to hal_handlers_set().
struct hal_handlers;
const struct hal_handlers *core_handlers(void);

// First of all: the boot processor's data, a current thread (the boot thread, which later
// becomes the idle thread of processor 0). Locks, trace and log work from here on.
void core_init_early(void);
// After hal_init(): clocks, timers, the workers. Needs the stacks' allocator below.
enum hx_status core_init(void);

// How core gets stacks and per-processor storage; set by memory before core_init().
struct core_memory_ops {
    // Zeroed storage that is never freed; NULL if there is none. Boot context.
    void *(*boot_alloc)(size_t size_bytes);
    // A kernel stack with a guard page below it; NULL if there is none. Gives its lowest address.
    void *(*stack_alloc)(size_t size_bytes);
    void (*stack_free)(void *stack_low, size_t size_bytes);
};
void core_memory_ops_set(const struct core_memory_ops *ops);

// Starts all other processors (at most `limit` in all); each ends in sched_run_idle().
void core_start_processors(uint32_t limit);

// What core does with a page fault: memory registers this.
struct hal_fault;
struct core_fault_ops {
    // A fault on a user address, by user code or by a user copy. Thread context, interrupts on.
    // HX_OK: resolved, retry. Else the fault goes to the thread's personality (or ends the copy).
    enum hx_status (*user_page)(const struct hal_fault *fault);
};
void core_fault_ops_set(const struct core_fault_ops *ops);
