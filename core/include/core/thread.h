// SPDX-License-Identifier: MIT OR Apache-2.0
// <core/thread.h>: threads, 1:1, preemptive, with defined stop points.
//
// The caller gives the storage of a thread and its stack (core allocates nothing); subsys/execution
// does so from its caches. A thread stops only at stop points: on the way to user mode, and inside
// wait_for(). Whoever owns user threads (a personality) registers thread_ops and is asked there.
#pragma once

#include <core/lock.h>
#include <core/object.h>
#include <core/wait.h>
#include <hal/context.h>
#include <hal/cpu.h>
#include <hal/trap.h>
#include <helix/ports/sched_port.h>
#include <helix/types.h>
#include <lib/list.h>
#include <lib/time_split.h>

#define THREAD_NAME_BYTES  16u
#define THREAD_STACK_BYTES HAL_STACK_BYTES

struct capability;
struct core_aspace;
struct thread;

enum thread_state {
    THREAD_NEW,
    THREAD_READY,   // in a run queue
    THREAD_RUNNING, // on a processor
    THREAD_BLOCKED, // inside wait_for() or a sleeping lock
    THREAD_STOPPED, // at a stop point (job control, ptrace, freeze)
    THREAD_DEAD,    // never runs again; its stack may still be in use until `retired`
};

// Attention flags, set by others, seen at stop points.
#define THREAD_SIGNAL     (1u << 0) // the personality has something to deliver
#define THREAD_KILL       (1u << 1) // leave as soon as possible; never cleared
#define THREAD_STOP       (1u << 2) // stop at the next point
#define THREAD_RESCHEDULE (1u << 3)
#define THREAD_TICK       (1u << 4) // core's own: a tick has to be booked, and looked at
#define THREAD_REVOKE     (1u << 5) // core's own: it may act under a capability that was revoked
#define THREAD_RUNS       (1u << 6) // the personality asked when it runs again; ends no wait
#define THREAD_SWITCHED   (1u << 7) // it was off its processor since it was cleared; ends no wait

#define THREAD_UNDER_MAX 4u // capabilities that a thread acts under at once

// What a personality does for its threads. Thread context, interrupts on, nothing held.
struct thread_ops {
    void (*syscall)(struct thread *thread, struct hal_frame *frame);
    void (*fault)(struct thread *thread, struct hal_frame *frame, const struct hal_fault *fault);
    // A user copy found no memory for a page, for the first time at `since`; the caller may hold
    // sleeping locks. Waits a moment; false: no longer, the copy ends.
    bool (*copy_waits)(struct thread *thread, time_ns_t since);
    // At a stop point on the way to user mode, while any of SIGNAL, KILL, STOP, RUNS or SWITCHED is
    // set. May block; may not return if the thread exits.
    void (*stop_point)(struct thread *thread, struct hal_frame *frame);
    // The thread is dead, off its stack, and nobody refers to it but the caller's reference.
    void (*retired)(struct thread *thread);
};

// How often a sample found user code, or the kernel.
struct account_samples {
    _Atomic uint64_t user, system;
};

#define THREAD_RUNS_NOW (UINT64_C(1) << 63)

// Of what the module died that a thread was in, from the trap to the way out: core/gate_fault.c.
struct thread_fall {
    time_ns_t at;
    const char *what;
    const char *where; // NULL: at `pc`
    uint64_t pc;
    uint64_t address; // that it touched
};

struct thread {
    struct hal_context context;
    void *stack_top;
    _Atomic uint32_t attention; // THREAD_SIGNAL …
    uint32_t preempt_off;       // own; not 0: not preempted
    struct object object;
    uint64_t id; // kernel-wide, never reused
    char name[THREAD_NAME_BYTES];
    void *stack_low;
    const struct thread_ops *ops; // NULL for kernel threads
    void *personality;            // the personality's own per-thread data
    struct core_aspace *aspace;   // keeps; NULL: kernel thread
    // hal_fpu_size() bytes, NULL for kernel threads. While the thread runs, the registers count: a
    // switch saves over this, so who changes both keeps preemption off meanwhile.
    void *fpu;
    struct hal_tls tls;     // as of the last switch away
    struct waitable exited; // WAIT_SIGNALED once dead and off its stack
    void (*entry)(void *argument);
    void *argument;

    // Scheduling. [q] guarded by the lock of the run queue of `cpu`. To queue a thread, or to take
    // it out, touches this line and the next, which ends behind the first half of the policy's
    // data.
    alignas(CACHE_LINE) _Atomic uint32_t state; // enum thread_state
    _Atomic uint32_t cpu;                       // [q] where it runs, waits to run, or ran last
    struct list queue_link;                     // [q] in its run queue
    uint64_t policy;                            // [q] whose data `sched` holds; 0: nobody's
    uint64_t run_start;                         // [q] counter when it was last put on a processor
    uint64_t turn_ticks;           // [q] that it ran since it was queued, or handed a processor
    _Atomic uint64_t affinity;     // [q, changing] bit per processor
    _Atomic uint32_t wake_pending; // a wake came before the block
    _Atomic bool on_cpu;           // while some processor is still on its stack
    _Atomic bool changing;         // who wakes it waits: affinity or parameters change
    _Atomic bool queued;           // [q] whether it is; others may look
    bool tells_switches;       // own, or before it starts: each switch away sets THREAD_SWITCHED
    struct sched_thread sched; // [q, changing] the policy's view
    uint32_t user_cpu;         // whose registers last held its FPU and TLS state
    uint64_t run_ticks;        // [q] ticks on a processor up to the last switch away
    _Atomic uint64_t ran;      // the same, or THREAD_RUNS_NOW and what to subtract from now
    struct account_samples samples;
    struct spinlock told_lock; // taken with interrupts off
    struct time_split told;    // [told_lock] user and system time, in ns, as thread_times() gave it
    _Atomic uint64_t faults_minor, faults_major;          // own
    _Atomic uint64_t switches_voluntary, switches_forced; // [q] others may look
    struct thread *reap_next;                             // core's list of the dead
    struct thread_drops *drops; // own; core/drop.c's, while it frees something; NULL: not now

    struct list all_link; // core's table of all threads

    // Derived capabilities that it acts under, in the order of entering; NULL: none. Others look at
    // them to revoke, in an epoch.
    _Atomic(struct capability *) under[THREAD_UNDER_MAX];
    uint32_t under_count; // own

    struct sched_params own;  // [q, changing] what it was given, whatever it is lent
    uint32_t lent;            // [q, changing] a real-time priority; 0: none
    _Atomic uint32_t urgency; // [q, changing for writing] see thread_urgency()

    struct gate_mutex *gate_mutexes; // own: mutexes of modules that it holds, the last one first
    struct gate_spin *gate_spins;    // own: their spin locks, the same
    struct thread_fall fall;         // own

    // Debug: locks held, innermost last.
    uint32_t locks_held;
    uint32_t locks_base;  // those below were held by what an interrupt interrupted
    bool locks_unchecked; // inside the console's writer, see core/log.c
    const struct lock_class *held[16];
};

// The running thread. Any context that has one (always after core_init_early()).
static inline struct thread *thread_current(void) {
    return hal_current();
}

// Prepares a thread that will call entry(argument) in the kernel, named, not yet runnable. Borrows
// the stack; one reference, the caller's. Inherits nothing; the caller may set ops, personality,
// aspace (with a reference), fpu, tls and the object's type before thread_start(), which adds the
// running reference.
void thread_init(struct thread *thread, const char *name, void *stack_low, size_t stack_bytes,
                 void (*entry)(void *), void *argument);
// Makes a new thread runnable on a processor that the policy and its affinity choose.
void thread_start(struct thread *thread);
// Ends the calling thread: it becomes DEAD; later, off its stack, `exited` is set, ops->retired is
// called by a kernel worker, the references to the address space and the running one are dropped.
NORETURN void thread_exit(void);

// Blocking, for wait.c and lock_sleep.c only. A thread_wake() that comes before thread_block() is
// not lost; a wake may be for nothing, so who blocks looks at its condition in a loop. Thread
// context, no spin lock held.
void thread_block(void);
void thread_wake(struct thread *thread); // any context

// Handing over the processor, for wait.c only; interrupts are off from begin on until the thread
// that was kept back is either blocked for or released.
void thread_hand_begin(void);
// thread_wake(); but between begin and end the first thread that was asleep is kept back, if it may
// run here and nobody else waits to.
void thread_wake_handing(struct thread *thread);
// Whether a thread was asleep, and is off its processor: all that it wrote is visible. *out_kept is
// NULL if it is queued already.
bool thread_hand_end(struct thread **out_kept);
// Blocks the caller as thread_block() does; the thread runs here. Interrupts off.
void thread_block_handing(struct thread *kept);
// Queues the thread, as thread_wake() would have done. Interrupts off.
void thread_hand_release(struct thread *kept);

// Sets attention flags; a thread in a wait that they interrupt is woken, one that runs user code on
// another processor is made to enter the kernel. Any context.
void thread_notify(struct thread *thread, uint32_t attention);
void thread_attention_clear(struct thread *thread, uint32_t attention);
static inline uint32_t thread_attention(const struct thread *thread) {
    return atomic_load_explicit(&thread->attention, memory_order_acquire);
}

// Gives up the processor to an equal or better one, if there is any.
void thread_yield(void);
// Blocks until the deadline; false if interrupted (with WAIT_INTERRUPTIBLE in flags).
bool thread_sleep_until(time_ns_t deadline, uint32_t flags);

// Nests. While preemption is off the thread stays on its processor and must not block.
static inline void preempt_disable(void) {
    thread_current()->preempt_off++;
    atomic_signal_fence(memory_order_seq_cst); // the section's accesses stay behind the count
}

void preempt_slow(void);              // of preempt_enable() and after preempt_drop() only
void *preempt_slow_with(void *value); // the same; returns the value, so that it can come last

// Takes `part` off the count, and switches if a better thread is waiting.
static inline void preempt_give_back(uint32_t part) {
    struct thread *thread = thread_current();
    atomic_signal_fence(memory_order_seq_cst);
    thread->preempt_off -= part;
    if (thread->preempt_off == 0 &&
        (atomic_load_explicit(&thread->attention, memory_order_relaxed) & THREAD_RESCHEDULE)) {
        preempt_slow();
    }
}

static inline void preempt_enable(void) {
    preempt_give_back(1);
}

// Epochs (<core/epoch.h>) count in the bits between those of preempt_disable() and PREEMPT_HELD.
#define PREEMPT_EPOCH  (1u << 16)
#define PREEMPT_EPOCHS 0x7fff0000u

// The same for a short section of one function, where nanoseconds count, over something that
// belongs to this processor: who comes by interrupt in the middle of one sees that with
// preempt_is_held(). The count is read once and put back. `thread` is the calling one.
#define PREEMPT_HELD (1u << 31)

static inline uint32_t preempt_hold(struct thread *thread) {
    uint32_t before = thread->preempt_off;
    thread->preempt_off = before | PREEMPT_HELD;
    atomic_signal_fence(memory_order_seq_cst);
    return before;
}

// Of what preempt_hold() returned.
static inline bool preempt_is_held(uint32_t before) {
    return (before & PREEMPT_HELD) != 0;
}

// Ends it. True: a better thread is waiting, and the caller has to call preempt_slow() next, or
// anything that ends in preempt_enable().
static inline bool preempt_drop(struct thread *thread, uint32_t before) {
    atomic_signal_fence(memory_order_seq_cst);
    thread->preempt_off = before;
    return before == 0 &&
           (atomic_load_explicit(&thread->attention, memory_order_relaxed) & THREAD_RESCHEDULE);
}

// User and system time of a thread up to now: the exact time that it ran, split by samples (see
// core/account.c). Neither ever goes back. Any context.
void thread_times(struct thread *thread, time_ns_t *out_user_ns, time_ns_t *out_system_ns);
// The calling thread got a page: `is_major` if it had to be read.
void thread_count_fault(bool is_major);
// The two together. Any context.
time_ns_t thread_run_ns(const struct thread *thread);

// Before a thread starts: the scheduling parameters that another one was given.
void thread_inherit_sched(struct thread *thread, const struct thread *from);
// Scheduling parameters; takes effect at once. Any context.
void thread_set_sched(struct thread *thread, const struct sched_params *params);
// Lends it a real-time priority, in place of what it was lent before: while that is above its own
// it runs as if it had it. 0: nothing. Any context.
void thread_lend(struct thread *thread, uint32_t priority);
// The real-time priority that it runs with, its own or lent; 0: none. May be old at once.
uint32_t thread_urgency(const struct thread *thread);
void thread_set_affinity(struct thread *thread, uint64_t affinity);
// Switches the calling thread's address space (exec); keeps a reference to the new one, drops the
// old one's.
void thread_set_aspace(struct core_aspace *aspace);
