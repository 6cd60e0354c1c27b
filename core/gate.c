// SPDX-License-Identifier: MIT OR Apache-2.0
// core/gate.c: who is inside a module.
//
// Each processor counts up when a thread enters a gate there and when one leaves. Nobody is inside
// if as many have left as have entered, and that is counted in this order: a thread that was seen
// to leave was seen to enter. It counts only while the gate is closed, and after an interrupt on
// every processor: whoever found the gate open before has counted itself in, where that shows.
#include "core_private.h"

#include <core/gate.h>
#include <core/inject.h>
#include <core/log.h>

#define AWAIT_NS ((time_ns_t)10000000000) // for a next life

static struct gate gates[GATES_MAX];
static _Atomic uint64_t used; // bit per gate

static _Atomic(struct waitable *) mourner; // of gates that nobody supervises
static const struct mutex *_Atomic lives;  // of whoever brings modules to life

static const struct lock_class deaths_class = { "deaths", LOCK_RANK_LEAF, false };
static struct spinlock deaths_lock = SPINLOCK_INIT(&deaths_class);

enum hx_status gate_create(const char *slot, const char *port, const char *module,
                           struct gate **out_gate) {
    uint64_t before = atomic_load_explicit(&used, memory_order_relaxed);
    uint32_t number;
    do {
        if (~before == 0) {
            return HX_ERR_LIMIT;
        }
        number = (uint32_t)__builtin_ctzll(~before);
    } while (!atomic_compare_exchange_weak_explicit(&used, &before, before | UINT64_C(1) << number,
                                                    memory_order_acquire, memory_order_relaxed));
    struct gate *gate = &gates[number];
    gate->hal.number = number;
    gate->slot = slot;
    gate->port = port;
    atomic_store_explicit(&gate->supervisor, NULL, memory_order_relaxed);
    gate->death = (struct gate_death){ 0 };
    gate->is_vacant = false;
    atomic_fetch_and_explicit(&gate->hal.closed, GATE_FAULTS, memory_order_relaxed);
    waitable_init(&gate->changed, 0);
    // Release: who lists the gates takes those that have a module.
    atomic_store_explicit(&gate->module, module, memory_order_release);
    *out_gate = gate;
    return HX_OK;
}

void gate_release(struct gate *gate) {
    atomic_fetch_and_explicit(&gate->hal.closed, GATE_FAULTS, memory_order_relaxed);
    atomic_store_explicit(&gate->module, NULL, memory_order_relaxed);
    atomic_fetch_and_explicit(&used, ~(UINT64_C(1) << gate->hal.number), memory_order_release);
}

struct gate *gate_at(uint32_t number) {
    return number < GATES_MAX && gate_module(&gates[number]) != NULL ? &gates[number] : NULL;
}

// Calls
// --------------------------------------------------------------------------------------------

static bool is_inside(const struct gate *gate) {
    const struct hal_gate_record *record = thread_current()->context.gates;
    while (record != NULL && record->gate->number != gate->hal.number) {
        record = record->outer;
    }
    return record != NULL;
}

struct gate *gate_current(void) {
    const struct hal_gate_record *record = thread_current()->context.gates;
    return record == NULL ? NULL : &gates[record->gate->number];
}

struct attempt {
    struct gate *gate;
    int64_t (*method)(void *argument);
    void *argument;
    bool was_inside;
};

// Counted in by now, so what the gate says holds.
static int64_t call_inside(void *argument) {
    const struct attempt *attempt = argument;
    const uint32_t state = atomic_load_explicit(&attempt->gate->hal.closed, memory_order_acquire);
    if ((state & GATE_DEAD) != 0) {
        return HX_ERR_PEER_DIED;
    }
    if ((state & GATE_CLOSED) != 0 && !attempt->was_inside) {
        return HAL_GATE_CLOSED;
    }
    if ((state & GATE_FAULTS) != 0 && inject_strikes(INJECT_METHOD)) {
        return HX_ERR_PEER_DIED;
    }
    return attempt->method(attempt->argument);
}

// HAL_GATE_CLOSED: it did not get in.
static int64_t try(struct gate *gate, int64_t (*method)(void *argument), void *argument) {
    struct hal_gate open = { .number = gate->hal.number };
    struct attempt attempt = { gate, method, argument, is_inside(gate) };
    return hal_gate_call(&open, call_inside, &attempt);
}

enum hx_status gate_try(struct gate *gate, int64_t (*method)(void *argument), void *argument) {
    const int64_t result = try(gate, method, argument);
    return result == HAL_GATE_CLOSED ? HX_ERR_WOULD_BLOCK : (enum hx_status)result;
}

enum hx_status gate_call_slow(struct gate *gate, int64_t (*method)(void *argument),
                              void *argument) {
    for (;;) {
        const uint32_t sequence = waitable_sequence(&gate->changed);
        const int64_t result = try(gate, method, argument);
        if (result != HAL_GATE_CLOSED) {
            return (enum hx_status)result;
        }
        HX_IGNORE(
            wait_change(&gate->changed, sequence, TIME_NEVER, 0)); // cannot fail without flags
    }
}

// Closing
// ------------------------------------------------------------------------------------------

void gate_count(const struct gate *gate, uint64_t *out_calls, uint64_t *out_inside) {
    const uint32_t number = gate->hal.number;
    uint64_t left = 0;
    uint64_t entered = 0;
    for (uint32_t cpu = 0; cpu < hal_cpu_count(); cpu++) {
        left += hal_gate_left(cpu, number); // an acquire: the sum below is no older
    }
    for (uint32_t cpu = 0; cpu < hal_cpu_count(); cpu++) {
        entered += hal_gate_entered(cpu, number);
    }
    *out_calls = entered;
    *out_inside = entered - left;
}

static bool is_empty(const struct gate *gate) {
    uint64_t calls;
    uint64_t inside;
    gate_count(gate, &calls, &inside);
    return inside == 0;
}

enum hx_status gate_drain(const struct gate *gate, struct patience *patience) {
    cpu_barrier();
    while (!is_empty(gate)) {
        if (!patience_wait(patience)) {
            return HX_ERR_TIMED_OUT;
        }
    }
    return HX_OK;
}

enum hx_status gate_close(struct gate *gate, struct patience *patience) {
    if (is_inside(gate)) {
        return HX_ERR_BUSY;
    }
    // The barrier orders it; who finds it set reads nothing else.
    const uint32_t before =
        atomic_fetch_or_explicit(&gate->hal.closed, GATE_CLOSED, memory_order_relaxed);
    if ((before & GATE_CLOSED) != 0) {
        return HX_ERR_BUSY;
    }
    if ((before & GATE_DEAD) != 0) {
        gate_open(gate);
        return HX_ERR_PEER_DIED;
    }
    enum hx_status status = gate_drain(gate, patience);
    if (status != HX_OK) {
        gate_open(gate);
    }
    return status;
}

static void gate_change(struct gate *gate, uint32_t clear, uint32_t set) {
    // Release: what was changed while it was closed is there for who gets in.
    atomic_fetch_or_explicit(&gate->hal.closed, set, memory_order_release);
    atomic_fetch_and_explicit(&gate->hal.closed, ~clear, memory_order_release);
    waitable_pulse(&gate->changed);
}

void gate_open(struct gate *gate) {
    gate_change(gate, GATE_CLOSED, 0);
}

void gate_ends_watch(struct waitable *heard, const struct mutex *lock) {
    atomic_store_explicit(&lives, lock, memory_order_relaxed); // the store below orders it
    // Release: it is ready to be pulsed.
    atomic_store_explicit(&mourner, heard, memory_order_release);
}

enum hx_status gate_await(struct gate *gate, uint32_t *inout_sequence) {
    const struct mutex *lock = atomic_load_explicit(&lives, memory_order_relaxed);
    enum hx_status status = lock != NULL && mutex_held(lock) ? HX_ERR_PEER_DIED : HX_OK;
    const time_ns_t deadline = time_now() + AWAIT_NS;
    uint32_t sequence = waitable_sequence(&gate->changed);
    while (status == HX_OK && gate_is_dead(gate) && !gate_is_gone(gate)) {
        status = wait_change(&gate->changed, sequence, deadline, 0);
        sequence = waitable_sequence(&gate->changed);
    }
    // Acquire: who finds it alive finds that it was dead, which was told before.
    const uint32_t state = atomic_load_explicit(&gate->hal.closed, memory_order_acquire);
    sequence = waitable_sequence(&gate->changed);
    const bool was_dead = sequence != *inout_sequence;
    *inout_sequence = sequence;
    return status == HX_OK && was_dead && (state & GATE_DEAD) == 0 ? HX_OK : HX_ERR_PEER_DIED;
}

// Relaxed: it is looked at by those who were told.
static struct waitable *supervisor_of(const struct gate *gate) {
    return atomic_load_explicit(&gate->supervisor, memory_order_relaxed);
}

// Several threads may die at once: the first death counts.
static void death_note(struct gate *gate, const struct gate_death *death) {
    const unsigned long irq = spin_lock_irq(&deaths_lock);
    if (!gate_is_dead(gate)) {
        const bool is_gone = supervisor_of(gate) == NULL;
        gate->death = *death;
        atomic_fetch_or_explicit(&gate->hal.closed, GATE_DEAD | (is_gone ? GATE_GONE : 0),
                                 memory_order_relaxed);
    }
    spin_unlock_irq(&deaths_lock, irq);
    waitable_pulse(&gate->changed);
}

void gate_kill_module(const struct gate *gate, const struct gate_death *death) {
    const char *module = gate_module(gate);
    for (uint32_t i = 0; i < GATES_MAX; i++) {
        if (gate_module(&gates[i]) == module) {
            death_note(&gates[i], death);
        }
    }
    struct waitable *told = supervisor_of(gate);
    told = told != NULL ? told : atomic_load_explicit(&mourner, memory_order_acquire);
    if (told != NULL) {
        waitable_pulse(told);
    }
}

void gate_death(const struct gate *gate, struct gate_death *out_death) {
    const unsigned long irq = spin_lock_irq(&deaths_lock);
    *out_death = gate->death;
    spin_unlock_irq(&deaths_lock, irq);
}

// The barrier: a processor that finds it open finds what was installed, too.
void gate_revive(struct gate *gate) {
    cpu_barrier();
    gate_change(gate, GATE_DEAD, 0);
}

void gate_give_up(struct gate *gate) {
    gate_change(gate, 0, GATE_DEAD | GATE_GONE);
}

void gate_return(struct gate *gate) {
    gate_change(gate, GATE_GONE, 0);
}

void gate_faults_set(bool on) {
    for (uint32_t i = 0; i < GATES_MAX; i++) {
        if (on) {
            atomic_fetch_or_explicit(&gates[i].hal.closed, GATE_FAULTS, memory_order_relaxed);
        } else {
            atomic_fetch_and_explicit(&gates[i].hal.closed, ~GATE_FAULTS, memory_order_relaxed);
        }
    }
}
