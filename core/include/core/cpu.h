// SPDX-License-Identifier: MIT OR Apache-2.0
// <core/cpu.h>: per-processor data, calls on other processors, device interrupts.
#pragma once

#include <hal/cpu.h>
#include <helix/types.h>

struct cpu; // private to core: core/cpu_local.h

#define CPU_MAX HAL_CPU_MAX

// Processors that take part. Grows only, while booting.
uint32_t cpu_online_count(void);
uint64_t cpu_online_mask(void);
uint32_t cpu_id(void); // preemption off, or a hint

// How a processor spent its time since it takes part. No part ever goes back.
struct cpu_times {
    time_ns_t user, system, idle;
};
// False, and all zero: it does not take part. Any context.
bool cpu_times(uint32_t id, struct cpu_times *out);

// Runs fn(argument) on each processor of `mask` (this one included if set) with interrupts off and
// waits until all are done. Interrupts must be on (or this is the only processor); no lock that the
// targets could hold with interrupts off.
void cpu_call(uint64_t mask, void (*fn)(void *argument), void *argument);
// A full memory barrier on every processor: on return each has seen what the caller stored before,
// and shows what it stored itself. As cpu_call().
void cpu_barrier(void);
// The same on the processors of `mask`.
void cpu_barrier_on(uint64_t mask);
