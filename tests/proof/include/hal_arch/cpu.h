// SPDX-License-Identifier: MIT OR Apache-2.0
// <hal_arch/cpu.h> of the proofs: the processor is the explorer's (explore.c).
#pragma once

#include <stdbool.h>
#include <stdint.h>

void *explore_current(void);
void explore_current_set(void *thread);
void *explore_data(void);
uint32_t explore_number(void);
void explore_irq_set(bool on);
bool explore_irq_is_on(void);
void explore_relax(void);

static inline void *hal_current(void) {
    return explore_current();
}

static inline void hal_current_set(void *thread) {
    explore_current_set(thread);
}

static inline void *hal_cpu_data(void) {
    return explore_data();
}

static inline uint32_t hal_cpu_id(void) {
    return explore_number();
}

static inline void hal_irq_on(void) {
    explore_irq_set(true);
}

static inline void hal_irq_off(void) {
    explore_irq_set(false);
}

static inline bool hal_irq_is_on(void) {
    return explore_irq_is_on();
}

static inline unsigned long hal_irq_save(void) {
    const bool was_on = explore_irq_is_on();
    if (was_on) {
        explore_irq_set(false);
    }
    return was_on;
}

static inline void hal_irq_restore(unsigned long state) {
    if (state != 0) {
        explore_irq_set(true);
    }
}

static inline void hal_relax(void) {
    explore_relax();
}
