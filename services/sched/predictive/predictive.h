// SPDX-License-Identifier: MIT OR Apache-2.0
// services/sched/predictive/predictive.h: the policy proper. No environment but helix.sched's types
// and the clock.
#pragma once

#include <helix/ports/sched_port.h>
#include <lib/levels.h>

// What a thread carries in sched_thread.data.
struct predictive_thread {
    struct level_link link;
    time_ns_t average_ns; // of its runs, each from a wake to the block that ends it
    time_ns_t run_ns;     // of the run that goes on, up to the last enqueue
    time_ns_t used_ns;    // of its slice, in earlier turns
    time_ns_t since;      // when it was queued
    uint8_t level_mark;   // 1 + level at the last enqueue; 0: never queued
    bool waited;          // it was taken because it had waited for too long
};
_Static_assert(sizeof(struct predictive_thread) <= SCHED_THREAD_DATA_BYTES, "fits into the thread");

// One processor. The caller's lock guards it.
struct predictive_cpu {
    struct levels levels;
    time_ns_t pause_end; // nobody is taken for having waited until then
};

struct predictive {
    uint32_t cpu_count;
    struct predictive_cpu *cpus; // cpu_count of them, zeroed at first
    time_ns_t (*clock)(void);    // hx_time_now()
};

extern const struct sched_ops predictive_ops; // self: struct predictive
