// SPDX-License-Identifier: MIT OR Apache-2.0
// hal/x86_64/devices.c: registers of devices, those that ACPI alone tells of, and PCI's
// configuration by its two ports (PCI Local Bus 3.0, 3.2.2.3.2), which every machine with PCI has.
#include "private.h"

#include <hal/pci.h>
#include <lib/string.h>

#define DEVICE_BYTES_MAX (1u << 20)
#define CONFIG_ADDRESS   0xcf8u
#define CONFIG_DATA      0xcfcu
#define CONFIG_ENABLE    0x80000000u
#define CONFIG_INTERRUPT 0x3cu // its first byte is firmware's: the line
#define BUSES            256u
#define ISA_LINES        16u

static atomic_flag config_lock = ATOMIC_FLAG_INIT; // an address, then its data

volatile void *hal_device_map(struct paddr base, size_t size_bytes) {
    return x86_device_map(base.value, size_bytes, HAL_MAP_READ | HAL_MAP_WRITE | HAL_MAP_UNCACHED);
}

// The processor keeps loads and stores of uncached memory in their order with all others (SDM 3A,
// 9.2.2); the compiler is told.
uint32_t hal_device_read(const volatile void *address, uint32_t bytes) {
    const uint32_t value = bytes == 4   ? *(const volatile uint32_t *)address
                           : bytes == 2 ? *(const volatile uint16_t *)address
                                        : *(const volatile uint8_t *)address;
    atomic_signal_fence(memory_order_seq_cst);
    return value;
}

void hal_device_write(volatile void *address, uint32_t bytes, uint32_t value) {
    atomic_signal_fence(memory_order_seq_cst);
    if (bytes == 4) {
        *(volatile uint32_t *)address = value;
    } else if (bytes == 2) {
        *(volatile uint16_t *)address = (uint16_t)value;
    } else {
        *(volatile uint8_t *)address = (uint8_t)value;
    }
}

// There is no tree; ACPI's namespace tells of virtio devices (QEMU's microvm).
enum hx_status hal_device_find(const char *compatible, uint32_t index,
                               struct hal_device *out_device) {
    if (strcmp(compatible, "virtio,mmio") != 0 || index >= x86_firmware.virtio_count) {
        return HX_ERR_NOT_FOUND;
    }
    const struct acpi_virtio *found = &x86_firmware.virtio[index];
    if (found->size_bytes == 0 || found->size_bytes > DEVICE_BYTES_MAX) {
        return HX_ERR_NOT_FOUND;
    }
    *out_device =
        (struct hal_device){ paddr_make(found->base), found->size_bytes, found->interrupt };
    return HX_OK;
}

static unsigned long config_select(uint32_t function, uint32_t offset) {
    const unsigned long state = hal_irq_save();
    while (atomic_flag_test_and_set_explicit(&config_lock, memory_order_acquire)) {
        hal_relax();
    }
    out32(CONFIG_ADDRESS, CONFIG_ENABLE | function << 8 | offset);
    return state;
}

static void config_release(unsigned long state) {
    atomic_flag_clear_explicit(&config_lock, memory_order_release);
    hal_irq_restore(state);
}

uint32_t hal_pci_buses(void) {
    return BUSES;
}

uint32_t hal_pci_read(uint32_t function, uint32_t offset) {
    const unsigned long state = config_select(function, offset);
    const uint32_t value = in32(CONFIG_DATA);
    config_release(state);
    return value;
}

void hal_pci_write(uint32_t function, uint32_t offset, uint32_t value) {
    const unsigned long state = config_select(function, offset);
    out32(CONFIG_DATA, value);
    config_release(state);
}

// NOLINTNEXTLINE(readability-non-const-parameter): the contract
bool hal_pci_memory(struct paddr *out_base, uint64_t *out_size_bytes) {
    (void)out_base;
    (void)out_size_bytes;
    return false;
}

// What firmware wrote down is the old controllers' line; chipsets route it to the I/O APIC's pin of
// the same number, too. Those that only AML tells of are not known here.
uint32_t hal_pci_line(uint32_t function, uint32_t pin) {
    const uint32_t isa = hal_pci_read(function, CONFIG_INTERRUPT) & 0xff;
    return pin == 0 || isa == 0 || isa >= ISA_LINES ? HAL_IRQ_LINES : hal_irq_from_isa(isa);
}
