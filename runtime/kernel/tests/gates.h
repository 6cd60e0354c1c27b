// SPDX-License-Identifier: MIT OR Apache-2.0
// runtime/kernel/tests/gates.h: the gates of core, with stand-ins for what they call: one
// processor, one thread, a clock that goes on when it is looked at. For tests of files that use
// gates; a test defines cpu_barrier() and wait_change().
#pragma once

#include <core/cpu.h>
#include <core/gate.h>
#include <core/inject.h>
#include <core/log.h>
#include <core/object.h>
#include <core/thread.h>
#include <core/time.h>

#include <check.h>

static time_ns_t now;
static struct gate *crowded; // somebody is inside for ever

int64_t hal_gate_call(struct hal_gate *gate, int64_t (*method)(void *argument), void *argument) {
    return atomic_load(&gate->closed) != 0 ? HAL_GATE_CLOSED : method(argument);
}

uint32_t hal_cpu_count(void) {
    return 1;
}

uint64_t hal_gate_entered(uint32_t cpu, uint32_t number) {
    (void)cpu;
    return crowded != NULL && crowded->hal.number == number;
}

uint64_t hal_gate_left(uint32_t cpu, uint32_t number) {
    (void)cpu;
    (void)number;
    return 0;
}

time_ns_t time_now(void) {
    return now += 1000;
}

bool thread_sleep_until(time_ns_t deadline, uint32_t flags) {
    CHECK(flags == 0);
    now = MAX_OF(now, deadline);
    return true;
}

_Atomic uint32_t inject_armed[INJECT_KIND_COUNT];

bool inject_draw(enum inject_kind kind) {
    (void)kind;
    return false;
}

void log_write(enum log_level level, const char *format, ...) {
    (void)level;
    (void)format;
}

HX_ATTR(no_thread_safety_analysis) void spin_lock(struct spinlock *lock) {
    (void)lock;
}

HX_ATTR(no_thread_safety_analysis) void spin_unlock(struct spinlock *lock) {
    (void)lock;
}

HX_ATTR(no_thread_safety_analysis) unsigned long spin_lock_irq(struct spinlock *lock) {
    (void)lock;
    return 0;
}

HX_ATTR(no_thread_safety_analysis)
void spin_unlock_irq(struct spinlock *lock, unsigned long irq_state) {
    (void)lock;
    (void)irq_state;
}

bool mutex_held(const struct mutex *mutex) {
    (void)mutex;
    return false;
}

HX_ATTR(no_thread_safety_analysis) void mutex_lock(struct mutex *mutex) {
    (void)mutex;
}

HX_ATTR(no_thread_safety_analysis) void mutex_unlock(struct mutex *mutex) {
    (void)mutex;
}

void waitable_init(struct waitable *waitable, uint32_t state) {
    atomic_init(&waitable->state, state);
    atomic_init(&waitable->sequence, 0);
}

void waitable_pulse(struct waitable *waitable) {
    atomic_fetch_add(&waitable->sequence, 1);
}

uint32_t waitable_sequence(const struct waitable *waitable) {
    return atomic_load(&waitable->sequence);
}

static struct thread gates_thread;
static struct hosted_processor gates_processor = { .current = &gates_thread };
_Thread_local struct hosted_processor *hosted_processor;

// None is in use any more. First thing in a test.
static void gates_begin(void) {
    hosted_processor = &gates_processor;
    crowded = NULL;
    for (uint32_t i = 0; i < GATES_MAX; i++) {
        if (gate_at(i) != NULL) {
            gate_release(gate_at(i));
        }
    }
}
