// SPDX-License-Identifier: MIT OR Apache-2.0
// <core/sched.h>: the scheduling framework: run queues, dispatch, the policy's slot.
//
// One run queue per processor, each with its own lock; the policy (helix.sched) orders it. Until a
// policy is installed, and when one fails, a built-in FIFO is used, so the machine never stops.
#pragma once

#include <core/thread.h>
#include <helix/ports/sched_port.h>

// The policies that modules provide stay side by side; one of them is chosen. Thread context, all.

// Adds a policy. It is chosen if it is the first, or the one that is wanted. Borrows `ops` during
// the call, `name` and `self` for good. HX_ERR_EXISTS: there is one of that name; HX_ERR_LIMIT: too
// many, or, from the policy, too many processors; HX_ERR_BAD_IMAGE.
enum hx_status sched_install(const char *name, const struct sched_ops *ops, void *self);
// Swaps to that policy: when it returns, all processors have it. No thread is lost; each takes its
// turn anew. If the policy fails meanwhile, its predecessor goes on. HX_ERR_NOT_FOUND: none of that
// name; HX_ERR_PEER_DIED: it has failed before; else what it failed with.
enum hx_status sched_choose(const char *name);
// Says which policy is to be chosen when it comes. Before modules start; borrows for good.
void sched_want(const char *name);
// Of the chosen policy, unless that is dead; borrowed for good.
const char *sched_policy_name(void);

struct sched_policy {
    const char *name; // borrowed for good
    bool is_chosen;
    bool has_failed; // some processor dropped it, and nobody can choose it until its next life
};
// The policies by number from 0, in order of arrival; false: no more.
bool sched_policy_at(uint32_t number, struct sched_policy *out_policy);

// From now on, until the policy's next life, `front` is called in place of it, with all that it is
// called with but cpu_add, and may go on to `*out_behind`: faults on purpose. Borrows `front`;
// NULL: nothing is there again. HX_ERR_NOT_FOUND: there is no policy of that name.
enum hx_status sched_front(const char *name, const struct sched_ops *front,
                           struct sched_ops *out_behind);

struct sched_swaps {
    uint64_t count;     // from one policy to another
    time_ns_t last_ns;  // how long a processor stood still at the last one, the longest of them
    time_ns_t worst_ns; // of all
};
void sched_swaps_get(struct sched_swaps *out_swaps);

// Makes this processor schedule: turns the caller into its idle thread. Does not return.
NORETURN void sched_run_idle(void);

// Number of runnable threads (running and queued) on all processors; for load averages.
uint32_t sched_runnable(void);
uint64_t sched_switches(void);

// Walks all threads under a lock that forbids sleeping; stops when `visit` returns false.
void thread_for_each(bool (*visit)(struct thread *thread, void *context), void *context);
