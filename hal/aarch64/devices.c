// SPDX-License-Identifier: MIT OR Apache-2.0
// hal/aarch64/devices.c: devices of the tree for drivers, the battery clock, and I/O ports: the
// window of a PCI host bridge (pci.c).
#include "private.h"

static volatile uint8_t *rtc;   // PL031: its data register comes first (Arm DDI 0224, 3.3.1)
static volatile uint8_t *ports; // NULL: no window
static uint32_t isa_lines[16];  // of the functions that pci.c gave an ISA device's place

enum hx_status hal_device_open(const char *compatible, uint32_t index,
                               struct hal_device *out_device) {
    const struct fdt *fdt = &aarch64_firmware.fdt;
    struct fdt_node node;
    uint64_t base;
    uint64_t size;
    uint32_t intid;
    fdt_root(fdt, &node);
    for (uint32_t i = 0; i <= index; i++) {
        if (!fdt_next_compatible(fdt, compatible, &node)) {
            return HX_ERR_NOT_FOUND;
        }
    }
    if (!fdt_reg(fdt, &node, 0, &base, &size) || size == 0 || size > DEVICE_BYTES_MAX) {
        return HX_ERR_NOT_FOUND;
    }
    void *registers =
        aarch64_device_map(base, size, HAL_MAP_READ | HAL_MAP_WRITE | HAL_MAP_UNCACHED);
    if (registers == NULL) {
        return HX_ERR_NO_MEMORY;
    }
    const bool has_line = aarch64_firmware_interrupt(&node, 0, &intid) && intid >= INTID_SPI;
    *out_device =
        (struct hal_device){ registers, size, has_line ? intid - INTID_SPI : HAL_IRQ_LINES };
    return HX_OK;
}

uint32_t hal_device_read32(const volatile void *address) {
    return mmio_read32(address);
}

void hal_device_write32(volatile void *address, uint32_t value) {
    mmio_write32(address, value);
}

void aarch64_devices_init(void) {
    struct hal_device device;
    for (uint32_t i = 0; i < ARRAY_SIZE(isa_lines); i++) {
        isa_lines[i] = HAL_IRQ_LINES;
    }
    if (hal_device_open("arm,pl031", 0, &device) == HX_OK) {
        rtc = device.registers;
    }
    ports = pci_ports_map(isa_lines);
}

uint64_t hal_rtc_read(void) {
    return rtc != NULL ? mmio_read32(rtc) : 0;
}

uint8_t hal_port_read8(uint16_t port) {
    return ports != NULL ? mmio_read8(ports + port) : 0xff;
}

void hal_port_write8(uint16_t port, uint8_t value) {
    if (ports != NULL) {
        mmio_write8(ports + port, value);
    }
}

uint32_t hal_irq_from_isa(uint32_t isa) {
    return isa < ARRAY_SIZE(isa_lines) ? isa_lines[isa] : isa;
}
