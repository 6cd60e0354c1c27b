// SPDX-License-Identifier: MIT OR Apache-2.0
// <hal_arch/cpu.h>: the inline part of <hal/cpu.h>, documented there.
//
// In kernel mode TPIDR_EL1 points at this processor's block (struct cpu_block in hal/aarch64),
// whose first fields have the fixed offsets below, and SP_EL0 holds the current thread: the user's
// stack pointer lies in the frame meanwhile (trap.S). So hal_current() is one instruction, and
// right around a migration.
#pragma once

#include <stdbool.h>
#include <stdint.h>

#define AARCH64_BLOCK_DATA    0
#define AARCH64_BLOCK_CURRENT 8
#define AARCH64_BLOCK_ID      16

#define AARCH64_DAIF_I 0x80ul

extern _Atomic bool aarch64_stopping; // some processor panics
void aarch64_stop(void);              // what HAL_IPI_STOP does

static inline char *aarch64_block(void) {
    char *block;
    __asm__ volatile("mrs %0, tpidr_el1" : "=r"(block));
    return block;
}

static inline void *hal_current(void) {
    void *current;
    __asm__ volatile("mrs %0, sp_el0" : "=r"(current));
    return current;
}

// Entries from user mode take it from the block.
static inline void hal_current_set(void *thread) {
    *(void *volatile *)(aarch64_block() + AARCH64_BLOCK_CURRENT) = thread;
    __asm__ volatile("msr sp_el0, %0" : : "r"(thread) : "memory");
}

static inline void *hal_cpu_data(void) {
    return *(void *volatile *)(aarch64_block() + AARCH64_BLOCK_DATA);
}

static inline uint32_t hal_cpu_id(void) {
    return *(volatile uint32_t *)(aarch64_block() + AARCH64_BLOCK_ID);
}

// Writes to DAIF by MSR (immediate) take effect in program order, without an ISB (Arm ARM, C5.1.3).
static inline void hal_irq_on(void) {
    __asm__ volatile("msr daifclr, #2" : : : "memory");
}

static inline void hal_irq_off(void) {
    __asm__ volatile("msr daifset, #2" : : : "memory");
}

static inline unsigned long aarch64_daif(void) {
    unsigned long daif;
    __asm__ volatile("mrs %0, daif" : "=r"(daif) : : "memory");
    return daif;
}

static inline bool hal_irq_is_on(void) {
    return (aarch64_daif() & AARCH64_DAIF_I) == 0;
}

static inline unsigned long hal_irq_save(void) {
    unsigned long daif = aarch64_daif();
    hal_irq_off();
    return daif;
}

static inline void hal_irq_restore(unsigned long state) {
    if ((state & AARCH64_DAIF_I) == 0) {
        hal_irq_on();
    }
}

// Where HAL_IPI_STOP cannot come as FIQ (gic.c), who waits with interrupts off looks whether a
// panic wants the processor.
static inline void hal_relax(void) {
    __asm__ volatile("yield" : : : "memory");
    if (__builtin_expect(__atomic_load_n((bool *)&aarch64_stopping, __ATOMIC_RELAXED), 0)) {
        aarch64_stop();
    }
}
