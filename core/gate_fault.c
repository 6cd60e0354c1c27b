// SPDX-License-Identifier: MIT OR Apache-2.0
// core/gate_fault.c: modules that fault: who was inside comes out.
//
// The thread that faulted gives back the module's mutexes that it holds and goes on behind its
// call, with all else that it held before. Threads that wait for such a mutex come out when they
// get it; others finish what they do, or fault. Nobody gets in any more.
//
// Not survived: faults with interrupts or preemption off (methods in atomic context, a module's
// spin locks) and an overflow of the stack; these end in a panic as a fault of the kernel does.
#include "core_private.h"
#include "symbols.h"

#include <core/gate.h>
#include <core/log.h>

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
    struct thread *thread = thread_current();
    struct gate *gate = gate_current();
    const uint64_t pc = hal_frame_pc(frame);
    if (gate == NULL || fault->kind == HAL_FAULT_FATAL || thread->preempt_off != 0 ||
        !hal_irq_is_on() || !hal_gate_unwind(frame, HX_ERR_PEER_DIED)) {
        return false;
    }
    uint64_t offset;
    const char *name = symbol_find(pc, &offset);
    trace(TRACE_FAULT, fault->kind == HAL_FAULT_PAGE ? fault->address : pc, fault->access);
    log_error("module %s, slot %s: fault %u at %s+0x%lx, address 0x%lx: its calls are refused",
              gate_module(gate), gate->slot, (unsigned)fault->kind, name, (unsigned long)offset,
              (unsigned long)fault->address);
    const struct gate_death death = { time_now(), fault_name(fault->kind), name, offset,
                                      fault->address };
    gate_kill_module(gate, &death);
    mutexes_give_back(thread);
    return true;
}
