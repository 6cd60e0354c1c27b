// SPDX-License-Identifier: MIT OR Apache-2.0
// pci.c: the functions on PCI's buses: their windows, placed here where no firmware has done it,
// and message interrupts (PCI Local Bus 3.0, 6.8.2). Firmware numbers the buses behind bridges.
#include "dma.h"

#include <core/log.h>
#include <hal/irq.h>
#include <hal/pci.h>
#include <lib/format.h>

#define DEVICES            32u
#define FUNCTIONS          8u
#define HEADER_MANY        0x800000u // the device has more functions than one
#define HEADER_KIND        0x7f0000u
#define HEADER_BRIDGE      0x010000u
#define VENDOR_VIRTIO      0x1af4u
#define VIRTIO_OLD         0x1000u // up to 0x103f: the subsystem says what it is
#define VIRTIO_NEW         0x1040u // and on: the device's number is its kind
#define VIRTIO_END         0x1080u
#define MSIX_ON            0x80000000u // of the capability's first word
#define MSIX_ALL_MASKED    0x40000000u
#define MSIX_ENTRY_ADDRESS 0u
#define MSIX_ENTRY_UPPER   4u
#define MSIX_ENTRY_DATA    8u
#define MSIX_ENTRY_MASK    12u
#define MSIX_ENTRY_BYTES   16u

// Where windows are placed that no firmware has; size 0: firmware places them.
struct placing {
    uint64_t next;
    uint64_t end;
};

static uint32_t config_read(const void *context, uint32_t offset) {
    const uint32_t *function = context;
    return hal_pci_read(*function, offset);
}

static void config_write(const void *context, uint32_t offset, uint32_t value) {
    const uint32_t *function = context;
    hal_pci_write(*function, offset, value);
}

static struct pci_config config_of(const uint32_t *function) {
    return (struct pci_config){ config_read, config_write, function };
}

// The upper half of that word, the status, is cleared by ones.
static void command_set(uint32_t function, uint32_t command) {
    hal_pci_write(function, PCI_COMMAND, command & 0xffff);
}

static bool place(struct placing *placing, struct pci_bar *bar) {
    const uint64_t size = MAX_OF(bar->size_bytes, (uint64_t)PAGE_SIZE);
    const uint64_t base = ALIGN_UP(placing->next, size);
    if (base < placing->next || base > placing->end || size > placing->end - base) {
        return false;
    }
    placing->next = base + size;
    bar->address = base;
    return true;
}

static void window_find(const struct pci_config *config, uint32_t index, struct placing *placing,
                        struct io_window *out_window) {
    struct pci_bar bar = pci_bar_read(config, index);
    if (bar.size_bytes == 0 || bar.is_io || bar.size_bytes > IO_WINDOW_MAX) {
        return;
    }
    if (bar.address == 0 && placing->end != 0 && place(placing, &bar)) {
        pci_bar_place(config, index, &bar);
    }
    if (device_range_is_sound(paddr_make(bar.address), bar.size_bytes)) {
        *out_window = (struct io_window){ .base = paddr_make(bar.address),
                                          .size_bytes = (size_t)bar.size_bytes };
    }
}

// The decoders are off while the windows' sizes are found. Then the function is as firmware left
// it, but it touches no memory and pulls no line that others share: it has no driver yet.
static void windows_find(const struct pci_config *config, struct placing *placing,
                         struct io_device *device) {
    const uint32_t command = hal_pci_read(device->function, PCI_COMMAND);
    command_set(device->function,
                command & ~(PCI_COMMAND_IO | PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER));
    for (uint32_t i = 0; i < IO_WINDOWS; i++) {
        window_find(config, i, placing, &device->windows[i]);
    }
    command_set(device->function, (command & ~PCI_COMMAND_MASTER) | PCI_COMMAND_NO_INTX);
}

static void name_it(struct io_device *device, uint32_t identity) {
    const uint32_t vendor = identity & 0xffff;
    const uint32_t number = identity >> 16;
    uint32_t kind = 0;
    if (vendor == VENDOR_VIRTIO && number >= VIRTIO_NEW && number < VIRTIO_END) {
        kind = number - VIRTIO_NEW;
    } else if (vendor == VENDOR_VIRTIO && number >= VIRTIO_OLD && number < VIRTIO_NEW) {
        kind = hal_pci_read(device->function, PCI_SUBSYSTEM) >> 16;
    }
    if (kind != 0) {
        (void)format_string(device->name, sizeof(device->name), "virtio:%u", kind);
    } else {
        (void)format_string(device->name, sizeof(device->name), "pci%x,%x", vendor, number);
    }
}

static void function_add(uint32_t function, uint32_t identity, struct placing *placing) {
    const struct pci_config config = config_of(&function);
    struct io_device device = { .function = function };
    name_it(&device, identity);
    windows_find(&config, placing, &device);
    device.line = hal_pci_line(function, hal_pci_read(function, PCI_INTERRUPT) >> 8 & 0xff);
    if (!pci_msix_read(&config, &device.msix)) {
        device.msix.count = 0;
    }
    if (device_add(&device) != HX_OK) {
        log_warning("%s: no memory for it", device.name);
    }
}

// A device; its functions behind the first one are there only if that says so.
static void device_look(uint32_t first, struct placing *placing) {
    uint32_t functions = 1;
    for (uint32_t i = 0; i < functions; i++) {
        const uint32_t identity = hal_pci_read(first + i, PCI_IDENTITY);
        if (identity == PCI_NO_DEVICE || (identity & 0xffff) == 0xffff) {
            continue;
        }
        const uint32_t header = hal_pci_read(first + i, PCI_HEADER);
        if (i == 0 && (header & HEADER_MANY) != 0) {
            functions = FUNCTIONS;
        }
        if ((header & HEADER_KIND) == 0) {
            function_add(first + i, identity, placing);
        }
    }
}

// Which buses are behind a bridge, as firmware numbered them.
static uint32_t last_bus_behind(uint32_t bus) {
    uint32_t last = bus;
    for (uint32_t i = 0; i < DEVICES * FUNCTIONS; i++) {
        const uint32_t function = bus << 8 | i;
        if (hal_pci_read(function, PCI_IDENTITY) != PCI_NO_DEVICE &&
            (hal_pci_read(function, PCI_HEADER) & HEADER_KIND) == HEADER_BRIDGE) {
            last = MAX_OF(last, hal_pci_read(function, PCI_BUSES) >> 16 & 0xff);
        }
    }
    return last;
}

void pci_find(void) {
    struct placing placing = { 0 };
    struct paddr base;
    uint64_t size;
    const uint32_t buses = hal_pci_buses();
    if (hal_pci_memory(&base, &size)) {
        placing = (struct placing){ base.value, base.value + size };
    }
    uint32_t last = 0;
    for (uint32_t bus = 0; bus < buses && bus <= last; bus++) {
        last = MAX_OF(last, last_bus_behind(bus));
        for (uint32_t i = 0; i < DEVICES; i++) {
            device_look(bus << 8 | i << 3, &placing);
        }
    }
}

void pci_windows_on(const struct io_device *device) {
    const uint32_t command = hal_pci_read(device->function, PCI_COMMAND);
    command_set(device->function, command | PCI_COMMAND_MEMORY);
}

void pci_device_on(const struct io_device *device) {
    const uint32_t command = hal_pci_read(device->function, PCI_COMMAND);
    command_set(device->function, command | PCI_COMMAND_MASTER);
}

void pci_line_on(const struct io_device *device) {
    const uint32_t command = hal_pci_read(device->function, PCI_COMMAND);
    command_set(device->function, command & ~PCI_COMMAND_NO_INTX);
}

void pci_line_off(const struct io_device *device) {
    const uint32_t command = hal_pci_read(device->function, PCI_COMMAND);
    command_set(device->function, command | PCI_COMMAND_NO_INTX);
}

void pci_device_off(const struct io_device *device) {
    const uint32_t command = hal_pci_read(device->function, PCI_COMMAND);
    command_set(device->function, (command & ~PCI_COMMAND_MASTER) | PCI_COMMAND_NO_INTX);
}

static volatile uint8_t *msix_table(const struct io_device *device) {
    const struct pci_msix *msix = &device->msix;
    const struct io_window *window = &device->windows[msix->count == 0 ? 0 : msix->bar];
    const uint64_t end = (uint64_t)msix->offset + (uint64_t)msix->count * MSIX_ENTRY_BYTES;
    if (msix->count == 0 || window->registers == NULL || end > window->size_bytes) {
        return NULL;
    }
    return (volatile uint8_t *)window->registers + msix->offset;
}

// A line for message `index`, the one that it had if it had one.
static enum hx_status message_line(struct io_device *device, uint32_t index) {
    struct io_message *message = &device->messages[index];
    if ((device->messages_known >> index & 1) != 0) {
        return HX_OK;
    }
    enum hx_status status =
        hal_irq_message(device->function, &message->line, &message->address, &message->data);
    device->messages_known |= status == HX_OK ? 1u << index : 0;
    return status;
}

// A line for entry `index` of the table, which is masked; then it is not.
static enum hx_status message_set(struct io_device *device, volatile uint8_t *table, uint32_t index,
                                  uint32_t *out_line) {
    volatile uint8_t *entry = table + (size_t)MSIX_ENTRY_BYTES * index;
    const struct io_message *message = &device->messages[index];
    enum hx_status status = message_line(device, index);
    if (status == HX_OK && dma_doorbell(device, message->address) != HX_OK) {
        status = HX_ERR_NOT_SUPPORTED;
    }
    if (status == HX_OK) {
        hal_device_write(entry + MSIX_ENTRY_ADDRESS, 4, (uint32_t)message->address);
        hal_device_write(entry + MSIX_ENTRY_UPPER, 4, (uint32_t)(message->address >> 32));
        hal_device_write(entry + MSIX_ENTRY_DATA, 4, message->data);
        hal_device_write(entry + MSIX_ENTRY_MASK, 4, 0);
        *out_line = message->line;
    }
    return status;
}

// A device without a line for its first message is as before.
enum hx_status pci_message_on(struct io_device *device) {
    volatile uint8_t *table = msix_table(device);
    const uint32_t at = device->msix.capability;
    uint32_t line;
    if (table == NULL) {
        return HX_ERR_NOT_SUPPORTED;
    }
    const uint32_t head = hal_pci_read(device->function, at);
    hal_pci_write(device->function, at, head | MSIX_ON | MSIX_ALL_MASKED);
    for (uint32_t i = 0; i < device->msix.count; i++) {
        hal_device_write(table + (size_t)MSIX_ENTRY_BYTES * i + MSIX_ENTRY_MASK, 4, 1);
    }
    enum hx_status status = message_set(device, table, 0, &line);
    if (status != HX_OK) {
        hal_pci_write(device->function, at, head);
        return status;
    }
    hal_pci_write(device->function, at, (head | MSIX_ON) & ~MSIX_ALL_MASKED);
    device->pin = device->line;
    device->line = line;
    atomic_store_explicit(&device->is_message, true, memory_order_relaxed);
    return HX_OK;
}

enum hx_status pci_message_add(struct io_device *device, uint32_t index, uint32_t *out_line) {
    volatile uint8_t *table = msix_table(device);
    return table == NULL || index == 0 || index >= MIN_OF(device->msix.count, IO_MESSAGES)
               ? HX_ERR_NOT_SUPPORTED
               : message_set(device, table, index, out_line);
}
