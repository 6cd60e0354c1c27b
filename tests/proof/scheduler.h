// SPDX-License-Identifier: MIT OR Apache-2.0
// scheduler.h: core/thread.c, core/sched.c and core/queue.c with real switches, for proofs about
// blocking and waking; what they call is here.
#pragma once

#include "explore.h"

#include "machine.h"

#include "../../core/lock_spin.c"
#include "../../core/queue.c"
#include "../../core/sched.c"
#include "../../core/thread.c"

uint64_t timer_sample_ticks, timer_look_ticks;
_Atomic uint32_t inject_armed[INJECT_KIND_COUNT]; // nothing goes wrong on purpose

bool inject_draw(enum inject_kind kind) {
    (void)kind;
    return false;
}

void timer_program(struct cpu *cpu, uint64_t counter) {
    (void)cpu;
    (void)counter;
}

void timer_tick_begin(struct cpu *cpu, uint64_t now) {
    (void)cpu;
    (void)now;
}

void timer_interrupt(void) {}

void irq_interrupt(uint32_t line) {
    (void)line;
}

uint64_t input_counter(void) {
    return 0;
}

void trace_at(uint64_t counter, enum trace_type type, uint64_t first, uint64_t second) {
    (void)counter;
    (void)type;
    (void)first;
    (void)second;
}

time_ns_t time_ticks_to_span(uint64_t ticks) {
    (void)ticks;
    return 0;
}

uint64_t time_span_to_ticks(time_ns_t span) {
    return (uint64_t)span;
}

enum hx_status policy_init(void) {
    return HX_OK;
}

void policy_note_failure(uint64_t number, enum hx_status status) {
    (void)number;
    (void)status;
}

void policy_setup(struct cpu *cpu) {
    (void)cpu;
}

// Kernel threads only: they have no user half.
void core_aspace_activate(struct core_aspace *aspace) {
    (void)aspace;
}

void hal_kernel_stack_set(void *stack_top) {
    (void)stack_top;
}

void hal_fpu_save(void *area) {
    (void)area;
}

void hal_fpu_restore(const void *area) {
    (void)area;
}

void hal_tls_save(struct hal_tls *out_tls) {
    (void)out_tls;
}

void hal_tls_restore(const struct hal_tls *tls) {
    (void)tls;
}

bool string_copy(char *to, size_t capacity, const char *from) {
    (void)to;
    (void)capacity;
    (void)from;
    return true;
}

void waitable_init(struct waitable *waitable, uint32_t state) {
    (void)waitable;
    (void)state;
}

static void idle_run(void *argument) {
    (void)argument;
    hal_irq_off();
    sched_run_idle();
}

static void statistics_ignore(struct thread *thread) {
    explore_ignore(&thread->switches_voluntary, sizeof(thread->switches_voluntary));
    explore_ignore(&thread->switches_forced, sizeof(thread->switches_forced));
    explore_ignore(&thread->run_start, sizeof(thread->run_start));
    explore_ignore(&thread->run_ticks, sizeof(thread->run_ticks));
    explore_ignore(&thread->ran, sizeof(thread->ran));
}

static void processor_setup(uint32_t id) {
    struct cpu *cpu = machine_cpu(id);
    struct thread *idle = &cpu->idle;
    sched_setup(cpu);
    thread_setup(idle, "idle", NULL, 0);
    idle->preempt_off = 1;
    atomic_store_explicit(&idle->cpu, id, memory_order_relaxed);
    atomic_store_explicit(&idle->state, THREAD_RUNNING, memory_order_relaxed);
    atomic_store_explicit(&idle->on_cpu, true, memory_order_relaxed);
    cpu->queue.current = idle;
    explore_ignore(&cpu->switches, sizeof(cpu->switches));
    statistics_ignore(idle);
    explore_processor(idle, idle_run, NULL);
}

static void thread_setup_on(struct thread *thread, void (*body)(void *)) {
    thread_init(thread, "thread", explore_stack(), EXPLORE_STACK_BYTES, body, NULL);
    thread_start(thread);
    statistics_ignore(thread);
}
