// SPDX-License-Identifier: MIT OR Apache-2.0
// BY: explore
// trace.c: two events of a type, traced by a thread and by an interrupt in the middle of it, are
// counted as two, and are there in the end: core/trace.c, on one processor.
#include "explore.h"

#include "../../core/trace.c"

const uint32_t explore_marks = 1;

struct cpu *cpu_table[CPU_MAX];
static struct cpu cpu;
static struct thread thread;
static struct trace_slot slots[4];
static bool is_inside, is_done, is_interrupted;

uint64_t input_counter(void) {
    return 7;
}

void preempt_slow(void) {
    PROVE(!"nobody asked for it");
}

static void traces(void *argument) {
    (void)argument;
    is_inside = true;
    trace(TRACE_WAKE, 1, 0);
    is_inside = false;
    is_done = true;
}

void explore_interrupt(uint32_t kind) {
    (void)kind;
    if (is_inside) {
        REACHED(0);
    }
    trace(TRACE_WAKE, 2, 0);
    is_interrupted = true;
}

static void interrupts(void *argument) {
    (void)argument;
    explore_interrupt_send(0, 0);
}

void explore_setup(void) {
    static struct thread other;
    cpu.trace_slots = slots;
    cpu.trace_mask = ARRAY_SIZE(slots) - 1;
    cpu_table[0] = &cpu;
    hal_cpu_data_set(0, &cpu);
    explore_processor(&thread, traces, NULL);
    explore_processor(&other, interrupts, NULL);
}

bool explore_final(void) {
    struct trace_event events[2];
    return is_done && is_interrupted && trace_count(TRACE_WAKE) == 2 && trace_last(events, 2) == 2;
}
