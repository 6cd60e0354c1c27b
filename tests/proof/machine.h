// SPDX-License-Identifier: MIT OR Apache-2.0
// machine.h: what the proofs of core have in common: its own processors and interrupts, and names
// that it calls but that no proof is about. Behind explore.h, before everything else.
#pragma once

#include "../../core/cpu.c"
#include "../../core/object.c"
#include "../../core/trap.c"

static struct cpu more_cpus[EXPLORE_PROCESSORS - 1];

void panic(const char *format, ...) {
    explore_fail("panic", 0, format);
}

void panic_frame(const struct hal_frame *frame, const char *format, ...) {
    (void)frame;
    explore_fail("panic", 0, format);
}

void trace(enum trace_type type, uint64_t first, uint64_t second) {
    (void)type;
    (void)first;
    (void)second;
}

void trace_name(const struct thread *thread) {
    (void)thread;
}

void trace_setup(struct cpu *cpu) {
    (void)cpu;
}

void account_cpu_setup(struct cpu *cpu) {
    (void)cpu;
}

void account_thread_setup(struct thread *thread) {
    (void)thread;
}

void account_sample(struct thread *thread, bool is_user) {
    (void)thread;
    (void)is_user;
}

bool gate_fault(struct hal_frame *frame, const struct hal_fault *fault) {
    (void)frame;
    (void)fault;
    return false; // no proof has one
}

void gate_tick(struct hal_frame *frame) {
    (void)frame;
}

void log_tell(void) {}

void hal_halt(void) {
    explore_fail(__FILE__, __LINE__, "a processor stops");
}

void hal_ipi_send(uint32_t cpu, enum hal_ipi kind) {
    explore_interrupt_send(cpu, kind);
}

// Behind the kinds of enum hal_ipi.
#define INTERRUPT_TIMER  3u
#define INTERRUPT_DEVICE 4u

// As hal's entry does: the handler, then, in a kernel that had interrupts on, preempt().
void explore_interrupt(uint32_t kind) {
    if (kind == INTERRUPT_TIMER) {
        core_handlers()->timer();
    } else if (kind == INTERRUPT_DEVICE) {
        core_handlers()->interrupt(0);
    } else {
        core_handlers()->ipi((enum hal_ipi)kind);
    }
    core_handlers()->preempt(NULL);
}

// The data of a processor. What queue and timer would want of them is set up by who needs it.
static struct cpu *machine_cpu(uint32_t id) {
    struct cpu *cpu = id == 0 ? &boot_cpu : &more_cpus[id - 1];
    cpu->id = id;
    cpu_table[id] = cpu;
    hal_cpu_data_set(id, cpu);
    online_set(cpu);
    return cpu;
}
