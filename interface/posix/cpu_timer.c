// SPDX-License-Identifier: MIT OR Apache-2.0
// interface/posix/cpu_timer.c: what happens after so much processor time: ITIMER_PROF and
// ITIMER_VIRTUAL, RLIMIT_CPU.
//
// Processor time has no timer of its own. A process that wants to be told has an ordinary one, set
// to the earliest moment at which the time could be used up; when it fires it looks, and sets
// itself again. If nothing was used since it was set, all threads sleep: then it rests, and each
// thread is asked to say when it goes back to user mode. So a process that sleeps costs nothing,
// and one that uses time only in the kernel, without going back, could not take the signal anyway.
#include "signals.h"
#include "times.h"
#include "usage.h"

#define LOOK_LEAST_NS (NS_PER_SECOND / 100) // between two looks

// What is watched, and in which of the two times (all: user and system together).
static const struct {
    int32_t number;
    bool is_all;
} watches[CPU_WATCHES] = {
    [CPU_WATCH_VIRTUAL] = { SIGVTALRM, false },
    [CPU_WATCH_PROF] = { SIGPROF, true },
    [CPU_WATCH_LIMIT] = { SIGXCPU, true },
};

// Sets the timer for the nearest deadline, given how much was used by now. Needs alarm_lock.
static void arm_locked(struct posix_process *process, const time_ns_t used[CPU_WATCHES]) {
    time_ns_t left = TIME_NEVER;
    if (process->timers_over) {
        return; // somebody else set a limit, too late
    }
    for (unsigned i = 0; i < CPU_WATCHES; i++) {
        if (process->cpu_deadlines[i] != 0) {
            left = MIN_OF(left, process->cpu_deadlines[i] - used[i]);
        }
    }
    if (left != TIME_NEVER) {
        // All threads may run at once.
        const uint32_t threads = process_thread_count(process->process);
        const time_ns_t span = left / MAX_OF(threads, 1u);
        timer_arm(&process->cpu_timer, time_after(MAX_OF(span, LOOK_LEAST_NS)));
    }
    process->cpu_timer_rests = false;
    process->cpu_seen = used[CPU_WATCH_PROF];
}

// Lets the timer rest until a thread runs. Needs alarm_lock.
static void rest_locked(struct posix_process *process) {
    struct process *native = process->process;
    process->cpu_timer_rests = true;
    spin_lock(&native->thread_lock);
    list_for_each (link, &native->threads) {
        thread_notify(&LIST_ENTRY(link, struct user_thread, process_link)->thread, THREAD_RUNS);
    }
    spin_unlock(&native->thread_lock);
}

// 0: no span, no end.
static time_ns_t span_end(time_ns_t start, time_ns_t span) {
    if (span == 0) {
        return 0;
    }
    return span > TIME_NEVER - start ? TIME_NEVER : start + span;
}

static void used_by(struct posix_process *process, time_ns_t out_used[CPU_WATCHES]) {
    struct usage usage;
    process_usage(process, &usage);
    for (unsigned i = 0; i < CPU_WATCHES; i++) {
        out_used[i] = usage.user_ns + (watches[i].is_all ? usage.system_ns : 0);
    }
}

static void cpu_expired(struct timer *timer) {
    struct posix_process *process = CONTAINER_OF(timer, struct posix_process, cpu_timer);
    const uint64_t hard =
        atomic_load_explicit(&process->limits[RLIMIT_CPU].hard, memory_order_relaxed);
    time_ns_t used[CPU_WATCHES];
    bool is_due[CPU_WATCHES];
    used_by(process, used);
    spin_lock(&process->alarm_lock);
    for (unsigned i = 0; i < CPU_WATCHES; i++) {
        const time_ns_t deadline = process->cpu_deadlines[i];
        is_due[i] = deadline != 0 && used[i] >= deadline;
        if (is_due[i]) {
            process->cpu_deadlines[i] = span_end(used[i], process->cpu_intervals[i]);
        }
    }
    // A new process's first thread has still to join: nobody would say that it runs.
    if (used[CPU_WATCH_PROF] != 0 && used[CPU_WATCH_PROF] == process->cpu_seen) {
        rest_locked(process);
    } else {
        arm_locked(process, used);
    }
    spin_unlock(&process->alarm_lock);
    const bool is_over = hard != RLIMIT_INFINITY &&
                         (uint64_t)(used[CPU_WATCH_LIMIT] / NS_PER_SECOND) >= MAX_OF(hard, 1u);
    for (unsigned i = 0; i < CPU_WATCHES; i++) {
        if (is_due[i]) {
            const bool is_end = i == CPU_WATCH_LIMIT && is_over;
            posix_signal_process(process, is_end ? SIGKILL : watches[i].number, NULL);
        }
    }
}

void cpu_timer_init(struct posix_process *process) {
    timer_init(&process->cpu_timer, cpu_expired);
}

void cpu_timer_resume(struct posix_process *process) {
    time_ns_t used[CPU_WATCHES];
    used_by(process, used);
    const unsigned long irq = spin_lock_irq(&process->alarm_lock);
    if (process->cpu_timer_rests) {
        arm_locked(process, used);
    }
    spin_unlock_irq(&process->alarm_lock, irq);
}

void cpu_timer_end(struct posix_process *process) {
    const unsigned long irq = spin_lock_irq(&process->alarm_lock);
    process->timers_over = true;
    for (unsigned i = 0; i < CPU_WATCHES; i++) {
        process->cpu_deadlines[i] = 0;
    }
    spin_unlock_irq(&process->alarm_lock, irq);
    // Also without a deadline: what cleared the last one left the timer as it was.
    (void)timer_cancel(&process->cpu_timer);
}

void cpu_timer_set(struct posix_process *process, enum cpu_watch watch, time_ns_t value,
                   time_ns_t interval, time_ns_t *out_left, time_ns_t *out_interval) {
    time_ns_t used[CPU_WATCHES];
    used_by(process, used);
    const unsigned long irq = spin_lock_irq(&process->alarm_lock);
    const time_ns_t old = process->cpu_deadlines[watch];
    *out_left = old != 0 ? MAX_OF(old - used[watch], (time_ns_t)1) : 0;
    *out_interval = process->cpu_intervals[watch];
    process->cpu_deadlines[watch] = span_end(used[watch], value);
    process->cpu_intervals[watch] = value == 0 ? 0 : interval;
    arm_locked(process, used);
    spin_unlock_irq(&process->alarm_lock, irq);
}

void cpu_timer_get(struct posix_process *process, enum cpu_watch watch, time_ns_t *out_left,
                   time_ns_t *out_interval) {
    time_ns_t used[CPU_WATCHES];
    used_by(process, used);
    const unsigned long irq = spin_lock_irq(&process->alarm_lock);
    const time_ns_t deadline = process->cpu_deadlines[watch];
    *out_left = deadline != 0 ? MAX_OF(deadline - used[watch], (time_ns_t)1000) : 0;
    *out_interval = process->cpu_intervals[watch];
    spin_unlock_irq(&process->alarm_lock, irq);
}

void cpu_limit_apply(struct posix_process *process) {
    const uint64_t soft = posix_limit(process, RLIMIT_CPU);
    time_ns_t used[CPU_WATCHES];
    if (soft >= (uint64_t)(TIME_NEVER / NS_PER_SECOND)) {
        const unsigned long irq = spin_lock_irq(&process->alarm_lock);
        process->cpu_deadlines[CPU_WATCH_LIMIT] = 0;
        spin_unlock_irq(&process->alarm_lock, irq);
        return;
    }
    used_by(process, used);
    const unsigned long irq = spin_lock_irq(&process->alarm_lock);
    process->cpu_deadlines[CPU_WATCH_LIMIT] = (time_ns_t)MAX_OF(soft, 1u) * NS_PER_SECOND;
    process->cpu_intervals[CPU_WATCH_LIMIT] = NS_PER_SECOND; // then again each second
    arm_locked(process, used);
    spin_unlock_irq(&process->alarm_lock, irq);
}
