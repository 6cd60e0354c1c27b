// SPDX-License-Identifier: MIT OR Apache-2.0
// vdso_arch.h: the counter, system calls and names of x86_64 (vdso(7), "x86-64 functions").
#pragma once

#include <stdint.h>

#define VDSO_NAME(name) __vdso_##name
#define VDSO_HAS_TIME
#define VDSO_CLOCK_GETTIME 228
#define VDSO_GETTIMEOFDAY  96
#define VDSO_UNAME         63

// Not read before earlier loads are done: RDTSC waits for nothing (SDM 2B).
static inline uint64_t vdso_counter(void) {
    uint32_t low, high;
    __asm__ volatile("lfence; rdtsc" : "=a"(low), "=d"(high) : : "memory");
    return (uint64_t)high << 32 | low;
}

static inline int vdso_call(uint64_t number, uint64_t a, uint64_t b) {
    int64_t result;
    __asm__ volatile("syscall"
                     : "=a"(result)
                     : "0"(number), "D"(a), "S"(b)
                     : "rcx", "r11", "memory");
    return (int)result;
}
