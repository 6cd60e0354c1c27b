// SPDX-License-Identifier: MIT OR Apache-2.0
// <hal_arch/cpu.h>: the inline part of <hal/cpu.h>, documented there.
//
// In kernel mode the GS base points at this processor's block (struct cpu_block in hal/x86_64),
// whose first fields have the fixed offsets below.
#pragma once

#include <stdbool.h>
#include <stdint.h>

#define X86_GS_SELF    0
#define X86_GS_DATA    8
#define X86_GS_CURRENT 16
#define X86_GS_ID      24

#define X86_RFLAGS_IF 0x200ul

// An ordinary load, so the compiler may keep the value: it is the same for the whole life of the
// thread, and hal_current_set() is a barrier.
static inline void *hal_current(void) {
    return *(void *__seg_gs const *)X86_GS_CURRENT;
}

static inline void hal_current_set(void *thread) {
    __asm__ volatile("movq %0, %%gs:%c1" : : "r"(thread), "i"(X86_GS_CURRENT) : "memory");
}

static inline void *hal_cpu_data(void) {
    return *(void *volatile __seg_gs const *)X86_GS_DATA;
}

static inline uint32_t hal_cpu_id(void) {
    return *(volatile uint32_t __seg_gs const *)X86_GS_ID;
}

static inline void hal_irq_on(void) {
    __asm__ volatile("sti" : : : "memory");
}

static inline void hal_irq_off(void) {
    __asm__ volatile("cli" : : : "memory");
}

static inline unsigned long x86_irq_flags(void) {
    unsigned long flags;
    __asm__ volatile("pushfq\n\tpopq %0" : "=r"(flags) : : "memory");
    return flags;
}

static inline bool hal_irq_is_on(void) {
    return (x86_irq_flags() & X86_RFLAGS_IF) != 0;
}

static inline unsigned long hal_irq_save(void) {
    unsigned long flags = x86_irq_flags();
    hal_irq_off();
    return flags;
}

static inline void hal_irq_restore(unsigned long state) {
    if (state & X86_RFLAGS_IF) {
        hal_irq_on();
    }
}

static inline void hal_relax(void) {
    __asm__ volatile("pause" : : : "memory");
}
