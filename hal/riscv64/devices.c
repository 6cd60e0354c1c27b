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

void *tree_registers_map(uint64_t address, size_t size_bytes) {
    return riscv64_device_map(address, size_bytes, HAL_MAP_READ | HAL_MAP_WRITE | HAL_MAP_UNCACHED);
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

void riscv64_devices_init(void) {
    struct hal_device device;
    if (hal_device_open("google,goldfish-rtc", 0, &device) == HX_OK &&
        device.size_bytes >= RTC_BYTES) {
        rtc = device.registers;
    }
    if (hal_device_open(EXIT_DEVICE, 0, &device) == HX_OK) {
        riscv64_exit_device = device.registers;
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
