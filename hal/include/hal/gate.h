// SPDX-License-Identifier: MIT OR Apache-2.0
// <hal/gate.h>: calls into modules: counted, and with a way back when the module is no more.
//
// A call pushes a record on the calling thread's stack: the registers that a call keeps, and the
// record of the call that it is made from. Each processor counts how often each gate was entered
// and left there; a thread may enter on one processor and leave on another, so that only the sums
// mean something. What a closed gate, a dead module and a count are for is core's: <core/gate.h>.
#pragma once

#include <hal/trap.h>
#include <helix/types.h>

#define HAL_GATES_MAX   64u       // gates are numbered 0 … HAL_GATES_MAX - 1; core hands them out
#define HAL_GATE_CLOSED INT64_MIN // no method returns it

struct hal_gate {
    uint32_t number;
    _Atomic uint32_t closed; // not 0: nobody gets in
};

// The innermost one of a thread is `gates` of its struct hal_context, which is the first thing that
// hal_current() points at; NULL: it is in no module. The machine's registers follow.
struct hal_gate_record {
    struct hal_gate_record *outer;
    struct hal_gate *gate;
    uint64_t ticks; // 0 when the call begins; core's from then on
};

// Counts the thread in, then looks whether the gate is closed (no store may be put off behind that
// look but by the processor itself: who closes the gate interrupts all processors), calls
// `method(argument)`, counts the thread out: a release, after which it touches nothing of the
// module. Returns what the method does, or HAL_GATE_CLOSED. Thread context, preemption on.
int64_t hal_gate_call(struct hal_gate *gate, int64_t (*method)(void *argument), void *argument);

enum hal_gate_stop {
    HAL_GATE_FAULT,     // an instruction that cannot go on
    HAL_GATE_INTERRUPT, // between any two instructions
    HAL_GATE_OVERFLOW,  // a fault with the stack pointer beyond the stack's end
};

// Takes the current thread, which is in a call, out of the module's code: as soon as `frame`, which
// is of kernel mode, is gone back to, it calls `then`, interrupts on, which must end with
// hal_gate_leave(). What lies on the stack beyond the innermost record is given up. Returns false,
// and does nothing, if it was not the module that was stopped: its code, a function of lib that it
// called, or a jump to where no code is. Of an interrupt in lib it may be false all the
// same: there are moments when it cannot be told who called. Interrupts on or off.
bool hal_gate_unwind(struct hal_frame *frame, enum hal_gate_stop stop, void (*then)(void));
// Makes the innermost call of the current thread, which is in one, return `result` now. Thread
// context, preemption on.
NORETURN void hal_gate_leave(int64_t result);

// How often a gate was entered on processor `cpu`. An acquire. Any context.
uint64_t hal_gate_entered(uint32_t cpu, uint32_t number);
// How often it was left there. The same.
uint64_t hal_gate_left(uint32_t cpu, uint32_t number);

// Calls of methods in atomic context, which are not counted. HAL_GUARDED_CALL(method, self, …),
// with one to three parameters, each an integer or a pointer, is `method(self, …)` and its status.
// It leaves behind where this processor goes on if the method does not return. Interrupts off. Who
// makes one inside of another keeps the outer one's `struct hal_guard`, which the machine's part
// defines, and puts it back.
struct hal_guard hal_guard(void);
// Puts back what hal_guard() gave. Interrupts off, and they were since then.
void hal_guard_set(struct hal_guard guard);

// The same as hal_gate_unwind() for the guarded call that this processor is in: as soon as `frame`
// is gone back to, the call returns `result`, interrupts off. The caller knows that it is in one.
bool hal_guard_unwind(struct hal_frame *frame, enum hal_gate_stop stop, int64_t result);
// Makes the guarded call that this processor is in return `result` now.
NORETURN void hal_guard_leave(int64_t result);
// What lies below it on the stack is the method's, and of what it called.
const void *hal_guard_stack(void);

// The machine's part defines HAL_GUARDED_CALL() and HAL_GATE_FAULTS: 1 if it goes back from faults
// of modules, 0 if hal_gate_unwind() and hal_guard_unwind() always return false.
#include <hal_arch/gate.h>
