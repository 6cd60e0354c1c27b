// SPDX-License-Identifier: MIT OR Apache-2.0
// <hal_arch/gate.h>: the machine's part of <hal/gate.h>.
#pragma once

#include <hal_arch/cpu.h>
#include <helix/types.h>

#define HAL_GATE_FAULTS 1

struct hal_guard {
    uint64_t sp, pc, fp; // stack pointer, way back, frame pointer
};

#define AARCH64_BLOCK_GUARD 64 // of struct cpu_block

// No register but these is kept for the caller, so that nothing else needs to be saved.
static inline enum hx_status aarch64_guarded_call(uintptr_t method, uintptr_t self, uintptr_t a,
                                                  uintptr_t b, uintptr_t c) {
    register uintptr_t x0 __asm__("x0") = self;
    register uintptr_t x1 __asm__("x1") = a;
    register uintptr_t x2 __asm__("x2") = b;
    register uintptr_t x3 __asm__("x3") = c;
    register uintptr_t x8 __asm__("x8") = method;
    register char *x9 __asm__("x9") = aarch64_block();
    __asm__ volatile("mov x10, sp\n\t"
                     "adr x11, 661f\n\t"
                     "stp x10, x11, [x9, #%c[guard]]\n\t"
                     "str x29, [x9, #%c[guard] + 16]\n\t"
                     "blr x8\n"
                     "661:"
                     : "+r"(x0), "+r"(x1), "+r"(x2), "+r"(x3), "+r"(x8), "+r"(x9)
                     : [guard] "i"(AARCH64_BLOCK_GUARD)
                     : "x4", "x5", "x6", "x7", "x10", "x11", "x12", "x13", "x14", "x15", "x16",
                       "x17", "x19", "x20", "x21", "x22", "x23", "x24", "x25", "x26", "x27", "x28",
                       "x30", "memory", "cc");
    return (enum hx_status)(int32_t)x0;
}

#define AARCH64_GUARDED_CALL(method, self, a, b, c, ...)                                           \
    aarch64_guarded_call((uintptr_t)(method), (uintptr_t)(self), (uintptr_t)(a), (uintptr_t)(b),   \
                         (uintptr_t)(c))
#define HAL_GUARDED_CALL(method, ...) AARCH64_GUARDED_CALL(method, __VA_ARGS__, 0, 0, 0)
