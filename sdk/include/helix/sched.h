// SPDX-License-Identifier: MIT OR Apache-2.0
// <helix/sched.h>: what POSIX's classes and priorities mean, for modules that provide helix.sched.
//
// Real-time threads come before all others, by priority, in turns within one (sched(7)). How others
// share is the policy's own idea. All here is pure.
#pragma once

#include <helix/ports/sched_port.h>
#include <helix/types.h>

#define HX_SCHED_LEVELS_REAL_TIME 99u // level 0: priority 99 … 98: priority 1

// A slice of a thread that is not real-time, linear in its nice value: 8 ms at -20, 4 ms at 0, and
// the least, 1 ms, from 15 on.
#define HX_SCHED_SLICE_NS             4000000
#define HX_SCHED_SLICE_LEAST_NS       1000000
#define HX_SCHED_SLICE_ROUND_ROBIN_NS 100000000

static inline bool hx_sched_is_real_time(const struct sched_thread *thread) {
    return thread->params.sched_class == SCHED_CLASS_FIFO ||
           thread->params.sched_class == SCHED_CLASS_ROUND_ROBIN;
}

// The level of a real-time thread; a priority that does not exist counts as the nearest.
static inline uint32_t hx_sched_level_real_time(const struct sched_thread *thread) {
    const uint32_t most = HX_SCHED_LEVELS_REAL_TIME;
    return most - MIN_OF(MAX_OF(thread->params.priority, 1u), most);
}

// -20 … 19.
static inline int32_t hx_sched_nice(const struct sched_thread *thread) {
    return MIN_OF(MAX_OF(thread->params.nice, -20), 19);
}

// How long a thread may run at once, in turns with its equals; TIME_NEVER: until it stops itself.
static inline time_ns_t hx_sched_slice(const struct sched_thread *thread) {
    if (thread->params.sched_class == SCHED_CLASS_FIFO) {
        return TIME_NEVER;
    }
    if (thread->params.sched_class == SCHED_CLASS_ROUND_ROBIN) {
        return HX_SCHED_SLICE_ROUND_ROBIN_NS;
    }
    const time_ns_t slice = HX_SCHED_SLICE_NS - hx_sched_nice(thread) * (HX_SCHED_SLICE_NS / 20);
    return MAX_OF(slice, (time_ns_t)HX_SCHED_SLICE_LEAST_NS);
}

// At an enqueue: books what the thread ran on the slice of which it has used *used_ns. Whether the
// slice goes on: who was preempted before its end keeps the rest, and the place in front of its
// equals.
static inline bool hx_sched_slice_goes_on(const struct sched_thread *thread, uint32_t why,
                                          time_ns_t *used_ns) {
    if ((why & SCHED_PREEMPT) != 0) {
        *used_ns += thread->ran_ns;
        if (*used_ns < hx_sched_slice(thread)) {
            return true;
        }
    }
    if ((why & SCHED_MOVE) == 0) {
        *used_ns = 0;
    }
    return false;
}

// Of the running thread, which had used so much when it was put on the processor.
static inline bool hx_sched_slice_is_over(const struct sched_thread *running, time_ns_t used_ns) {
    const time_ns_t used = used_ns + running->ran_ns;
    // Nearly all who wake another one have run for less than any slice; TIME_NEVER is never used
    // up.
    return used >= HX_SCHED_SLICE_LEAST_NS && used >= hx_sched_slice(running);
}

// Whether that processor may run it.
static inline bool hx_sched_is_allowed(const struct sched_thread *thread, uint32_t cpu) {
    return (thread->allowed >> cpu & 1) != 0;
}
