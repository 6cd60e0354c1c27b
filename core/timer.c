// SPDX-License-Identifier: MIT OR Apache-2.0
// core/timer.c: one-shot timers in a tree per processor, and the hardware timer under them.
//
// The hardware is set to the earliest of three: the first timer, the end of the running thread's
// slice (only if another one waits), the next tick (not while the processor is idle). It
// is never set later than needed, but may fire for something that was canceled; that costs one
// interrupt, while canceling costs nothing.
//
// timer->armed changes only under the lock of the processor in timer->cpu. `expired` runs without
// that lock; the processor says so in timer_running, before armed becomes 0, and the timer says
// where in ran_on. So whoever sees armed == 0 (acquire) also sees where calls may still be running:
// more than one processor, if it was armed again meanwhile.
#include "core_private.h"

#include <core/log.h>
#include <hal/time.h>

#define TICK_SOON 16u // part of the time between two ticks

uint64_t timer_sample_ticks = COUNTER_NEVER / 2;
uint64_t timer_look_ticks = COUNTER_NEVER / 2;

static bool timer_less(const struct rbnode *a, const struct rbnode *b) {
    return RB_ENTRY(a, struct timer, node)->deadline < RB_ENTRY(b, struct timer, node)->deadline;
}

static const struct lock_class timer_class = { "timer", LOCK_RANK_TIMER, false };

void timer_setup(struct cpu *cpu) {
    spinlock_init(&cpu->timer_lock, &timer_class);
    rbtree_init(&cpu->timers, timer_less, NULL);
    cpu->programmed = COUNTER_NEVER;
    cpu->slice_end = COUNTER_NEVER;
    cpu->tick_at = COUNTER_NEVER;
}

void timer_program(struct cpu *cpu, uint64_t counter) {
    if (counter < cpu->programmed) {
        cpu->programmed = counter;
        hal_timer_arm(counter);
    }
}

void timer_init(struct timer *timer, void (*expired)(struct timer *timer)) {
    timer->deadline = 0;
    timer->expired = expired;
    atomic_init(&timer->cpu, 0);
    atomic_init(&timer->ran_on, 0);
    atomic_init(&timer->armed, 0);
}

// Takes it out of its tree; whether it was in one. Interrupts off.
static bool timer_disarm(struct timer *timer) {
    // Acquire: see the top.
    while (atomic_load_explicit(&timer->armed, memory_order_acquire) != 0) {
        uint32_t owner = atomic_load_explicit(&timer->cpu, memory_order_relaxed);
        struct cpu *cpu = cpu_table[owner];
        raw_lock(&cpu->timer_lock);
        // It may have fired, or have been armed elsewhere, before we had the lock.
        if (atomic_load_explicit(&timer->armed, memory_order_relaxed) != 0 &&
            atomic_load_explicit(&timer->cpu, memory_order_relaxed) == owner) {
            rbtree_remove(&cpu->timers, &timer->node);
            atomic_store_explicit(&timer->armed, 0, memory_order_release);
            raw_unlock(&cpu->timer_lock);
            return true;
        }
        raw_unlock(&cpu->timer_lock);
    }
    return false;
}

void timer_arm(struct timer *timer, time_ns_t deadline) {
    unsigned long state = hal_irq_save();
    struct cpu *cpu = cpu_this();
    (void)timer_disarm(timer);
    raw_lock(&cpu->timer_lock);
    timer->deadline = deadline;
    atomic_store_explicit(&timer->cpu, cpu->id, memory_order_relaxed);
    rbtree_insert(&cpu->timers, &timer->node);
    // Release: whoever sees it armed also sees which tree it is in.
    atomic_store_explicit(&timer->armed, 1, memory_order_release);
    raw_unlock(&cpu->timer_lock);
    timer_program(cpu, time_to_counter(deadline));
    hal_irq_restore(state);
}

bool timer_cancel(struct timer *timer) {
    unsigned long state = hal_irq_save();
    bool pending = timer_disarm(timer);
    hal_irq_restore(state);
    // Also after a successful disarm: earlier calls of `expired` may still be running.
    uint64_t ran_on = atomic_load_explicit(&timer->ran_on, memory_order_relaxed);
    for (; ran_on != 0; ran_on &= ran_on - 1) {
        struct cpu *cpu = cpu_table[__builtin_ctzll(ran_on)];
        // Acquire: pairs with the release in timers_expire(), so what `expired` did is visible.
        while (atomic_load_explicit(&cpu->timer_running, memory_order_acquire) == timer) {
            hal_relax();
        }
    }
    return pending;
}

// Calls what is due at the start, so that timers that arm themselves again do not keep us here;
// returns the counter value of the first that is not.
static uint64_t timers_expire(struct cpu *cpu) {
    const time_ns_t now = time_now();
    for (;;) {
        raw_lock(&cpu->timer_lock);
        struct rbnode *node = rbtree_first(&cpu->timers);
        if (node == NULL) {
            raw_unlock(&cpu->timer_lock);
            return COUNTER_NEVER;
        }
        struct timer *timer = RB_ENTRY(node, struct timer, node);
        if (timer->deadline > now) {
            uint64_t counter = time_to_counter(timer->deadline);
            raw_unlock(&cpu->timer_lock);
            return counter;
        }
        rbtree_remove(&cpu->timers, node);
        atomic_fetch_or_explicit(&timer->ran_on, UINT64_C(1) << cpu->id, memory_order_relaxed);
        atomic_store_explicit(&cpu->timer_running, timer, memory_order_relaxed);
        atomic_store_explicit(&timer->armed, 0, memory_order_release);
        raw_unlock(&cpu->timer_lock);
        timer->expired(timer);
        // `expired` may have ended the timer's life: only its address is used from here on.
        atomic_store_explicit(&cpu->timer_running, NULL, memory_order_release);
    }
}

void timer_tick_begin(struct cpu *cpu, uint64_t now) {
    if (cpu->tick_at == COUNTER_NEVER) {
        cpu->tick_at = now + timer_sample_ticks;
        timer_program(cpu, cpu->tick_at);
    }
}

void timer_tick_soon(void) {
    struct cpu *cpu = cpu_this();
    cpu->tick_at = input_counter() + timer_sample_ticks / TICK_SOON;
    timer_program(cpu, cpu->tick_at);
}

void timer_interrupt(void) {
    struct cpu *cpu = cpu_this();
    cpu->programmed = COUNTER_NEVER;
    uint64_t next = timers_expire(cpu);
    uint64_t now = input_counter();
    if (cpu->slice_end <= now) {
        sched_slice_expired(cpu, now);
    }
    struct thread *thread = thread_current();
    if (cpu->tick_at <= now) {
        cpu->tick_at = COUNTER_NEVER;
        if (thread != &cpu->idle) {
            // Booked on the way out, where it is known what was interrupted.
            atomic_fetch_or_explicit(&thread->attention, THREAD_TICK, memory_order_relaxed);
            cpu->tick_at = now + timer_sample_ticks;
        }
    }
    timer_program(cpu, MIN_OF(next, MIN_OF(cpu->slice_end, cpu->tick_at)));
}
