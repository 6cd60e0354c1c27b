// SPDX-License-Identifier: MIT OR Apache-2.0
// device.c: the list of devices. It is written at boot alone; each device has a mark that says
// whether a driver has it.
#include "dma.h"

#include <core/log.h>
#include <hal/irq.h>
#include <hal/pci.h>
#include <lib/string.h>
#include <memory/heap.h>

static struct list devices = LIST_INIT(devices);

enum hx_status device_add(const struct io_device *device) {
    struct io_device *added = heap_alloc_zero(sizeof(*added), MEMORY_SLEEP);
    if (added == NULL) {
        return HX_ERR_NO_MEMORY;
    }
    *added = *device;
    atomic_init(&added->is_taken, false);
    list_push_back(&devices, &added->link);
    return HX_OK;
}

bool device_range_is_sound(struct paddr base, uint64_t size_bytes) {
    if (base.value == 0 || size_bytes == 0 || size_bytes > IO_WINDOW_MAX ||
        base.value + size_bytes < base.value) {
        return false;
    }
    for (uint64_t at = ALIGN_DOWN(base.value, (uint64_t)PAGE_SIZE); at < base.value + size_bytes;
         at += PAGE_SIZE) {
        if (frame_of(paddr_make(at)) != NULL) {
            return false;
        }
    }
    return true;
}

static enum hx_status windows_map(struct io_device *device) {
    for (uint32_t i = 0; i < IO_WINDOWS; i++) {
        struct io_window *window = &device->windows[i];
        if (window->size_bytes != 0 && window->registers == NULL) {
            window->registers = hal_device_map(window->base, window->size_bytes);
            if (window->registers == NULL) {
                return HX_ERR_NO_MEMORY;
            }
        }
    }
    return HX_OK;
}

static struct io_device *find(const char *name, uint32_t index) {
    list_for_each (link, &devices) {
        struct io_device *device = LIST_ENTRY(link, struct io_device, link);
        if (strcmp(device->name, name) == 0 && index-- == 0) {
            return device;
        }
    }
    return NULL;
}

// dma_begin() asks the device what addresses it uses, so its windows answer before it reaches any
// memory.
static enum hx_status device_begin(struct io_device *device) {
    const bool is_pci = device->function != IO_NO_FUNCTION;
    if (is_pci) {
        pci_windows_on(device);
    }
    enum hx_status status = dma_begin(device);
    if (status == HX_OK && is_pci) {
        pci_device_on(device);
    }
    return status;
}

enum hx_status io_device_take(const char *name, uint32_t index, const char *owner,
                              struct io_device **out_device) {
    struct io_device *device = find(name, index);
    if (device == NULL) {
        return HX_ERR_NOT_FOUND;
    }
    // Acquire and release: who takes it next sees what the one before wrote.
    if (atomic_exchange_explicit(&device->is_taken, true, memory_order_acq_rel)) {
        return HX_ERR_BUSY;
    }
    atomic_store_explicit(&device->owner, owner, memory_order_release);
    enum hx_status status = windows_map(device);
    if (status == HX_OK) {
        status = device_begin(device);
    }
    if (status != HX_OK) {
        atomic_store_explicit(&device->is_taken, false, memory_order_release);
        return status;
    }
    *out_device = device;
    return HX_OK;
}

uint32_t io_device_line(struct io_device *device) {
    if (atomic_load_explicit(&device->is_message, memory_order_relaxed) ||
        device->function == IO_NO_FUNCTION) {
        return device->line;
    }
    enum hx_status status = pci_message_on(device);
    if (status != HX_OK && status != HX_ERR_NOT_SUPPORTED) {
        log_warning("%s: no message interrupt: %s", device->name, hx_status_name(status));
    }
    return device->line;
}

enum hx_status io_device_message(struct io_device *device, uint32_t index, uint32_t *out_line) {
    return atomic_load_explicit(&device->is_message, memory_order_relaxed)
               ? pci_message_add(device, index, out_line)
               : HX_ERR_NOT_SUPPORTED;
}

void io_device_line_on(const struct io_device *device) {
    if (device->function != IO_NO_FUNCTION &&
        !atomic_load_explicit(&device->is_message, memory_order_relaxed)) {
        pci_line_on(device);
    }
}

// Whether it certainly reaches no memory any more.
static bool device_end(const struct io_device *device) {
    if (device->function != IO_NO_FUNCTION) {
        pci_device_off(device);
    }
    enum hx_status status = dma_end(device);
    if (status == HX_ERR_IO) {
        log_error("%s: the IOMMU does not say that it reaches no memory any more", device->name);
    }
    return status == HX_OK;
}

// No more than that: QEMU 7.2 never comes back from taking the bus from a virtio device that has
// requests in a packed queue. The reset comes before that.
void io_device_line_off(const struct io_device *device) {
    if (device->function != IO_NO_FUNCTION) {
        pci_line_off(device);
    }
}

static bool is_owned_by(const struct io_device *device, const char *owner) {
    const char *its = atomic_load_explicit(&device->owner, memory_order_acquire);
    return its != NULL && strcmp(its, owner) == 0;
}

bool io_devices_end(const char *owner) {
    bool is_over = true;
    list_for_each (link, &devices) {
        struct io_device *device = LIST_ENTRY(link, struct io_device, link);
        if (is_owned_by(device, owner)) {
            const bool is_reset = virtio_device_reset(device); // while it may answer
            is_over = (device_end(device) || is_reset) && is_over;
        }
    }
    return is_over;
}

void io_devices_release(const char *owner) {
    list_for_each (link, &devices) {
        struct io_device *device = LIST_ENTRY(link, struct io_device, link);
        if (is_owned_by(device, owner)) {
            if (atomic_exchange_explicit(&device->is_message, false, memory_order_relaxed)) {
                device->line = device->pin;
            }
            atomic_store_explicit(&device->owner, NULL, memory_order_relaxed);
            atomic_store_explicit(&device->is_taken, false, memory_order_release);
        }
    }
}

volatile uint8_t *device_register(const struct io_device *device, uint32_t window, uint32_t offset,
                                  uint32_t bytes) {
    const struct io_window *at = &device->windows[window < IO_WINDOWS ? window : 0];
    return window < IO_WINDOWS && at->registers != NULL && at->size_bytes >= bytes &&
                   offset <= at->size_bytes - bytes
               ? (volatile uint8_t *)at->registers + offset
               : NULL;
}

uint32_t io_device_config(const struct io_device *device, uint32_t offset) {
    return device->function == IO_NO_FUNCTION || offset % 4 != 0 || offset >= PCI_CONFIG_BYTES
               ? UINT32_MAX
               : hal_pci_read(device->function, offset);
}

struct io_device *device_at(uint32_t index) {
    list_for_each (link, &devices) {
        if (index-- == 0) {
            return LIST_ENTRY(link, struct io_device, link);
        }
    }
    return NULL;
}

const struct io_device *io_device_at(uint32_t index) {
    return device_at(index);
}

void io_devices_find(const struct cmdline *cmdline) {
    virtio_mmio_find(cmdline);
    pci_find();
    dma_find();
}
