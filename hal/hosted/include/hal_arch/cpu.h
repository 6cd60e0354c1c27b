// SPDX-License-Identifier: MIT OR Apache-2.0
// <hal_arch/cpu.h>: the inline part of <hal/cpu.h>, documented there.
//
// A processor is a host thread. Interrupts are words that others set; they are delivered here,
// where the kernel turns interrupts on or waits, and nowhere in between. So nothing in hal/hosted
// is ever interrupted, and what it reads about its processor is right until it returns.
#pragma once

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
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

// Where threads may be preempted, the processor is found and its field read or written in one
// piece: what sanitizers and the simulator put between two instructions of the compiler would be a
// place to be moved to another processor, whose field it was not.
#define HOSTED_READ(instruction, value, field)                                                     \
    __asm__ volatile("movq %%fs:hosted_processor@tpoff, %q0\n\t" instruction                       \
                     : "=&r"(value)                                                                \
                     : "i"(offsetof(struct hosted_processor, field)))

static inline void *hal_current(void) {
    void *thread;
    HOSTED_READ("movq %c1(%q0), %q0", thread, current);
    return thread;
}

static inline void hal_current_set(void *thread) {
    hosted_this()->current = thread; // interrupts are off
    __asm__ volatile("" ::: "memory");
}

static inline void *hal_cpu_data(void) {
    void *data;
    HOSTED_READ("movq %c1(%q0), %q0", data, data);
    return data;
}

static inline uint32_t hal_cpu_id(void) {
    uint32_t id;
    HOSTED_READ("movl %c1(%q0), %k0", id, id);
    return id;
}

static inline void hal_irq_on(void) {
    struct hosted_processor *processor = hosted_this();
    __asm__ volatile("" ::: "memory"); // what was done with interrupts off comes before
    processor->irqs_on = true;
    if (atomic_load_explicit(&processor->pending, memory_order_relaxed) != 0) {
        hosted_interrupts();
    }
}

static inline void hal_irq_off(void) {
    uint64_t processor;
    __asm__ volatile("movq %%fs:hosted_processor@tpoff, %0\n\tmovb $0, %c1(%0)"
                     : "=&r"(processor)
                     : "i"(offsetof(struct hosted_processor, irqs_on))
                     : "memory");
}

static inline bool hal_irq_is_on(void) {
    uint32_t on;
    __asm__ volatile("" ::: "memory");
    HOSTED_READ("movzbl %c1(%q0), %k0", on, irqs_on);
    return on != 0;
}

static inline unsigned long hal_irq_save(void) {
    uint64_t processor;
    uint32_t on;
    __asm__ volatile("movq %%fs:hosted_processor@tpoff, %0\n\t"
                     "movzbl %c2(%0), %1\n\t"
                     "movb $0, %c2(%0)"
                     : "=&r"(processor), "=&r"(on)
                     : "i"(offsetof(struct hosted_processor, irqs_on))
                     : "memory");
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
