// SPDX-License-Identifier: MIT OR Apache-2.0
// core/gate_fault.c: modules that fault: who was inside comes out.
//
// The thread that faulted gives back the module's mutexes that it holds and goes on behind its
// call, with all else that it held before. Threads that wait for such a mutex come out when they
// get it; others finish what they do, or fault. Nobody gets in any more.
//
// A call that runs for LOOP_TICKS, none of which it waits, is a loop, and ends in the same way; one
// of a module that is dead already, as soon as a tick finds it in the module's code.
//
// Not survived: faults with interrupts or preemption off (methods in atomic context, a module's
// spin locks) and an overflow of the stack; these end in a panic as a fault of the kernel does.
#include "core_private.h"
#include "symbols.h"

#include <core/gate.h>
#include <core/log.h>

#define LOOP_TICKS (1000000000u / TIMER_SAMPLE_NS)

void gate_mutex_lock(struct gate_mutex *mutex) NO_LOCK_ANALYSIS {
    struct thread *thread = thread_current();
    const struct gate *gate = gate_current();
    mutex_lock(&mutex->mutex);
    mutex->next = thread->gate_mutexes;
    mutex->record = thread->context.gates;
    thread->gate_mutexes = mutex;
    if (gate != NULL && gate_is_dead(gate)) {
        gate_leave();
    }
}

void gate_mutex_unlock(struct gate_mutex *mutex) NO_LOCK_ANALYSIS {
    struct gate_mutex **link = &thread_current()->gate_mutexes;
    while (*link != mutex) {
        ASSERT(*link != NULL);
        link = &(*link)->next;
    }
    *link = mutex->next;
    mutex_unlock(&mutex->mutex);
}

// Of the innermost call.
static void mutexes_give_back(struct thread *thread) NO_LOCK_ANALYSIS {
    struct gate_mutex *mutex;
    while ((mutex = thread->gate_mutexes) != NULL && mutex->record == thread->context.gates) {
        gate_mutex_unlock(mutex);
    }
}

void gate_leave(void) {
    mutexes_give_back(thread_current());
    hal_gate_leave(HX_ERR_PEER_DIED);
}

void gate_die(const char *what, const char *where) {
    struct gate *gate = gate_current();
    const struct gate_death death = { time_now(), what, where, 0, 0 };
    log_error("module %s, slot %s: %s in %s: its calls are refused", gate_module(gate), gate->slot,
              what, where);
    gate_kill_module(gate, &death);
    gate_leave();
}

// What the fallen thread does next, on its own stack, in thread context.
static NORETURN void fall_end(void) {
    const struct thread_fall *fall = &thread_current()->fall;
    struct gate *gate = gate_current();
    struct gate_death death = { .at = fall->at, .what = fall->what, .address = fall->address };
    death.symbol = symbol_find(fall->pc, &death.offset);
    log_error("module %s, slot %s: %s at %s+0x%lx, address 0x%lx: its calls are refused",
              gate_module(gate), gate->slot, death.what, death.symbol, (unsigned long)death.offset,
              (unsigned long)death.address);
    gate_kill_module(gate, &death);
    gate_leave();
}

static bool fall(struct hal_frame *frame, enum hal_gate_stop stop, const char *what,
                 uint64_t address) {
    struct thread *thread = thread_current();
    const uint64_t pc = hal_frame_pc(frame);
    if (thread->preempt_off != 0 || !hal_gate_unwind(frame, stop, fall_end)) {
        return false;
    }
    thread->fall = (struct thread_fall){ time_now(), what, pc, address };
    return true;
}

static const char *fault_name(enum hal_fault_kind kind) {
    static const char *const names[] = {
        [HAL_FAULT_PAGE] = "address",
        [HAL_FAULT_PROTECTION] = "protection",
        [HAL_FAULT_INSTRUCTION] = "instruction",
        [HAL_FAULT_DIVIDE] = "division",
        [HAL_FAULT_BREAKPOINT] = "trap",
        [HAL_FAULT_BUS] = "bus error",
    };
    return (uint32_t)kind < ARRAY_SIZE(names) && names[kind] != NULL ? names[kind] : "fault";
}

bool gate_fault(struct hal_frame *frame, const struct hal_fault *fault) {
    if (gate_current() == NULL || fault->kind == HAL_FAULT_FATAL || !hal_irq_is_on()) {
        return false;
    }
    const uint64_t touched = fault->kind == HAL_FAULT_PAGE ? fault->address : hal_frame_pc(frame);
    if (!fall(frame, HAL_GATE_FAULT, fault_name(fault->kind), fault->address)) {
        return false;
    }
    trace(TRACE_FAULT, touched, fault->access);
    return true;
}

// Ticks count rather than time: who waits has none, and a processor that is itself stopped for a
// while, as virtual ones are, has one.
void gate_tick(struct hal_frame *frame) {
    struct hal_gate_record *record = thread_current()->context.gates;
    record->ticks++;
    if (record->ticks < LOOP_TICKS && !gate_is_dead(gate_current())) {
        return;
    }
    if (!fall(frame, HAL_GATE_INTERRUPT, "loop", 0)) {
        timer_tick_soon(); // it is in the kernel's own code, which it leaves
    }
}
