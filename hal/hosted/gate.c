// SPDX-License-Identifier: MIT OR Apache-2.0
// hal/hosted/gate.c: what a call into a module leaves behind. A fault of the kernel is one of the
// host's process, so that none is gone back from.
#include "gate.h"

#include "machine.h"
#include "sanitize.h"

#include <hal/gate.h>

_Static_assert(offsetof(struct processor, base.current) == PROCESSOR_CURRENT, "gate.h");
_Static_assert(offsetof(struct processor, gate_entered) == PROCESSOR_ENTERED, "gate.h");
_Static_assert(offsetof(struct processor, gate_left) == PROCESSOR_LEFT, "gate.h");
_Static_assert(offsetof(struct hal_context, gates) == CONTEXT_GATES, "gate.h");
_Static_assert(offsetof(struct hal_gate, number) == GATE_NUMBER, "gate.h");
_Static_assert(offsetof(struct hal_gate, closed) == GATE_CLOSED, "gate.h");

bool hal_gate_unwind(struct hal_frame *frame, enum hal_gate_stop stop, void (*then)(void)) {
    (void)frame, (void)stop, (void)then;
    return false;
}

void hal_gate_leave(int64_t result) {
#if HOSTED_ASAN
    __asan_handle_no_return(); // what is given up is nobody's any more
#endif
    hosted_gate_leave(result);
}

bool hal_guard_unwind(struct hal_frame *frame, enum hal_gate_stop stop, int64_t result) {
    (void)frame, (void)stop, (void)result;
    return false;
}

struct hal_guard hal_guard(void) {
    return (struct hal_guard){ 0 };
}

void hal_guard_set(struct hal_guard guard) {
    (void)guard;
}

const void *hal_guard_stack(void) {
    return NULL; // no call leaves anything behind
}

void hal_guard_leave(int64_t result) {
    (void)result;
    __builtin_trap(); // a way back that no call left
}

uint64_t hal_gate_entered(uint32_t cpu, uint32_t number) {
    return atomic_load_explicit(&hosted_processors[cpu].gate_entered[number], memory_order_acquire);
}

uint64_t hal_gate_left(uint32_t cpu, uint32_t number) {
    return atomic_load_explicit(&hosted_processors[cpu].gate_left[number], memory_order_acquire);
}
