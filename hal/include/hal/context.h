// SPDX-License-Identifier: MIT OR Apache-2.0
// <hal/context.h>: switching stacks, and the registers of user mode that the kernel itself does not
// use.
//
// A context is what a kernel thread is while it does not run; the thread that owns it also owns its
// stack. The machine keeps nothing about threads but what is said here. Machine's part:
// <hal_arch/context.h>, at the end.
#pragma once

#include <helix/types.h>

struct hal_context;
struct hal_gate_record;
struct hal_tls;

// Prepares `context` and the stack below `stack_top` (HAL_STACK_BYTES, aligned to 16, writable) so
// that the first switch to it calls `entry(argument)` with interrupts off; `entry` must not return.
// Leaves room for a frame of user mode at the top (hal_user_frame()). Any context; touches no other
// thread.
void hal_context_init(struct hal_context *context, void *stack_top, void (*entry)(void *),
                      void *argument);

// Releases what the machine keeps for a context that will not run again, before its stack goes. Not
// needed for one that never ran. Thread context; not on the context's own stack.
static inline void hal_context_fini(struct hal_context *context);

// Saves the calling thread into `from` and continues `to`; returns when somebody switches back,
// perhaps on another processor. Interrupts off before and after. The compiler keeps nothing in
// registers across it that a call may change; it orders no memory between processors: the lock that
// the caller holds across it does (core's run queue).
void hal_switch(struct hal_context *from, const struct hal_context *to);

// Tells this processor which stack the next entry from user mode uses: `stack_top` of the thread
// that is about to run. Interrupts off.
void hal_kernel_stack_set(void *stack_top);

// ---- registers of user mode -----------------------------------------------------------------
//
// They stay in the processor while the kernel runs, since it is compiled to use general registers
// only; core saves and restores them when it switches between threads that have them. So the
// functions below act on the calling thread's, in thread context with interrupts on or off, and a
// switch in between does no harm. An area has hal_fpu_size() bytes, aligned to 64, and is the
// caller's; its contents are the machine's.

// The size of an area in bytes; the same for the whole boot. Valid after hal_init_early(). Any
// context.
size_t hal_fpu_size(void);
// Fills an area with the state that a new program starts with. hal_fpu_save() need not write all of
// an area, so each is filled once by this.
void hal_fpu_init(void *area);
// Loads the state that a new program starts with: hal_fpu_init() and hal_fpu_restore() in one.
void hal_fpu_reset(void);
// Stores the registers into `area`; they keep their values.
void hal_fpu_save(void *area);
// Loads the registers from `area`, which hal_fpu_init(), hal_fpu_save() or hal_signal_pop() filled:
// anything else might fault.
void hal_fpu_restore(const void *area);

// Stores the thread-pointer registers of user mode into *out_tls.
void hal_tls_save(struct hal_tls *out_tls);
// Loads them; all values are user addresses, which hal_tls_set() and hal_thread_control() saw to.
void hal_tls_restore(const struct hal_tls *tls);

// The machine's part defines:
//   struct hal_context   a stack pointer, and `gates` (<hal/gate.h>); all zero bits: "never ran"
//   struct hal_tls       all zero bits is what a new program has
//   HAL_STACK_BYTES      the size of a kernel stack, a multiple of a page
#include <hal_arch/context.h>
