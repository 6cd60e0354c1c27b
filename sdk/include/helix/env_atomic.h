// SPDX-License-Identifier: MIT OR Apache-2.0
// <helix/env_atomic.h>: the whole world of a module in atomic context: callable with interrupts off
// and locks held. No call here allocates, sleeps or fails.
#pragma once

#include <helix/types.h>

// Processors that any system can have.
#define HX_CPU_MAX 64u

// Processors that this system has, started or not; their numbers are below it. At least 1.
uint32_t hx_cpu_count(void);
// The number of the one that this runs on; a hint, unless preemption is off.
uint32_t hx_cpu_current(void);

// Nanoseconds since boot.
time_ns_t hx_time_now(void);

// A spin lock; preemption is off while it is held. The caller's storage; opaque.
struct LOCKABLE("hx_spinlock") hx_spinlock {
    alignas(8) uint8_t opaque[32];
};

// `name` is for checks and panics; borrowed for good.
void hx_spinlock_init(struct hx_spinlock *lock, const char *name);
// No sleeping call until the matching release; locks of one module nest in the order of their
// addresses only.
void hx_spinlock_acquire(struct hx_spinlock *lock) ACQUIRES(*lock);
void hx_spinlock_release(struct hx_spinlock *lock) RELEASES(*lock);
