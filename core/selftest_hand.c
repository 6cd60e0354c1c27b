// SPDX-License-Identifier: MIT OR Apache-2.0
// core/selftest_hand.c: waits that hand over the processor.
#include "selftest.h"

#include <core/wait.h>

#define ROUNDS 200u

static struct waitable asked, answered, never;
static _Atomic(struct thread *) partner;
static _Atomic uint32_t partner_cpu;
static bool must_look, passed;

static bool look(const void *context) {
    (void)context;
    return must_look;
}

static struct wait_hand hand_to(uint32_t set) {
    return (struct wait_hand){ .to = &asked, .set = set, .look = look };
}

static enum hx_status hand(uint32_t set, time_ns_t deadline) {
    struct wait_item item = { .object = &answered, .mask = WAIT_READABLE };
    const struct wait_hand to = hand_to(set);
    return wait_handing(&to, &item, deadline, 0);
}

// Answers until it is hung up on.
static void answer(void) {
    atomic_store_explicit(&partner, thread_current(), memory_order_release);
    while (wait_one(&asked, WAIT_READABLE | WAIT_HANGUP, TIME_NEVER, 0) == HX_OK &&
           (waitable_state(&asked) & WAIT_HANGUP) == 0) {
        waitable_update(&asked, WAIT_READABLE, 0);
        atomic_store_explicit(&partner_cpu, hal_cpu_id(), memory_order_relaxed);
        waitable_update(&answered, 0, WAIT_READABLE);
    }
}

static void partner_await(void) {
    const struct thread *other;
    while ((other = atomic_load_explicit(&partner, memory_order_acquire)) == NULL ||
           atomic_load_explicit(&other->state, memory_order_acquire) != THREAD_BLOCKED) {
        thread_yield();
    }
}

static bool refusals(void) {
    partner_await();
    CHECK(hand(WAIT_WRITABLE, TIME_NEVER) == HX_ERR_WOULD_BLOCK); // nobody waits for that
    CHECK((waitable_state(&asked) & WAIT_WRITABLE) != 0);
    struct wait_item item = { .object = &never, .mask = WAIT_READABLE };
    const struct wait_hand to = hand_to(WAIT_READABLE);
    must_look = true; // then nothing is waited for
    CHECK(wait_handing(&to, &item, time_now() + 100000000, 0) == HX_OK);
    must_look = false;
    CHECK(wait_one(&answered, WAIT_READABLE, TIME_NEVER, 0) == HX_OK); // it was told
    partner_await();
    waitable_update(&answered, WAIT_READABLE, 0);
    CHECK(wait_handing(&to, &item, 0, 0) == HX_ERR_TIMED_OUT); // but it was told
    CHECK(wait_one(&answered, WAIT_READABLE, TIME_NEVER, 0) == HX_OK);
    return true;
}

static bool handed(void) {
    uint32_t here = 0;
    for (uint32_t i = 0; i < ROUNDS; i++) {
        partner_await();
        waitable_update(&answered, WAIT_READABLE, 0);
        preempt_disable();
        const uint32_t cpu = hal_cpu_id();
        preempt_enable();
        CHECK(hand(WAIT_READABLE, TIME_NEVER) == HX_OK);
        CHECK((waitable_state(&answered) & WAIT_READABLE) != 0);
        here += atomic_load_explicit(&partner_cpu, memory_order_relaxed) == cpu;
    }
    CHECK(here > ROUNDS / 2); // not when somebody else wants to run
    return true;
}

static void entry(void *argument) {
    if (selftest_index(argument) == 0) {
        answer();
        return;
    }
    passed = refusals() && handed();
    waitable_update(&asked, 0, WAIT_HANGUP);
}

bool core_selftest_hand(void) {
    waitable_init(&asked, 0);
    waitable_init(&answered, 0);
    waitable_init(&never, 0);
    atomic_store_explicit(&partner, NULL, memory_order_release);
    CHECK(hand(WAIT_READABLE, TIME_NEVER) == HX_ERR_WOULD_BLOCK);
    waitable_init(&asked, 0);
    CHECK(core_selftest_threads(2, false, entry));
    return passed;
}
