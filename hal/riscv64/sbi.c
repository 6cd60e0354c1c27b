// SPDX-License-Identifier: MIT OR Apache-2.0
// hal/riscv64/sbi.c: calls of the firmware below (RISC-V SBI 1.0, chapter 3).
#include "private.h"

#define SBI_BASE       0x10u // chapter 4
#define SBI_BASE_PROBE 3u

#define MASK_BITS 64u

struct sbi_result sbi_call(uint64_t extension, uint64_t function, uint64_t a, uint64_t b,
                           uint64_t c, uint64_t d) {
    register uint64_t a0 __asm__("a0") = a;
    register uint64_t a1 __asm__("a1") = b;
    register uint64_t a2 __asm__("a2") = c;
    register uint64_t a3 __asm__("a3") = d;
    register uint64_t a6 __asm__("a6") = function;
    register uint64_t a7 __asm__("a7") = extension;
    __asm__ volatile("ecall" : "+r"(a0), "+r"(a1) : "r"(a2), "r"(a3), "r"(a6), "r"(a7) : "memory");
    return (struct sbi_result){ (int64_t)a0, (int64_t)a1 };
}

// What this hart wrote comes before what the others are asked for: who wants their FENCE.I or
// SFENCE.VMA has to execute a data fence first (unprivileged ISA 20191213, chapter 3; privileged
// ISA 20211203, 4.2.1), and an interrupt of theirs is a device's (2.7), before which memory is not
// ordered otherwise.
void sbi_call_harts(uint64_t cpus, uint64_t extension, uint64_t function, uint64_t c, uint64_t d) {
    fence_all();
    uint64_t mask = 0;
    uint64_t base = 0;
    for (; cpus != 0; cpus &= cpus - 1) {
        const uint64_t hart = riscv64_harts[__builtin_ctzll(cpus)].id;
        if (mask != 0 && hart - base >= MASK_BITS) {
            (void)sbi_call(extension, function, mask, base, c, d);
            mask = 0;
        }
        base = mask == 0 ? hart : base;
        mask |= 1ull << (hart - base);
    }
    if (mask != 0) {
        (void)sbi_call(extension, function, mask, base, c, d);
    }
}

bool sbi_has(uint64_t extension) {
    const struct sbi_result has = sbi_call(SBI_BASE, SBI_BASE_PROBE, extension, 0, 0, 0);
    return has.error == 0 && has.value != 0;
}
