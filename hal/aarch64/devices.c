// SPDX-License-Identifier: MIT OR Apache-2.0
// hal/aarch64/devices.c: registers of devices, and the battery clock.
#include "private.h"

static volatile uint8_t *rtc; // PL031: its data register comes first (Arm DDI 0224, 3.3.1)

void *tree_registers_map(uint64_t address, size_t size_bytes) {
    return aarch64_device_map(address, size_bytes, HAL_MAP_READ | HAL_MAP_WRITE | HAL_MAP_UNCACHED);
}

uint8_t hal_device_read8(const volatile void *address) {
    return mmio_read8(address);
}

void hal_device_write8(volatile void *address, uint8_t value) {
    mmio_write8(address, value);
}

uint32_t hal_device_read32(const volatile void *address) {
    return mmio_read32(address);
}

void hal_device_write32(volatile void *address, uint32_t value) {
    mmio_write32(address, value);
}

void aarch64_devices_init(void) {
    struct hal_device device;
    if (hal_device_open("arm,pl031", 0, &device) == HX_OK) {
        rtc = device.registers;
    }
    tree_devices_init();
}

uint64_t hal_rtc_read(void) {
    return rtc != NULL ? mmio_read32(rtc) : 0;
}
