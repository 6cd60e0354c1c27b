// SPDX-License-Identifier: MIT OR Apache-2.0
// vdso_arch.h: the counter, system calls and names of aarch64 (vdso(7), "aarch64 functions").
#pragma once

#include <stdint.h>

#define VDSO_NAME(name)    __kernel_##name
#define VDSO_CLOCK_GETTIME 113
#define VDSO_GETTIMEOFDAY  169
#define VDSO_UNAME         160

// The virtual counter, not read before earlier loads are done (Arm ARM, D11.2.2).
static inline uint64_t vdso_counter(void) {
    uint64_t value;
    __asm__ volatile("isb\n\tmrs %0, cntvct_el0" : "=r"(value) : : "memory");
    return value;
}

static inline int vdso_call(uint64_t number, uint64_t a, uint64_t b) {
    register uint64_t x8 __asm__("x8") = number;
    register uint64_t x0 __asm__("x0") = a;
    register uint64_t x1 __asm__("x1") = b;
    __asm__ volatile("svc #0" : "+r"(x0) : "r"(x8), "r"(x1) : "memory");
    return (int)x0;
}
