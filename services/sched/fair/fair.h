// SPDX-License-Identifier: MIT OR Apache-2.0
// services/sched/fair/fair.h: the policy proper. No environment but helix.sched's types.
#pragma once

#include <helix/ports/sched_port.h>
#include <lib/levels.h>
#include <lib/rbtree.h>

// What a thread carries in sched_thread.data. Virtual time is in nanoseconds of a thread of nice 0.
struct fair_thread {
    struct rbnode node;     // by deadline
    struct level_link link; // while it is queued as a real-time thread
    uint64_t served;        // virtual time that it had, on the clock of processor `home`
    uint64_t deadline;      // for its place in the tree; 0: it never had one
    time_ns_t used_ns;      // real-time: of its slice, in earlier turns
    uint16_t home;
    uint8_t level_mark; // 1 + its level among the real-time ones, 0: it is none
    bool is_queued;
};
_Static_assert(sizeof(struct fair_thread) <= SCHED_THREAD_DATA_BYTES, "fits into the thread");

// One processor. The caller's lock guards all but `clock`, which others read.
struct fair_cpu {
    struct levels real_time;
    struct rbtree tree;
    struct rbnode *last; // of the tree
    uint32_t count;      // in the tree
    bool was_empty; // until who came last; nobody was picked, and the running thread not judged,
                    // since
    // The virtual time that each thread here should have had: that of who was picked last. Never
    // goes back.
    _Atomic uint64_t clock;
};

struct fair {
    uint32_t cpu_count;
    struct fair_cpu *cpus; // cpu_count of them, zeroed at first
};

extern const struct sched_ops fair_ops; // self: struct fair
