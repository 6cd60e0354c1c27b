// SPDX-License-Identifier: MIT OR Apache-2.0
// hal/hosted/machine.h: what the files of this folder share about processors. Nobody else includes
// it.
#pragma once

#include "host.h"

#include <hal/context.h>
#include <hal/cpu.h>
#include <hal/cpu_start.h>
#include <hal/gate.h>
#include <hal/mmu.h>
#include <hal/trap.h>
#include <helix/types.h>

// What waits to be delivered to a processor. STOP is also looked for in hal_relax().
#define PENDING_CALL       (1u << 0)
#define PENDING_RESCHEDULE (1u << 1)
#define PENDING_STOP       (1u << 2)
#define PENDING_TIMER      (1u << 3)
#define PENDING_DEVICE     (1u << 4)

#define TLB_ENTRIES 64u

// A translation that this processor remembers until it is told to forget it.
struct tlb_entry {
    uint64_t page;  // its address | 1; 0: none
    uint8_t *frame; // in the direct map
    bool write;     // may be written, and the entry says dirty already
};

// All fields are the processor's own, except the atomic ones.
struct processor {
    struct hosted_processor base;                 // first: hosted_this() points at it
    _Atomic uint64_t gate_entered[HAL_GATES_MAX]; // by their numbers: gate.S
    _Atomic uint64_t gate_left[HAL_GATES_MAX];
    _Atomic uint32_t asleep;   // inside hal_idle()
    _Atomic uint64_t deadline; // for the timer's thread; UINT64_MAX: none
    uint64_t timer_at;         // what was asked for last; UINT64_MAX: nothing, or it is over
    uint32_t relaxes;
    void *stack_top; // of the thread that runs
    struct hal_tls tls;
    struct hal_context *left; // across a switch, for sanitizers
    const struct hal_pagetable *table;
    struct hal_context host; // of the host thread's own stack
    void (*entry)(void *);
    void *argument;
    _Atomic uint32_t start; // enum cpu_start
    struct tlb_entry tlb[TLB_ENTRIES];
};

extern struct hal_handlers hosted_handlers;
extern struct processor hosted_processors[HAL_CPU_MAX];

static inline struct processor *this_processor(void) {
    return (struct processor *)(void *)hosted_this();
}

// Marks something pending and wakes the processor if it sleeps. Any context, any host thread.
void processor_interrupt(struct processor *processor, uint32_t bits);

// Handles what is pending without asking for preemption; whether there was anything. Interrupts
// off.
bool hosted_interrupts_handle(void);
// The timer's interrupt: whether what was asked for last is due, which it then is once. Interrupts
// off.
bool hosted_timer_take(void);
// Makes an area that a program wrote safe to load.
void hosted_fpu_sanitize(void *area);
// Binds the calling host thread to a processor. False: it comes too late, and is none.
bool hosted_processor_bind(uint32_t cpu);
// Whether it runs. Acquire: it is bound.
static inline bool processor_is_on(const struct processor *processor) {
    return atomic_load_explicit(&processor->start, memory_order_acquire) == CPU_START_REACHED;
}
// For host_fault_handler().
void hosted_kernel_fault(uint64_t pc, uint64_t sp, uint64_t fp, uint64_t address, bool write);

// hal_gate_leave(), once the sanitizers know.
NORETURN void hosted_gate_leave(int64_t result);
// Saves the registers that a call keeps, and goes on where the other stack was left (switch.S).
void hosted_switch(void **from_sp, void *to_sp);
// What hosted_switch() goes to for entry(argument) to run on an empty stack below `top`, which is
// aligned to 16.
void *hosted_stack_begin(void *top, void (*entry)(void *), void *argument);

// The page-table allocator that memory registered.
struct paddr table_page_alloc(void);
void table_page_free(struct paddr page);
