// SPDX-License-Identifier: MIT OR Apache-2.0
// <hal_arch/context.h>: the machine's part of <hal/context.h>.
#pragma once

#include <stddef.h>
#include <stdint.h>

// The host's libc runs on kernel stacks too, and sanitizers make frames larger.
#define HAL_STACK_BYTES 65536u

struct hal_context {
    void *sp;
    void *fiber;             // TSan's name for it; made when it first runs
    struct stack_head *head; // of a kernel stack (hal/hosted/user.h); NULL: a host thread's
    char *stack_low;         // a host thread's is known once it was left
    size_t stack_bytes;
    struct hal_gate_record *gates;
};

struct hal_tls {
    uint64_t base;
};

void hosted_context_fini(struct hal_context *context);

static inline void hal_context_fini(struct hal_context *context) {
    hosted_context_fini(context);
}
