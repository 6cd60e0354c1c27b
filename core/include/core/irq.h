// SPDX-License-Identifier: MIT OR Apache-2.0
// <core/irq.h>: device interrupts, handled in threads.
//
// The line is acknowledged and, if it is level triggered, masked before anything else; the handler
// runs in a kernel thread per line and may sleep; after it returned the line is unmasked. An edge
// that comes while it runs makes it run again.
#pragma once

#include <core/thread.h>
#include <helix/types.h>

struct irq {
    struct thread thread;
    struct waitable pending;
    uint32_t line;
    _Atomic uint64_t count;
    void (*handler)(void *context);
    void *context;
};

// Takes a line. Borrows `irq` and the stack for good.
// Returns HX_OK, HX_ERR_BUSY (taken), HX_ERR_NO_DEVICE (no such line).
enum hx_status irq_register(struct irq *irq, uint32_t line, const char *name, void *stack_low,
                            size_t stack_bytes, void (*handler)(void *context), void *context);
uint64_t irq_count(uint32_t line); // for /proc/interrupts
