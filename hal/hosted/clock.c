// SPDX-License-Identifier: MIT OR Apache-2.0
// hal/hosted/clock.c: the counter is the host's monotonic clock in nanoseconds. One host thread is
// the timer of all processors: it sleeps until the earliest deadline and interrupts its owner.
#include <hal/time.h>

#include "clock.h"
#include "machine.h"

static _Atomic uint32_t timer_word;                // changes when the timer must look again
static _Atomic uint64_t timer_sleeps = UINT64_MAX; // until when

uint64_t hal_counter_read(void) {
    return host_counter();
}

uint64_t hal_counter_hz(void) {
    return 1000000000u;
}

uint64_t hal_rtc_read(void) {
    return host_seconds();
}

void hal_timer_arm(uint64_t counter) {
    struct processor *processor = this_processor();
    processor->timer_at = counter;
    atomic_store_explicit(&processor->deadline, UINT64_MAX, memory_order_relaxed);
    if (counter <= host_counter()) {
        atomic_fetch_or_explicit(&processor->base.pending, PENDING_TIMER, memory_order_relaxed);
        return;
    }
    // seq_cst: before the look at `timer_sleeps`; pairs with timer_main().
    atomic_store_explicit(&processor->deadline, counter, memory_order_seq_cst);
    if (counter < atomic_load_explicit(&timer_sleeps, memory_order_seq_cst)) {
        atomic_fetch_add_explicit(&timer_word, 1, memory_order_seq_cst);
        host_wake(&timer_word);
    }
}

// The timer's thread may have found the setting before this one due, and interrupt for it later on.
bool hosted_timer_take(void) {
    struct processor *processor = this_processor();
    if (processor->timer_at > host_counter()) {
        return false;
    }
    processor->timer_at = UINT64_MAX;
    return true;
}

// Interrupts the owners of what is due; the earliest of the rest.
static uint64_t timer_look(void) {
    uint64_t now = host_counter();
    uint64_t next = UINT64_MAX;
    for (uint32_t cpu = 0; cpu < hal_cpu_count(); cpu++) {
        struct processor *processor = &hosted_processors[cpu];
        if (!processor_is_on(processor)) {
            continue;
        }
        uint64_t deadline = atomic_load_explicit(&processor->deadline, memory_order_seq_cst);
        if (deadline > now) {
            next = MIN_OF(next, deadline);
        } else if (atomic_compare_exchange_strong_explicit(&processor->deadline, &deadline,
                                                           UINT64_MAX, memory_order_seq_cst,
                                                           memory_order_relaxed)) {
            processor_interrupt(processor, PENDING_TIMER);
        }
    }
    return next;
}

static void timer_main(void *argument) {
    (void)argument;
    for (;;) {
        uint32_t word = atomic_load_explicit(&timer_word, memory_order_seq_cst);
        // Who arms from here on changes the word.
        atomic_store_explicit(&timer_sleeps, UINT64_MAX, memory_order_seq_cst);
        uint64_t next = timer_look();
        atomic_store_explicit(&timer_sleeps, next, memory_order_seq_cst);
        host_wait(&timer_word, word, next);
    }
}

bool hosted_clock_init(void) {
    return host_thread_start(timer_main, NULL);
}
