// SPDX-License-Identifier: MIT OR Apache-2.0
// <core/sched.h>: the scheduling framework: run queues, dispatch, the policy's slot.
//
// One run queue per processor, each with its own lock; the policy (helix.sched) orders it. Until a
// policy is installed, and when one fails, a built-in FIFO is used, so the machine never stops.
#pragma once

#include <core/thread.h>
#include <helix/ports/sched_port.h>

// Installs a policy; queued threads move over. Thread context, once per policy; the swap proper
// comes with the module runtime. Borrows ops and self for good.
enum hx_status sched_install(const char *name, const struct sched_ops *ops, void *self);
const char *sched_policy_name(void);

// Makes this processor schedule: turns the caller into its idle thread. Does not return.
NORETURN void sched_run_idle(void);

// Number of runnable threads (running and queued) on all processors; for load averages.
uint32_t sched_runnable(void);
uint64_t sched_switches(void);

// Walks all threads under a lock that forbids sleeping; stops when `visit` returns false.
void thread_for_each(bool (*visit)(struct thread *thread, void *context), void *context);
