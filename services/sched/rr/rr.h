// SPDX-License-Identifier: MIT OR Apache-2.0
// services/sched/rr/rr.h: the policy proper. No environment but helix.sched's types.
#pragma once

#include <helix/env_atomic.h>
#include <helix/ports/sched_port.h>

#define RR_LEVELS 101u // 0: priority 99 … 98: priority 1, 99: normal and batch, 100: idle

struct rr_link {
    struct rr_link *next;
    struct rr_link *previous;
};

// What a thread carries in sched_thread.data.
struct rr_thread {
    struct rr_link link;
    time_ns_t used_ns; // of its slice, in earlier turns
    uint32_t
        level_mark; // 1 + level at the last enqueue; a change of parameters comes with a new one
};
_Static_assert(sizeof(struct rr_thread) <= SCHED_THREAD_DATA_BYTES, "fits into the thread");

// One processor's queues. The caller's lock guards it.
struct rr_cpu {
    uint64_t bits[2];                 // levels that are not empty
    struct rr_link *first[RR_LEVELS]; // circular; NULL: empty
    uint32_t count;
};

struct rr {
    uint32_t cpu_count;
    struct rr_cpu *cpus; // cpu_count of them, zeroed at first
};

extern const struct sched_ops rr_ops; // self: struct rr
