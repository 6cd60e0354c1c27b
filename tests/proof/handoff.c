// SPDX-License-Identifier: MIT OR Apache-2.0
// BY: explore
// handoff.c: no wake is lost, and no thread runs on two processors. core/thread.c, core/sched.c and
// core/queue.c, with real switches, on two processors: two threads that wait for each other in
// turn.
#include "scheduler.h"

#define PROCESSORS 2u

const uint32_t explore_marks = 2;

static struct thread waiter, waker;
static _Atomic uint32_t told;
static uint32_t ended;

// Blocks until it is told to go on.
static void waiter_body(void *argument) {
    (void)argument;
    while (atomic_load_explicit(&told, memory_order_relaxed) == 0) {
        thread_block();
        REACHED(0);
    }
    ended++;
    for (;;) {
        thread_block();
        REACHED(1); // a token was left over
    }
}

static void waker_body(void *argument) {
    (void)argument;
    atomic_store_explicit(&told, 1, memory_order_relaxed);
    thread_wake(&waiter);
    ended++;
    for (;;) {
        thread_block();
    }
}

void explore_setup(void) {
    for (uint32_t i = 0; i < PROCESSORS; i++) {
        processor_setup(i);
    }
    thread_setup_on(&waiter, waiter_body);
    thread_setup_on(&waker, waker_body);
}

bool explore_final(void) {
    return ended == 2 && explore_rests(0) && explore_rests(1);
}
