// SPDX-License-Identifier: MIT OR Apache-2.0
// <hal_arch/cpu.h>: the inline part of <hal/cpu.h>, documented there.
//
// In kernel mode tp points at this hart's block (struct cpu_block in hal/riscv64), whose first
// fields have the fixed offsets below, and gp is the current thread; compiled code uses neither,
// for the kernel has no thread-local variables and nothing is relaxed to gp. The program's lie in
// the frame meanwhile (trap.S). So hal_current() is one instruction, and right around a migration.
#pragma once

#include <stdbool.h>
#include <stdint.h>

#define RISCV64_BLOCK_DATA    0
#define RISCV64_BLOCK_CURRENT 8
#define RISCV64_BLOCK_ID      16

#define RISCV64_SSTATUS_SIE 2ul

extern _Atomic bool riscv64_stopping; // some hart panics
void riscv64_stop(void);              // what HAL_IPI_STOP does

static inline char *riscv64_block(void) {
    char *block;
    __asm__ volatile("mv %0, tp" : "=r"(block));
    return block;
}

static inline void *hal_current(void) {
    void *current;
    __asm__ volatile("mv %0, gp" : "=r"(current));
    return current;
}

// Entries from user mode take it from the block.
static inline void hal_current_set(void *thread) {
    __asm__ volatile("sd %0, %1(tp)\n\tmv gp, %0"
                     :
                     : "r"(thread), "i"(RISCV64_BLOCK_CURRENT)
                     : "memory");
}

static inline void *hal_cpu_data(void) {
    void *data;
    __asm__ volatile("ld %0, %1(tp)" : "=r"(data) : "i"(RISCV64_BLOCK_DATA));
    return data;
}

static inline uint32_t hal_cpu_id(void) {
    uint32_t id;
    __asm__ volatile("lw %0, %1(tp)" : "=r"(id) : "i"(RISCV64_BLOCK_ID));
    return id;
}

// A hart's own accesses to its CSRs are performed in program order (unprivileged ISA 20191213,
// 9.1), so an interrupt that is off does not come behind these.
static inline void hal_irq_on(void) {
    __asm__ volatile("csrsi sstatus, %0" : : "i"(RISCV64_SSTATUS_SIE) : "memory");
}

static inline void hal_irq_off(void) {
    __asm__ volatile("csrci sstatus, %0" : : "i"(RISCV64_SSTATUS_SIE) : "memory");
}

static inline bool hal_irq_is_on(void) {
    unsigned long status;
    __asm__ volatile("csrr %0, sstatus" : "=r"(status) : : "memory");
    return (status & RISCV64_SSTATUS_SIE) != 0;
}

static inline unsigned long hal_irq_save(void) {
    unsigned long status;
    __asm__ volatile("csrrci %0, sstatus, %1" : "=r"(status) : "i"(RISCV64_SSTATUS_SIE) : "memory");
    return status;
}

static inline void hal_irq_restore(unsigned long state) {
    if (state & RISCV64_SSTATUS_SIE) {
        hal_irq_on();
    }
}

// PAUSE (Zihintpause) is a FENCE without effect where it is not known. No interrupt of S-mode comes
// through when they are off, so who waits with them off looks whether a panic wants the hart.
static inline void hal_relax(void) {
    __asm__ volatile(".insn i 0x0f, 0, x0, x0, 0x010" : : : "memory");
    if (__builtin_expect(__atomic_load_n((bool *)&riscv64_stopping, __ATOMIC_RELAXED), 0)) {
        riscv64_stop();
    }
}
