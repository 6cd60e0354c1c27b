// SPDX-License-Identifier: MIT OR Apache-2.0
// uart_trips.h: uart16550, which does TRIP in a line of the log that ends in an exclamation mark,
// and in each one after it. Before that it does what a driver must not do there: it logs.
#pragma once

#include <helix/env.h>
#include <helix/ports/console_port.h>

static enum hx_status tripping_write_now(void *self, const void *data, uint32_t count);
#define UART_WRITE_NOW tripping_write_now
#include "uart.h"

HX_ATTR(no_thread_safety_analysis)
static enum hx_status tripping_write_now(void *self, const void *data, uint32_t count) {
    static bool has_tripped; // nobody else prints meanwhile
    const char *text = data;
    if (has_tripped || (count > 2 && text[count - 2] == '!')) {
        has_tripped = true;
        hx_log(uart_env, HX_LOG_INFO, "nobody reads this");
        TRIP;
    }
    return uart_write_now(self, data, count);
}

UART(7);
