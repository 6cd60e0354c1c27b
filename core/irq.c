// SPDX-License-Identifier: MIT OR Apache-2.0
// core/irq.c: device interrupts become wakes of threads.
#include "core_private.h"

#include <core/log.h>
#include <hal/irq.h>

static _Atomic(struct irq *) lines[HAL_IRQ_LINES];

void irq_interrupt(uint32_t line) {
    trace(TRACE_IRQ, line, 0);
    input_event(INPUT_IRQ, line);
    struct irq *irq =
        line < HAL_IRQ_LINES ? atomic_load_explicit(&lines[line], memory_order_acquire) : NULL;
    if (irq == NULL) {
        hal_irq_disable(line); // nobody will ever handle it
        return;
    }
    // Interrupts of a line come to one processor, one at a time: no RMW needed.
    uint64_t count = atomic_load_explicit(&irq->count, memory_order_relaxed);
    atomic_store_explicit(&irq->count, count + 1, memory_order_relaxed);
    waitable_pulse(&irq->pending);
}

static void irq_thread(void *argument) {
    struct irq *irq = argument;
    uint32_t seen = 0;
    for (;;) {
        HX_IGNORE(wait_change(&irq->pending, seen, TIME_NEVER, 0)); // cannot fail without flags
        seen = waitable_sequence(&irq->pending);
        irq->handler(irq->context);
        HX_IGNORE(hal_irq_enable(irq->line)); // it was there when it was registered
    }
}

// NOLINTNEXTLINE(readability-function-size): all of it belongs to the line
enum hx_status irq_register(struct irq *irq, uint32_t line, const char *name, void *stack_low,
                            size_t stack_bytes, void (*handler)(void *context), void *context) {
    if (line >= HAL_IRQ_LINES) {
        return HX_ERR_NO_DEVICE;
    }
    irq->line = line;
    irq->handler = handler;
    irq->context = context;
    atomic_init(&irq->count, 0);
    waitable_init(&irq->pending, 0);
    thread_init(&irq->thread, name, stack_low, stack_bytes, irq_thread, irq);
    struct irq *nobody = NULL;
    // Release: the interrupt handler must find it initialised.
    if (!atomic_compare_exchange_strong_explicit(&lines[line], &nobody, irq, memory_order_release,
                                                 memory_order_relaxed)) {
        return HX_ERR_BUSY;
    }
    enum hx_status status = hal_irq_enable(line);
    if (status != HX_OK) {
        atomic_store_explicit(&lines[line], NULL, memory_order_relaxed);
        return status;
    }
    thread_start(&irq->thread);
    return HX_OK;
}

uint64_t irq_count(uint32_t line) {
    if (line >= HAL_IRQ_LINES) {
        return 0;
    }
    struct irq *irq = atomic_load_explicit(&lines[line], memory_order_acquire);
    return irq == NULL ? 0 : atomic_load_explicit(&irq->count, memory_order_relaxed);
}
