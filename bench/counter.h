// SPDX-License-Identifier: MIT OR Apache-2.0
// bench/counter.h: the machine's counter, which programs can read, in nanoseconds as an emulator
// with -icount has them: one for each instruction. x86_64's counter counts them itself; the others'
// is slower, at a rate that aarch64 says and the emulator's riscv64 fixes.
#pragma once

#include <stdint.h>

#define COUNTER_SECOND 1000000000u

#if defined(__x86_64__)
static inline uint64_t counter_now(void) {
    return __builtin_ia32_rdtsc();
}
#elif defined(__aarch64__)
static inline uint64_t counter_now(void) {
    uint64_t count;
    uint64_t hz;
    __asm__ volatile("isb\n mrs %0, cntvct_el0\n mrs %1, cntfrq_el0" : "=r"(count), "=r"(hz));
    return count * (COUNTER_SECOND / hz);
}
#elif defined(__riscv)
#define COUNTER_HZ 10000000u
static inline uint64_t counter_now(void) {
    uint64_t count;
    __asm__ volatile("rdtime %0" : "=r"(count));
    return count * (COUNTER_SECOND / COUNTER_HZ);
}
#endif
