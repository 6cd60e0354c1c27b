// SPDX-License-Identifier: MIT OR Apache-2.0
// <hal_arch/gate.h>: the machine's part of <hal/gate.h>.
#pragma once

#include <helix/types.h>

#define HAL_GATE_FAULTS 1

struct hal_guard {
    uint64_t sp, fp;
};

#define X86_GS_GUARD_SP 1280 // of struct cpu_block
#define X86_GS_GUARD_FP 1288

// No register but these two is kept for the caller, so that nothing else needs to be saved; the way
// back lies below the stack pointer.
static inline enum hx_status x86_guarded_call(uintptr_t method, uintptr_t self, uintptr_t a,
                                              uintptr_t b, uintptr_t c) {
    __asm__ volatile("movq %%rsp, %%gs:%c[sp]\n\t"
                     "movq %%rbp, %%gs:%c[fp]\n\t"
                     "call *%%rax"
                     : "+a"(method), "+D"(self), "+S"(a), "+d"(b), "+c"(c)
                     : [sp] "i"(X86_GS_GUARD_SP), [fp] "i"(X86_GS_GUARD_FP)
                     : "rbx", "r8", "r9", "r10", "r11", "r12", "r13", "r14", "r15", "memory", "cc");
    return (enum hx_status)(int32_t)method;
}

#define X86_GUARDED_CALL(method, self, a, b, c, ...)                                               \
    x86_guarded_call((uintptr_t)(method), (uintptr_t)(self), (uintptr_t)(a), (uintptr_t)(b),       \
                     (uintptr_t)(c))
#define HAL_GUARDED_CALL(method, ...) X86_GUARDED_CALL(method, __VA_ARGS__, 0, 0, 0)
