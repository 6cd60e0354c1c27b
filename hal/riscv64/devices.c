// SPDX-License-Identifier: MIT OR Apache-2.0
// hal/riscv64/devices.c: registers of devices, the battery clock, the device that ends emulators.
#include "private.h"

#define RTC_LOW     0u // nanoseconds; reading them keeps the high half (Goldfish RTC)
#define RTC_HIGH    4u
#define NS_PER_S    1000000000u
#define RTC_BYTES   8u
#define EXIT_DEVICE "sifive,test0"

volatile uint8_t *riscv64_exit_device;
static volatile uint8_t *rtc;

volatile void *hal_device_map(struct paddr base, size_t size_bytes) {
    return riscv64_device_map(base.value, size_bytes,
                              HAL_MAP_READ | HAL_MAP_WRITE | HAL_MAP_UNCACHED);
}

// What a device wrote before it set the register is seen behind the load. A store comes behind all
// that was stored to memory before it in any case (regs.h).
uint32_t hal_device_read(const volatile void *address, uint32_t bytes) {
    const uint32_t value = bytes == 4   ? mmio_read32(address)
                           : bytes == 2 ? mmio_read16(address)
                                        : mmio_read8(address);
    __asm__ volatile("fence i, r" : : : "memory");
    return value;
}

void hal_device_write(volatile void *address, uint32_t bytes, uint32_t value) {
    if (bytes == 4) {
        mmio_write32(address, value);
    } else if (bytes == 2) {
        mmio_write16(address, (uint16_t)value);
    } else {
        mmio_write8(address, (uint8_t)value);
    }
}

void riscv64_devices_init(void) {
    struct hal_device device;
    if (hal_device_find("google,goldfish-rtc", 0, &device) == HX_OK &&
        device.size_bytes >= RTC_BYTES) {
        rtc = hal_device_map(device.base, device.size_bytes);
    }
    if (hal_device_find(EXIT_DEVICE, 0, &device) == HX_OK) {
        riscv64_exit_device = hal_device_map(device.base, device.size_bytes);
    }
    tree_devices_init();
}

uint64_t hal_rtc_read(void) {
    if (rtc == NULL) {
        return 0;
    }
    const uint32_t low = mmio_read32(rtc + RTC_LOW);
    return ((uint64_t)mmio_read32(rtc + RTC_HIGH) << 32 | low) / NS_PER_S;
}
