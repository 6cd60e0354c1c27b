// SPDX-License-Identifier: MIT OR Apache-2.0
// hal/hosted/uart.c: a 16550 whose wire is the process's standard input and output (PC16550D data
// sheet, section 8), as far as a driver can tell: the transmitter is never busy, bytes arrive as
// the host has them. It has the first port of a PC, and its interrupt.
//
// The driver's lock guards its registers; the host thread that reads shares two positions with it.
#include "uart.h"
#include "host.h"
#include "irq.h"

#include <hal/io.h>

#define BASE 0x3f8u

#define REGISTER_DATA     0u
#define REGISTER_ENABLE   1u
#define REGISTER_IDENTIFY 2u
#define REGISTER_LINE     3u
#define REGISTER_STATUS   5u
#define REGISTER_SCRATCH  7u

#define ENABLE_RECEIVE   0x01u
#define IDENTIFY_NONE    0x01u
#define IDENTIFY_TIMEOUT 0x0cu // bytes wait, fewer than the trigger level
#define IDENTIFY_FIFO    0xc0u
#define LINE_DIVISOR     0x80u
#define STATUS_DATA      0x01u
#define STATUS_IDLE      0x60u // the transmitter holds nothing

#define BUFFER_BYTES 4096u

static struct {
    uint8_t line, scratch;
    _Atomic uint8_t enable;
    uint8_t bytes[BUFFER_BYTES];
    _Atomic uint32_t head; // what the host thread has put
    _Atomic uint32_t tail; // what the driver has taken
} chip;

static bool has_byte(void) {
    // seq_cst: behind the change of what is enabled or masked; pairs with uart_receive(). The byte
    // was stored before.
    return atomic_load_explicit(&chip.head, memory_order_seq_cst) !=
           atomic_load_explicit(&chip.tail, memory_order_relaxed);
}

bool uart_is_raised(void) {
    return (atomic_load_explicit(&chip.enable, memory_order_seq_cst) & ENABLE_RECEIVE) != 0 &&
           has_byte();
}

bool uart_receive(const uint8_t *bytes, size_t count) {
    uint32_t head = atomic_load_explicit(&chip.head, memory_order_relaxed);
    if (BUFFER_BYTES - (head - atomic_load_explicit(&chip.tail, memory_order_acquire)) < count) {
        return false;
    }
    for (size_t i = 0; i < count; i++) {
        chip.bytes[head++ % BUFFER_BYTES] = bytes[i];
    }
    // seq_cst: before the look at what is enabled; pairs with its changes.
    atomic_store_explicit(&chip.head, head, memory_order_seq_cst);
    irq_line_update(UART_LINE);
    return true;
}

// ---- registers
// -----------------------------------------------------------------------------------

static uint8_t data_get(void) {
    if (!has_byte()) {
        return 0;
    }
    const uint32_t tail = atomic_load_explicit(&chip.tail, memory_order_relaxed);
    const uint8_t byte = chip.bytes[tail % BUFFER_BYTES];
    atomic_store_explicit(&chip.tail, tail + 1, memory_order_release); // its place is free
    return byte;
}

uint8_t hal_port_read8(uint16_t port) {
    switch (port - BASE) {
    case REGISTER_DATA:
        return data_get();
    case REGISTER_IDENTIFY:
        return IDENTIFY_FIFO | (uart_is_raised() ? IDENTIFY_TIMEOUT : IDENTIFY_NONE);
    case REGISTER_STATUS:
        return STATUS_IDLE | (has_byte() ? STATUS_DATA : 0);
    case REGISTER_SCRATCH:
        return chip.scratch;
    default:
        return 0xff; // nothing is there
    }
}

static void byte_set(uint32_t at, uint8_t value) {
    const bool divisor = (chip.line & LINE_DIVISOR) != 0;
    switch (at) {
    case REGISTER_DATA:
        if (!divisor) {
            host_write((const char *)&value, 1);
        }
        break;
    case REGISTER_ENABLE:
        if (!divisor) {
            atomic_store_explicit(&chip.enable, value, memory_order_seq_cst);
            irq_line_update(UART_LINE);
        }
        break;
    case REGISTER_LINE:
        chip.line = value;
        break;
    case REGISTER_SCRATCH:
        chip.scratch = value;
        break;
    default:
        break;
    }
}

void hal_port_write8(uint16_t port, uint8_t value) {
    if (port >= BASE && port <= BASE + REGISTER_SCRATCH) {
        byte_set(port - BASE, value);
    }
}
