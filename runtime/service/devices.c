// SPDX-License-Identifier: MIT OR Apache-2.0
// runtime/service/devices.c: devices are not given to modules in ring 3 yet: a driver is told so
// when it asks for one, and runs in the kernel.
#include "host.h"

// NOLINTBEGIN(readability-non-const-parameter): <helix/env.h> says so

enum hx_status hx_irq_register(struct hx_env *env, uint32_t isa, void (*handler)(void *context),
                               void *context) {
    (void)env;
    (void)isa;
    (void)handler;
    (void)context;
    return HX_ERR_NOT_SUPPORTED;
}

enum hx_status hx_device_open(struct hx_env *env, const char *name, uint32_t index,
                              struct hx_device *out_device) {
    (void)index;
    (void)out_device;
    hx_log(env, HX_LOG_ERROR, "%s: no devices in ring 3 yet", name);
    return HX_ERR_NOT_SUPPORTED;
}

// Nobody has a device to call the others with.

uint32_t hx_device_read(const struct hx_device *device, uint32_t window, uint32_t offset,
                        uint32_t bytes) {
    (void)device;
    (void)window;
    (void)offset;
    (void)bytes;
    return UINT32_MAX;
}

void hx_device_write(const struct hx_device *device, uint32_t window, uint32_t offset,
                     uint32_t bytes, uint32_t value) {
    (void)device;
    (void)window;
    (void)offset;
    (void)bytes;
    (void)value;
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
    (void)device;
    (void)offset;
    return UINT32_MAX;
}

bool hx_device_is_pci(const struct hx_device *device) {
    (void)device;
    return false;
}

enum hx_status hx_device_irq(struct hx_env *env, const struct hx_device *device,
                             void (*handler)(void *context), void *context, bool *out_is_message) {
    (void)env;
    (void)device;
    (void)handler;
    (void)context;
    (void)out_is_message;
    return HX_ERR_NOT_SUPPORTED;
}

enum hx_status hx_device_message(struct hx_env *env, const struct hx_device *device, uint32_t index,
                                 void (*handler)(void *context), void *context) {
    (void)env;
    (void)device;
    (void)index;
    (void)handler;
    (void)context;
    return HX_ERR_NOT_SUPPORTED;
}

void *hx_dma_alloc(struct hx_env *env, const struct hx_device *device, size_t size_bytes,
                   uint64_t *out_address) {
    (void)env;
    (void)device;
    (void)size_bytes;
    (void)out_address;
    return NULL;
}

void hx_dma_free(struct hx_env *env, const struct hx_device *device, void *memory,
                 uint64_t address) {
    (void)env;
    (void)device;
    (void)memory;
    (void)address;
}

enum hx_status hx_dma_map(struct hx_env *env, const struct hx_device *device,
                          const void *const *pages, uint32_t count, uint32_t access,
                          uint64_t *out_addresses) {
    (void)env;
    (void)device;
    (void)pages;
    (void)count;
    (void)access;
    (void)out_addresses;
    return HX_ERR_NOT_SUPPORTED;
}

enum hx_status hx_dma_unmap(struct hx_env *env, const struct hx_device *device,
                            const uint64_t *addresses, uint32_t count) {
    (void)env;
    (void)device;
    (void)addresses;
    (void)count;
    return HX_ERR_NOT_SUPPORTED;
}

bool hx_dma_is_bound(const struct hx_device *device) {
    (void)device;
    return false;
}

// NOLINTEND(readability-non-const-parameter)
