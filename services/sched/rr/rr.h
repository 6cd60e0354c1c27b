// SPDX-License-Identifier: MIT OR Apache-2.0
// services/sched/rr/rr.h: the policy proper. No environment but helix.sched's types.
#pragma once

#include <helix/ports/sched_port.h>
#include <lib/levels.h>

// What a thread carries in sched_thread.data.
struct rr_thread {
    struct level_link link;
    time_ns_t used_ns; // of its slice, in earlier turns
    uint32_t
        level_mark; // 1 + level at the last enqueue; a change of parameters comes with a new one
};
_Static_assert(sizeof(struct rr_thread) <= SCHED_THREAD_DATA_BYTES, "fits into the thread");

struct rr {
    uint32_t cpu_count;
    struct levels *cpus; // cpu_count of them, zeroed at first; each guarded by the caller's lock
};

extern const struct sched_ops rr_ops; // self: struct rr
