// SPDX-License-Identifier: MIT OR Apache-2.0
// core/sched.c: the switch, dispatch, and where a woken thread goes.
//
// A thread's way through the states, and who may change it:
//   NEW      -> READY    thread_start()
//   READY    -> RUNNING  the processor that takes it from a queue, under that queue's lock
//   RUNNING  -> READY    its processor, in sched_switch(), under the lock (yield, preemption)
//   RUNNING  -> BLOCKED  itself, interrupts off until it is off the processor
//   BLOCKED  -> READY    whoever wins the compare-and-swap in thread_wake(); that one enqueues it,
//                        or gives it its own processor (thread_block_handing())
//   BLOCKED  -> RUNNING  itself, if it finds a wake that came before it was gone
//   RUNNING  -> DEAD     itself
//
// The queue's lock is held across hal_switch() and released by the thread that comes next, so
// nobody finds a thread in a queue whose stack is still in use. A blocked thread is in no queue;
// who woke it waits for on_cpu to become 0 before it enqueues it anywhere. Nothing that the
// blocking thread still has to do on its way off (its queue's lock, try-locks of others') can wait
// for the waker, who holds no queue's lock at that point: no deadlock.
//
// The clock is read once per switch.
#include "core_private.h"

#include <core/log.h>
#include <core/sched.h>
#include <lib/string.h>

static const struct lock_class queue_class = { "run queue", LOCK_RANK_RUN_QUEUE, true };

// Processors whose idle thread runs and that no waker has claimed yet.
static _Atomic uint64_t idle_mask;

void sched_setup(struct cpu *cpu) {
    spinlock_init(&cpu->queue.lock, &queue_class);
    list_init(&cpu->queue.threads);
    policy_setup(cpu);
}

static bool is_here(const struct thread *thread, const struct cpu *cpu) {
    uint64_t affinity = atomic_load_explicit(&thread->affinity, memory_order_relaxed);
    return (affinity >> cpu->id & 1) != 0;
}

static struct thread *steal_from(struct cpu *other, struct cpu *cpu) {
    // Our own queue's lock is held, so only a try-lock.
    if (atomic_load_explicit(&other->queue.queued, memory_order_seq_cst) == 0 ||
        !raw_try_lock(&other->queue.lock)) {
        return NULL;
    }
    // Also from an idle processor that is on its way to it: in a virtual machine that may take
    // long.
    struct thread *thread = queue_take(other, cpu->id);
    if (thread != NULL) {
        atomic_store_explicit(&thread->cpu, cpu->id, memory_order_relaxed);
        queue_adopt(cpu, thread); // in the middle of a swap the two have different policies
    }
    raw_unlock(&other->queue.lock);
    return thread;
}

// Takes a thread from another processor's queue, the next higher number first.
static struct thread *steal(struct cpu *cpu) {
    uint64_t online = cpu_online_mask();
    uint64_t below = (UINT64_C(1) << cpu->id) - 1;
    uint64_t parts[2] = { online & ~below & ~(below + 1), online & below };
    for (uint32_t part = 0; part < 2; part++) {
        for (uint64_t rest = parts[part]; rest != 0; rest &= rest - 1) {
            struct thread *thread = steal_from(cpu_table[__builtin_ctzll(rest)], cpu);
            if (thread != NULL) {
                return thread;
            }
        }
    }
    return NULL;
}

// Who was handed this processor has not been in a queue.
static struct thread *handed_take(struct cpu *cpu) {
    struct thread *thread = cpu->handed;
    cpu->handed = NULL;
    queue_adopt(cpu, thread);
    thread->turn_ticks = 0; // what it ran before was at nobody's cost
    atomic_store_explicit(&thread->cpu, cpu->id, memory_order_relaxed);
    return thread;
}

static struct thread *choose(struct cpu *cpu) {
    if (cpu->handed != NULL) {
        return handed_take(cpu);
    }
    struct thread *next = queue_take(cpu, cpu->id);
    if (next == NULL && cpu_online_count() > 1) {
        next = steal(cpu);
    }
    return next == NULL ? &cpu->idle : next;
}

// Bounds the run of a thread if others wait. Most runs end by themselves within a millisecond, so
// the policy is asked for a slice only after that. Own processor, queue locked.
static void look_later(struct cpu *cpu, uint64_t now) {
    if (atomic_load_explicit(&cpu->queue.queued, memory_order_relaxed) == 0) {
        cpu->slice_end = COUNTER_NEVER;
        return;
    }
    cpu->slice_end = now + timer_look_ticks;
    timer_program(cpu, cpu->slice_end);
}

static void slice_set(struct cpu *cpu, struct thread *running, uint64_t now) {
    time_ns_t slice = queue_slice(cpu, running, now);
    if (slice == TIME_NEVER) {
        cpu->slice_end = COUNTER_NEVER;
        return;
    }
    cpu->slice_end = now + time_span_to_ticks(slice);
    timer_program(cpu, cpu->slice_end);
}

// The user half: the address space, unless it is loaded already (a kernel thread without one
// borrows what is there), and the registers that the kernel does not use, saved at each switch away
// from a user thread and loaded only if this processor does not have them any more.
static void user_half_switch(struct cpu *cpu, struct thread *previous, struct thread *next) {
    if (previous->fpu != NULL &&
        atomic_load_explicit(&previous->state, memory_order_relaxed) != THREAD_DEAD) {
        hal_fpu_save(previous->fpu);
        hal_tls_save(&previous->tls);
    }
    if (next->aspace != NULL && next->aspace != cpu->aspace) {
        core_aspace_activate(next->aspace);
    }
    if (next->ops == NULL) {
        return;
    }
    hal_kernel_stack_set(next->stack_top);
    if (next->fpu != NULL && (cpu->user_owner != next || next->user_cpu != cpu->id)) {
        hal_fpu_restore(next->fpu);
        hal_tls_restore(&next->tls);
        cpu->user_owner = next;
        next->user_cpu = cpu->id;
    }
}

static void account(struct cpu *cpu, struct thread *previous, struct thread *next, uint64_t now) {
    account_switch(previous, next, now);
    if (next != &cpu->idle) {
        timer_tick_begin(cpu, now); // which stays due across switches
    }
}

void sched_switch_finish(void) NO_LOCK_ANALYSIS {
    struct cpu *cpu = cpu_this();
    struct thread *previous = cpu->switched_from;
    struct thread *moving = cpu->moving;
    bool dead = atomic_load_explicit(&previous->state, memory_order_relaxed) == THREAD_DEAD;
    cpu->moving = NULL;
    // Release: who sees 0 may run the thread, and needs its saved registers.
    atomic_store_explicit(&previous->on_cpu, false, memory_order_release);
    raw_unlock(&cpu->queue.lock);
    if (dead) {
        thread_reap(previous);
    } else if (moving != NULL) {
        sched_place(moving, SCHED_MOVE);
    }
}

static void switch_to(struct cpu *cpu, struct thread *previous, struct thread *next, uint64_t now) {
    account(cpu, previous, next, now);
    count_own(&cpu->switches);
    if (previous == &cpu->idle) {
        // Relaxed: a hint for wakers.
        atomic_fetch_and_explicit(&idle_mask, ~(UINT64_C(1) << cpu->id), memory_order_relaxed);
    }
    trace_at(now, TRACE_SWITCH, next == &cpu->idle ? 0 : next->id,
             atomic_load_explicit(&previous->state, memory_order_relaxed));
    atomic_store_explicit(&next->state, THREAD_RUNNING, memory_order_relaxed);
    atomic_store_explicit(&next->on_cpu, true, memory_order_relaxed);
    cpu->queue.current = next;
    if (previous->tells_switches) {
        // Relaxed: only its own way to user mode looks for it.
        atomic_fetch_or_explicit(&previous->attention, THREAD_SWITCHED, memory_order_relaxed);
    }
    look_later(cpu, now);
    user_half_switch(cpu, previous, next);
    cpu->switched_from = previous;
    hal_current_set(next);
    hal_switch(&previous->context, &next->context);
    // Here as `previous`, perhaps on another processor.
    sched_switch_finish();
}

void sched_switch(enum switch_why why) NO_LOCK_ANALYSIS {
    struct cpu *cpu = cpu_this();
    struct thread *previous = thread_current();
    raw_lock(&cpu->queue.lock);
    uint64_t now = input_counter();
    if ((thread_attention(previous) & THREAD_RESCHEDULE) != 0) {
        // Set only under this queue's lock, so none is lost.
        thread_attention_clear(previous, THREAD_RESCHEDULE);
    }
    count_own(why == SWITCH_PREEMPT ? &previous->switches_forced : &previous->switches_voluntary);
    if (previous == &cpu->idle) {
        atomic_store_explicit(&previous->state, THREAD_READY, memory_order_relaxed);
    } else if (why >= SWITCH_YIELD) {
        atomic_store_explicit(&previous->state, THREAD_READY, memory_order_relaxed);
        if (is_here(previous, cpu)) {
            queue_add(cpu, previous, why == SWITCH_YIELD ? SCHED_YIELD : SCHED_PREEMPT, now);
        } else {
            cpu->moving = previous;
        }
    }
    struct thread *next = choose(cpu);
    if (next == previous) {
        atomic_store_explicit(&previous->state, THREAD_RUNNING, memory_order_relaxed);
        account(cpu, previous, next, now);
        look_later(cpu, now);
        raw_unlock(&cpu->queue.lock);
        return;
    }
    switch_to(cpu, previous, next, now);
}

// The processor for a thread that is not queued: where it ran last if that is idle, else any idle
// one, else where it ran last unless others wait there, else the shortest queue.
static uint32_t place_choose(struct thread *thread) {
    uint32_t last = atomic_load_explicit(&thread->cpu, memory_order_relaxed);
    uint64_t online = cpu_online_mask();
    if (online == 1) {
        return 0;
    }
    uint64_t allowed = atomic_load_explicit(&thread->affinity, memory_order_relaxed) & online;
    uint64_t idle = atomic_load_explicit(&idle_mask, memory_order_relaxed) & allowed;
    while (idle != 0) {
        uint32_t id = (idle >> last & 1) != 0 ? last : (uint32_t)__builtin_ctzll(idle);
        uint64_t bit = UINT64_C(1) << id;
        // Claims it, so that two wakers do not choose the same one. Relaxed: a hint.
        if ((atomic_fetch_and_explicit(&idle_mask, ~bit, memory_order_relaxed) & bit) != 0) {
            return id;
        }
        idle &= ~bit;
    }
    uint32_t best = (allowed >> last & 1) != 0 ? last : (uint32_t)__builtin_ctzll(allowed);
    uint32_t least = atomic_load_explicit(&cpu_table[best]->queue.queued, memory_order_relaxed);
    for (uint64_t rest = least == 0 ? 0 : allowed; rest != 0; rest &= rest - 1) {
        uint32_t id = (uint32_t)__builtin_ctzll(rest);
        uint32_t queued = atomic_load_explicit(&cpu_table[id]->queue.queued, memory_order_relaxed);
        if (queued < least) {
            best = id;
            least = queued;
        }
    }
    return best;
}

// After an enqueue to `cpu`: makes it look, if it should. Queue locked; returns whether it must be
// interrupted.
static bool kick_locked(struct cpu *cpu, uint64_t now) {
    struct thread *running = cpu->queue.current;
    bool here = cpu == cpu_this();
    if (running == &cpu->idle) {
        return !here; // the idle loop looks before it sleeps
    }
    if (queue_check(cpu, running, now)) {
        // Release: it sees the queue as we leave it (the lock orders that anyway).
        atomic_fetch_or_explicit(&running->attention, THREAD_RESCHEDULE, memory_order_release);
        return !here;
    }
    if (here) {
        if (cpu->slice_end == COUNTER_NEVER) {
            look_later(cpu, now);
        }
        return false;
    }
    // It may run without a slice; only its own processor can set its timer.
    return atomic_load_explicit(&cpu->queue.queued, memory_order_relaxed) == 1;
}

// An idle processor may take what has to wait here.
static void offer(uint64_t affinity) {
    // seq_cst: after queue_add()'s store; pairs with idle_wait().
    uint64_t idle = atomic_load_explicit(&idle_mask, memory_order_seq_cst) & affinity;
    if (idle != 0) {
        hal_ipi_send((uint32_t)__builtin_ctzll(idle), HAL_IPI_RESCHEDULE);
    }
}

void sched_place(struct thread *thread, uint32_t why) NO_LOCK_ANALYSIS {
    unsigned long state = hal_irq_save();
    uint64_t now = input_counter();
    trace_at(now, TRACE_WAKE, thread->id, why);
    struct cpu *cpu = cpu_table[place_choose(thread)]; // its affinity stays while it is not queued
    raw_lock(&cpu->queue.lock);
    // Before it is linked, for change_begin(), who may hold another queue's lock.
    atomic_store_explicit(&thread->cpu, cpu->id, memory_order_relaxed);
    atomic_thread_fence(memory_order_release);
    uint32_t id = cpu->id;
    queue_add(cpu, thread, why, now);
    bool idle = cpu->queue.current == &cpu->idle;
    bool interrupt = kick_locked(cpu, now);
    // The thread may run, and end, as soon as the lock is free.
    uint64_t affinity = atomic_load_explicit(&thread->affinity, memory_order_relaxed);
    raw_unlock(&cpu->queue.lock);
    if (interrupt) {
        hal_ipi_send(id, HAL_IPI_RESCHEDULE);
    }
    if (!idle) {
        offer(affinity);
    }
    hal_irq_restore(state);
}

void sched_slice_expired(struct cpu *cpu, uint64_t now) {
    raw_lock(&cpu->queue.lock);
    struct thread *running = cpu->queue.current;
    cpu->slice_end = COUNTER_NEVER;
    if (atomic_load_explicit(&cpu->queue.queued, memory_order_relaxed) != 0) {
        if (queue_check(cpu, running, now)) {
            atomic_fetch_or_explicit(&running->attention, THREAD_RESCHEDULE, memory_order_relaxed);
        } else {
            slice_set(cpu, running, now);
        }
    }
    raw_unlock(&cpu->queue.lock);
}

void sched_slice_update(struct cpu *cpu) {
    raw_lock(&cpu->queue.lock);
    if (cpu->slice_end == COUNTER_NEVER && cpu->queue.current != &cpu->idle) {
        look_later(cpu, input_counter());
    }
    raw_unlock(&cpu->queue.lock);
}

// The loop of an idle thread. Each turn offers the processor to wakers, looks for work here and
// elsewhere, and sleeps. What is queued after the look finds the bit in idle_mask, or our queue's
// current thread idle, and sends an interrupt, which ends the sleep even if it comes before it.
static NORETURN void idle_loop(struct cpu *cpu) {
    for (;;) {
        hal_irq_off();
        // seq_cst: before the looks at the queues; pairs with offer().
        atomic_fetch_or_explicit(&idle_mask, UINT64_C(1) << cpu->id, memory_order_seq_cst);
        if (cpu_online_count() > 1 ||
            atomic_load_explicit(&cpu->queue.queued, memory_order_seq_cst) != 0) {
            sched_switch(SWITCH_PREEMPT);
        }
        if (atomic_load_explicit(&cpu->queue.queued, memory_order_seq_cst) == 0) {
            (void)atomic_exchange_explicit(&cpu->asleep, 1,
                                           memory_order_seq_cst); // see core/epoch.c
            hal_idle();
            cpu_wake_note(cpu);
        }
    }
}

static void idle_main(void *argument) {
    idle_loop(argument);
}

void sched_run_idle(void) {
    struct cpu *cpu = cpu_this();
    if (thread_current() != &cpu->idle) {
        // The boot thread: processor 0 has an idle thread of its own, so that booting may block.
        thread_exit();
    }
    idle_loop(cpu);
}

// Gives processor 0 its idle thread.
static enum hx_status idle_init(struct cpu *cpu) {
    void *stack = core_memory->stack_alloc(THREAD_STACK_BYTES);
    if (stack == NULL) {
        return HX_ERR_NO_MEMORY;
    }
    thread_init(&cpu->idle, "idle", stack, THREAD_STACK_BYTES, idle_main, cpu);
    cpu->idle.preempt_off = 1; // it gives way in its own loop
    return HX_OK;
}

enum hx_status sched_init(void) {
    enum hx_status status = idle_init(cpu_this());
    const unsigned long state = hal_irq_save();
    timer_tick_begin(cpu_this(), input_counter()); // of the boot thread
    hal_irq_restore(state);
    return status != HX_OK ? status : policy_init();
}

uint32_t sched_runnable(void) {
    uint32_t count = 0;
    for (uint64_t rest = cpu_online_mask(); rest != 0; rest &= rest - 1) {
        struct cpu *cpu = cpu_table[__builtin_ctzll(rest)];
        // A moment's view: the queues go on.
        count += atomic_load_explicit(&cpu->queue.queued, memory_order_relaxed);
        count += atomic_load_explicit(&cpu->idle.state, memory_order_relaxed) != THREAD_RUNNING;
    }
    return count;
}

uint64_t sched_switches(void) {
    uint64_t count = 0;
    for (uint64_t rest = cpu_online_mask(); rest != 0; rest &= rest - 1) {
        const struct cpu *cpu = cpu_table[__builtin_ctzll(rest)];
        count += atomic_load_explicit(&cpu->switches, memory_order_relaxed);
    }
    return count;
}
