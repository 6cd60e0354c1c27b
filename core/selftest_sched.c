// SPDX-License-Identifier: MIT OR Apache-2.0
// core/selftest_sched.c: affinity and parameters of threads change while others wake them.
//
// A thread that is queued under one processor's lock and changed under another's would be lost, or
// would make a processor drop its policy.
#include "selftest.h"

#define SLEEPERS 6u
#define WAKERS   2u
#define CHANGERS 4u
#define CHANGES  1500u

static struct waitable beds[SLEEPERS];
static _Atomic(struct thread *) sleeping[SLEEPERS];
static _Atomic uint32_t sleepers_left;
static _Atomic uint32_t changers_left;
static _Atomic uint64_t wakes;

static void sleeper(uint32_t self) {
    atomic_store_explicit(&sleeping[self], thread_current(), memory_order_release);
    uint32_t seen = 0;
    while (atomic_load_explicit(&changers_left, memory_order_acquire) != 0) {
        HX_IGNORE(wait_change(&beds[self], seen, TIME_NEVER, 0));
        seen = waitable_sequence(&beds[self]);
        atomic_fetch_add_explicit(&wakes, 1, memory_order_relaxed);
    }
    atomic_fetch_sub_explicit(&sleepers_left, 1, memory_order_release);
}

static void waker(void) {
    while (atomic_load_explicit(&sleepers_left, memory_order_acquire) != 0) {
        for (uint32_t i = 0; i < SLEEPERS; i++) {
            waitable_pulse(&beds[i]);
        }
        thread_yield();
    }
}

static void change(struct thread *thread, uint32_t random) {
    if ((random & 1) != 0) {
        const struct sched_params params = { .nice = (int32_t)(random >> 8 & 15) };
        thread_set_sched(thread, &params);
        return;
    }
    uint64_t some = cpu_online_mask() & random >> 8;
    thread_set_affinity(thread, some != 0 ? some : UINT64_MAX);
}

static void changer(uint32_t self) {
    uint32_t random = self + 1;
    for (uint32_t i = 0; i < CHANGES; i++) {
        random = random * 1664525u + 1013904223u;
        struct thread *thread =
            atomic_load_explicit(&sleeping[(random >> 16) % SLEEPERS], memory_order_acquire);
        if (thread == NULL) {
            thread_yield();
        } else {
            change(thread, random >> 12);
        }
    }
    atomic_fetch_sub_explicit(&changers_left, 1, memory_order_release);
}

static void run(void *argument) {
    uint32_t self = (uint32_t)selftest_index(argument);
    if (self < SLEEPERS) {
        sleeper(self);
    } else if (self < SLEEPERS + WAKERS) {
        waker();
    } else {
        changer(self);
    }
}

// Who wakes a thread that is being changed waits for that: processor 0 changes, 1 wakes.
static _Atomic uint32_t ran;
static _Atomic uint32_t ran_early;

static void spin_for(time_ns_t span) {
    for (time_ns_t end = time_now() + span; time_now() < end;) {
        hal_relax();
    }
}

static void wake_held(void *argument) {
    uint32_t self = (uint32_t)selftest_index(argument);
    if (self == 2) {
        atomic_store_explicit(&sleeping[0], thread_current(), memory_order_release);
        HX_IGNORE(wait_change(&beds[0], 0, TIME_NEVER, 0));
        atomic_store_explicit(&ran, 1, memory_order_release);
        return;
    }
    thread_set_affinity(thread_current(), UINT64_C(1) << self);
    struct thread *changed;
    while ((changed = atomic_load_explicit(&sleeping[0], memory_order_acquire)) == NULL ||
           atomic_load_explicit(&changed->state, memory_order_acquire) != THREAD_BLOCKED) {
        thread_yield();
    }
    if (self == 0) {
        (void)atomic_exchange_explicit(&changed->changing, true, memory_order_seq_cst);
        atomic_store_explicit(&changers_left, 1, memory_order_release);
        spin_for(20000000);
        atomic_store_explicit(&ran_early, atomic_load_explicit(&ran, memory_order_acquire),
                              memory_order_relaxed);
        atomic_store_explicit(&changed->changing, false, memory_order_release);
    } else {
        while (atomic_load_explicit(&changers_left, memory_order_acquire) == 0) {
            hal_relax();
        }
        waitable_pulse(&beds[0]);
    }
}

bool core_selftest_sched_wake(void) {
    waitable_init(&beds[0], 0);
    atomic_store_explicit(&sleeping[0], NULL, memory_order_relaxed);
    atomic_store_explicit(&changers_left, 0, memory_order_relaxed);
    atomic_store_explicit(&ran, 0, memory_order_relaxed);
    atomic_store_explicit(&ran_early, 0, memory_order_relaxed);
    if (cpu_online_count() > 1) {
        CHECK(core_selftest_threads(3, false, wake_held));
        CHECK(atomic_load_explicit(&ran, memory_order_relaxed) == 1);
        CHECK(atomic_load_explicit(&ran_early, memory_order_relaxed) == 0);
    }
    return true;
}

bool core_selftest_sched(void) {
    const struct sched_ops *ops = cpu_table[0]->queue.ops;
    for (uint32_t i = 0; i < SLEEPERS; i++) {
        waitable_init(&beds[i], 0);
        atomic_store_explicit(&sleeping[i], NULL, memory_order_relaxed);
    }
    atomic_store_explicit(&sleepers_left, SLEEPERS, memory_order_relaxed);
    atomic_store_explicit(&changers_left, CHANGERS, memory_order_relaxed);
    CHECK(core_selftest_threads(SLEEPERS + WAKERS + CHANGERS, false, run));
    CHECK(atomic_load_explicit(&wakes, memory_order_relaxed) >= SLEEPERS);
    CHECK(ops != NULL);
    for (uint64_t rest = cpu_online_mask(); rest != 0; rest &= rest - 1) {
        CHECK(cpu_table[__builtin_ctzll(rest)]->queue.ops == ops); // nobody dropped the policy
    }
    return true;
}
