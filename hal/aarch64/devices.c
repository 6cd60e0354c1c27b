// SPDX-License-Identifier: MIT OR Apache-2.0
// hal/aarch64/devices.c: registers of devices, and the battery clock.
#include "private.h"

static volatile uint8_t *rtc; // PL031: its data register comes first (Arm DDI 0224, 3.3.1)

volatile void *hal_device_map(struct paddr base, size_t size_bytes) {
    return aarch64_device_map(base.value, size_bytes,
                              HAL_MAP_READ | HAL_MAP_WRITE | HAL_MAP_UNCACHED);
}

// What a device wrote before it set the register is seen behind the load: DMB OSHLD; what it shall
// find when it is told is there before the store: DMB OSHST (Arm DDI 0487, B2.3.7; a device is an
// observer of the outer shareable domain).
uint32_t hal_device_read(const volatile void *address, uint32_t bytes) {
    const uint32_t value = bytes == 4   ? mmio_read32(address)
                           : bytes == 2 ? mmio_read16(address)
                                        : mmio_read8(address);
    __asm__ volatile("dmb oshld" : : : "memory");
    return value;
}

void hal_device_write(volatile void *address, uint32_t bytes, uint32_t value) {
    __asm__ volatile("dmb oshst" : : : "memory");
    if (bytes == 4) {
        mmio_write32(address, value);
    } else if (bytes == 2) {
        mmio_write16(address, (uint16_t)value);
    } else {
        mmio_write8(address, (uint8_t)value);
    }
}

void aarch64_devices_init(void) {
    struct hal_device device;
    if (hal_device_find("arm,pl031", 0, &device) == HX_OK) {
        rtc = hal_device_map(device.base, device.size_bytes);
    }
    tree_devices_init();
}

uint64_t hal_rtc_read(void) {
    return rtc != NULL ? mmio_read32(rtc) : 0;
}
