// SPDX-License-Identifier: MIT OR Apache-2.0
// hal/aarch64/gate.c: what a call into a module leaves behind.
#include "block.h"

#include "private.h"

#include <hal/context.h>
#include <hal/gate.h>
#include <hal/mmu.h>
#include <lib/frames.h>

extern char image_start[];
extern char image_modules_start[];
extern char image_modules_end[];
extern char image_lib_end[];
extern char image_text_end[];

void aarch64_gate_unwound(void);

#define DEPTH_MAX 8u // of functions of lib
#define FRAME_FP  29u
#define FRAME_LR  30u

_Static_assert(offsetof(struct cpu_block, gate_entered) == BLOCK_ENTERED, "block.h");
_Static_assert(offsetof(struct cpu_block, gate_left) == BLOCK_LEFT, "block.h");
_Static_assert(offsetof(struct cpu_block, guard) == BLOCK_GUARD, "block.h");
_Static_assert(BLOCK_GUARD == AARCH64_BLOCK_GUARD, "<hal_arch/gate.h>");
_Static_assert(offsetof(struct hal_context, gates) == CONTEXT_GATES, "block.h");
_Static_assert(offsetof(struct hal_gate, number) == GATE_NUMBER, "block.h");
_Static_assert(offsetof(struct hal_gate_record, ticks) == 16, "gate.S");
_Static_assert(offsetof(struct hal_gate, closed) == GATE_CLOSED, "block.h");

static bool lies_in(uint64_t address, const char *start, const char *end) {
    return address >= (uintptr_t)start && address < (uintptr_t)end;
}

static bool is_module(uint64_t address) {
    return lies_in(address, image_modules_start, image_modules_end) ||
           (address >= HAL_MODULES_BASE && address < HAL_VMAP_END);
}

static bool is_lib(uint64_t address) {
    return lies_in(address, image_modules_end, image_lib_end);
}

// The kernel's own code, which may hold something.
static bool is_core(uint64_t address) {
    return lies_in(address, image_start, image_text_end) && !is_module(address) && !is_lib(address);
}

// A function of lib was stopped: did a module call it?
static bool lib_is_called_by_module(const struct hal_frame *frame, const void *stack_high) {
    uint64_t callers[DEPTH_MAX];
    // NOLINTNEXTLINE(performance-no-int-to-ptr): a register
    const uint32_t count =
        frames_walk(frame->x[FRAME_FP], FRAMES_AT, (const void *)(uintptr_t)frame->sp, stack_high,
                    callers, DEPTH_MAX);
    uint32_t i = 0;
    while (i < count && is_lib(callers[i])) {
        i++;
    }
    return i < count && is_module(callers[i]);
}

static bool is_modules_fault(const struct hal_frame *frame, const void *stack_high) {
    const bool is_from_module = is_module(frame->x[FRAME_LR]);
    if (is_module(frame->pc)) {
        return true;
    }
    if (frame->sp >= (uintptr_t)stack_high) {
        return false; // not the stack of the call
    }
    if (is_lib(frame->pc)) { // without a frame of its own, or with one
        return is_from_module || lib_is_called_by_module(frame, stack_high);
    }
    return !lies_in(frame->pc, image_start, image_text_end) && is_from_module;
}

// An interrupt may have come where a function of lib has no frame, or none any more: then the link
// register says who called. Elsewhere it holds an address of lib, or the same one.
static bool is_modules_turn(const struct hal_frame *frame, const void *stack_high) {
    return is_module(frame->pc) ||
           (is_lib(frame->pc) && frame->sp < (uintptr_t)stack_high &&
            !is_core(frame->x[FRAME_LR]) && lib_is_called_by_module(frame, stack_high));
}

static bool is_modules(const struct hal_frame *frame, enum hal_gate_stop stop,
                       const void *stack_high) {
    return stop == HAL_GATE_FAULT ? is_modules_fault(frame, stack_high)
                                  : is_modules_turn(frame, stack_high);
}

// The kernel's own code does not go where no code is, unless a module gave it a method there. A
// module may have called that, jumped there, or gone back to an address that was overwritten:
// nothing tells where it was.
static bool is_nowhere(const struct hal_frame *frame, const void *stack_high) {
    return !is_core(frame->pc) && !is_lib(frame->pc) && frame->sp < (uintptr_t)stack_high;
}

bool hal_gate_unwind(struct hal_frame *frame, enum hal_gate_stop stop, void (*then)(void)) {
    const struct hal_context *context = hal_current();
    const struct hal_gate_record *record = context->gates;
    if (!is_modules(frame, stop, record) &&
        (stop != HAL_GATE_FAULT || !is_nowhere(frame, record))) {
        return false;
    }
    frame->pc = (uint64_t)(uintptr_t)aarch64_gate_unwound;
    frame->x[0] = (uint64_t)(uintptr_t)then;
    frame->sp = (uint64_t)(uintptr_t)record; // of the way back from the emergency stack alone
    frame->pstate &= ~AARCH64_PSTATE_I;
    return true;
}

bool hal_guard_unwind(struct hal_frame *frame, enum hal_gate_stop stop, int64_t result) {
    if (!is_modules(frame, stop, hal_guard_stack())) {
        return false;
    }
    // The way back from the emergency stack restores nothing but these.
    frame->pc = (uint64_t)(uintptr_t)hal_guard_leave;
    frame->x[0] = (uint64_t)result;
    frame->sp = cpu_block()->guard.sp;
    frame->pstate |= AARCH64_PSTATE_I;
    return true;
}

struct hal_guard hal_guard(void) {
    return cpu_block()->guard;
}

void hal_guard_set(struct hal_guard guard) {
    cpu_block()->guard = guard;
}

const void *hal_guard_stack(void) {
    // NOLINTNEXTLINE(performance-no-int-to-ptr): a register
    return (const void *)(uintptr_t)cpu_block()->guard.sp;
}

uint64_t hal_gate_entered(uint32_t cpu, uint32_t number) {
    const struct cpu_block *block = aarch64_blocks[cpu];
    return block == NULL ? 0
                         : atomic_load_explicit(&block->gate_entered[number], memory_order_acquire);
}

uint64_t hal_gate_left(uint32_t cpu, uint32_t number) {
    const struct cpu_block *block = aarch64_blocks[cpu];
    return block == NULL ? 0
                         : atomic_load_explicit(&block->gate_left[number], memory_order_acquire);
}
