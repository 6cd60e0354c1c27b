// SPDX-License-Identifier: MIT OR Apache-2.0
// <hal/context.h>: switching stacks, and the registers that the kernel itself does not use.
//
// A context is a stack pointer, with what else the machine needs: the callee-saved registers lie on
// the thread's own stack.
#pragma once

#include <hal_arch/context.h> // struct hal_context; HAL_STACK_BYTES, the size of a kernel stack
#include <helix/types.h>

// Prepares a stack so that the first switch to it calls `entry(argument)`, interrupts off. `entry`
// must not return. The stack has HAL_STACK_BYTES.
void hal_context_init(struct hal_context *context, void *stack_top, void (*entry)(void *),
                      void *argument);

// Releases what the machine keeps for a context that never runs again, before its stack goes. Not
// needed for one that never ran.
void hal_context_fini(struct hal_context *context);

// Saves into `from`, continues `to`. Interrupts off. Returns when somebody switches back.
void hal_switch(struct hal_context *from, const struct hal_context *to);

// Tells the processor which stack the next entry from user mode uses. Interrupts off.
void hal_kernel_stack_set(void *stack_top);

// Floating point and vector state of user mode: `size` bytes aligned to 64.
size_t hal_fpu_size(void);
void hal_fpu_init(void *area); // the state a new program starts with
void hal_fpu_reset(void);      // loads that state
void hal_fpu_save(void *area);
void hal_fpu_restore(const void *area); // needs a checked or own area
// A user-supplied image becomes loadable: reserved bits cleared, sizes checked; false if hopeless.
bool hal_fpu_sanitize(void *area);

// Thread-local-storage registers of user mode.
struct hal_tls {
    uint64_t base;  // FS base on x86_64
    uint64_t base2; // GS base on x86_64
};
void hal_tls_save(struct hal_tls *out_tls);
void hal_tls_restore(const struct hal_tls *tls);
