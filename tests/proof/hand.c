// SPDX-License-Identifier: MIT OR Apache-2.0
// BY: explore
// hand.c: who hands its processor to the thread that it wakes, and is told by it, loses no wake,
// and no thread runs on two processors. The same sources as in handoff.c.
#include "scheduler.h"

#define PROCESSORS 2u

const uint32_t explore_marks = 4;

static struct thread server, client;
static _Atomic uint32_t asked, answered;
static uint32_t plain; // what the server wrote before it slept
static uint32_t ended;

static void server_body(void *argument) {
    (void)argument;
    plain = 1;
    while (atomic_load_explicit(&asked, memory_order_relaxed) == 0) {
        thread_block();
        REACHED(0);
    }
    atomic_store_explicit(&answered, 1, memory_order_relaxed);
    thread_wake(&client);
    ended++;
    for (;;) {
        thread_block();
    }
}

// As core/wait.c does it.
static void hand_over(void) {
    struct thread *kept;
    unsigned long state = hal_irq_save();
    thread_hand_begin();
    atomic_store_explicit(&asked, 1, memory_order_relaxed);
    thread_wake_handing(&server);
    const bool woke = thread_hand_end(&kept);
    PROVE(woke || kept == NULL);
    PROVE(!woke || plain == 1);
    if (kept != NULL && atomic_load_explicit(&answered, memory_order_relaxed) == 0) {
        REACHED(1);
        thread_block_handing(kept);
        REACHED(2);
    } else if (kept != NULL) {
        thread_hand_release(kept);
    } else if (!woke) {
        REACHED(3); // it was awake
    }
    hal_irq_restore(state);
}

static void client_body(void *argument) {
    (void)argument;
    hand_over();
    while (atomic_load_explicit(&answered, memory_order_relaxed) == 0) {
        thread_block();
    }
    ended++;
    for (;;) {
        thread_block();
    }
}

void explore_setup(void) {
    for (uint32_t i = 0; i < PROCESSORS; i++) {
        processor_setup(i);
    }
    thread_setup_on(&server, server_body);
    thread_setup_on(&client, client_body);
}

bool explore_final(void) {
    return ended == 2 && explore_rests(0) && explore_rests(1);
}
