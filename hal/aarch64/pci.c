// SPDX-License-Identifier: MIT OR Apache-2.0
// hal/aarch64/pci.c: as much of PCI as a second serial line needs: the I/O window of the first host
// bridge (Linux 6.1, Documentation/devicetree/bindings/pci/host-generic-pci.yaml), and its first
// 16550 on bus 0, which no firmware has given an address. The bus itself is not for hal: a driver
// for it will take this file's place.
#include "private.h"

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

#define RANGE_CELLS 7u // three of PCI's address, two of the processor's, two of size
#define SPACE_MASK  0x03000000u
#define SPACE_IO    0x01000000u

// Where the processor sees PCI's I/O port 0.
static bool window_find(const struct fdt_node *bridge, uint64_t *out_base) {
    struct fdt_property ranges;
    uint32_t cells[RANGE_CELLS];
    if (!fdt_property(&aarch64_firmware.fdt, bridge, "ranges", &ranges)) {
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

// The GIC's line of a device's pin, by the bridge's map (PCI Bus Binding to Open Firmware, 7.1.2):
// PCI's address, pin, phandle, the GIC's address of two cells, its interrupt of three.
static uint32_t line_find(const struct fdt_node *bridge, uint32_t device, uint32_t pin) {
    enum { ADDRESS = 0, PIN = 3, KIND = 7, NUMBER = 8, ENTRY_CELLS = 10 };
    struct fdt_property map;
    struct fdt_property mask;
    uint32_t mask_address;
    uint32_t address;
    uint32_t its_pin;
    uint32_t kind;
    uint32_t number;
    if (!fdt_property(&aarch64_firmware.fdt, bridge, "interrupt-map", &map) ||
        !fdt_property(&aarch64_firmware.fdt, bridge, "interrupt-map-mask", &mask) ||
        !fdt_u32(&mask, 0, &mask_address)) {
        return HAL_IRQ_LINES;
    }
    const uint32_t wanted = device << 11 & mask_address;
    for (uint32_t first = 0; fdt_u32(&map, first + NUMBER, &number); first += ENTRY_CELLS) {
        if (fdt_u32(&map, first + ADDRESS, &address) && fdt_u32(&map, first + PIN, &its_pin) &&
            fdt_u32(&map, first + KIND, &kind) && address == wanted && its_pin == pin &&
            kind == 0 && number < HAL_IRQ_LINES) {
            return number;
        }
    }
    return HAL_IRQ_LINES;
}

static void serial_place(const struct fdt_node *bridge, volatile uint8_t *bus,
                         uint32_t *isa_lines) {
    for (uint32_t device = 0; device < DEVICES; device++) {
        volatile uint8_t *config = bus + ((size_t)device << DEVICE_SHIFT);
        if (mmio_read32(config) == NOBODY ||
            mmio_read32(config + CONFIG_CLASS) >> 16 != CLASS_SERIAL) {
            continue;
        }
        const uint32_t pin = mmio_read32(config + CONFIG_PIN) >> 8 & 0xff;
        mmio_write32(config + CONFIG_BAR0, COM2_PORT);
        mmio_write32(config + CONFIG_COMMAND, COMMAND_IO);
        isa_lines[COM2_ISA] = line_find(bridge, device, pin);
        return;
    }
}

volatile uint8_t *pci_ports_map(uint32_t *isa_lines) {
    const struct fdt *fdt = &aarch64_firmware.fdt;
    const uint32_t flags = HAL_MAP_READ | HAL_MAP_WRITE | HAL_MAP_UNCACHED;
    struct fdt_node bridge;
    uint64_t config;
    uint64_t size;
    uint64_t window;
    fdt_root(fdt, &bridge);
    if (!fdt_next_compatible(fdt, "pci-host-ecam-generic", &bridge) ||
        !fdt_reg(fdt, &bridge, 0, &config, &size) || size < (DEVICES << DEVICE_SHIFT) ||
        !window_find(&bridge, &window)) {
        return NULL;
    }
    volatile uint8_t *bus = aarch64_device_map(config, DEVICES << DEVICE_SHIFT, flags);
    if (bus == NULL) {
        return NULL;
    }
    serial_place(&bridge, bus, isa_lines);
    return aarch64_device_map(window, WINDOW_BYTES, flags);
}
