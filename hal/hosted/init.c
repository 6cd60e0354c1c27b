// SPDX-License-Identifier: MIT OR Apache-2.0
// hal/hosted/init.c: the order of things (see <hal/init.h>).
#include <hal/init.h>

#include "clock.h"
#include "disk.h"
#include "irq.h"
#include "machine.h"
#include "uart.h"

#include <boot_arch/settings.h>
#include <hal/io.h>
#include <hal/irq.h>
#include <hal/pci.h>
#include <hal/user_abi.h>
#include <lib/format.h>
#include <lib/string.h>

#define STATUS_OF(code) ((code) * 2 + 1) // as QEMU's exit device has it

void hal_console_init(const struct boot_info *info) {
    (void)info;
    (void)hosted_processor_bind(0); // nobody waits for the first one
}

void hal_console_write(const char *text, size_t length) {
    host_write(text, length);
}

bool hal_console_is_there(void) {
    return true;
}

void hal_init_early(const struct boot_info *info) {
    (void)info;
    hosted_direct_base = (uint64_t)(uintptr_t)hosted_settings.memory;
    hosted_direct_end = hosted_direct_base + hosted_settings.memory_bytes;
    host_fault_handler(hosted_kernel_fault);
}

enum hx_status hal_init(const struct boot_info *info) {
    (void)info;
    return hosted_clock_init() && disk_init() && host_input_start(uart_receive) ? HX_OK
                                                                                : HX_ERR_NO_MEMORY;
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
    return capacity == 0 ? 0 : MIN_OF(length, capacity - 1);
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

// The disk is the only one (disk.c); the serial port has I/O ports.
enum hx_status hal_device_find(const char *compatible, uint32_t index,
                               struct hal_device *out_device) {
    if (strcmp(compatible, "virtio,mmio") != 0 || index != 0) {
        return HX_ERR_NOT_FOUND;
    }
    *out_device = (struct hal_device){ .size_bytes = DISK_REGISTER_BYTES, .line = DISK_LINE };
    return HX_OK;
}

volatile void *hal_device_map(struct paddr base, size_t size_bytes) {
    return base.value == 0 && size_bytes == DISK_REGISTER_BYTES ? disk_registers : NULL;
}

uint32_t hal_device_read(const volatile void *address, uint32_t bytes) {
    return disk_register_read((uint32_t)((const volatile uint8_t *)address - disk_registers),
                              bytes);
}

void hal_device_write(volatile void *address, uint32_t bytes, uint32_t value) {
    (void)bytes; // all have 4
    disk_register_write((uint32_t)((volatile uint8_t *)address - disk_registers), value);
}

uint32_t hal_pci_buses(void) {
    return 0;
}

uint32_t hal_pci_read(uint32_t function, uint32_t offset) {
    (void)function;
    (void)offset;
    return UINT32_MAX;
}

void hal_pci_write(uint32_t function, uint32_t offset, uint32_t value) {
    (void)function;
    (void)offset;
    (void)value;
}

bool hal_pci_memory(struct paddr *out_base, uint64_t *out_size_bytes) {
    (void)out_base;
    (void)out_size_bytes;
    return false;
}

// NOLINTNEXTLINE(readability-non-const-parameter): the contract
bool hal_pci_iommu(uint32_t function, uint32_t *out_iommu, uint32_t *out_endpoint) {
    (void)function;
    (void)out_iommu;
    (void)out_endpoint;
    return false;
}

uint32_t hal_pci_line(uint32_t function, uint32_t pin) {
    (void)function;
    (void)pin;
    return HAL_IRQ_LINES;
}

enum hx_status hal_irq_message(uint32_t function, uint32_t *out_line, uint64_t *out_address,
                               uint32_t *out_data) {
    (void)function;
    (void)out_line;
    (void)out_address;
    (void)out_data;
    return HX_ERR_NOT_SUPPORTED;
}
