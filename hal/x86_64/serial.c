// SPDX-License-Identifier: MIT OR Apache-2.0
// hal/x86_64/serial.c: the early console, a 16550 at COM1, polled (TI PC16550D, section 8).
#include "private.h"

#define COM1            0x3f8u
#define UART_DATA       (COM1 + 0)
#define UART_INTERRUPTS (COM1 + 1)
#define UART_FIFO       (COM1 + 2)
#define UART_LINE       (COM1 + 3)
#define UART_MODEM      (COM1 + 4)
#define UART_STATUS     (COM1 + 5)
#define UART_SCRATCH    (COM1 + 7)
#define UART_EMPTY      0x20u
#define FIFO_BYTES      16u
#define WAIT_MAX        100000u // polls; a stuck line loses text instead of stopping the machine

static bool present;

void hal_console_init(const struct boot_info *info) {
    (void)info;
    cpu_block_init_boot();
    out8(UART_SCRATCH, 0x5a);
    present = in8(UART_SCRATCH) == 0x5a;
    if (!present) {
        return;
    }
    out8(UART_INTERRUPTS, 0);
    out8(UART_LINE, 0x80); // the divisor: 115200
    out8(UART_DATA, 1);
    out8(UART_INTERRUPTS, 0);
    out8(UART_LINE, 0x03); // 8N1
    out8(UART_FIFO, 0x07);
    out8(UART_MODEM, 0x0b);
}

static bool wait_empty(void) {
    for (uint32_t i = 0; i < WAIT_MAX; i++) {
        if (in8(UART_STATUS) & UART_EMPTY) {
            return true;
        }
        hal_relax();
    }
    return false;
}

void hal_console_write(const char *text, size_t length) {
    uint32_t room = 0;
    for (size_t i = 0; present && i < length; i++) {
        if (room < 2) {
            present = wait_empty();
            room = FIFO_BYTES;
        }
        if (text[i] == '\n') {
            out8(UART_DATA, '\r');
            room--;
        }
        out8(UART_DATA, (uint8_t)text[i]);
        room--;
    }
}

bool hal_console_is_there(void) {
    return present;
}

uint8_t hal_port_read8(uint16_t port) {
    return in8(port);
}

void hal_port_write8(uint16_t port, uint8_t value) {
    out8(port, value);
}

void x86_die(const char *reason) {
    size_t length = 0;
    while (reason[length] != '\0') {
        length++;
    }
    hal_console_write("helix: ", 7);
    hal_console_write(reason, length);
    hal_console_write("\n", 1);
    hal_halt();
}
