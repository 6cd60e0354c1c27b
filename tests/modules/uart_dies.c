// SPDX-License-Identifier: MIT OR Apache-2.0
// uart_dies.c: dies of its fifth write.
#include <helix/ports/console_port.h>

static enum hx_status dying_write(void *self, const void *data, uint32_t count,
                                  uint32_t *out_taken);
#define UART_WRITE dying_write
#include "uart.h"

static enum hx_status dying_write(void *self, const void *data, uint32_t count,
                                  uint32_t *out_taken) {
    static _Atomic uint32_t writes;
    if (atomic_fetch_add_explicit(&writes, 1, memory_order_relaxed) == 4) {
        __builtin_trap();
    }
    return uart_write(self, data, count, out_taken);
}

UART(6);
