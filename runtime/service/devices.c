// SPDX-License-Identifier: MIT OR Apache-2.0
// runtime/service/devices.c: devices of a module in ring 3: each call is the kernel's to do, who
// has the registers.
#include "host.h"

struct listener {
    void (*handler)(void *context);
    void *context;
};

static struct listener listeners[SERVICE_LINES_MAX]; // each written once, by who registers it
static _Atomic uint32_t listeners_taken;

// ---- a device: its number, and what does not change, lie where the kernel has its own

#define IS_PCI   1u
#define IS_BOUND 2u

static uint64_t number_of(const struct hx_device *device) {
    return (uintptr_t)device->node;
}

enum hx_status hx_device_open(struct hx_env *env, const char *name, uint32_t index,
                              struct hx_device *out_device) {
    struct service_device it = { 0 };
    (void)env;
    const int64_t number =
        service_call(SERVICE_DEVICE_OPEN, service_address(name), index, service_address(&it));
    if (number < 0) {
        return (enum hx_status)number;
    }
    *out_device =
        (struct hx_device){ .line = (it.is_pci ? IS_PCI : 0) | (it.is_bound ? IS_BOUND : 0),
                            .node = service_pointer(number) };
    for (uint32_t i = 0; i < HX_DEVICE_WINDOWS; i++) {
        out_device->windows[i].size_bytes = it.window_bytes[i];
    }
    return HX_OK;
}

uint32_t hx_device_read(const struct hx_device *device, uint32_t window, uint32_t offset,
                        uint32_t bytes) {
    return (uint32_t)service_call5(SERVICE_DEVICE_READ, number_of(device), window, offset, bytes,
                                   0);
}

void hx_device_write(const struct hx_device *device, uint32_t window, uint32_t offset,
                     uint32_t bytes, uint32_t value) {
    (void)service_call5(SERVICE_DEVICE_WRITE, number_of(device), window, offset, bytes, value);
}

uint32_t hx_device_read32(const struct hx_device *device, uint32_t offset) {
    return hx_device_read(device, 0, offset, 4);
}

void hx_device_write32(const struct hx_device *device, uint32_t offset, uint32_t value) {
    hx_device_write(device, 0, offset, 4, value);
}

uint8_t hx_device_read8(const struct hx_device *device, uint32_t offset) {
    return (uint8_t)hx_device_read(device, 0, offset, 1);
}

void hx_device_write8(const struct hx_device *device, uint32_t offset, uint8_t value) {
    hx_device_write(device, 0, offset, 1, value);
}

uint32_t hx_device_config(const struct hx_device *device, uint32_t offset) {
    return (uint32_t)service_call(SERVICE_DEVICE_CONFIG, number_of(device), offset, 0);
}

bool hx_device_is_pci(const struct hx_device *device) {
    return (device->line & IS_PCI) != 0;
}

bool hx_dma_is_bound(const struct hx_device *device) {
    return (device->line & IS_BOUND) != 0;
}

// ---- interrupts

// A number for it, which stays used. SERVICE_LINES_MAX and more: none is left.
static uint32_t listener_add(void (*handler)(void *context), void *context) {
    const uint32_t number = atomic_fetch_add_explicit(&listeners_taken, 1, memory_order_relaxed);
    if (number < SERVICE_LINES_MAX) {
        listeners[number] = (struct listener){ handler, context };
    }
    return number;
}

void interrupt_serve(uint32_t number) {
    if (number >= SERVICE_LINES_MAX || listeners[number].handler == NULL) {
        __builtin_trap(); // the kernel knows no number that it was not told
    }
    listeners[number].handler(listeners[number].context);
}

enum hx_status hx_irq_register(struct hx_env *env, uint32_t isa, void (*handler)(void *context),
                               void *context) {
    (void)env;
    return (enum hx_status)service_call(SERVICE_IRQ, isa, listener_add(handler, context), 0);
}

enum hx_status hx_device_irq(struct hx_env *env, const struct hx_device *device,
                             void (*handler)(void *context), void *context, bool *out_is_message) {
    (void)env;
    const int64_t result =
        service_call(SERVICE_DEVICE_IRQ, number_of(device), listener_add(handler, context), 0);
    if (result >= 0 && out_is_message != NULL) {
        *out_is_message = result != 0;
    }
    return result < 0 ? (enum hx_status)result : HX_OK;
}

enum hx_status hx_device_message(struct hx_env *env, const struct hx_device *device, uint32_t index,
                                 void (*handler)(void *context), void *context) {
    (void)env;
    return (enum hx_status)service_call(SERVICE_DEVICE_MESSAGE, number_of(device), index,
                                        listener_add(handler, context));
}

// ---- memory

void *hx_dma_alloc(struct hx_env *env, const struct hx_device *device, size_t size_bytes,
                   uint64_t *out_address) {
    struct service_dma it = { 0 };
    (void)env;
    if (service_call(SERVICE_DMA_ALLOC, number_of(device), size_bytes, service_address(&it)) !=
        HX_OK) {
        return NULL;
    }
    *out_address = it.device;
    return service_pointer((int64_t)it.address);
}

void hx_dma_free(struct hx_env *env, const struct hx_device *device, void *memory,
                 uint64_t address) {
    (void)env;
    (void)device;
    (void)address; // the kernel knows whose it is, and where the device sees it
    if (memory != NULL) {
        (void)service_call(SERVICE_DMA_FREE, service_address(memory), 0, 0);
    }
}

enum hx_status hx_dma_map(struct hx_env *env, const struct hx_device *device,
                          const void *const *pages, uint32_t count, uint32_t access,
                          uint64_t *out_addresses) {
    (void)env;
    return (enum hx_status)service_call5(SERVICE_DMA_MAP, number_of(device),
                                         service_address((const void *)pages), count, access,
                                         service_address(out_addresses));
}

// HX_ERR_IO if one of several calls says so: then any of the pages may be reached.
enum hx_status hx_dma_unmap(struct hx_env *env, const struct hx_device *device,
                            const uint64_t *addresses, uint32_t count) {
    enum hx_status status = HX_OK;
    (void)env;
    for (uint32_t done = 0; done < count && status == HX_OK;) {
        const uint32_t part = MIN_OF(count - done, SERVICE_LENDINGS_MAX);
        status = (enum hx_status)service_call(SERVICE_DMA_UNMAP, number_of(device),
                                              service_address(addresses + done), part);
        done += part;
    }
    return status;
}

enum hx_status hx_page_read(struct hx_env *env, const void *page, size_t offset, void *to,
                            size_t size_bytes) {
    (void)env;
    return (enum hx_status)service_call5(SERVICE_PAGE_READ, service_address(page), offset,
                                         service_address(to), size_bytes, 0);
}

enum hx_status hx_page_write(struct hx_env *env, void *page, size_t offset, const void *from,
                             size_t size_bytes) {
    (void)env;
    return (enum hx_status)service_call5(SERVICE_PAGE_WRITE, service_address(page), offset,
                                         service_address(from), size_bytes, 0);
}
