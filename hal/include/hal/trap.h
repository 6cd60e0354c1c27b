// SPDX-License-Identifier: MIT OR Apache-2.0
// <hal/trap.h>: how the machine calls upward: system calls, faults, interrupts, the timer.
//
// struct hal_frame is the complete user register set, saved at each entry to the kernel on the
// thread's kernel stack; its layout is the machine's (<hal_arch/frame.h>), the accessors below are
// the same everywhere.
#pragma once

#include <hal/cpu.h>
#include <hal_arch/frame.h>
#include <helix/types.h>

// Inline in <hal_arch/frame.h>:
//   bool hal_frame_is_user(const struct hal_frame *)
//   uint64_t hal_frame_pc/sp(const struct hal_frame *), void hal_frame_set_pc/set_sp(f, value)
//   uint64_t hal_frame_syscall_number(f)     as the program gave it
//   uint64_t hal_frame_argument(f, index)    0 … 5
//   void hal_frame_set_result(f, int64_t value)
//   void hal_frame_restart(f, number)        back to the system call instruction: makes this call
//   void hal_frame_init_user(f, pc, sp)      all registers zero, interrupts on, user mode

enum hal_fault_kind {
    HAL_FAULT_PAGE,
    HAL_FAULT_PROTECTION,  // general protection, stack segment, not canonical, …
    HAL_FAULT_INSTRUCTION, // undefined instruction
    HAL_FAULT_DIVIDE,
    HAL_FAULT_FLOAT,
    HAL_FAULT_BREAKPOINT,
    HAL_FAULT_STEP,
    HAL_FAULT_ALIGNMENT,
    HAL_FAULT_OVERFLOW,
    HAL_FAULT_FATAL, // double fault, machine check: no way back
};

#define HAL_ACCESS_READ    0u
#define HAL_ACCESS_WRITE   (1u << 0)
#define HAL_ACCESS_EXECUTE (1u << 1)
#define HAL_ACCESS_PRESENT (1u << 2) // the page was mapped: a permission was missing
#define HAL_ACCESS_USER    (1u << 3) // the access came from user mode

// Why floating point stopped a program, for HAL_FAULT_FLOAT.
enum hal_float_cause {
    HAL_FLOAT_NONE,
    HAL_FLOAT_INVALID,
    HAL_FLOAT_DIVIDE,
    HAL_FLOAT_OVERFLOW,
    HAL_FLOAT_UNDERFLOW,
    HAL_FLOAT_INEXACT,
};

struct hal_fault {
    enum hal_fault_kind kind;
    uint32_t access;                  // HAL_ACCESS_…, for HAL_FAULT_PAGE
    uint64_t address;                 // for HAL_FAULT_PAGE
    enum hal_float_cause float_cause; // for HAL_FAULT_FLOAT
    uint32_t vector;                  // the machine's number
    uint64_t code;                    // the machine's error code
};

// What the machine calls. All are set before interrupts are on; a NULL is a bug.
struct hal_handlers {
    // A system call from user mode. Thread context, interrupts on.
    void (*syscall)(struct hal_frame *frame);
    // A fault that the usercopy fix-ups did not resolve. From user mode: interrupts on. From the
    // kernel: as they were. Returning resumes at the frame's pc.
    void (*fault)(struct hal_frame *frame, const struct hal_fault *fault);
    // A page fault on a user address inside hal_copy_*(), interrupts on. Returns whether to retry;
    // false makes the copy end with what it has.
    bool (*copy_fault)(const struct hal_fault *fault);
    // Device interrupt on a line, masked and acknowledged as its kind needs. Interrupts off.
    void (*interrupt)(uint32_t line);
    void (*timer)(void);            // interrupts off
    void (*ipi)(enum hal_ipi kind); // interrupts off
    // After any interrupt handler, before returning to kernel code that had interrupts on:
    // interrupts off; may switch threads.
    void (*preempt)(void);
    // Before every return to user mode: interrupts off on entry and on return; may turn them on in
    // between, switch, change the frame.
    void (*user_return)(struct hal_frame *frame);
};

void hal_handlers_set(const struct hal_handlers *handlers);

// Starts user mode from the current thread with the frame at the top of its kernel stack, after
// calling user_return. Interrupts may be on.
NORETURN void hal_enter_user(struct hal_frame *frame);

// The frame of the current entry from user mode: its place on a kernel stack is fixed.
struct hal_frame *hal_user_frame(void *stack_top);

// Return addresses of a call chain, innermost first, starting at frame pointer `fp` (0: here);
// never faults on a broken chain. `stack_low`/`stack_high` bound what it may read. Returns how
// many.
uint32_t hal_backtrace(uint64_t fp, const void *stack_low, const void *stack_high,
                       uint64_t *out_addresses, uint32_t capacity);
// Writes the machine's registers through the early console, for a panic.
void hal_frame_print(const struct hal_frame *frame);
uint64_t hal_frame_fp(const struct hal_frame *frame);
