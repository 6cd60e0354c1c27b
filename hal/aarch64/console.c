// SPDX-License-Identifier: MIT OR Apache-2.0
// hal/aarch64/console.c: the early console, a PL011, polled (Arm DDI 0183, chapter 3).
#include "private.h"

#include <lib/string.h>

#define UART_DATA  0x00u
#define UART_FLAGS 0x18u
#define UART_FULL  (1u << 5) // no room to transmit
#define UART_BYTES 0x1cu     // what is used of its registers, which have to lie in one page
#define WAIT_MAX   1000000u  // polls; a stuck line loses text instead of stopping the machine

static volatile uint8_t *uart;

void hal_console_init(const struct boot_info *info) {
    struct fdt_node node;
    uint64_t base;
    uint64_t size;
    smp_init_boot();
    aarch64_mmu_early(info);
    aarch64_firmware_open(info);
    if (tree_console("arm,pl011", &node) && tree_registers(&node, 0, &base, &size) &&
        (base & PAGE_MASK) <= PAGE_SIZE - UART_BYTES) {
        uart = aarch64_early_map(base);
    }
}

static bool wait_room(void) {
    for (uint32_t i = 0; i < WAIT_MAX; i++) {
        if ((mmio_read32(uart + UART_FLAGS) & UART_FULL) == 0) {
            return true;
        }
        hal_relax();
    }
    return false;
}

static void put(uint8_t byte) {
    if (uart != NULL && wait_room()) {
        mmio_write32(uart + UART_DATA, byte);
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

void aarch64_die(const char *reason) {
    hal_console_write("helix: ", 7);
    hal_console_write(reason, strlen(reason));
    hal_console_write("\n", 1);
    hal_halt();
}
