// SPDX-License-Identifier: MIT OR Apache-2.0
// core/core_private.h: what the files of core offer each other beyond the public headers.
#pragma once

#include "cpu_local.h"

#include <core/aspace.h>
#include <core/init.h>
#include <core/irq.h>
#include <hal/trap.h>

extern const struct core_memory_ops *core_memory; // never NULL after core_init()

// Tells who follows the log, if lines wait for it, and that a console has died. From an interrupt's
// handler.
void log_tell(void);

// Time and timers. All with interrupts off.
void time_init_early(void);
void time_init(void);
uint64_t time_to_counter(time_ns_t moment);  // the first counter value not before the moment
uint64_t time_span_to_ticks(time_ns_t span); // rounded up; COUNTER_NEVER for TIME_NEVER
time_ns_t time_ticks_to_span(uint64_t ticks);
void timer_setup(struct cpu *cpu);
void timer_program(struct cpu *cpu, uint64_t counter); // earlier than what is set, or nothing
void timer_interrupt(void);
// From now on this processor has ticks until it is idle.
void timer_tick_begin(struct cpu *cpu, uint64_t now);
// One tick comes sooner.
void timer_tick_soon(void);
#define TIMER_SAMPLE_NS 10000000
extern uint64_t timer_sample_ticks; // between two ticks of who runs
extern uint64_t timer_look_ticks;   // after a switch, until the policy is asked for a slice

// Scheduling.
enum switch_why { SWITCH_BLOCK, SWITCH_EXIT, SWITCH_YIELD, SWITCH_PREEMPT };
void sched_setup(struct cpu *cpu);
void sched_init_cpu_online(struct cpu *cpu);           // tells the policy
void sched_switch(enum switch_why why);                // interrupts off
void sched_switch_finish(void);                        // first thing on a new stack; interrupts off
void sched_place(struct thread *thread, uint32_t why); // READY, in no queue, off its stack
void sched_slice_expired(struct cpu *cpu, uint64_t now);
void sched_slice_update(struct cpu *cpu); // others wait now: bound the running thread's slice
enum hx_status sched_init(void);

// The run queue itself; all with its lock held.
void queue_add(struct cpu *cpu, struct thread *thread, uint32_t why, uint64_t now);
struct thread *queue_take(struct cpu *cpu, uint32_t taker);
void queue_remove(struct cpu *cpu, struct thread *thread);
bool queue_check(struct cpu *cpu, struct thread *running, uint64_t now);
time_ns_t queue_slice(struct cpu *cpu, struct thread *running, uint64_t now);
// A thread that runs here without having been queued here.
void queue_adopt(struct cpu *cpu, struct thread *thread);
// A policy as a queue sees it; all zero: the built-in FIFO.
struct policy_ref {
    const struct sched_ops *ops;
    void *self;
    uint64_t number; // from 1 on, for each policy that comes
};
// The FIFO goes on; the policy, which may be dead, is not called.
void queue_drop_policy(struct cpu *cpu);
// Takes all who wait out of the policy that is there, and gives them to the other one. What that
// fails with; then the FIFO goes on. Borrows its operations while it is there.
enum hx_status queue_set_policy(struct cpu *cpu, const struct policy_ref *policy);

// The policies (core/policy.c).
enum hx_status policy_init(void);
void policy_setup(struct cpu *cpu); // before any policy is called there
// The one of that number answered so, which it must not, or faulted here (`fall` of the processor):
// nobody may choose it, and its module dies as soon as interrupts are on. Any context.
void policy_note_failure(uint64_t number, enum hx_status status);
// Whether this processor is where policies are called: what a module does now, a policy does.
// Interrupts off.
bool policy_is_called(void);

// How a module died that fell. Any context.
struct gate_death fall_death(const struct thread_fall *fall);

// One more, of what nobody else writes; others may look.
static inline void count_own(_Atomic uint64_t *count) {
    const uint64_t before = atomic_load_explicit(count, memory_order_relaxed);
    atomic_store_explicit(count, before + 1, memory_order_relaxed);
}

// Times used.
void account_thread_setup(struct thread *thread);
void account_cpu_setup(struct cpu *cpu);
// A sample: `thread`, which runs here, was in user mode or in the kernel. Interrupts off.
void account_sample(struct thread *thread, bool is_user);

// The thread is on a processor from `now` on.
static inline void account_run_begin(struct thread *thread, uint64_t now) {
    thread->run_start = now;
    atomic_store_explicit(&thread->ran, THREAD_RUNS_NOW | (now - thread->run_ticks),
                          memory_order_relaxed);
}

// This processor leaves `previous` for `next`, which may be the same. Its queue is locked.
static inline void account_switch(struct thread *previous, struct thread *next, uint64_t now) {
    const uint64_t ran = now - previous->run_start;
    previous->run_ticks += ran;
    previous->turn_ticks += ran;
    // Relaxed: one word tells all.
    atomic_store_explicit(&previous->ran, previous->run_ticks, memory_order_relaxed);
    account_run_begin(next, now);
}

// Threads.
void thread_setup(struct thread *thread, const char *name, void *stack_low, size_t stack_bytes);
void thread_reap(struct thread *thread); // dead and off its stack; any context
enum hx_status thread_worker_start(void);

// After something that may have asked this processor to schedule: does so where that is allowed.
static inline void preempt_check(void) {
    struct thread *thread = thread_current();
    if ((atomic_load_explicit(&thread->attention, memory_order_relaxed) & THREAD_RESCHEDULE) != 0 &&
        thread->preempt_off == 0) {
        preempt_slow();
    }
}

// A fault in kernel mode: if it was in a guarded call, that returns HX_ERR_PEER_DIED, once the
// frame is gone back to, and `fall` of the processor says how.
bool guard_fault(struct hal_frame *frame, const struct hal_fault *fault);
// A fault in kernel mode: if it was a module's, that dies, and the call of it returns, once the
// frame is gone back to.
bool gate_fault(struct hal_frame *frame, const struct hal_fault *fault);
// A tick of the current thread, which is inside a module, found the kernel as the frame says: a
// call that has had too many of them ends, and its module dies, once the frame is gone back to.
// Interrupts off.
void gate_tick(struct hal_frame *frame);

// Others.
enum hx_status epoch_init(void);
void capability_init(void);
void trace_switch_init(void);
void irq_interrupt(uint32_t line);
void trace_at(uint64_t counter, enum trace_type type, uint64_t first, uint64_t second);
void trace_setup(struct cpu *cpu); // its ring, before anything is recorded there

// A kernel thread of core's own, with a stack from core_memory. HX_ERR_NO_MEMORY.
enum hx_status thread_start_own(struct thread *thread, const char *name, void (*entry)(void *));

// Debug checks of lock order.
struct lock_class;
#if HELIX_DEBUG
void lock_check_acquire(const struct lock_class *lock_class);
void lock_check_release(const struct lock_class *lock_class);
// Around an interrupt handler; what the first returns goes to the second.
uint32_t lock_check_interrupt(void);
void lock_check_interrupt_done(uint32_t base);
#else
static inline void lock_check_acquire(const struct lock_class *lock_class) {
    (void)lock_class;
}
static inline void lock_check_release(const struct lock_class *lock_class) {
    (void)lock_class;
}
static inline uint32_t lock_check_interrupt(void) {
    return 0;
}
static inline void lock_check_interrupt_done(uint32_t base) {
    (void)base;
}
#endif
