// SPDX-License-Identifier: MIT OR Apache-2.0
// core/selftest_gate.c: calls into modules: counting, closing, injected refusals, and modules that
// fault, whose part functions of this file play.
#include "selftest.h"

#include <core/gate.h>
#include <core/inject.h>
#include <core/sched.h>
#include <hal/gate.h>
#include <lib/string.h>

#define EACH_CALLS 2000u
#define CALLERS    3u
#define CLOSINGS   100u
#define MS         ((time_ns_t)1000000)

static struct gate *outer, *inner;

static int64_t nothing(void *argument) {
    return argument == NULL ? HX_OK : HX_ERR_INVALID;
}

static uint64_t calls_of(const struct gate *gate) {
    uint64_t calls;
    uint64_t inside;
    gate_count(gate, &calls, &inside);
    return calls;
}

static uint64_t inside_of(const struct gate *gate) {
    uint64_t calls;
    uint64_t inside;
    gate_count(gate, &calls, &inside);
    return inside;
}

static struct gate *found;

static int64_t look_around(void *argument) {
    (void)argument;
    found = gate_current();
    return inside_of(found) == 1 ? HX_OK : HX_ERR_INVALID;
}

static enum hx_status close_within(struct gate *gate, time_ns_t span_ns) {
    struct patience patience = patience_of(span_ns);
    return gate_close(gate, &patience);
}

static bool counts(void) {
    const uint64_t before = calls_of(outer);
    CHECK(gate_current() == NULL);
    CHECK(gate_call(outer, nothing, NULL) == HX_OK);
    CHECK(gate_call(outer, nothing, outer) == HX_ERR_INVALID);
    CHECK(gate_call(outer, look_around, NULL) == HX_OK && found == outer);
    CHECK(gate_current() == NULL);
    CHECK(calls_of(outer) == before + 3 && inside_of(outer) == 0);
    return true;
}

// Callers on all processors, while the gate is closed and opened: nobody is inside meanwhile.
static _Atomic uint32_t inside, callers_left;
static _Atomic bool was_inside_closed, is_closed;

static int64_t stay(void *argument) {
    (void)argument;
    atomic_fetch_add_explicit(&inside, 1, memory_order_relaxed);
    if (atomic_load_explicit(&is_closed, memory_order_relaxed)) {
        atomic_store_explicit(&was_inside_closed, true, memory_order_release);
    }
    thread_yield(); // perhaps to another processor
    if (atomic_load_explicit(&is_closed, memory_order_relaxed)) {
        atomic_store_explicit(&was_inside_closed, true, memory_order_release);
    }
    atomic_fetch_sub_explicit(&inside, 1, memory_order_relaxed);
    return HX_OK;
}

static bool close_often(void) {
    for (uint32_t i = 0; i < CLOSINGS; i++) {
        CHECK(close_within(outer, 60000 * MS) == HX_OK);
        atomic_store_explicit(&is_closed, true, memory_order_relaxed);
        CHECK(atomic_load_explicit(&inside, memory_order_relaxed) == 0);
        thread_yield();
        CHECK(atomic_load_explicit(&inside, memory_order_relaxed) == 0);
        CHECK(close_within(outer, 0) == HX_ERR_BUSY);
        atomic_store_explicit(&is_closed, false, memory_order_relaxed);
        gate_open(outer);
        thread_yield();
        if (atomic_load_explicit(&callers_left, memory_order_relaxed) == 0) {
            break;
        }
    }
    return true;
}

static bool close_passed;

static void call_or_close(void *index) {
    if (selftest_index(index) == CALLERS) {
        close_passed = close_often();
        return;
    }
    for (uint32_t i = 0; i < EACH_CALLS; i++) {
        if (gate_call(outer, stay, NULL) != HX_OK) {
            atomic_store_explicit(&was_inside_closed, true, memory_order_release);
        }
    }
    atomic_fetch_sub_explicit(&callers_left, 1, memory_order_relaxed);
}

static bool closes(void) {
    const uint64_t before = calls_of(outer);
    atomic_store_explicit(&callers_left, CALLERS, memory_order_release);
    CHECK(core_selftest_threads(CALLERS + 1, false, call_or_close));
    CHECK(close_passed && !atomic_load_explicit(&was_inside_closed, memory_order_acquire));
    CHECK(inside_of(outer) == 0 && calls_of(outer) >= before + EACH_CALLS * (uint64_t)CALLERS);
    return true;
}

// Somebody inside does not leave: the closer gives up, and what came meanwhile gets in.
static struct waitable may_leave;
static _Atomic uint32_t held, passed_again;
static _Atomic uint32_t ran;

static int64_t inside_again(void *argument) {
    (void)argument;
    atomic_fetch_add_explicit(&passed_again, 1, memory_order_acq_rel);
    return HX_OK;
}

static int64_t run(void *argument) {
    (void)argument;
    atomic_fetch_add_explicit(&ran, 1, memory_order_acq_rel);
    return HX_OK;
}

// Who tries to get in counts as inside for a moment, so the calls themselves are looked at.
static bool keeps_out(void) {
    const uint32_t before = atomic_load_explicit(&ran, memory_order_acquire);
    for (uint32_t i = 0; i < 8; i++) {
        thread_yield();
    }
    return atomic_load_explicit(&ran, memory_order_acquire) == before;
}

static int64_t hold(void *argument) {
    (void)argument;
    if (close_within(outer, 0) != HX_ERR_BUSY) { // it would wait for itself
        return HX_ERR_INVALID;
    }
    atomic_store_explicit(&held, 1, memory_order_release);
    HX_IGNORE(wait_one(&may_leave, WAIT_SIGNALED, TIME_NEVER, 0));
    return gate_call(outer, inside_again, NULL); // the gate is closed, for others
}

static void hold_or_close(void *index) {
    static _Atomic bool closing;
    if (selftest_index(index) == 0) {
        close_passed = gate_call(outer, hold, NULL) == HX_OK;
        return;
    }
    while (atomic_load_explicit(&held, memory_order_acquire) == 0) {
        thread_yield();
    }
    if (selftest_index(index) == 1) {
        atomic_store_explicit(&was_inside_closed, close_within(outer, 5 * MS) != HX_ERR_TIMED_OUT,
                              memory_order_release);
        waitable_update(&may_leave, 0, WAIT_SIGNALED);
        atomic_store_explicit(&closing, true, memory_order_release);
        if (close_within(outer, 60000 * MS) != HX_OK || !keeps_out()) {
            atomic_store_explicit(&was_inside_closed, true, memory_order_release);
        }
        gate_open(outer);
        return;
    }
    while (!atomic_load_explicit(&closing, memory_order_acquire)) {
        thread_yield();
    }
    if (gate_call(outer, run, NULL) != HX_OK) { // before, or after it opened again
        atomic_store_explicit(&was_inside_closed, true, memory_order_release);
    }
}

static bool gives_up(void) {
    waitable_init(&may_leave, 0);
    atomic_store_explicit(&held, 0, memory_order_release);
    atomic_store_explicit(&passed_again, 0, memory_order_release);
    CHECK(core_selftest_threads(3, false, hold_or_close));
    CHECK(close_passed && !atomic_load_explicit(&was_inside_closed, memory_order_acquire) &&
          atomic_load_explicit(&passed_again, memory_order_acquire) == 1);
    return true;
}

static bool is_refused_on_purpose(void) {
    inject_nth(INJECT_METHOD, 3);
    const bool first =
        gate_call(outer, nothing, NULL) == HX_OK && gate_call(inner, nothing, NULL) == HX_OK;
    const bool third = gate_call(outer, nothing, NULL) == HX_ERR_PEER_DIED;
    const bool over = inject_nth_is_over(INJECT_METHOD);
    inject_nth(INJECT_METHOD, 0);
    CHECK(first && third && over);
    CHECK(gate_call(outer, nothing, NULL) == HX_OK && outer->hal.closed == 0);
    return true;
}

// Who waits for a next life: there is one, it comes meanwhile, there will be none.
static struct waitable died;

static void await_or_revive(void *index) {
    static _Atomic uint32_t waits;
    static const struct gate_death death = { .at = 1, .what = "selftest" };
    if (selftest_index(index) == 0) {
        uint32_t sequence = waitable_sequence(&inner->changed);
        gate_kill_module(inner, &death);
        atomic_store_explicit(&waits, 1, memory_order_release);
        close_passed = gate_await(inner, &sequence) == HX_OK && !gate_is_dead(inner) &&
                       sequence == waitable_sequence(&inner->changed) &&
                       gate_await(inner, &sequence) == HX_ERR_PEER_DIED;
        return;
    }
    while (atomic_load_explicit(&waits, memory_order_acquire) == 0) {
        thread_yield();
    }
    (void)thread_sleep_until(time_now() + MS, 0);
    gate_revive(inner);
}

static bool awaits(void) {
    waitable_init(&died, 0);
    atomic_store_explicit(&inner->supervisor, &died, memory_order_relaxed);
    CHECK(core_selftest_threads(2, false, await_or_revive) && close_passed);
    uint32_t sequence = waitable_sequence(&inner->changed);
    inject_nth(INJECT_METHOD, 1);
    const bool is_refused = gate_call(inner, nothing, NULL) == HX_ERR_PEER_DIED;
    const bool is_told = gate_await(inner, &sequence) == HX_ERR_PEER_DIED; // it was on purpose
    inject_nth(INJECT_METHOD, 0);
    CHECK(is_refused && is_told);
    gate_give_up(inner);
    CHECK(gate_await(inner, &sequence) == HX_ERR_PEER_DIED);
    atomic_store_explicit(&inner->supervisor, NULL, memory_order_relaxed);
    atomic_store_explicit(&inner->hal.closed, 0, memory_order_release);
    return true;
}

// Modules that die --------------------------------------------------------------------------------

static const struct lock_class module_class = { "selftest's module", LOCK_RANK_MODULE, true };
static struct gate_mutex mutex;

// Leaves with the mutex held.
static int64_t give_up(void *argument) {
    gate_mutex_lock(&mutex);
    if (argument != NULL) {
        gate_leave();
    }
    gate_mutex_unlock(&mutex);
    return HX_OK;
}

static int64_t call_inner(void *argument) {
    int64_t (*method)(void *) = (int64_t (*)(void *))argument;
    return gate_call(inner, method, &mutex) == HX_ERR_PEER_DIED && gate_current() == outer
               ? HX_ERR_RESTART
               : HX_OK;
}

static bool leaves(void) {
    CHECK(gate_call(outer, give_up, &mutex) == HX_ERR_PEER_DIED);
    CHECK(!mutex_held(&mutex.mutex) && thread_current()->gate_mutexes == NULL);
    CHECK(gate_call(outer, give_up, NULL) == HX_OK); // the mutex is free
    CHECK(gate_call(outer, call_inner, give_up) == HX_ERR_RESTART);
    CHECK(gate_current() == NULL && inside_of(outer) == 0 && inside_of(inner) == 0);
    return true;
}

// What locks are not for.
static const struct lock_class spin_class = { "selftest's spinning", LOCK_RANK_MODULE_SPIN, true };
static struct gate_spin first_spin, second_spin;

NO_LOCK_ANALYSIS static int64_t lock_twice(void *argument) {
    gate_mutex_lock(argument);
    gate_mutex_lock(argument);
    return HX_OK;
}

NO_LOCK_ANALYSIS static int64_t unlock_free(void *argument) {
    gate_mutex_unlock(argument);
    return HX_OK;
}

NO_LOCK_ANALYSIS static int64_t sleep_spinning(void *argument) {
    gate_spin_lock(&first_spin);
    gate_mutex_lock(argument);
    return HX_OK;
}

NO_LOCK_ANALYSIS static int64_t spin_twice(void *argument) {
    gate_mutex_lock(argument);
    gate_spin_lock(&first_spin);
    gate_spin_lock(&second_spin);
    gate_spin_lock(&first_spin);
    return HX_OK;
}

NO_LOCK_ANALYSIS static int64_t spin_free(void *argument) {
    gate_spin_lock(&second_spin);
    gate_spin_unlock(&first_spin);
    return argument != NULL ? HX_OK : HX_ERR_INVALID;
}

static bool misuses(void) {
    static int64_t (*const ways[])(void *) = { lock_twice, unlock_free, sleep_spinning, spin_twice,
                                               spin_free };
    spinlock_init(&first_spin.lock, &spin_class);
    spinlock_init(&second_spin.lock, &spin_class);
    for (uint32_t i = 0; i < ARRAY_SIZE(ways); i++) {
        CHECK(gate_call(inner, ways[i], &mutex) == HX_ERR_PEER_DIED && gate_is_dead(inner));
        CHECK(thread_current()->preempt_off == 0 && hal_irq_is_on() && gate_current() == NULL);
        CHECK(!mutex_held(&mutex.mutex) && thread_current()->gate_mutexes == NULL);
        CHECK(thread_current()->gate_spins == NULL && inside_of(inner) == 0);
        atomic_store_explicit(&inner->hal.closed, 0, memory_order_release);
    }
    return true;
}

#if HAL_GATE_FAULTS
#define ROUNDS 20u // of overflows

#define MODULE_TEXT __attribute__((section(".text.module.selftest"), noinline))

static char *volatile nowhere = (char *)64;
static volatile bool for_ever = true;
static uint8_t scratch[16384];
static void (*volatile no_code)(void) = (void (*)(void))64;

MODULE_TEXT static int64_t read_nowhere(void *argument) {
    (void)argument;
    return *nowhere;
}

MODULE_TEXT NO_LOCK_ANALYSIS static int64_t write_nowhere(void *argument) {
    gate_mutex_lock(argument);
    *nowhere = 1;
    return HX_OK;
}

MODULE_TEXT static int64_t jump_nowhere(void *argument) {
    (void)argument;
    no_code();
    return HX_OK;
}

MODULE_TEXT static int64_t trap(void *argument) {
    (void)argument;
    __builtin_trap();
}

MODULE_TEXT static int64_t copy_nowhere(void *argument) {
    (void)argument;
    memset(nowhere, 1, 1000);
    return HX_OK;
}

// Loops without end: of its own code, with a mutex held; mostly in lib; mostly in the kernel.
MODULE_TEXT NO_LOCK_ANALYSIS static int64_t loop(void *argument) {
    gate_mutex_lock(argument);
    while (for_ever) {
    }
    return HX_OK;
}

MODULE_TEXT static int64_t loop_in_lib(void *argument) {
    while (for_ever) {
        memset(scratch, argument != NULL, sizeof(scratch));
    }
    return HX_OK;
}

MODULE_TEXT static int64_t loop_in_core(void *argument) {
    while (for_ever) {
        thread_yield();
    }
    return argument == NULL ? HX_OK : HX_ERR_INVALID;
}

MODULE_TEXT NO_LOCK_ANALYSIS static int64_t spin(void *argument) {
    gate_spin_lock(&first_spin);
    gate_spin_lock(&second_spin);
    return *nowhere + (argument != NULL);
}

MODULE_TEXT static int64_t overflow(void *argument) { // NOLINT(misc-no-recursion): so
    volatile uint64_t words[16] = { 0 };
    return (argument != NULL ? overflow(argument) : 0) + (int64_t)words[3];
}

// It ends in lib, whose part of the stack is left to it.
MODULE_TEXT static int64_t overflow_lib(void *argument) { // NOLINT(misc-no-recursion): so
    volatile uint8_t bytes[16];
    memset((void *)bytes, argument != NULL, sizeof(bytes));
    return (argument != NULL ? overflow_lib(argument) : 0) + bytes[3];
}

// So many values are kept over a call that all registers which a call keeps hold one.
static volatile uint64_t numbers[6] = { 3, 5, 7, 11, 13, 17 };
static volatile uint64_t others[6] = { 19, 23, 29, 31, 37, 41 };

MODULE_TEXT static int64_t spoil_registers(void *argument) {
    const uint64_t a = others[0], b = others[1], c = others[2], d = others[3], e = others[4],
                   f = others[5];
    const int64_t result = read_nowhere(argument);
    return result + (int64_t)(a + b * 2 + c * 3 + d * 4 + e * 5 + f * 6);
}

static int64_t (*const deaths[])(void *) = { read_nowhere, write_nowhere, jump_nowhere,
                                             trap,         copy_nowhere,  spoil_registers,
                                             loop,         loop_in_lib,   loop_in_core,
                                             spin };

static bool keeps_registers(void) {
    const uint64_t a = numbers[0], b = numbers[1], c = numbers[2], d = numbers[3], e = numbers[4],
                   f = numbers[5];
    const enum hx_status status = gate_call(inner, spoil_registers, NULL);
    atomic_store_explicit(&inner->hal.closed, 0, memory_order_release);
    CHECK(status == HX_ERR_PEER_DIED);
    CHECK(a == numbers[0] && b == numbers[1] && c == numbers[2] && d == numbers[3] &&
          e == numbers[4] && f == numbers[5]);
    return true;
}

static bool dies(int64_t (*death)(void *)) {
    struct gate *gate = NULL;
    CHECK(gate_create("selftest.dies", "selftest", "selftest.module", &gate) == HX_OK);
    CHECK(gate_call(gate, death, &mutex) == HX_ERR_PEER_DIED);
    CHECK(gate_current() == NULL && thread_current()->preempt_off == 0 && hal_irq_is_on());
    CHECK(!mutex_held(&mutex.mutex) && thread_current()->gate_mutexes == NULL);
    CHECK(gate_call(gate, nothing, NULL) == HX_ERR_PEER_DIED); // nobody gets in any more
    CHECK(close_within(gate, TIME_NEVER) == HX_ERR_PEER_DIED);
    CHECK(inside_of(gate) == 0);
    atomic_store_explicit(&gate->hal.closed, 0, memory_order_release);
    gate_release(gate);
    return true;
}

static bool survives(void) {
    for (uint32_t i = 0; i < ARRAY_SIZE(deaths); i++) {
        CHECK(dies(deaths[i]));
        // An inner module dies; the outer one, which called it, goes on.
        CHECK(gate_call(outer, call_inner, deaths[i]) == HX_ERR_RESTART);
        CHECK(gate_call(outer, nothing, NULL) == HX_OK);
        atomic_store_explicit(&inner->hal.closed, 0, memory_order_release);
    }
    return true;
}

static _Atomic uint32_t came_out;

static void came_out_as(enum hx_status status) {
    if (status == HX_ERR_PEER_DIED) {
        atomic_fetch_add_explicit(&came_out, 1, memory_order_acq_rel);
    }
}

// On stacks that have an end.
static void die_in_thread(void *index) {
    came_out_as(gate_call(inner, selftest_index(index) % 2 == 0 ? overflow : overflow_lib, inner));
}

static bool overflows(void) {
    for (uint32_t i = 0; i < ROUNDS; i++) {
        atomic_store_explicit(&came_out, 0, memory_order_release);
        CHECK(core_selftest_threads(2, false, die_in_thread));
        CHECK(atomic_load_explicit(&came_out, memory_order_acquire) == 2 && inside_of(inner) == 0);
        atomic_store_explicit(&inner->hal.closed, 0, memory_order_release);
    }
    return true;
}

// Calls that are no loops: long ones, one behind the other, and one that waits.
#define LONG 3u // of which two are more than a loop may have

MODULE_TEXT static int64_t run_long(void *argument) {
    const time_ns_t end = time_now() + 700 * MS;
    while (time_now() < end) {
    }
    return argument == NULL ? HX_OK : HX_ERR_INVALID;
}

MODULE_TEXT static int64_t wait_long(void *argument) {
    HX_IGNORE(wait_one(argument, WAIT_SIGNALED, time_now() + 1500 * MS, 0));
    return HX_OK;
}

// Of a module that is dead, nobody is waited for who runs.
MODULE_TEXT static int64_t run_dead(void *argument) {
    static const struct gate_death death = { .at = 1, .what = "test", .symbol = "test" };
    gate_kill_module(argument, &death);
    return run_long(NULL);
}

static bool lets_run(void) {
    static struct waitable never;
    waitable_init(&never, 0);
    CHECK(gate_call(inner, run_dead, inner) == HX_ERR_PEER_DIED);
    atomic_store_explicit(&inner->hal.closed, 0, memory_order_release);
    for (uint32_t i = 0; i < LONG; i++) {
        CHECK(gate_call(outer, run_long, NULL) == HX_OK);
    }
    CHECK(gate_call(outer, wait_long, &never) == HX_OK);
    return true;
}

// Who waits for a mutex of a module that dies comes out, too.
MODULE_TEXT NO_LOCK_ANALYSIS static int64_t die_slowly(void *argument) {
    gate_mutex_lock(argument);
    atomic_store_explicit(&held, 1, memory_order_release);
    HX_IGNORE(wait_one(&may_leave, WAIT_SIGNALED, TIME_NEVER, 0));
    return *nowhere;
}

static int64_t wait_for_it(void *argument) {
    gate_mutex_lock(argument);
    gate_mutex_unlock(argument);
    return HX_OK;
}

static void die_or_wait(void *index) {
    if (selftest_index(index) == 0) {
        came_out_as(gate_call(inner, die_slowly, &mutex));
        return;
    }
    while (atomic_load_explicit(&held, memory_order_acquire) == 0) {
        thread_yield();
    }
    if (selftest_index(index) == 1) {
        came_out_as(gate_call(inner, wait_for_it, &mutex));
        return;
    }
    while (atomic_load_explicit(&mutex.mutex.waiters, memory_order_relaxed) == 0) {
        thread_yield();
    }
    waitable_update(&may_leave, 0, WAIT_SIGNALED);
}

static bool frees_who_waits(void) {
    waitable_init(&may_leave, 0);
    atomic_store_explicit(&held, 0, memory_order_release);
    atomic_store_explicit(&came_out, 0, memory_order_release);
    CHECK(core_selftest_threads(3, false, die_or_wait));
    CHECK(atomic_load_explicit(&came_out, memory_order_acquire) == 2 && inside_of(inner) == 0);
    atomic_store_explicit(&inner->hal.closed, 0, memory_order_release);
    return true;
}
#endif

bool core_selftest_gate(void) {
    mutex_init(&mutex.mutex, &module_class);
    CHECK(gate_create("selftest.outer", "selftest", "selftest.outer", &outer) == HX_OK);
    CHECK(gate_create("selftest.inner", "selftest", "selftest.inner", &inner) == HX_OK);
    CHECK(counts() && closes() && gives_up() && is_refused_on_purpose() && awaits());
    CHECK(leaves() && misuses());
#if HAL_GATE_FAULTS
    CHECK(survives() && keeps_registers() && lets_run() && overflows() && frees_who_waits());
#endif
    gate_release(inner);
    gate_release(outer);
    return true;
}
