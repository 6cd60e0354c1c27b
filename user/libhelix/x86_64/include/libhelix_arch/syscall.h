// SPDX-License-Identifier: MIT OR Apache-2.0
// <libhelix_arch/syscall.h>: how x86_64 enters the kernel: `syscall` with the number in rax; it
// loses rcx and r11 (System V ABI, AMD64 supplement, A.2.1).
#pragma once

#include <stdint.h>

// A native call with up to six arguments; one that takes fewer does not look at the others.
static inline int64_t libhelix_syscall(uint64_t number, uint64_t a, uint64_t b, uint64_t c,
                                       uint64_t d, uint64_t e, uint64_t f) {
    int64_t result;
    register uint64_t fourth __asm__("r10") = d;
    register uint64_t fifth __asm__("r8") = e;
    register uint64_t sixth __asm__("r9") = f;
    __asm__ volatile("syscall"
                     : "=a"(result)
                     : "a"(number), "D"(a), "S"(b), "d"(c), "r"(fourth), "r"(fifth), "r"(sixth)
                     : "rcx", "r11", "memory");
    return result;
}
