// SPDX-License-Identifier: MIT OR Apache-2.0
// BY: cbmc --unwind 5 --object-bits 10
// gate_values.c: of core/gate.c: what becomes of a call in each state of its gate; that closing a
// gate, whatever comes of it, leaves it closed or just as it was; that a gate is handed out once;
// and that the sums of counters, wherever these are on their way round, tell how many are inside.
// What several processors make of it together is gate.c's.
#include "values.h"

#include "../../core/gate.c"

#define CPUS 2u

_Atomic uint32_t inject_armed[INJECT_KIND_COUNT];

static struct thread thread;
static uint64_t entered[CPUS], left[CPUS];
static uint32_t called, barriers;
static bool strikes;

// What gate.c calls -------------------------------------------------------------------------------

void *explore_current(void) {
    return &thread;
}

void explore_irq_set(bool on) {
    (void)on;
}

bool explore_irq_is_on(void) {
    return true;
}

bool inject_draw(enum inject_kind kind) {
    PROVE(kind == INJECT_METHOD);
    return strikes;
}

void waitable_init(struct waitable *waitable, uint32_t state) {
    (void)waitable;
    (void)state;
}

void waitable_pulse(struct waitable *waitable) {
    (void)waitable;
}

uint32_t waitable_sequence(const struct waitable *waitable) {
    (void)waitable;
    return 0;
}

time_ns_t time_now(void) {
    return (time_ns_t)(nondet_u64() >> 2);
}

// Nobody waits for ever for who is inside. Meanwhile one of those leaves, or nobody does.
bool patience_wait(struct patience *patience) {
    if (patience->left_ns == 0) {
        return false;
    }
    patience->left_ns--;
    left[0] += nondet_bool() ? 1 : 0;
    return true;
}

void cpu_barrier(void) {
    barriers++;
}

uint32_t hal_cpu_count(void) {
    return CPUS;
}

uint64_t hal_gate_entered(uint32_t cpu, uint32_t number) {
    (void)number;
    return entered[cpu];
}

uint64_t hal_gate_left(uint32_t cpu, uint32_t number) {
    (void)number;
    return left[cpu];
}

void spin_lock(struct spinlock *lock) {
    (void)lock;
}

void spin_unlock(struct spinlock *lock) {
    (void)lock;
}

unsigned long spin_lock_irq(struct spinlock *lock) {
    (void)lock;
    return 0;
}

void spin_unlock_irq(struct spinlock *lock, unsigned long state) {
    (void)lock;
    (void)state;
}

// The proof ---------------------------------------------------------------------------------------

static int64_t method(void *argument) {
    (void)argument;
    called++;
    return HX_OK;
}

static struct gate *any_gate(void) {
    static struct gate gate;
    gate.hal.number = 3;
    gate.hal.closed = any_below(16);
    return &gate;
}

// A call that was counted in.
static void prove_call(void) {
    struct gate *gate = any_gate();
    const uint32_t state = gate->hal.closed;
    struct attempt attempt = { gate, method, NULL, nondet_bool() };
    inject_armed[INJECT_METHOD] = 1;
    strikes = nondet_bool();
    const int64_t result = call_inside(&attempt);
    const bool is_refused = (state & GATE_FAULTS) != 0 && strikes;
    if ((state & GATE_DEAD) != 0) {
        PROVE(called == 0 && result == HX_ERR_PEER_DIED);
        REACHED(0);
    } else if ((state & GATE_CLOSED) != 0 && !attempt.was_inside) {
        PROVE(called == 0 && result == HAL_GATE_CLOSED);
        REACHED(1);
    } else if (is_refused) {
        PROVE(called == 0 && result == HX_ERR_PEER_DIED);
        REACHED(2);
    } else {
        PROVE(called == 1 && result == HX_OK);
        REACHED(3);
    }
}

// Counters anywhere on their way round, of which the second processor's has just come round; one
// thread left on another processor than it came by.
static void any_counters(uint64_t inside) {
    entered[0] = nondet_u64();
    entered[1] = 0;
    left[0] = entered[0] - inside + 1;
    left[1] = UINT64_MAX;
}

static void prove_close(void) {
    struct gate *gate = any_gate();
    struct hal_gate record_gate = { .number = any_below(5) };
    struct hal_gate_record record = { NULL, &record_gate };
    const uint32_t before = gate->hal.closed;
    const bool is_caller_inside = nondet_bool() && record_gate.number == 3;
    thread.context.gates = is_caller_inside ? &record : NULL;
    any_counters(any_below(3));
    struct patience patience = { .left_ns = any_below(3) };
    const enum hx_status status = gate_close(gate, &patience);
    if (status == HX_OK) {
        PROVE(!is_caller_inside && (before & (GATE_CLOSED | GATE_DEAD)) == 0);
        PROVE(gate->hal.closed == (before | GATE_CLOSED));
        PROVE(barriers == 1 && left[0] + left[1] == entered[0] + entered[1]);
        REACHED(4);
        gate_open(gate);
        PROVE(gate->hal.closed == before);
    } else {
        PROVE(gate->hal.closed == before);
    }
    if (status == HX_ERR_TIMED_OUT) {
        REACHED(5);
    } else if (status == HX_ERR_PEER_DIED) {
        PROVE((before & GATE_DEAD) != 0);
        REACHED(6);
    } else if (status == HX_ERR_BUSY) {
        PROVE(is_caller_inside || (before & GATE_CLOSED) != 0);
        REACHED(7);
    }
}

static void prove_count(void) {
    struct gate *gate = any_gate();
    uint64_t calls, inside;
    const uint64_t truth = any_below(4);
    any_counters(truth);
    gate_count(gate, &calls, &inside);
    PROVE(inside == truth && calls == entered[0] + entered[1]);
    REACHED(8);
}

int main(void) {
    switch (any_below(3)) {
    case 0:
        prove_call();
        break;
    case 1:
        prove_close();
        break;
    default:
        prove_count();
    }
    return 0;
}
