// SPDX-License-Identifier: MIT OR Apache-2.0
// core/epoch.c: grace periods without a fence or an atomic operation in readers.
//
// A reader turns preemption off, in a way that shows: it counts in the upper half of its thread's
// preempt_off. Who waits for a grace period interrupts every processor and looks at the count of
// the thread that it interrupted: zero, seen from an interrupt on that very processor, means that
// it was in no section at that moment, and whatever section it enters later starts after the
// unlinking (the interrupt orders the two). A processor inside a section is asked again later. The
// cost is all with the writer, who batches.
//
// A processor inside hal_idle() is not interrupted: `asleep` is set, sequentially consistent,
// before it goes to sleep and cleared, likewise, before the first handler runs. Either the waiter
// sees it awake and interrupts it, or it wakes after the waiter's look and sees what was unlinked
// before.
//
// Retired items hang on a list of the retiring processor (push: compare-and-swap; take all:
// exchange) until a worker takes them; it is woken after a delay or when there are many. What it
// retires itself it takes in its next round, at once.
#include "core_private.h"

#include <core/log.h>

#define RETIRE_DELAY_NS 5000000
#define RETIRE_MANY     128u
#define RETRY_NS        100000
#define LAST_ROUNDS     4096u // for which what is retired last waits at most

static struct thread worker;
static struct waitable work;
static struct timer delay;
static _Atomic uint32_t delay_armed;
static bool worker_runs;      // written once, while booting
static _Atomic bool has_more; // written by the worker; reclaiming has retired something
static _Atomic(struct epoch_item *) last;

// The flag falls here and nowhere else: whoever raised it is through with timer_arm() by now, so no
// two processors arm the timer at once. seq_cst: before the worker takes the lists, so who still
// finds it up has its item taken.
static void delay_expired(struct timer *timer) {
    (void)timer;
    (void)atomic_exchange_explicit(&delay_armed, 0, memory_order_seq_cst);
    waitable_pulse(&work);
}

void epoch_retire(struct epoch_item *item, void (*reclaim)(struct epoch_item *item)) {
    item->reclaim = reclaim;
    preempt_disable();
    struct cpu *cpu = cpu_this();
    struct epoch_item *head = atomic_load_explicit(&cpu->retired, memory_order_relaxed);
    do {
        item->next = head;
        // The worker must see the item's fields; seq_cst: before the look at delay_armed.
    } while (!atomic_compare_exchange_weak_explicit(&cpu->retired, &head, item,
                                                    memory_order_seq_cst, memory_order_relaxed));
    uint32_t count = atomic_fetch_add_explicit(&cpu->retired_count, 1, memory_order_relaxed) + 1;
    if (!worker_runs) {
        preempt_enable();
        return; // the worker looks when it starts
    }
    if (thread_current() == &worker) {
        atomic_store_explicit(&has_more, true, memory_order_relaxed); // and looks at once
    } else if (count == RETIRE_MANY) {
        waitable_pulse(&work);
    } else if (atomic_load_explicit(&delay_armed, memory_order_seq_cst) == 0 &&
               atomic_exchange_explicit(&delay_armed, 1, memory_order_seq_cst) == 0) {
        timer_arm(&delay, time_now() + RETIRE_DELAY_NS);
    }
    preempt_enable();
}

void epoch_retire_last(struct epoch_item *item, void (*reclaim)(struct epoch_item *item)) {
    item->reclaim = reclaim;
    item->next = atomic_load_explicit(&last, memory_order_relaxed);
    // Release: who finds it finds what was retired before.
    while (!atomic_compare_exchange_weak_explicit(&last, &item->next, item, memory_order_release,
                                                  memory_order_relaxed)) {
    }
    waitable_pulse(&work);
}

static void look(void *argument) {
    _Atomic uint64_t *quiescent = argument;
    if (!epoch_is_entered()) {
        // The request's completion (release) publishes it.
        atomic_fetch_or_explicit(quiescent, UINT64_C(1) << hal_cpu_id(), memory_order_relaxed);
    }
}

void epoch_synchronize(void) {
    ASSERT(thread_current()->preempt_off == 0);
    _Atomic uint64_t quiescent = 0;
    // The unlinking before, the looks at `asleep` behind; pairs with cpu_wake_note().
    atomic_thread_fence(memory_order_seq_cst);
    for (;;) {
        uint64_t waiting =
            cpu_online_mask() & ~atomic_load_explicit(&quiescent, memory_order_relaxed);
        for (uint32_t id = 0; id < CPU_MAX; id++) {
            if ((waiting >> id & 1) != 0 &&
                atomic_load_explicit(&cpu_table[id]->asleep, memory_order_seq_cst) != 0) {
                waiting &= ~(UINT64_C(1) << id);
                atomic_fetch_or_explicit(&quiescent, UINT64_C(1) << id, memory_order_relaxed);
            }
        }
        if (waiting == 0) {
            return;
        }
        cpu_call(waiting, look, &quiescent);
        if ((waiting & ~atomic_load_explicit(&quiescent, memory_order_relaxed)) != 0) {
            (void)thread_sleep_until(time_now() + RETRY_NS, 0);
        }
    }
}

static struct epoch_item *take_all(void) {
    struct epoch_item *all = NULL;
    uint64_t online = cpu_online_mask();
    for (uint32_t id = 0; id < CPU_MAX; id++) {
        if ((online >> id & 1) == 0) {
            continue;
        }
        struct cpu *cpu = cpu_table[id];
        atomic_store_explicit(&cpu->retired_count, 0, memory_order_relaxed);
        struct epoch_item *item =
            atomic_exchange_explicit(&cpu->retired, NULL, memory_order_acquire);
        while (item != NULL) {
            struct epoch_item *next = item->next;
            item->next = all;
            all = item;
            item = next;
        }
    }
    return all;
}

static void reclaim_all(struct epoch_item *item) {
    while (item != NULL) {
        struct epoch_item *next = item->next; // reclaim frees the item
        item->reclaim(item);
        item = next;
    }
}

// What goes with a thing is retired while that is reclaimed, here; so when a round has retired
// nothing, all that goes with what was there before has gone.
static void worker_run(void *argument) {
    struct epoch_item *waiting = NULL; // retired last
    uint32_t rounds = 0;
    (void)argument;
    for (;;) {
        uint32_t sequence = waitable_sequence(&work);
        if (waiting == NULL) {
            waiting = atomic_exchange_explicit(&last, NULL, memory_order_acquire);
            rounds = 0;
        }
        struct epoch_item *item = take_all();
        if (item == NULL && waiting == NULL) {
            HX_IGNORE(wait_change(&work, sequence, TIME_NEVER, 0)); // cannot fail without flags
            continue;
        }
        atomic_store_explicit(&has_more, false, memory_order_relaxed);
        if (item != NULL) {
            epoch_synchronize();
            reclaim_all(item);
        }
        if (!atomic_load_explicit(&has_more, memory_order_relaxed) || ++rounds == LAST_ROUNDS) {
            reclaim_all(waiting);
            waiting = NULL;
        }
    }
}

enum hx_status epoch_init(void) {
    waitable_init(&work, 0);
    timer_init(&delay, delay_expired);
    enum hx_status status = thread_start_own(&worker, "epoch", worker_run);
    worker_runs = status == HX_OK;
    return status;
}
