// SPDX-License-Identifier: MIT OR Apache-2.0
// <hal/cpu_start.h>: for machines: who starts a processor and the processor agree whether it came
// in time. One that comes later stops again; nobody knows it.
#pragma once

#include <hal/cpu.h>
#include <hal/time.h>
#include <stdatomic.h>

// Emulated processors may have to share one real one.
#define CPU_START_TIMEOUT_US 5000000u

enum cpu_start { CPU_START_OPEN, CPU_START_REACHED, CPU_START_GIVEN_UP };

// The processor: it may go on. The starter: it has given up. False: the other one was first. Any
// context. Acquire and release: what either did before is visible to the other.
static inline bool cpu_start_decide(_Atomic uint32_t *state, enum cpu_start outcome) {
    uint32_t open = CPU_START_OPEN;
    return atomic_compare_exchange_strong_explicit(state, &open, outcome, memory_order_acq_rel,
                                                   memory_order_acquire);
}

// The starter: waits for the processor; whether it came. After the time, in microseconds, it is
// given up if `give_up`.
static inline bool cpu_start_wait(_Atomic uint32_t *state, uint32_t timeout_us, bool give_up) {
    const uint64_t end = hal_counter_read() + hal_counter_hz() * timeout_us / 1000000u;
    while (atomic_load_explicit(state, memory_order_acquire) == CPU_START_OPEN) {
        if (hal_counter_read() >= end) {
            return give_up && !cpu_start_decide(state, CPU_START_GIVEN_UP);
        }
        hal_relax();
    }
    return true;
}
