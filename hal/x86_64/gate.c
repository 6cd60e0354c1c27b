// SPDX-License-Identifier: MIT OR Apache-2.0
// hal/x86_64/gate.c: what a call into a module leaves behind.
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

#define DEPTH_MAX 8u // of functions of lib

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
    const uint32_t count = frames_walk(frame->rbp, FRAMES_AT, (const void *)(uintptr_t)frame->rsp,
                                       stack_high, callers, DEPTH_MAX);
    uint32_t i = 0;
    while (i < count && is_lib(callers[i])) {
        i++;
    }
    return i < count && is_module(callers[i]);
}

static bool is_modules_fault(const struct hal_frame *frame, const void *stack_high) {
    // NOLINTNEXTLINE(performance-no-int-to-ptr): a register
    const uint64_t *top = (const uint64_t *)(uintptr_t)frame->rsp;
    if (is_module(frame->rip)) {
        return true;
    }
    if ((uintptr_t)top >= (uintptr_t)stack_high || frame->rsp % sizeof(*top) != 0) {
        return false; // not the stack of the call
    }
    if (is_lib(frame->rip)) { // without a frame of its own, or with one
        return is_module(*top) || lib_is_called_by_module(frame, stack_high);
    }
    // A call of nowhere has just pushed where it came from.
    return !lies_in(frame->rip, image_start, image_text_end) && is_module(*top);
}

// An interrupt may have come where a function of lib has no frame, or none any more: then it was
// called from the address on top of the stack, or, if it has just pushed the frame pointer, from
// the next one. Elsewhere anything may be there, the kernel's code, too, and this is tried again.
static bool is_modules_turn(const struct hal_frame *frame, const void *stack_high) {
    // NOLINTNEXTLINE(performance-no-int-to-ptr): a register
    const uint64_t *top = (const uint64_t *)(uintptr_t)frame->rsp;
    if (is_module(frame->rip)) {
        return true;
    }
    if (!is_lib(frame->rip) || (uintptr_t)top >= (uintptr_t)stack_high) {
        return false;
    }
    return !is_core(top[*top == frame->rbp ? 1 : 0]) && lib_is_called_by_module(frame, stack_high);
}

// What the stack pointer points at cannot be read, and a function that has moved it so far has its
// frame.
static bool is_modules_overflow(const struct hal_frame *frame, const void *stack_high) {
    return is_module(frame->rip) ||
           (is_lib(frame->rip) && lib_is_called_by_module(frame, stack_high));
}

static bool is_modules(const struct hal_frame *frame, enum hal_gate_stop stop,
                       const void *stack_high) {
    switch (stop) {
    case HAL_GATE_INTERRUPT:
        return is_modules_turn(frame, stack_high);
    case HAL_GATE_OVERFLOW:
        return is_modules_overflow(frame, stack_high);
    default:
        return is_modules_fault(frame, stack_high);
    }
}

// The kernel's own code does not go where no code is, unless a module gave it a method there. A
// module may have called that, jumped there, or gone back to an address that was overwritten:
// nothing tells where it was.
static bool is_nowhere(const struct hal_frame *frame, const void *stack_high) {
    return !is_core(frame->rip) && !is_lib(frame->rip) && frame->rsp < (uintptr_t)stack_high;
}

bool hal_gate_unwind(struct hal_frame *frame, enum hal_gate_stop stop, void (*then)(void)) {
    const struct hal_context *context = hal_current();
    const struct hal_gate_record *record = context->gates;
    if (!is_modules(frame, stop, record) &&
        (stop != HAL_GATE_FAULT || !is_nowhere(frame, record))) {
        return false;
    }
    frame->rip = (uint64_t)(uintptr_t)then;
    frame->rsp = (uint64_t)(uintptr_t)record - sizeof(uint64_t); // as behind a call
    frame->rbp = 0;                                              // a chain of calls begins here
    frame->rflags = (frame->rflags & ~(uint64_t)(RFLAGS_TF | RFLAGS_DF | RFLAGS_AC)) | RFLAGS_IF;
    return true;
}

bool hal_guard_unwind(struct hal_frame *frame, enum hal_gate_stop stop, int64_t result) {
    const struct cpu_block *block = cpu_block();
    // NOLINTNEXTLINE(performance-no-int-to-ptr): a register
    const uint64_t *stack = (const uint64_t *)(uintptr_t)block->guard.sp;
    if (!is_modules(frame, stop, stack)) {
        return false;
    }
    frame->rip = stack[-1]; // where the call returns to
    frame->rsp = block->guard.sp;
    frame->rbp = block->guard.fp;
    frame->rax = (uint64_t)result;
    frame->rflags &= ~(uint64_t)(RFLAGS_TF | RFLAGS_DF | RFLAGS_AC | RFLAGS_IF);
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

// The counts are written by single instructions of their processor; loads are acquires (SDM 3A
// 8.2.2).
uint64_t hal_gate_entered(uint32_t cpu, uint32_t number) {
    const struct cpu_block *block = x86_cpu_blocks[cpu];
    return block == NULL ? 0
                         : atomic_load_explicit(&block->gate_entered[number], memory_order_acquire);
}

uint64_t hal_gate_left(uint32_t cpu, uint32_t number) {
    const struct cpu_block *block = x86_cpu_blocks[cpu];
    return block == NULL ? 0
                         : atomic_load_explicit(&block->gate_left[number], memory_order_acquire);
}
