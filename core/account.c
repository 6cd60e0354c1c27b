// SPDX-License-Identifier: MIT OR Apache-2.0
// core/account.c: how much time threads and processors used.
//
// A total is exact: the counter at each switch. Its split into user and system time is sampled,
// since reading the clock at each entry would cost every system call: while a processor is not
// idle, a timer interrupt every 10 ms sets THREAD_TICK, and the way out of that interrupt, which
// knows whether user or kernel code goes on, books the sample, for the thread and for the
// processor. The total is divided in the ratio of the samples, which later ones may move either
// way: what was told is kept, so that no time goes back.
#include "core_private.h"

#include <core/cpu.h>

static const struct lock_class told_class = { "times told", LOCK_RANK_LEAF, false };

void account_thread_setup(struct thread *thread) {
    spinlock_init(&thread->told_lock, &told_class);
}

void account_cpu_setup(struct cpu *cpu) {
    spinlock_init(&cpu->told_lock, &told_class);
}

void thread_count_fault(bool is_major) {
    struct thread *thread = thread_current();
    count_own(is_major ? &thread->faults_major : &thread->faults_minor);
}

void account_sample(struct thread *thread, bool is_user) {
    struct cpu *cpu = cpu_this();
    count_own(is_user ? &thread->samples.user : &thread->samples.system);
    count_own(is_user ? &cpu->samples.user : &cpu->samples.system);
}

time_ns_t thread_run_ns(const struct thread *thread) {
    const uint64_t ran = atomic_load_explicit(&thread->ran, memory_order_relaxed);
    if ((ran & THREAD_RUNS_NOW) == 0) {
        return time_ticks_to_span(ran);
    }
    // As if it had run without a pause from there on. Counters of two processors may differ a bit.
    const uint64_t since = ran & ~THREAD_RUNS_NOW;
    const uint64_t now = input_counter();
    return time_ticks_to_span(now > since ? now - since : 0);
}

// The part of `total` that samples say is user time. Without any, all of it.
static uint64_t user_part(const struct account_samples *samples, uint64_t total) {
    const uint64_t user = atomic_load_explicit(&samples->user, memory_order_relaxed);
    const uint64_t system = atomic_load_explicit(&samples->system, memory_order_relaxed);
    // total / samples first: fits, and loses less than a nanosecond per sample.
    return system == 0 ? total : total - total / (user + system) * system;
}

static bool has_samples(const struct account_samples *samples) {
    return atomic_load_explicit(&samples->user, memory_order_relaxed) != 0 ||
           atomic_load_explicit(&samples->system, memory_order_relaxed) != 0;
}

void thread_times(struct thread *thread, time_ns_t *out_user_ns, time_ns_t *out_system_ns) {
    const unsigned long irq = spin_lock_irq(&thread->told_lock);
    const uint64_t total = (uint64_t)thread_run_ns(thread);
    time_split_move(&thread->told, total, user_part(&thread->samples, total));
    *out_user_ns = (time_ns_t)thread->told.first;
    *out_system_ns = (time_ns_t)thread->told.rest;
    spin_unlock_irq(&thread->told_lock, irq);
}

bool cpu_times(uint32_t id, struct cpu_times *out) {
    *out = (struct cpu_times){ 0 };
    if (id >= CPU_MAX || (cpu_online_mask() >> id & 1) == 0) {
        return false;
    }
    struct cpu *cpu = cpu_table[id];
    const unsigned long irq = spin_lock_irq(&cpu->told_lock);
    time_split_move(&cpu->told_idle, (uint64_t)(time_now() - cpu->since),
                    (uint64_t)thread_run_ns(&cpu->idle));
    const uint64_t busy = cpu->told_idle.rest;
    // Without a sample nobody has run here for long.
    const uint64_t user = has_samples(&cpu->samples) ? user_part(&cpu->samples, busy) : 0;
    time_split_move(&cpu->told_busy, busy, user);
    out->idle = (time_ns_t)cpu->told_idle.first;
    out->user = (time_ns_t)cpu->told_busy.first;
    out->system = (time_ns_t)cpu->told_busy.rest;
    spin_unlock_irq(&cpu->told_lock, irq);
    return true;
}
