// SPDX-License-Identifier: MIT OR Apache-2.0
// hal/aarch64/console.c: the early console, a PL011, polled (Arm DDI 0183, chapter 3), and the
// I/O ports that a machine of this kind does not have.
#include "private.h"

#include <lib/string.h>

#define UART_DATA     0x00u
#define UART_FLAGS    0x18u
#define UART_FULL     (1u << 5) // no room to transmit
#define WAIT_MAX      1000000u  // polls; a stuck line loses text instead of stopping the machine
#define PATH_CAPACITY 128u

static volatile uint8_t *uart;

// The node that /chosen names for output (Devicetree Specification 0.4, 3.6), without the options
// behind a colon; an alias is not followed. Else the first PL011.
static bool console_node(const struct fdt *fdt, struct fdt_node *out_node) {
    struct fdt_property property;
    struct fdt_node node;
    char path[PATH_CAPACITY];
    const char *text = fdt_find(fdt, "/chosen", &node) ? fdt_text(fdt, &node, "stdout-path") : NULL;
    if (text != NULL && string_copy(path, sizeof(path), text)) {
        size_t length = 0;
        while (path[length] != '\0' && path[length] != ':') {
            length++;
        }
        path[length] = '\0';
        if (fdt_find(fdt, path, out_node) && fdt_property(fdt, out_node, "compatible", &property) &&
            fdt_has_text(&property, "arm,pl011")) {
            return true;
        }
    }
    fdt_root(fdt, out_node);
    return fdt_next_compatible(fdt, "arm,pl011", out_node);
}

void hal_console_init(const struct boot_info *info) {
    struct fdt_node node;
    uint64_t base;
    uint64_t size;
    smp_init_boot();
    aarch64_mmu_early(info);
    aarch64_firmware_open(info);
    if (console_node(&aarch64_firmware.fdt, &node) &&
        fdt_reg(&aarch64_firmware.fdt, &node, 0, &base, &size)) {
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

void aarch64_die(const char *reason) {
    hal_console_write("helix: ", 7);
    hal_console_write(reason, strlen(reason));
    hal_console_write("\n", 1);
    hal_halt();
}
