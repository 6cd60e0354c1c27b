// SPDX-License-Identifier: MIT OR Apache-2.0
// BY: explore
// epoch.c: nothing is reclaimed while somebody reads it. core/epoch.c, cpu_call() of core/cpu.c and
// the interrupt paths of core/trap.c, on three processors: the worker, one that unlinks and retires
// an item, one that reads, also in an interrupt that ends its idle sleep.
#include "explore.h"

#include "machine.h"

#include "flat.h"

#include "../../core/epoch.c"

const uint32_t explore_marks = 4;

struct element {
    struct epoch_item item;
    bool reclaimed;
};

static struct element element;
static _Atomic(struct element *) published = &element;

// What epoch.c calls; the real ones have proofs of their own --------------------------------------

void waitable_init(struct waitable *waitable, uint32_t state) {
    (void)waitable;
    (void)state;
}

void waitable_pulse(struct waitable *waitable) {
    atomic_fetch_add_explicit(&waitable->sequence, 1, memory_order_seq_cst);
}

uint32_t waitable_sequence(const struct waitable *waitable) {
    return atomic_load_explicit(&waitable->sequence, memory_order_seq_cst);
}

enum hx_status wait_change(struct waitable *object, uint32_t sequence, time_ns_t deadline,
                           uint32_t flags) {
    (void)deadline;
    (void)flags;
    while (atomic_load_explicit(&object->sequence, memory_order_seq_cst) == sequence) {
        hal_relax();
    }
    return HX_OK;
}

bool thread_sleep_until(time_ns_t deadline, uint32_t flags) {
    (void)deadline;
    (void)flags;
    REACHED(0); // somebody was inside: asked again
    explore_point("sleep");
    return true;
}

void timer_arm(struct timer *timer, time_ns_t deadline) {
    (void)deadline;
    PROVE(timer == &delay && timer->armed == 0);
    timer->armed = 1;
    explore_interrupt_send(hal_cpu_id(), INTERRUPT_TIMER);
}

void timer_interrupt(void) {
    delay.armed = 0;
    delay_expired(&delay);
}

// The proof ---------------------------------------------------------------------------------------

static void reclaim(struct epoch_item *item) {
    PROVE(item == &element.item && !element.reclaimed);
    element.reclaimed = true;
}

static void writer_main(void *argument) {
    (void)argument;
    atomic_store_explicit(&published, NULL, memory_order_release);
    epoch_retire(&element.item, reclaim);
}

static void read_once(void) {
    epoch_enter();
    struct element *found = atomic_load_explicit(&published, memory_order_acquire);
    if (found != NULL) {
        explore_point("reading");
        PROVE(!found->reclaimed);
        REACHED(1);
    } else {
        REACHED(2);
    }
    epoch_leave();
}

// A device's interrupt reads, too.
void irq_interrupt(uint32_t line) {
    (void)line;
    read_once();
}

// Reads, or sleeps as idle_loop() of core/sched.c does, and is interrupted.
static void reader_main(void *argument) {
    struct cpu *cpu = cpu_this();
    (void)argument;
    if (explore_choose(2) == 0) {
        read_once();
        return;
    }
    explore_interrupt_send(cpu->id, INTERRUPT_DEVICE);
    hal_irq_off();
    (void)atomic_exchange_explicit(&cpu->asleep, 1, memory_order_seq_cst);
    hal_idle();
    cpu_wake_note(cpu);
    REACHED(3);
}

void explore_setup(void) {
    flat_processor(worker_run);
    flat_processor(writer_main);
    flat_processor(reader_main);
    worker_runs = true;
}

bool explore_final(void) {
    return explore_rests(1) && explore_rests(2) && element.reclaimed;
}
