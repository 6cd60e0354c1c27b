// SPDX-License-Identifier: MIT OR Apache-2.0
// fail.c: makes the n-th allocation of one thread fail, so that tests reach every failure path.
#include "internal.h"

_Atomic uint64_t memory_fail_armed; // the count that is left, of the thread below
static _Atomic uint64_t fail_thread;
static _Atomic uint64_t fail_count;

bool memory_fail_countdown(void) {
    const struct thread *thread = thread_current();
    if (thread->id != atomic_load_explicit(&fail_thread, memory_order_relaxed)) {
        return false;
    }
    // Only this thread counts, so nobody else stores in between.
    uint64_t left = atomic_load_explicit(&memory_fail_armed, memory_order_relaxed);
    atomic_store_explicit(&memory_fail_armed, left - 1, memory_order_relaxed);
    if (left != 1) {
        return false;
    }
    atomic_fetch_add_explicit(&fail_count, 1, memory_order_relaxed);
    return true;
}

uint64_t heap_fail_count(void) {
    return atomic_load_explicit(&fail_count, memory_order_relaxed);
}

void heap_fail_nth(uint64_t nth) {
    atomic_store_explicit(&memory_fail_armed, 0, memory_order_relaxed);
    atomic_store_explicit(&fail_thread, thread_current()->id, memory_order_relaxed);
    atomic_store_explicit(&memory_fail_armed, nth, memory_order_release);
}
