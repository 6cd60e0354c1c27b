// SPDX-License-Identifier: MIT OR Apache-2.0
// vdso_arch.h: the counter, system calls and names of riscv64 (vdso(7), "RISC-V functions").
#pragma once

#include <stdint.h>

#define VDSO_NAME(name)    __vdso_##name
#define VDSO_CLOCK_GETTIME 113
#define VDSO_GETTIMEOFDAY  169
#define VDSO_UNAME         160

// Not read before earlier loads are done, and before later accesses: the counter counts as input
// (unprivileged ISA, 2.7 and 11.1).
static inline uint64_t vdso_counter(void) {
    uint64_t value;
    __asm__ volatile("fence r, i\n\trdtime %0\n\tfence i, rw" : "=r"(value) : : "memory");
    return value;
}

static inline int vdso_call(uint64_t number, uint64_t a, uint64_t b) {
    register uint64_t a7 __asm__("a7") = number;
    register uint64_t a0 __asm__("a0") = a;
    register uint64_t a1 __asm__("a1") = b;
    __asm__ volatile("ecall" : "+r"(a0) : "r"(a7), "r"(a1) : "memory");
    return (int)a0;
}
