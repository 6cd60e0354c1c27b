// SPDX-License-Identifier: MIT OR Apache-2.0
// hal/firmware/fdt/devices.c: devices of the tree for drivers, and I/O ports: the window of a PCI
// host bridge (pci.c).
#include "tree.h"

#include <hal/irq.h>

#define DEVICE_BYTES_MAX (1u << 20)

static volatile uint8_t *ports; // NULL: no window
static uint32_t isa_lines[16];  // of the functions that pci.c gave an ISA device's place

enum hx_status hal_device_find(const char *compatible, uint32_t index,
                               struct hal_device *out_device) {
    struct fdt_node node;
    uint64_t base;
    uint64_t size;
    bool is_good;
    fdt_root(&tree_fdt, &node);
    do {
        if (!fdt_next_compatible(&tree_fdt, compatible, &node)) {
            return HX_ERR_NOT_FOUND;
        }
        is_good = tree_registers(&node, 0, &base, &size) && size != 0 && size <= DEVICE_BYTES_MAX;
    } while (!is_good || index-- != 0); // one that cannot be does not count
    *out_device = (struct hal_device){ paddr_make(base), size, tree_line(&node, 0) };
    return HX_OK;
}

void tree_devices_init(void) {
    for (uint32_t i = 0; i < ARRAY_SIZE(isa_lines); i++) {
        isa_lines[i] = HAL_IRQ_LINES;
    }
    ports = tree_ports_map(isa_lines);
}

uint8_t hal_port_read8(uint16_t port) {
    return ports != NULL ? (uint8_t)hal_device_read(ports + port, 1) : 0xff;
}

void hal_port_write8(uint16_t port, uint8_t value) {
    if (ports != NULL) {
        hal_device_write(ports + port, 1, value);
    }
}

uint32_t hal_irq_from_isa(uint32_t isa) {
    return isa < ARRAY_SIZE(isa_lines) ? isa_lines[isa] : isa;
}
