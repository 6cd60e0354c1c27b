// SPDX-License-Identifier: MIT OR Apache-2.0
// hal/hosted/init.c: the order of things (see <hal/init.h>).
#include <hal/init.h>

#include "clock.h"
#include "machine.h"
#include "uart.h"

#include <boot_arch/settings.h>
#include <hal/io.h>
#include <hal/user_abi.h>
#include <lib/format.h>

#define STATUS_OF(code) ((code) * 2 + 1) // as QEMU's exit device has it

void hal_console_init(const struct boot_info *info) {
    (void)info;
    hosted_processor_bind(0);
}

void hal_console_write(const char *text, size_t length) {
    host_write(text, length);
}

void hal_init_early(const struct boot_info *info) {
    (void)info;
    hosted_direct_base = (uint64_t)(uintptr_t)hosted_settings.memory;
    hosted_direct_end = hosted_direct_base + hosted_settings.memory_bytes;
    host_fault_handler(hosted_kernel_fault);
}

enum hx_status hal_init(const struct boot_info *info) {
    (void)info;
    return hosted_clock_init() && host_input_start(uart_receive) ? HX_OK : HX_ERR_NO_MEMORY;
}

// ---- how a run ends ----------------------------------------------------------------------------

void hal_power_off(void) {
    host_exit(0);
}

void hal_restart(void) {
    host_exit(0);
}

void hal_debug_exit(uint8_t code) {
    host_exit(STATUS_OF(code));
}

// ---- what it says of itself --------------------------------------------------------------------

bool hal_random_seed(uint64_t *out_value) {
    return host_random(out_value);
}

size_t hal_cpu_describe(uint32_t cpu, char *buffer, size_t capacity) {
    (void)cpu;
    size_t length = format_string(buffer, capacity, "model name\t: hosted\n");
    return MIN_OF(length, capacity - 1);
}

uint64_t hal_hwcap(void) {
    return 0;
}

uint64_t hal_hwcap2(void) {
    return 0;
}

const char *hal_platform(void) {
    return "hosted";
}

// There is no device tree.
enum hx_status hal_device_open(const char *compatible, uint32_t index,
                               struct hal_device *out_device) {
    (void)compatible;
    (void)index;
    (void)out_device;
    return HX_ERR_NOT_FOUND;
}

uint32_t hal_device_read32(const volatile void *address) {
    return *(const volatile uint32_t *)address;
}

void hal_device_write32(volatile void *address, uint32_t value) {
    *(volatile uint32_t *)address = value;
}

uint8_t hal_device_read8(const volatile void *address) {
    return *(const volatile uint8_t *)address;
}

void hal_device_write8(volatile void *address, uint8_t value) {
    *(volatile uint8_t *)address = value;
}
