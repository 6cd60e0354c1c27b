// SPDX-License-Identifier: MIT OR Apache-2.0
// uart_trips.c: dies of a line of the log that ends in an exclamation mark.
#include <helix/ports/console_port.h>

static enum hx_status tripping_write_now(void *self, const void *data, uint32_t count);
#define UART_WRITE_NOW tripping_write_now
#include "uart.h"

static enum hx_status tripping_write_now(void *self, const void *data, uint32_t count) {
    const char *text = data;
    if (count > 2 && text[count - 2] == '!') {
        __builtin_trap();
    }
    return uart_write_now(self, data, count);
}

UART(7);
