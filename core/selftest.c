// SPDX-License-Identifier: MIT OR Apache-2.0
// core/selftest.c: tests of switching, blocking, waiting and timers, inside a booted kernel.
#include "selftest.h"

#include <core/port.h>
#include <core/sched.h>

#define TEST_LIMIT_NS 120000000000 // emulated processors may have to share one real one
#define ROUNDS        2000u
#define MS            ((time_ns_t)1000000)

static struct thread threads[SELFTEST_THREADS];
static void *stacks[SELFTEST_THREADS];

static bool threads_prepare(uint32_t count, bool same_cpu, void (*entry)(void *index)) {
    CHECK(count <= SELFTEST_THREADS);
    for (uint32_t i = 0; i < count; i++) {
        if (stacks[i] == NULL) {
            stacks[i] = core_memory->stack_alloc(THREAD_STACK_BYTES);
        }
        CHECK(stacks[i] != NULL);
        thread_init(&threads[i], "selftest", stacks[i], THREAD_STACK_BYTES, entry,
                    (void *)(uintptr_t)i); // NOLINT(performance-no-int-to-ptr): an index
        if (same_cpu) {
            thread_set_affinity(&threads[i], 1);
        }
    }
    return true;
}

bool core_selftest_threads(uint32_t count, bool same_cpu, void (*entry)(void *index)) {
    if (!threads_prepare(count, same_cpu, entry)) {
        return false;
    }
    for (uint32_t i = 0; i < count; i++) {
        thread_start(&threads[i]);
    }
    for (uint32_t i = 0; i < count; i++) {
        // Nothing can go on while one of them still runs.
        ASSERT(wait_one(&threads[i].exited, WAIT_SIGNALED, time_now() + TEST_LIMIT_NS, 0) == HX_OK);
        // `exited` comes before the reaper's last touch.
        while (atomic_load_explicit(&threads[i].object.references, memory_order_acquire) != 1) {
            thread_yield();
        }
    }
    return true;
}

// Ping-pong over two waitables: block, wake and switch, twice per round.
static struct waitable balls[2];
static _Atomic uint64_t ticks;

static void ping_pong(void *argument) {
    uintptr_t self = selftest_index(argument);
    uint64_t start = input_counter();
    for (uint32_t i = 1; i <= ROUNDS; i++) {
        if (self == 0) {
            waitable_pulse(&balls[1]);
            HX_IGNORE(wait_change(&balls[0], i - 1, TIME_NEVER, 0));
        } else {
            HX_IGNORE(wait_change(&balls[1], i - 1, TIME_NEVER, 0));
            waitable_pulse(&balls[0]);
        }
    }
    if (self == 0) {
        atomic_store_explicit(&ticks, input_counter() - start, memory_order_relaxed);
    }
}

static bool ping_pong_run(bool same_cpu) {
    waitable_init(&balls[0], 0);
    waitable_init(&balls[1], 0);
    CHECK(core_selftest_threads(2, same_cpu, ping_pong));
    CHECK(waitable_sequence(&balls[0]) == ROUNDS);
    log_info("selftest: ping-pong%s: %lu counter ticks a round trip", same_cpu ? " on one" : "",
             (unsigned long)(atomic_load_explicit(&ticks, memory_order_relaxed) / ROUNDS));
    return true;
}

static bool test_ping_pong(void) {
    return ping_pong_run(true) && ping_pong_run(false);
}

// A wake that comes before the block ends it at once, and only one.
static void early_waker(void *argument) {
    (void)argument;
    thread_wake(thread_current());
    thread_wake(thread_current());
    thread_block();
    HX_IGNORE(wait_one(&balls[0], WAIT_READABLE, time_now() + MS, 0)); // nothing comes: times out
    thread_wake(thread_current());
    thread_block();
}

static bool test_early_wake(void) {
    waitable_init(&balls[0], 0);
    return core_selftest_threads(2, true, early_waker);
}

static _Atomic uint32_t turns[2];

static void yielder(void *argument) {
    uintptr_t self = selftest_index(argument);
    // Both first meet here, so that each yield below has somebody to yield to.
    atomic_store_explicit(&turns[self], 1, memory_order_relaxed);
    while (atomic_load_explicit(&turns[1 - self], memory_order_relaxed) == 0) {
        thread_yield();
    }
    uint64_t start = input_counter();
    for (uint32_t i = 0; i < ROUNDS; i++) {
        atomic_fetch_add_explicit(&turns[self], 1, memory_order_relaxed);
        thread_yield();
    }
    if (self == 0) {
        atomic_store_explicit(&ticks, input_counter() - start, memory_order_relaxed);
    }
}

static bool test_yield(void) {
    atomic_store_explicit(&turns[0], 0, memory_order_relaxed);
    atomic_store_explicit(&turns[1], 0, memory_order_relaxed);
    uint64_t before = sched_switches();
    CHECK(core_selftest_threads(2, true, yielder));
    CHECK(sched_switches() - before >= ROUNDS);
    log_info("selftest: yield: %lu counter ticks for two switches",
             (unsigned long)(atomic_load_explicit(&ticks, memory_order_relaxed) / ROUNDS));
    return true;
}

// Who yields in a loop, with nobody to yield to, takes interrupts: here, a timer's.
static _Atomic uint32_t rang;

static void bell_rings(struct timer *timer) {
    (void)timer;
    atomic_store_explicit(&rang, 1, memory_order_relaxed);
}

static bool test_lone_yield(void) {
    struct timer bell;
    timer_init(&bell, bell_rings);
    atomic_store_explicit(&rang, 0, memory_order_relaxed);
    const time_ns_t start = time_now();
    timer_arm(&bell, start + 2 * MS);
    while (atomic_load_explicit(&rang, memory_order_relaxed) == 0 &&
           time_now() < start + 500 * MS) {
        thread_yield();
    }
    return !timer_cancel(&bell);
}

// Preemption: one thread spins until another, on the same processor, has run.
static _Atomic uint32_t flag;

static void spinner(void *argument) {
    if (selftest_index(argument) == 0) {
        while (atomic_load_explicit(&flag, memory_order_acquire) == 0) {
            hal_relax();
        }
    } else {
        atomic_store_explicit(&flag, 1, memory_order_release);
    }
}

static bool test_preempt(void) {
    atomic_store_explicit(&flag, 0, memory_order_relaxed);
    return core_selftest_threads(2, true, spinner);
}

// Timers.
static struct timer timers[4];
static _Atomic uint32_t fired;
static _Atomic uint32_t order;

static void timer_fired(struct timer *timer) {
    uint32_t index = (uint32_t)(timer - timers);
    uint32_t old = atomic_fetch_add_explicit(&fired, 1, memory_order_relaxed);
    atomic_fetch_or_explicit(&order, index << (4 * old), memory_order_release);
}

static bool test_timers(void) {
    time_ns_t now = time_now();
    atomic_store_explicit(&fired, 0, memory_order_relaxed);
    atomic_store_explicit(&order, 0, memory_order_relaxed);
    for (uint32_t i = 0; i < 4; i++) {
        timer_init(&timers[i], timer_fired);
        timer_arm(&timers[i], now + (time_ns_t)(4 - i) * 2 * MS);
    }
    CHECK(timer_cancel(&timers[2]));
    CHECK(!timer_cancel(&timers[2]));
    CHECK(thread_sleep_until(now + 12 * MS, 0));
    CHECK(time_now() >= now + 12 * MS);
    CHECK(atomic_load_explicit(&fired, memory_order_acquire) == 3);
    CHECK(atomic_load_explicit(&order, memory_order_acquire) == 0x013);
    CHECK(!timer_cancel(&timers[0]));
    timer_arm(&timers[0], 0); // in the past
    CHECK(thread_sleep_until(time_now() + 2 * MS, 0));
    CHECK(atomic_load_explicit(&fired, memory_order_acquire) == 4);
    return true;
}

// Waiting: levels, sequences, time limits, attention.
static struct waitable objects[3];
static _Atomic(struct thread *) victim;
static _Atomic int outcome;

static void interrupter(void *argument) {
    if (selftest_index(argument) == 0) {
        atomic_store_explicit(&victim, thread_current(), memory_order_release);
        atomic_store_explicit(&outcome,
                              wait_one(&objects[0], WAIT_READABLE, TIME_NEVER, WAIT_INTERRUPTIBLE),
                              memory_order_release);
        thread_attention_clear(thread_current(), THREAD_SIGNAL);
        waitable_update(&objects[2], 0, WAIT_SIGNALED);
        // A signal does not end this one.
        enum hx_status status =
            wait_one(&objects[0], WAIT_READABLE, time_now() + 10 * MS, WAIT_KILLABLE);
        if (status != HX_ERR_TIMED_OUT) {
            atomic_store_explicit(&outcome, HX_ERR_IO, memory_order_release);
        }
    } else {
        (void)thread_sleep_until(time_now() + MS, 0);
        thread_notify(atomic_load_explicit(&victim, memory_order_acquire), THREAD_SIGNAL);
        HX_IGNORE(wait_one(&objects[2], WAIT_SIGNALED, TIME_NEVER, 0));
        thread_notify(atomic_load_explicit(&victim, memory_order_acquire), THREAD_SIGNAL);
    }
}

static bool test_wait(void) {
    for (uint32_t i = 0; i < 3; i++) {
        waitable_init(&objects[i], 0);
    }
    struct wait_item items[2] = { { .object = &objects[0], .mask = WAIT_READABLE },
                                  { .object = &objects[1], .mask = WAIT_WRITABLE } };
    CHECK(wait_for(items, 2, 0, 0, NULL) == HX_ERR_TIMED_OUT);
    time_ns_t start = time_now();
    CHECK(wait_for(items, 2, start + 2 * MS, 0, NULL) == HX_ERR_TIMED_OUT);
    CHECK(time_now() >= start + 2 * MS);
    waitable_update(&objects[1], 0, WAIT_WRITABLE);
    CHECK(wait_for(items, 2, TIME_NEVER, 0, NULL) == HX_OK);
    CHECK(items[0].out_state == 0 && items[1].out_state == WAIT_WRITABLE);
    waitable_update(&objects[1], WAIT_WRITABLE, 0);
    CHECK(wait_change(&objects[1], 1, TIME_NEVER, 0) == HX_OK);
    CHECK(wait_change(&objects[1], 2, 0, 0) == HX_ERR_TIMED_OUT);
    CHECK(core_selftest_threads(2, false, interrupter));
    CHECK(atomic_load_explicit(&outcome, memory_order_acquire) == HX_ERR_INTERRUPTED);
    return true;
}

// The trace's end, in the order of time, with what was written last.
static struct trace_event events[32];

#define TRACE_MARK 0x7e57u

static bool marks_follow(uint32_t count, uint64_t expected) {
    uint64_t marks = 0;
    bool good = true;
    for (uint32_t i = 0; i < count; i++) {
        good &= i == 0 || events[i].time >= events[i - 1].time;
        if (events[i].type == TRACE_REFUSAL && events[i].payload[0] == TRACE_MARK) {
            good &= events[i].thread == (uint32_t)thread_current()->id;
            good &= events[i].payload[1] == ++marks;
        }
    }
    CHECK(good && marks == expected);
    return true;
}

static bool test_trace(void) {
    uint64_t before = trace_count(TRACE_REFUSAL);
    thread_yield();
    trace(TRACE_REFUSAL, TRACE_MARK, 1);
    trace(TRACE_REFUSAL, TRACE_MARK, 2);
    CHECK(trace_count(TRACE_REFUSAL) == before + 2);
    uint32_t count = trace_last(events, ARRAY_SIZE(events));
    CHECK(count == ARRAY_SIZE(events));
    return marks_follow(count, 2);
}

// A provider that was built against another description of the port does not get in.
static bool test_port(void) {
    const struct sched_ops *ops = cpu_table[0]->queue.ops;
    const struct hx_port_versions *versions;
    const struct hx_port_minor *minor;
    const struct hx_port_provided wrong_abi = { "helix.sched", { 1, 0, 0 }, SCHED_PORT_ABI ^ 1 };
    const struct hx_port_provided wrong_version = { "helix.sched", { 2, 0, 0 }, SCHED_PORT_ABI };
    const struct hx_port_provided unknown = { "helix.nothing", { 1, 0, 0 }, SCHED_PORT_ABI };
    const struct hx_port_provided right = SCHED_PORT_VERSION;
    CHECK(port_agree("helix.sched", &wrong_abi, 1, &versions, &minor) == HX_ERR_BAD_IMAGE);
    CHECK(port_agree("helix.sched", &wrong_version, 1, &versions, &minor) == HX_ERR_BAD_IMAGE);
    CHECK(port_agree("helix.nothing", &unknown, 1, &versions, &minor) == HX_ERR_NOT_FOUND);
    CHECK(port_agree("helix.sched", &right, 1, &versions, &minor) == HX_OK);
    CHECK(versions == &sched_versions && minor == &versions->minors[0]);
    CHECK(cpu_table[0]->queue.ops == ops);
    return true;
}

static const struct selftest tests[] = {
    { "switch", test_ping_pong },
    { "early wake", test_early_wake },
    { "yield", test_yield },
    { "lone yield", test_lone_yield },
    { "preempt", test_preempt },
    { "timers", test_timers },
    { "wait", test_wait },
    { "handing over", core_selftest_hand },
    { "drops", core_selftest_drop },
    { "gates", core_selftest_gate },
    { "trace", test_trace },
    { "port", test_port },
    { "changes", core_selftest_sched },
    { "capabilities", core_selftest_capability },
    { "change holds", core_selftest_sched_wake },
    { "runs are told", core_selftest_policy_runs },
    { "policies fail", core_selftest_policy_fails },
    { "policies die", core_selftest_policy_dies },
};

static bool run_all(const struct selftest *list, uint32_t count) {
    bool passed = true;
    for (uint32_t i = 0; i < count; i++) {
        time_ns_t start = time_now();
        bool good = list[i].run();
        log_info("selftest: %s %s (%ld us)", list[i].name, good ? "passed" : "FAILED",
                 (long)((time_now() - start) / 1000));
        passed = passed && good;
    }
    return passed;
}

bool core_selftest(void) {
    bool passed = run_all(tests, ARRAY_SIZE(tests));
    passed = run_all(core_selftest_smp, core_selftest_smp_count) && passed;
    log_info("selftest: core %s, %u processors, policy %s", passed ? "passed" : "FAILED",
             cpu_online_count(), sched_policy_name());
    return passed;
}
