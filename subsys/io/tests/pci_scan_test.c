// SPDX-License-Identifier: MIT OR Apache-2.0
// What the scan of PCI leaves in each function's command register, and who changes it later: of
// src/pci.c, beside a bus of bytes.
#include "../src/pci.c"

#include <check.h>
#include <string.h>

#define FUNCTION (3u << 3)

static uint32_t space[PCI_CONFIG_BYTES / 4];
static struct io_device found;
static uint32_t found_count;

uint32_t hal_pci_buses(void) {
    return 1;
}

uint32_t hal_pci_read(uint32_t function, uint32_t offset) {
    return function == FUNCTION ? space[offset / 4] : PCI_NO_DEVICE;
}

void hal_pci_write(uint32_t function, uint32_t offset, uint32_t value) {
    if (function == FUNCTION && offset == PCI_COMMAND) {
        space[offset / 4] = (space[offset / 4] & 0xffff0000) | (value & 0xffff);
    }
}

// NOLINTNEXTLINE(readability-non-const-parameter): the contract
bool hal_pci_memory(struct paddr *out_base, uint64_t *out_size_bytes) {
    (void)out_base;
    (void)out_size_bytes;
    return false;
}

uint32_t hal_pci_line(uint32_t function, uint32_t pin) {
    (void)function;
    return pin == 1 ? 11 : HAL_IRQ_LINES;
}

enum hx_status hal_irq_message(uint32_t function, uint32_t *out_line, uint64_t *out_address,
                               uint32_t *out_data) {
    (void)function;
    (void)out_line;
    (void)out_address;
    (void)out_data;
    return HX_ERR_NOT_SUPPORTED;
}

void hal_device_write(volatile void *address, uint32_t bytes, uint32_t value) {
    (void)address;
    (void)bytes;
    (void)value;
}

enum hx_status dma_doorbell(const struct io_device *device, uint64_t address) {
    (void)device;
    (void)address;
    return HX_OK;
}

bool device_range_is_sound(struct paddr base, uint64_t size_bytes) {
    (void)base;
    (void)size_bytes;
    return true;
}

enum hx_status device_add(const struct io_device *device) {
    found = *device;
    found_count++;
    return HX_OK;
}

void log_write(enum log_level level, const char *format, ...) {
    (void)level;
    (void)format;
}

static uint32_t command(void) {
    return space[PCI_COMMAND / 4] & 0xffff;
}

static void scan(uint32_t header) {
    memset(space, 0, sizeof(space));
    space[PCI_IDENTITY / 4] = 0x11e81234;
    space[PCI_COMMAND / 4] = PCI_COMMAND_IO | PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER;
    space[PCI_HEADER / 4] = header;
    space[PCI_INTERRUPT / 4] = 0x100;
    found_count = 0;
    pci_find();
}

// Firmware leaves functions on; without a driver they touch no memory and pull no line.
static void test_scan(void) {
    scan(0);
    CHECK(found_count == 1 && found.line == 11 && strcmp(found.name, "pci1234,11e8") == 0);
    CHECK(command() == (PCI_COMMAND_IO | PCI_COMMAND_MEMORY | PCI_COMMAND_NO_INTX));
}

static void test_bridge(void) {
    scan(HEADER_BRIDGE);
    CHECK(found_count == 0);
    CHECK(command() == (PCI_COMMAND_IO | PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER));
}

static void test_life(void) {
    scan(0);
    command_set(FUNCTION, PCI_COMMAND_NO_INTX); // no firmware has been there
    pci_windows_on(&found);
    CHECK(command() == (PCI_COMMAND_MEMORY | PCI_COMMAND_NO_INTX));
    pci_device_on(&found);
    CHECK((command() & PCI_COMMAND_MASTER) != 0 && (command() & PCI_COMMAND_NO_INTX) != 0);
    pci_line_on(&found);
    CHECK((command() & PCI_COMMAND_MASTER) != 0 && (command() & PCI_COMMAND_NO_INTX) == 0);
    pci_device_off(&found);
    CHECK((command() & PCI_COMMAND_MASTER) == 0 && (command() & PCI_COMMAND_NO_INTX) != 0);
    CHECK((command() & PCI_COMMAND_MEMORY) != 0);
}

int main(void) {
    test_scan();
    test_bridge();
    test_life();
    return check_result();
}
