// SPDX-License-Identifier: MIT OR Apache-2.0
// <hal_arch/gate.h>: the machine's part of <hal/gate.h>.
#pragma once

#include <helix/types.h>

#define HAL_GATE_FAULTS 1

struct hal_guard {
    uint64_t sp, pc, fp; // stack pointer, way back, frame pointer
};

#define RISCV64_BLOCK_GUARD 104 // of struct cpu_block

// No register but these is kept for the caller, so that nothing else needs to be saved.
static inline enum hx_status riscv64_guarded_call(uintptr_t method, uintptr_t self, uintptr_t a,
                                                  uintptr_t b, uintptr_t c) {
    register uintptr_t a0 __asm__("a0") = self;
    register uintptr_t a1 __asm__("a1") = a;
    register uintptr_t a2 __asm__("a2") = b;
    register uintptr_t a3 __asm__("a3") = c;
    register uintptr_t t1 __asm__("t1") = method;
    __asm__ volatile("lla t0, 661f\n\t"
                     "sd sp, %[guard](tp)\n\t"
                     "sd t0, %[guard] + 8(tp)\n\t"
                     "sd s0, %[guard] + 16(tp)\n\t"
                     "jalr t1\n"
                     "661:"
                     : "+r"(a0), "+r"(a1), "+r"(a2), "+r"(a3), "+r"(t1)
                     : [guard] "i"(RISCV64_BLOCK_GUARD)
                     : "a4", "a5", "a6", "a7", "t0", "t2", "t3", "t4", "t5", "t6", "s1", "s2", "s3",
                       "s4", "s5", "s6", "s7", "s8", "s9", "s10", "s11", "ra", "memory");
    return (enum hx_status)(int32_t)a0;
}

#define RISCV64_GUARDED_CALL(method, self, a, b, c, ...)                                           \
    riscv64_guarded_call((uintptr_t)(method), (uintptr_t)(self), (uintptr_t)(a), (uintptr_t)(b),   \
                         (uintptr_t)(c))
#define HAL_GUARDED_CALL(method, ...) RISCV64_GUARDED_CALL(method, __VA_ARGS__, 0, 0, 0)
