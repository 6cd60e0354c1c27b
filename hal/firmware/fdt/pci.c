// SPDX-License-Identifier: MIT OR Apache-2.0
// hal/firmware/fdt/pci.c: as much of PCI as a second serial line needs: the I/O window of the first
// host bridge (Linux 6.1, Documentation/devicetree/bindings/pci/host-generic-pci.yaml), and its
// first 16550 on bus 0, which no firmware has given an address. The bus itself is not for hal: a
// driver for it will take this file's place.
#include "tree.h"

#include <hal/irq.h>

#define DEVICES        32u
#define DEVICE_SHIFT   15u
#define CONFIG_COMMAND 0x04u
#define CONFIG_CLASS   0x08u
#define CONFIG_BAR0    0x10u
#define CONFIG_PIN     0x3cu // in its second byte
#define COMMAND_IO     1u
#define CLASS_SERIAL   0x0700u
#define NOBODY         UINT32_MAX

#define COM2_PORT    0x2f8u
#define COM2_ISA     3u
#define WINDOW_BYTES 0x10000u

#define MAP_PIN    3u // behind three cells of PCI's address
#define MAP_PARENT 5u // behind the controller's phandle

#define RANGE_CELLS 7u // three of PCI's address, two of the processor's, two of size
#define SPACE_MASK  0x03000000u
#define SPACE_IO    0x01000000u

// Where the processor sees PCI's I/O port 0.
static bool window_find(const struct fdt_node *bridge, uint64_t *out_base) {
    struct fdt_property ranges;
    uint32_t cells[RANGE_CELLS];
    if (!fdt_property(&tree_fdt, bridge, "ranges", &ranges)) {
        return false;
    }
    for (uint32_t first = 0; fdt_u32(&ranges, first + RANGE_CELLS - 1, &cells[0]);
         first += RANGE_CELLS) {
        for (uint32_t i = 0; i < RANGE_CELLS; i++) {
            (void)fdt_u32(&ranges, first + i, &cells[i]); // the last one is there
        }
        if ((cells[0] & SPACE_MASK) == SPACE_IO && cells[1] == 0 && cells[2] == 0 &&
            cells[6] >= WINDOW_BYTES) {
            *out_base = (uint64_t)cells[3] << 32 | cells[4];
            return true;
        }
    }
    return false;
}

// Whether entry `first` of a bridge's map is of that pin of the device; its interrupt's cells.
static bool entry_is(const struct fdt_property *map, uint32_t first, uint32_t address, uint32_t pin,
                     uint32_t *out_cells) {
    uint32_t its_address;
    uint32_t its_pin;
    for (uint32_t i = 0; i < tree_controller.interrupt_cells; i++) {
        (void)fdt_u32(map, first + MAP_PARENT + tree_controller.address_cells + i, &out_cells[i]);
    }
    return fdt_u32(map, first, &its_address) && fdt_u32(map, first + MAP_PIN, &its_pin) &&
           its_address == address && its_pin == pin;
}

// The line of a device's pin, by the bridge's map (PCI Bus Binding to Open Firmware, 7.1.2): PCI's
// address, pin, phandle, then what the controller has.
static uint32_t line_find(const struct fdt_node *bridge, uint32_t device, uint32_t pin) {
    const uint32_t entry_cells =
        MAP_PARENT + tree_controller.address_cells + tree_controller.interrupt_cells;
    struct fdt_property map;
    struct fdt_property mask;
    uint32_t mask_address;
    uint32_t last;
    uint32_t cells[TREE_INTERRUPT_CELLS_MAX];
    if (!fdt_property(&tree_fdt, bridge, "interrupt-map", &map) ||
        !fdt_property(&tree_fdt, bridge, "interrupt-map-mask", &mask) ||
        !fdt_u32(&mask, 0, &mask_address)) {
        return HAL_IRQ_LINES;
    }
    for (uint32_t first = 0; fdt_u32(&map, first + entry_cells - 1, &last); first += entry_cells) {
        if (entry_is(&map, first, device << 11 & mask_address, pin, cells)) {
            return tree_controller.line(cells);
        }
    }
    return HAL_IRQ_LINES;
}

static void serial_place(const struct fdt_node *bridge, volatile uint8_t *bus,
                         uint32_t *isa_lines) {
    for (uint32_t device = 0; device < DEVICES; device++) {
        volatile uint8_t *config = bus + ((size_t)device << DEVICE_SHIFT);
        if (hal_device_read32(config) == NOBODY ||
            hal_device_read32(config + CONFIG_CLASS) >> 16 != CLASS_SERIAL) {
            continue;
        }
        const uint32_t pin = hal_device_read32(config + CONFIG_PIN) >> 8 & 0xff;
        hal_device_write32(config + CONFIG_BAR0, COM2_PORT);
        hal_device_write32(config + CONFIG_COMMAND, COMMAND_IO);
        isa_lines[COM2_ISA] = line_find(bridge, device, pin);
        return;
    }
}

volatile uint8_t *tree_ports_map(uint32_t *isa_lines) {
    struct fdt_node bridge;
    uint64_t config;
    uint64_t size;
    uint64_t window;
    fdt_root(&tree_fdt, &bridge);
    if (!fdt_next_compatible(&tree_fdt, "pci-host-ecam-generic", &bridge) ||
        !fdt_reg(&tree_fdt, &bridge, 0, &config, &size) || size < (DEVICES << DEVICE_SHIFT) ||
        !window_find(&bridge, &window)) {
        return NULL;
    }
    volatile uint8_t *bus = tree_registers_map(config, DEVICES << DEVICE_SHIFT);
    if (bus == NULL) {
        return NULL;
    }
    serial_place(&bridge, bus, isa_lines);
    return tree_registers_map(window, WINDOW_BYTES);
}
