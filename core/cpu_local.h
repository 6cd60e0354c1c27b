// SPDX-License-Identifier: MIT OR Apache-2.0
// core/cpu_local.h: what core keeps per processor. Private to core.
//
// hal_cpu_data() points at it. [own]: touched by its processor alone, interrupts off; [q]: guarded
// by the run queue's lock; [t]: by the timer lock; the rest is atomic.
#pragma once

#include <core/cpu.h>
#include <core/epoch.h>
#include <core/input.h>
#include <core/lock.h>
#include <core/thread.h>
#include <core/time.h>
#include <core/trace.h>
#include <helix/types.h>
#include <lib/rbtree.h>

#define COUNTER_NEVER UINT64_MAX

// Functions that take locks in ways that the analysis cannot follow (across a switch, in loops).
#define NO_LOCK_ANALYSIS HX_ATTR(no_thread_safety_analysis)

// Kept out of its caller, so that the caller's common path needs no frame.
#define SLOW_PATH __attribute__((noinline, cold))

struct run_queue {
    struct spinlock lock;
    struct thread *current;      // [q] the running thread
    struct list threads;         // [q] all queued ones, in order of arrival: also the built-in FIFO
    const struct sched_ops *ops; // [q] the policy; NULL: the built-in FIFO
    void *self;                  // [q]
    uint64_t policy;             // [q] a number that no other policy ever has
    _Atomic uint32_t queued;     // [q for writing]
};

// A request to run a function elsewhere; one per calling processor, in flight at most once.
struct cpu_request {
    void (*fn)(void *argument);
    void *argument;
    _Atomic uint64_t remaining; // processors that have not finished
};

struct trace_slot {
    _Atomic uint64_t time; // 0 while it is being written
    _Atomic uint64_t words[3];
};

struct cpu {
    struct run_queue queue;
    uint32_t id;
    struct thread *switched_from; // [own] across hal_switch()
    struct thread *moving;        // [own] must go to another processor once it is off its stack
    struct thread *handed;        // [own] gets this processor at the switch that follows at once
    bool is_handing;              // [own] whom the running thread wakes is kept back for that
    bool hand_woke;               // [own] it has woken somebody
    struct thread_fall fall;      // [own] of the guarded call; `at` is 0: it did not fault
    bool is_printing;             // [own] a line of the log: its console's call is the innermost
    struct timer teller;          // [own] of policies' deaths
    struct core_aspace *aspace;   // [own] loaded; may be borrowed by a kernel thread
    struct thread *user_owner;    // [own] whose FPU and TLS registers are loaded
    _Atomic uint64_t switches;    // [own] others may look
    _Atomic uint32_t asleep;      // inside hal_idle(): in no epoch

    struct spinlock timer_lock;
    struct rbtree timers;                  // [t]
    _Atomic(struct timer *) timer_running; // whose `expired` is being called
    uint64_t programmed;                   // [own] what the hardware timer is set to
    uint64_t slice_end;                    // [own] the running thread's slice
    uint64_t tick_at;                      // [own] the next tick
    struct account_samples samples;        // of all its threads
    time_ns_t since;                       // when it began to take part
    struct spinlock told_lock;             // taken with interrupts off
    struct time_split told_idle;           // [told_lock] idle and busy time, in ns
    struct time_split told_busy;           // [told_lock] the busy one: user and system time

    _Atomic uint64_t call_pending; // bit per calling processor
    struct cpu_request call;

    _Atomic(struct epoch_item *) retired; // not yet taken by the worker
    _Atomic uint32_t retired_count;

    uint64_t input_counts[INPUT_SOURCES]; // [own]
    struct thread idle;
    _Atomic uint64_t trace_counts[2][TRACE_TYPE_COUNT]; // [1]: of who had interrupts on
    _Atomic uint64_t trace_next;
    struct trace_slot *trace_slots; // set before others look
    uint64_t trace_mask;            // one less than there are
    struct trace_slot trace_first[TRACE_SLOTS_MIN];
};

// By number; NULL for one that does not take part.
extern struct cpu *cpu_table[CPU_MAX];

static inline struct cpu *cpu_this(void) {
    return hal_cpu_data();
}

// This processor is awake again: it may enter epochs. seq_cst: before whatever it reads in them.
static inline void cpu_wake_note(struct cpu *cpu) {
    if (atomic_load_explicit(&cpu->asleep, memory_order_relaxed) != 0) {
        (void)atomic_exchange_explicit(&cpu->asleep, 0, memory_order_seq_cst);
    }
}

// Sets a processor's data to their start values. Zeroed storage.
void cpu_setup(struct cpu *cpu, uint32_t id);
// Runs what others have queued for this processor. Interrupts off.
void cpu_call_serve(void);

// A lock without the preemption count, for use with interrupts off: run queues and timers, which
// are taken on paths where the current thread changes.
void raw_lock(struct spinlock *lock) NO_LOCK_ANALYSIS;
bool raw_try_lock(struct spinlock *lock) NO_LOCK_ANALYSIS;
void raw_unlock(struct spinlock *lock) NO_LOCK_ANALYSIS;
