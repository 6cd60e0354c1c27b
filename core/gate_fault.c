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
// A module's spin locks that it holds are given back by the trap itself, whose frame has interrupts
// on afterwards. A stack that overflows is found by a trap on another stack (HAL_FAULT_STACK).
//
// A policy of helix.sched is called with a queue's lock held, and a console for a line of the log
// with the log's, whoever logs it: such a call is guarded. It alone ends, with an error, and who
// made it tells of the death later (core/policy.c, core/log.c).
//
// Not survived: faults with interrupts or preemption off for another reason, and a stack that
// overflows in the kernel's own functions; these end in a panic.
#include "core_private.h"
#include "symbols.h"

#include <core/gate.h>
#include <core/log.h>

#define LOOP_TICKS (1000000000u / TIMER_SAMPLE_NS)

// Whether preemption and interrupts are on, or off by spin locks of modules alone. Those were taken
// in the innermost call: none is made with one held.
static bool modules_spin_alone(const struct thread *thread, bool irq_is_on) {
    uint32_t count = 0;
    for (const struct gate_spin *spin = thread->gate_spins; spin != NULL; spin = spin->next) {
        count++;
    }
    return thread->preempt_off == count && (count == 0 ? irq_is_on : !policy_is_called());
}

// Both are places of one stack.
static bool is_below(const struct gate_spin *spin, const void *place) {
    return (int32_t)(spin->taken_at - (uint32_t)(uintptr_t)place) < 0;
}

// Those that were taken below that place of the stack; NULL: all. With interrupts off. What kept
// them off is gone then.
static void spins_give_back(struct thread *thread, const void *below) NO_LOCK_ANALYSIS {
    struct gate_spin *spin;
    while ((spin = thread->gate_spins) != NULL && (below == NULL || is_below(spin, below))) {
        thread->gate_spins = spin->next;
        spin_unlock_irq(&spin->lock, hal_irq_save());
    }
}

// What was taken inside the guarded call.
static void guarded_give_back(void) {
    spins_give_back(thread_current(), hal_guard_stack());
}

// The guarded call that this processor is in ends here and now.
static NORETURN void guard_die(const char *what, const char *where) {
    guarded_give_back();
    cpu_this()->fall = (struct thread_fall){ .at = time_now(), .what = what, .where = where };
    hal_guard_leave(HX_ERR_PEER_DIED);
}

// Whether this processor is in a guarded call. Interrupts off
static bool is_in_guard(void) {
    return cpu_this()->is_printing || policy_is_called();
}

// With interrupts on nobody makes such calls, and this may be another processor soon.
static bool is_guarded(void) {
    return HAL_GATE_FAULTS && !hal_irq_is_on() && is_in_guard();
}

NORETURN void gate_misuse(const char *what, const char *where) {
    struct thread *thread = thread_current();
    if (is_guarded()) {
        guard_die(what, where);
    }
    ASSERT(gate_current() != NULL && modules_spin_alone(thread, hal_irq_is_on()));
    spins_give_back(thread, NULL);
    hal_irq_on();
    gate_die(what, where);
}

void gate_mutex_lock(struct gate_mutex *mutex) NO_LOCK_ANALYSIS {
    struct thread *thread = thread_current();
    const struct gate *gate = gate_current();
    if (is_guarded()) {
        gate_misuse("mutex taken in atomic context", "hx_mutex_lock");
    }
    if (mutex_held(&mutex->mutex)) {
        gate_misuse("mutex taken twice", "hx_mutex_lock");
    }
    if (thread->gate_spins != NULL) {
        gate_misuse("mutex taken under a spin lock", "hx_mutex_lock");
    }
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
        if (*link == NULL) {
            gate_misuse("mutex given back that is not held", "hx_mutex_unlock");
        }
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

static bool spin_is_held(const struct thread *thread, const struct gate_spin *spin) {
    const struct gate_spin *held = thread->gate_spins;
    while (held != NULL && held != spin) {
        held = held->next;
    }
    return held != NULL;
}

void gate_spin_lock(struct gate_spin *spin) NO_LOCK_ANALYSIS {
    struct thread *thread = thread_current();
    if (spin_is_held(thread, spin)) {
        gate_misuse("spin lock taken twice", "hx_spinlock_acquire");
    }
    const unsigned long state = spin_lock_irq(&spin->lock);
    spin->irq_state = (uint32_t)state;
    spin->taken_at = (uint32_t)(uintptr_t)__builtin_frame_address(0);
    spin->next = thread->gate_spins;
    thread->gate_spins = spin;
}

void gate_spin_unlock(struct gate_spin *spin) NO_LOCK_ANALYSIS {
    struct gate_spin **link = &thread_current()->gate_spins;
    while (*link != spin) {
        if (*link == NULL) {
            gate_misuse("spin lock given back that is not held", "hx_spinlock_release");
        }
        link = &(*link)->next;
    }
    *link = spin->next;
    spin_unlock_irq(&spin->lock, spin->irq_state);
}

void gate_leave(void) {
    mutexes_give_back(thread_current());
    hal_gate_leave(HX_ERR_PEER_DIED);
}

void gate_die(const char *what, const char *where) {
    if (is_guarded()) {
        guard_die(what, where);
    }
    struct gate *gate = gate_current();
    const struct gate_death death = { .at = time_now(), .what = what, .symbol = where };
    gate_death_log(gate, &death);
    gate_kill_module(gate, &death);
    gate_leave();
}

void gate_death_log(const struct gate *gate, const struct gate_death *death) {
    char text[GATE_DEATH_BYTES];
    log_error("module %s, slot %s: %s: its calls are refused", gate_module(gate), gate->slot,
              gate_death_text(death, text, sizeof(text)));
}

struct gate_death fall_death(const struct thread_fall *fall) {
    struct gate_death death = { .at = fall->at, .what = fall->what, .symbol = fall->where };
    if (fall->where == NULL) {
        death.symbol = symbol_find(fall->pc, &death.offset);
        death.address = fall->address;
        death.is_placed = true;
    }
    return death;
}

// What the fallen thread does next, on its own stack, in thread context.
static NORETURN void fall_end(void) {
    struct gate *gate = gate_current();
    const struct gate_death death = fall_death(&thread_current()->fall);
    gate_death_log(gate, &death);
    gate_kill_module(gate, &death);
    gate_leave();
}

static bool fall(struct hal_frame *frame, enum hal_gate_stop stop, const char *what,
                 uint64_t address) {
    struct thread *thread = thread_current();
    const uint64_t pc = hal_frame_pc(frame);
    if (!hal_gate_unwind(frame, stop, fall_end)) {
        return false;
    }
    spins_give_back(thread, NULL);
    thread->fall =
        (struct thread_fall){ .at = time_now(), .what = what, .pc = pc, .address = address };
    return true;
}

const char *gate_fault_name(enum hal_fault_kind kind) {
    static const char *const names[] = {
        [HAL_FAULT_PAGE] = "address",
        [HAL_FAULT_PROTECTION] = "protection",
        [HAL_FAULT_INSTRUCTION] = "instruction",
        [HAL_FAULT_DIVIDE] = "division",
        [HAL_FAULT_BREAKPOINT] = "trap",
        [HAL_FAULT_BUS] = "bus error",
        [HAL_FAULT_STACK] = "stack overflow",
    };
    return (uint32_t)kind < ARRAY_SIZE(names) && names[kind] != NULL ? names[kind] : "fault";
}

#define STACK_ROOM 512u // more than a frame of any machine takes

static enum hal_gate_stop stop_of(const struct hal_frame *frame, const struct hal_fault *fault) {
    const uint64_t low = (uint64_t)(uintptr_t)thread_current()->stack_low;
    return fault->kind != HAL_FAULT_STACK ? HAL_GATE_FAULT
           : hal_frame_sp(frame) < low    ? HAL_GATE_OVERFLOW
                                          : HAL_GATE_INTERRUPT;
}

// Whether it is the thread's own stack that has no room: the guard page, or what is left above it.
static bool is_at_stack_end(const struct hal_frame *frame) {
    const uint64_t low = (uint64_t)(uintptr_t)thread_current()->stack_low;
    return hal_frame_sp(frame) - (low - PAGE_SIZE) <= PAGE_SIZE + STACK_ROOM;
}

bool guard_fault(struct hal_frame *frame, const struct hal_fault *fault) {
    const uint64_t pc = hal_frame_pc(frame);
    if (hal_frame_irq_is_on(frame) || fault->kind == HAL_FAULT_FATAL || !is_in_guard() ||
        (fault->kind == HAL_FAULT_STACK && !is_at_stack_end(frame)) ||
        !hal_guard_unwind(frame, stop_of(frame, fault), HX_ERR_PEER_DIED)) {
        return false;
    }
    guarded_give_back();
    cpu_this()->fall = (struct thread_fall){
        .at = time_now(), .what = gate_fault_name(fault->kind), .pc = pc, .address = fault->address
    };
    trace(TRACE_FAULT, fault->kind == HAL_FAULT_PAGE ? fault->address : pc, fault->access);
    return true;
}

bool gate_fault(struct hal_frame *frame, const struct hal_fault *fault) {
    const bool is_overflow = fault->kind == HAL_FAULT_STACK;
    if (gate_current() == NULL || fault->kind == HAL_FAULT_FATAL ||
        !modules_spin_alone(thread_current(), hal_frame_irq_is_on(frame)) ||
        (is_overflow && !is_at_stack_end(frame))) {
        return false;
    }
    const uint64_t touched = fault->kind == HAL_FAULT_PAGE ? fault->address : hal_frame_pc(frame);
    if (!fall(frame, stop_of(frame, fault), gate_fault_name(fault->kind), fault->address)) {
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
    if (thread_current()->preempt_off != 0 || !fall(frame, HAL_GATE_INTERRUPT, "loop", 0)) {
        timer_tick_soon(); // it is in the kernel's own code, which it leaves
    }
}
