// SPDX-License-Identifier: MIT OR Apache-2.0
// hal/firmware/fdt/pci.c: the first PCI host bridge of the tree (Linux 6.1,
// Documentation/devicetree/bindings/pci/host-generic-pci.yaml): bus 0 by ECAM (PCI Express
// Base 5.0, 7.2.2), its windows and its lines. The first 16550 on it, which no firmware has given
// an address, is a serial line at COM2's place.
#include "tree.h"

#include <hal/irq.h>
#include <hal/pci.h>

#define DEVICES        32u
#define DEVICE_SHIFT   15u
#define FUNCTION_SHIFT 12u
#define CONFIG_COMMAND 0x04u
#define CONFIG_CLASS   0x08u
#define CONFIG_BAR0    0x10u
#define CONFIG_PIN     0x3cu // in its second byte
#define COMMAND_IO     1u
#define COMMAND_NO_PIN 0x400u // pulls no line (PCI Local Bus 3.0, 6.2.2)
#define CLASS_SERIAL   0x0700u
#define NOBODY         UINT32_MAX

#define COM2_PORT    0x2f8u
#define COM2_ISA     3u
#define WINDOW_BYTES 0x10000u

#define MAP_PIN    3u // behind three cells of PCI's address
#define MAP_PARENT 5u // behind the controller's phandle

#define PLACE_SHIFT 8u // of a function in the first cell of its address
#define PLACE_MASK  0xffffu

#define RANGE_CELLS 7u // three of PCI's address, two of the processor's, two of size
#define SPACE_MASK  0x03000000u
#define SPACE_IO    0x01000000u
#define SPACE_LOW   0x02000000u // memory below 4 GiB
#define LOW_END     (1ull << 32)

static struct fdt_node bridge;
static volatile uint8_t *config_space; // of bus 0; NULL: no bridge
static uint32_t serial = NOBODY;       // the function that is used here; nobody else sees it

// Where PCI addresses of a kind begin, for the processor and on the bus.
static bool window_find(uint32_t space, uint64_t *out_base, uint64_t *out_bus, uint64_t *out_size) {
    struct fdt_property ranges;
    uint32_t cells[RANGE_CELLS];
    if (!fdt_property(&tree_fdt, &bridge, "ranges", &ranges)) {
        return false;
    }
    for (uint32_t first = 0; fdt_u32(&ranges, first + RANGE_CELLS - 1, &cells[0]);
         first += RANGE_CELLS) {
        for (uint32_t i = 0; i < RANGE_CELLS; i++) {
            (void)fdt_u32(&ranges, first + i, &cells[i]); // the last one is there
        }
        if ((cells[0] & SPACE_MASK) == space) {
            *out_bus = (uint64_t)cells[1] << 32 | cells[2];
            *out_base = (uint64_t)cells[3] << 32 | cells[4];
            *out_size = (uint64_t)cells[5] << 32 | cells[6];
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
static uint32_t line_find(uint32_t device, uint32_t pin) {
    const uint32_t entry_cells =
        MAP_PARENT + tree_controller.address_cells + tree_controller.interrupt_cells;
    struct fdt_property map;
    struct fdt_property mask;
    uint32_t mask_address;
    uint32_t last;
    uint32_t cells[TREE_INTERRUPT_CELLS_MAX];
    if (!fdt_property(&tree_fdt, &bridge, "interrupt-map", &map) ||
        !fdt_property(&tree_fdt, &bridge, "interrupt-map-mask", &mask) ||
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

static void serial_place(uint32_t *isa_lines) {
    for (uint32_t device = 0; device < DEVICES; device++) {
        volatile uint8_t *config = config_space + ((size_t)device << DEVICE_SHIFT);
        if (hal_device_read(config, 4) == NOBODY ||
            hal_device_read(config + CONFIG_CLASS, 4) >> 16 != CLASS_SERIAL) {
            continue;
        }
        const uint32_t pin = hal_device_read(config + CONFIG_PIN, 4) >> 8 & 0xff;
        hal_device_write(config + CONFIG_BAR0, 4, COM2_PORT);
        hal_device_write(config + CONFIG_COMMAND, 4, COMMAND_IO | COMMAND_NO_PIN);
        isa_lines[COM2_ISA] = line_find(device, pin);
        serial = device << (DEVICE_SHIFT - FUNCTION_SHIFT);
        return;
    }
}

volatile uint8_t *tree_ports_map(uint32_t *isa_lines) {
    uint64_t config;
    uint64_t size;
    uint64_t window;
    uint64_t bus;
    fdt_root(&tree_fdt, &bridge);
    if (!fdt_next_compatible(&tree_fdt, "pci-host-ecam-generic", &bridge) ||
        !tree_registers(&bridge, 0, &config, &size) || size < (DEVICES << DEVICE_SHIFT)) {
        return NULL;
    }
    config_space = hal_device_map(paddr_make(config), DEVICES << DEVICE_SHIFT);
    if (config_space == NULL || !window_find(SPACE_IO, &window, &bus, &size) || bus != 0 ||
        size < WINDOW_BYTES) {
        return NULL;
    }
    serial_place(isa_lines);
    return hal_device_map(paddr_make(window), WINDOW_BYTES);
}

bool hal_irq_isa_is_shared(uint32_t isa) {
    return isa == COM2_ISA && serial != NOBODY;
}

void hal_irq_isa_pull(uint32_t isa, bool may) {
    if (hal_irq_isa_is_shared(isa)) {
        volatile uint8_t *config = config_space + ((size_t)serial << FUNCTION_SHIFT);
        hal_device_write(config + CONFIG_COMMAND, 4, COMMAND_IO | (may ? 0 : COMMAND_NO_PIN));
    }
}

uint32_t hal_pci_buses(void) {
    return config_space != NULL ? 1 : 0;
}

// A function's place in bus 0's part of ECAM; NULL: it is not there.
static volatile uint8_t *config_at(uint32_t function, uint32_t offset) {
    const size_t at = (size_t)function << FUNCTION_SHIFT;
    return config_space != NULL && at < DEVICES << DEVICE_SHIFT && function != serial
               ? config_space + at + offset
               : NULL;
}

uint32_t hal_pci_read(uint32_t function, uint32_t offset) {
    const volatile uint8_t *at = config_at(function, offset);
    return at != NULL ? hal_device_read(at, 4) : UINT32_MAX;
}

void hal_pci_write(uint32_t function, uint32_t offset, uint32_t value) {
    volatile uint8_t *at = config_at(function, offset);
    if (at != NULL) {
        hal_device_write(at, 4, value);
    }
}

bool hal_pci_memory(struct paddr *out_base, uint64_t *out_size_bytes) {
    uint64_t base;
    uint64_t bus;
    uint64_t size;
    if (config_space == NULL || !window_find(SPACE_LOW, &base, &bus, &size) || base != bus ||
        base >= LOW_END || size > LOW_END - base) {
        return false;
    }
    *out_base = paddr_make(base);
    *out_size_bytes = size;
    return true;
}

uint32_t hal_pci_line(uint32_t function, uint32_t pin) {
    return config_space != NULL ? line_find(function >> 3, pin) : HAL_IRQ_LINES;
}

bool tree_message_id(uint32_t function, uint32_t controller, uint32_t *out_id) {
    return config_space != NULL &&
           fdt_map_find(&tree_fdt, &bridge, "msi-map", controller, function, out_id);
}

// A virtio IOMMU on the bus is a child of the bridge, with its function in "reg" (Linux 6.1,
// Documentation/devicetree/bindings/virtio/pci-iommu.yaml).
bool hal_pci_iommu(uint32_t function, uint32_t *out_iommu, uint32_t *out_endpoint) {
    struct fdt_node node;
    if (config_space == NULL) {
        return false;
    }
    fdt_root(&tree_fdt, &node);
    while (fdt_next_compatible(&tree_fdt, "virtio,pci-iommu", &node)) {
        struct fdt_property reg;
        struct fdt_property phandle;
        uint32_t place;
        uint32_t number;
        if (fdt_property(&tree_fdt, &node, "reg", &reg) && fdt_u32(&reg, 0, &place) &&
            fdt_property(&tree_fdt, &node, "phandle", &phandle) && fdt_u32(&phandle, 0, &number) &&
            fdt_map_find(&tree_fdt, &bridge, "iommu-map", number, function, out_endpoint)) {
            *out_iommu = place >> PLACE_SHIFT & PLACE_MASK;
            return true;
        }
    }
    return false;
}
