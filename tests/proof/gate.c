// SPDX-License-Identifier: MIT OR Apache-2.0
// BY: explore
// gate.c: once a gate is closed nobody is inside until it is opened, though calls have no fence and
// may leave on another processor than they came by; who is inside passes the closed gate, and who
// waits gets in. core/gate.c, cpu_call() and core/trap.c, on three processors: one closes and
// opens, on the second a thread calls, and may be moved to the third while it is inside.
// hal_gate_call() is written out here as the machines' assembly has it.
#include "explore.h"

#include "machine.h"

#include "flat.h"

#include "../../core/gate.c"

const uint32_t explore_marks = 5;

static struct gate *gate;
static _Atomic uint64_t entered[EXPLORE_PROCESSORS], left[EXPLORE_PROCESSORS];
static _Atomic uint32_t gone, back; // the caller's thread, to the third processor
static bool changing;               // what the gate guards
static uint32_t calls;

// What gate.c calls; the real ones have proofs of their own ---------------------------------------

_Atomic uint32_t inject_armed[INJECT_KIND_COUNT];

bool inject_draw(enum inject_kind kind) {
    (void)kind;
    return false;
}

void waitable_init(struct waitable *waitable, uint32_t state) {
    (void)waitable;
    (void)state;
}

void waitable_pulse(struct waitable *waitable) {
    atomic_fetch_add_explicit(&waitable->sequence, 1, memory_order_seq_cst);
}

uint32_t waitable_sequence(const struct waitable *waitable) {
    return atomic_load_explicit(&waitable->sequence, memory_order_seq_cst);
}

enum hx_status wait_change(struct waitable *object, uint32_t sequence, time_ns_t deadline,
                           uint32_t flags) {
    (void)deadline;
    (void)flags;
    REACHED(0); // a call waits
    while (atomic_load_explicit(&object->sequence, memory_order_seq_cst) == sequence) {
        hal_relax();
    }
    return HX_OK;
}

bool patience_wait(struct patience *patience) {
    (void)patience;
    REACHED(1); // somebody is inside
    hal_relax();
    return true;
}

void timer_interrupt(void) {}

void irq_interrupt(uint32_t line) {
    (void)line;
}

// The machine -------------------------------------------------------------------------------------

uint32_t hal_cpu_count(void) {
    return EXPLORE_PROCESSORS;
}

// One instruction, without a lock.
static void count(_Atomic uint64_t *word) {
    const uint64_t before = atomic_load_explicit(word, memory_order_relaxed);
    atomic_store_explicit(word, before + 1, memory_order_relaxed);
}

uint64_t hal_gate_entered(uint32_t cpu, uint32_t number) {
    (void)number;
    return atomic_load_explicit(&entered[cpu], memory_order_acquire);
}

uint64_t hal_gate_left(uint32_t cpu, uint32_t number) {
    (void)number;
    return atomic_load_explicit(&left[cpu], memory_order_acquire);
}

// The run queue's lock is between the two processors, each way.
static void leave_elsewhere(void) {
    atomic_store_explicit(&gone, 1, memory_order_release);
    while (atomic_load_explicit(&back, memory_order_acquire) == 0) {
        hal_relax();
    }
    REACHED(2);
}

static void elsewhere_run(void *argument) {
    (void)argument;
    while (atomic_load_explicit(&gone, memory_order_acquire) == 0) {
        hal_relax();
    }
    if (atomic_load_explicit(&gone, memory_order_relaxed) != 1) {
        return; // it stayed
    }
    count(&left[2]);
    atomic_store_explicit(&back, 1, memory_order_release);
}

int64_t hal_gate_call(struct hal_gate *through, int64_t (*method)(void *argument), void *argument) {
    struct hal_context *context = &thread_current()->context;
    struct hal_gate_record record = { context->gates, through, 0 };
    int64_t result = HAL_GATE_CLOSED;
    context->gates = &record;
    count(&entered[1]);
    if (atomic_load_explicit(&through->closed, memory_order_relaxed) == 0) {
        result = method(argument);
    }
    context->gates = record.outer;
    if (result == HX_OK && record.outer == NULL && explore_choose(2) == 1) {
        leave_elsewhere();
    } else {
        count(&left[1]);
    }
    return result;
}

// The proof ---------------------------------------------------------------------------------------

static int64_t inner(void *argument) {
    (void)argument;
    PROVE(!changing);
    if ((atomic_load_explicit(&gate->hal.closed, memory_order_relaxed) & GATE_CLOSED) != 0) {
        REACHED(3);
    }
    return HX_OK;
}

static int64_t method(void *argument) {
    PROVE(!changing);
    explore_point("inside");
    if (argument != NULL) {
        PROVE(gate_call(gate, inner, NULL) == HX_OK);
    }
    PROVE(!changing);
    calls++;
    return HX_OK;
}

static void closer_run(void *argument) {
    (void)argument;
    PROVE(gate_close(gate, NULL) == HX_OK);
    REACHED(4);
    changing = true;
    explore_point("closed");
    changing = false;
    gate_open(gate);
}

static void caller_run(void *argument) {
    (void)argument;
    PROVE(gate_call(gate, method, explore_choose(2) == 1 ? gate : NULL) == HX_OK);
    if (atomic_load_explicit(&gone, memory_order_relaxed) == 0) {
        atomic_store_explicit(&gone, 2, memory_order_release);
    }
}

void explore_setup(void) {
    PROVE(gate_create("slot", "port", "module", &gate) == HX_OK);
    flat_processor(closer_run);
    flat_processor(caller_run);
    flat_processor(elsewhere_run);
}

bool explore_final(void) {
    return explore_rests(0) && explore_rests(1) && explore_rests(2) && calls == 1;
}
