// SPDX-License-Identifier: MIT OR Apache-2.0
// core/account.c: how much time a thread used.
//
// The total is exact: the counter at each switch. Its split into user and system time is sampled,
// since reading the clock at each entry would cost every system call: while a user thread runs, a
// timer interrupt every 10 ms sets THREAD_TICK, and the way out of that interrupt, which knows
// whether user or kernel code goes on, books the sample. The total is divided in the ratio of the
// samples; without any, all of it counts as user time. Idle processors take no samples.
#include "core_private.h"

time_ns_t thread_run_ns(struct thread *thread) {
    uint64_t ticks = atomic_load_explicit(&thread->run_ticks, memory_order_relaxed);
    if (atomic_load_explicit(&thread->state, memory_order_relaxed) == THREAD_RUNNING) {
        // Racy for a thread elsewhere: off by at most its present run.
        uint64_t now = input_counter();
        uint64_t start = *(volatile uint64_t *)&thread->run_start;
        ticks += now > start ? now - start : 0;
    }
    return time_ticks_to_span(ticks);
}

void thread_times(struct thread *thread, time_ns_t *out_user_ns, time_ns_t *out_system_ns) {
    uint64_t total = (uint64_t)thread_run_ns(thread);
    uint64_t user = atomic_load_explicit(&thread->ticks_user, memory_order_relaxed);
    uint64_t system = atomic_load_explicit(&thread->ticks_system, memory_order_relaxed);
    uint64_t system_ns = 0;
    if (system != 0) {
        // total / samples first: fits, and loses less than a nanosecond per sample.
        system_ns = total / (user + system) * system;
    }
    *out_system_ns = (time_ns_t)system_ns;
    *out_user_ns = (time_ns_t)(total - system_ns);
}
