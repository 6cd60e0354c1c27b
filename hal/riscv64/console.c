// SPDX-License-Identifier: MIT OR Apache-2.0
// hal/riscv64/console.c: the early console, a 16550 with registers of a byte each, polled (National
// Semiconductor PC16550D, section 8).
#include "private.h"

#include <lib/string.h>

#define UART_DATA   0u
#define UART_STATUS 5u
#define UART_EMPTY  0x20u    // room to transmit
#define UART_BYTES  8u       // in one page
#define WAIT_MAX    1000000u // polls; a stuck line loses text instead of stopping the machine

static volatile uint8_t *uart;

void hal_console_init(const struct boot_info *info) {
    struct fdt_node node;
    uint64_t base;
    uint64_t size;
    smp_init_boot();
    riscv64_mmu_early(info);
    riscv64_firmware_open(info);
    if (tree_console("ns16550a", &node) && tree_registers(&node, 0, &base, &size) &&
        (base & PAGE_MASK) <= PAGE_SIZE - UART_BYTES) {
        uart = riscv64_early_map(base);
    }
}

static bool wait_room(void) {
    for (uint32_t i = 0; i < WAIT_MAX; i++) {
        if (mmio_read8(uart + UART_STATUS) & UART_EMPTY) {
            return true;
        }
        hal_relax();
    }
    return false;
}

static void put(uint8_t byte) {
    if (uart != NULL && wait_room()) {
        mmio_write8(uart + UART_DATA, byte);
    }
}

void hal_console_write(const char *text, size_t length) {
    for (size_t i = 0; i < length; i++) {
        if (text[i] == '\n') {
            put('\r');
        }
        put((uint8_t)text[i]);
    }
}

bool hal_console_is_there(void) {
    return uart != NULL;
}

void riscv64_die(const char *reason) {
    hal_console_write("helix: ", 7);
    hal_console_write(reason, strlen(reason));
    hal_console_write("\n", 1);
    hal_halt();
}
