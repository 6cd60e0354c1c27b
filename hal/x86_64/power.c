// SPDX-License-Identifier: MIT OR Apache-2.0
// hal/x86_64/power.c: how a run ends (ACPI 6.5, 4.8.3.2, 4.8.3.7, 16.1). Nothing here needs a lock
// or memory, so that a panic can use it.
#include "private.h"

#define SLEEP_ENABLE         (1u << 13) // PM1 control
#define SLEEP_TYPE_SHIFT     10u
#define REDUCED_ENABLE       (1u << 5) // sleep control of hardware-reduced machines
#define REDUCED_TYPE_SHIFT   2u
#define PORT_EMULATOR_OFF    0x604u // QEMU's PM1a control where tables are missing
#define PORT_EMULATOR_EXIT   0xf4u
#define PORT_RESET_CONTROL   0xcf9u
#define PORT_KEYBOARD_STATUS 0x64u
#define KEYBOARD_RESET       0xfeu
#define KEYBOARD_BUSY        0x02u
#define SETTLE_READS         200000u

static volatile uint8_t *sleep_register; // memory-mapped, if that is its kind
static volatile uint8_t *reset_register;

static volatile uint8_t *register_map(const struct acpi_register *reg) {
    if (reg->address == 0 || reg->space != ACPI_SPACE_MEMORY) {
        return NULL;
    }
    return x86_device_map(reg->address, 1, HAL_MAP_READ | HAL_MAP_WRITE | HAL_MAP_UNCACHED);
}

void x86_power_init(void) {
    if (x86_firmware.has_fadt) {
        sleep_register = register_map(&x86_firmware.fadt.sleep_control);
        reset_register = register_map(&x86_firmware.fadt.reset);
    }
}

static void register_write(const struct acpi_register *reg, volatile uint8_t *mapped,
                           uint8_t value) {
    if (mapped != NULL) {
        *mapped = value;
    } else if (reg->space == ACPI_SPACE_PORT && reg->address != 0) {
        out8((uint16_t)reg->address, value);
    }
}

// The machine takes a moment to act; port reads take their time on every machine.
static void settle(void) {
    for (uint32_t i = 0; i < SETTLE_READS; i++) {
        (void)in8(PORT_KEYBOARD_STATUS);
    }
}

static void pm1_sleep(const struct acpi_register *control, uint8_t type) {
    if (control->address != 0 && control->space == ACPI_SPACE_PORT) {
        uint16_t port = (uint16_t)control->address;
        uint16_t keep = in16(port) & (uint16_t)~(7u << SLEEP_TYPE_SHIFT);
        out16(port, (uint16_t)(keep | type << SLEEP_TYPE_SHIFT | SLEEP_ENABLE));
    }
}

void hal_power_off(void) {
    hal_irq_off();
    if (x86_firmware.has_fadt && x86_firmware.has_s5) {
        const struct acpi_fadt *fadt = &x86_firmware.fadt;
        if (fadt->is_hardware_reduced) {
            uint8_t value =
                (uint8_t)(x86_firmware.s5.type_a << REDUCED_TYPE_SHIFT | REDUCED_ENABLE);
            register_write(&fadt->sleep_control, sleep_register, value);
        } else {
            pm1_sleep(&fadt->pm1a_control, x86_firmware.s5.type_a);
            pm1_sleep(&fadt->pm1b_control, x86_firmware.s5.type_b);
        }
        settle();
    }
    out16(PORT_EMULATOR_OFF, SLEEP_ENABLE);
    settle();
    hal_halt();
}

void hal_restart(void) {
    hal_irq_off();
    if (x86_firmware.has_fadt && x86_firmware.fadt.reset.address != 0) {
        register_write(&x86_firmware.fadt.reset, reset_register, x86_firmware.fadt.reset_value);
        settle();
    }
    out8(PORT_RESET_CONTROL, 0x02);
    out8(PORT_RESET_CONTROL, 0x06);
    settle();
    for (uint32_t i = 0; i < SETTLE_READS && (in8(PORT_KEYBOARD_STATUS) & KEYBOARD_BUSY); i++) {
        hal_relax();
    }
    out8(PORT_KEYBOARD_STATUS, KEYBOARD_RESET);
    settle();
    // A fault with an empty table shuts the processor down, which resets the machine (SDM 3A 6.15).
    struct {
        uint16_t limit;
        uint64_t base;
    } __attribute__((packed)) none = { 0, 0 };
    __asm__ volatile("lidt %0\n\tud2" : : "m"(none));
    hal_halt();
}

void hal_debug_exit(uint8_t code) {
    out8(PORT_EMULATOR_EXIT, code);
}
