// SPDX-License-Identifier: MIT OR Apache-2.0
// hal/hosted/irq.c: the interrupt controller: two lines by level, both to the boot processor.
#include "irq.h"
#include "disk.h"
#include "machine.h"
#include "uart.h"

#include <hal/irq.h>

static struct line {
    bool (*is_raised)(void);
    _Atomic bool unmasked;
} lines[] = {
    [UART_LINE] = { .is_raised = uart_is_raised },
    [DISK_LINE] = { .is_raised = disk_is_raised },
};

static struct line *line_of(uint32_t number) {
    return number < ARRAY_SIZE(lines) && lines[number].is_raised != NULL ? &lines[number] : NULL;
}

void irq_line_update(uint32_t number) {
    struct line *line = line_of(number);
    // seq_cst: behind the device's change, or behind the line's; who comes second sees both.
    if (atomic_load_explicit(&line->unmasked, memory_order_seq_cst) && line->is_raised()) {
        processor_interrupt(&hosted_processors[0], PENDING_DEVICE);
    }
}

void irq_deliver(void) {
    for (uint32_t number = 0; number < ARRAY_SIZE(lines); number++) {
        struct line *line = line_of(number);
        if (line != NULL && atomic_load_explicit(&line->unmasked, memory_order_relaxed) &&
            line->is_raised()) {
            atomic_store_explicit(&line->unmasked, false, memory_order_relaxed); // by level
            hosted_handlers.interrupt(number);
        }
    }
}

uint32_t hal_irq_from_isa(uint32_t isa) {
    return isa;
}

bool hal_irq_isa_is_shared(uint32_t isa) {
    (void)isa;
    return false;
}

void hal_irq_isa_pull(uint32_t isa, bool may) {
    (void)isa;
    (void)may;
}

enum hx_status hal_irq_enable(uint32_t number) {
    struct line *line = line_of(number);
    if (line == NULL) {
        return HX_ERR_NO_DEVICE;
    }
    atomic_store_explicit(&line->unmasked, true, memory_order_seq_cst);
    irq_line_update(number);
    return HX_OK;
}

void hal_irq_disable(uint32_t number) {
    struct line *line = line_of(number);
    if (line != NULL) {
        atomic_store_explicit(&line->unmasked, false, memory_order_relaxed);
    }
}
