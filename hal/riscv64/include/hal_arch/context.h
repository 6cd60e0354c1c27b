// SPDX-License-Identifier: MIT OR Apache-2.0
// <hal_arch/context.h>: the machine's part of <hal/context.h>.
#pragma once

#include <stdint.h>

#define HAL_STACK_BYTES 16384u

struct hal_context {
    void *sp; // the callee-saved registers lie on the thread's own stack
    struct hal_gate_record *gates;
    uint64_t stack_low; // where the stack ends, for trap.S
};

struct hal_tls {
    uint64_t tp;
};

static inline void hal_context_fini(struct hal_context *context) {
    (void)context;
}
