// SPDX-License-Identifier: MIT OR Apache-2.0
// <hal_arch/cpu.h>: the inline part of <hal/cpu.h>, documented there.
//
// A processor is a host thread. Interrupts are words that others set; they are delivered here,
// where the kernel turns interrupts on or waits, and nowhere in between. So nothing in hal/hosted
// is ever interrupted, and what it reads about its processor is right until it returns.
#pragma once

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

// What the inline functions need of struct processor (hal/hosted/machine.h), which begins with it.
struct hosted_processor {
    void *current;
    void *data;
    uint32_t id;
    bool irqs_on;
    _Atomic uint32_t pending; // HOSTED_PENDING_…
};

// Of this host thread.
extern _Thread_local struct hosted_processor *hosted_processor;

// A kernel thread moves between host threads, and a compiler may keep the address of a thread-local
// variable across a switch; so the load is spelled out (x86-64 ELF, local-exec).
static inline struct hosted_processor *hosted_this(void) {
    struct hosted_processor *processor;
    __asm__ volatile("movq %%fs:hosted_processor@tpoff, %0" : "=r"(processor));
    return processor;
}

// Delivers what is pending, interrupts on before and after; may switch threads, and so processors.
void hosted_interrupts(void);
void hosted_relax(void);

static inline void *hal_current(void) {
    return hosted_this()->current;
}

static inline void hal_current_set(void *thread) {
    hosted_this()->current = thread;
}

static inline void *hal_cpu_data(void) {
    return hosted_this()->data;
}

static inline uint32_t hal_cpu_id(void) {
    return hosted_this()->id;
}

static inline void hal_irq_on(void) {
    struct hosted_processor *processor = hosted_this();
    processor->irqs_on = true;
    if (atomic_load_explicit(&processor->pending, memory_order_relaxed) != 0) {
        hosted_interrupts();
    }
}

static inline void hal_irq_off(void) {
    hosted_this()->irqs_on = false;
}

static inline bool hal_irq_is_on(void) {
    return hosted_this()->irqs_on;
}

static inline unsigned long hal_irq_save(void) {
    struct hosted_processor *processor = hosted_this();
    bool on = processor->irqs_on;
    processor->irqs_on = false;
    return on;
}

static inline void hal_irq_restore(unsigned long state) {
    if (state != 0) {
        hal_irq_on();
    }
}

static inline void hal_relax(void) {
    hosted_relax();
}
