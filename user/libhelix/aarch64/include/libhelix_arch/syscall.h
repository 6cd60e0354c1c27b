// SPDX-License-Identifier: MIT OR Apache-2.0
// <libhelix_arch/syscall.h>: how aarch64 enters the kernel: SVC #0 with the number in x8; all other
// registers but x0 stay as they are.
#pragma once

#include <stdint.h>

// A native call with up to six arguments; one that takes fewer does not look at the others.
static inline int64_t libhelix_syscall(uint64_t number, uint64_t a, uint64_t b, uint64_t c,
                                       uint64_t d, uint64_t e, uint64_t f) {
    register uint64_t x8 __asm__("x8") = number;
    register uint64_t x0 __asm__("x0") = a;
    register uint64_t x1 __asm__("x1") = b;
    register uint64_t x2 __asm__("x2") = c;
    register uint64_t x3 __asm__("x3") = d;
    register uint64_t x4 __asm__("x4") = e;
    register uint64_t x5 __asm__("x5") = f;
    __asm__ volatile("svc #0"
                     : "+r"(x0)
                     : "r"(x8), "r"(x1), "r"(x2), "r"(x3), "r"(x4), "r"(x5)
                     : "memory");
    return (int64_t)x0;
}
