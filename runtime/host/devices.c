// SPDX-License-Identifier: MIT OR Apache-2.0
// runtime/host/devices.c: devices that a test plays, and their interrupts.
#include "private.h"

#include <string.h>
#include <sys/mman.h>

#define ISA_LINES 16u

struct line {
    void (*handler)(void *context);
    void *context;
};

static struct host_device *devices;
static struct line isa_lines[ISA_LINES];
static uint8_t (*port_read)(uint16_t port);
static void (*port_write)(uint16_t port, uint8_t value);

void host_device_add(struct host_device *device) {
    struct host_device **at = &devices;
    while (*at != NULL) {
        if (*at == device) {
            host_broken("the device %s is there already", device->name);
        }
        at = &(*at)->next;
    }
    *at = device;
    device->next = NULL;
    device->is_open = false;
    memset(device->lines, 0, sizeof(device->lines));
}

void devices_close(void) {
    for (struct host_device *device = devices; device != NULL; device = device->next) {
        device->is_open = false;
        memset(device->lines, 0, sizeof(device->lines));
    }
    memset(isa_lines, 0, sizeof(isa_lines));
}

// Their storage may be gone.
void devices_reset(void) {
    devices = NULL;
    devices_close();
    port_read = NULL;
    port_write = NULL;
}

static struct host_device *node_of(const struct hx_device *device) {
    if (device->node == NULL) {
        host_broken("a device is used that was not opened");
    }
    return device->node;
}

// What windows point to: nothing that anybody may go to but by the calls.
static void *nowhere(void) {
    static void *page;
    if (page == NULL) {
        page = mmap(NULL, PAGE_SIZE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        if (page == MAP_FAILED) {
            host_broken("this machine has no memory");
        }
    }
    return page;
}

enum hx_status hx_device_open(struct hx_env *env, const char *name, uint32_t index,
                              struct hx_device *out_device) {
    struct host_device *device = devices;
    may_sleep("hx_device_open()");
    if (!env_may_open(env, name)) {
        return HX_ERR_ACCESS_DENIED;
    }
    for (; device != NULL; device = device->next) {
        if (strcmp(device->name, name) == 0 && index-- == 0) {
            break;
        }
    }
    if (device == NULL) {
        return HX_ERR_NOT_FOUND;
    }
    if (device->is_open || device->open_status != HX_OK) {
        return device->is_open ? HX_ERR_BUSY : device->open_status;
    }
    if (fails_now()) {
        return HX_ERR_NO_MEMORY;
    }
    device->is_open = true;
    *out_device = (struct hx_device){ .node = device };
    for (uint32_t i = 0; i < HX_DEVICE_WINDOWS; i++) {
        out_device->windows[i] =
            (struct hx_device_window){ device->window_bytes[i] != 0 ? nowhere() : NULL,
                                       device->window_bytes[i] };
    }
    return HX_OK;
}

// Registers
// ------------------------------------------------------------------------------------------------

static bool is_inside(const struct host_device *device, uint32_t window, uint32_t offset,
                      uint32_t bytes) {
    return window < HX_DEVICE_WINDOWS && (bytes == 1 || bytes == 2 || bytes == 4) &&
           offset % bytes == 0 && device->window_bytes[window] >= bytes &&
           offset <= device->window_bytes[window] - bytes;
}

uint32_t hx_device_read(const struct hx_device *device, uint32_t window, uint32_t offset,
                        uint32_t bytes) {
    const struct host_device *node = node_of(device);
    return node->read != NULL && is_inside(node, window, offset, bytes)
               ? node->read(node->context, window, offset, bytes)
               : UINT32_MAX;
}

void hx_device_write(const struct hx_device *device, uint32_t window, uint32_t offset,
                     uint32_t bytes, uint32_t value) {
    const struct host_device *node = node_of(device);
    if (node->write != NULL && is_inside(node, window, offset, bytes)) {
        node->write(node->context, window, offset, bytes, value);
    }
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
    const struct host_device *node = node_of(device);
    return node->is_pci && node->config != NULL && offset % 4 == 0
               ? node->config(node->context, offset)
               : UINT32_MAX;
}

bool hx_device_is_pci(const struct hx_device *device) {
    return node_of(device)->is_pci;
}

void host_io_ports(uint8_t (*read)(uint16_t port), void (*write)(uint16_t port, uint8_t value)) {
    port_read = read;
    port_write = write;
}

uint8_t hx_io_port_read8(struct hx_env *env, uint16_t port) {
    return port_read != NULL && env_may_use(env, port) ? port_read(port) : 0xff;
}

void hx_io_port_write8(struct hx_env *env, uint16_t port, uint8_t value) {
    if (port_write != NULL && env_may_use(env, port)) {
        port_write(port, value);
    }
}

// Interrupts
// ------------------------------------------------------------------------------------------------

enum hx_status hx_irq_register(struct hx_env *env, uint32_t isa, void (*handler)(void *context),
                               void *context) {
    may_sleep("hx_irq_register()");
    if (!env_is_granted(env, HX_CAPABILITY_IRQ)) {
        return HX_ERR_ACCESS_DENIED;
    }
    if (isa >= ISA_LINES) {
        return HX_ERR_NO_DEVICE;
    }
    if (isa_lines[isa].handler != NULL) {
        return HX_ERR_BUSY;
    }
    if (fails_now()) {
        return HX_ERR_NO_MEMORY;
    }
    isa_lines[isa] = (struct line){ handler, context };
    return HX_OK;
}

static enum hx_status listen(struct host_device *device, uint32_t index,
                             void (*handler)(void *context), void *context) {
    if (device->lines[index].handler != NULL) {
        return HX_ERR_BUSY;
    }
    if (fails_now()) {
        return HX_ERR_NO_MEMORY;
    }
    device->lines[index].handler = handler;
    device->lines[index].context = context;
    return HX_OK;
}

enum hx_status hx_device_irq(struct hx_env *env, const struct hx_device *device,
                             void (*handler)(void *context), void *context, bool *out_is_message) {
    struct host_device *node = node_of(device);
    may_sleep("hx_device_irq()");
    if (!env_is_granted(env, HX_CAPABILITY_IRQ)) {
        return HX_ERR_ACCESS_DENIED;
    }
    if (node->irq_status != HX_OK) {
        return node->irq_status;
    }
    if (out_is_message != NULL) {
        *out_is_message = node->message_count != 0;
    }
    return listen(node, 0, handler, context);
}

enum hx_status hx_device_message(struct hx_env *env, const struct hx_device *device, uint32_t index,
                                 void (*handler)(void *context), void *context) {
    struct host_device *node = node_of(device);
    may_sleep("hx_device_message()");
    if (!env_is_granted(env, HX_CAPABILITY_IRQ)) {
        return HX_ERR_ACCESS_DENIED;
    }
    if (index == 0 || index >= node->message_count || node->lines[0].handler == NULL) {
        return HX_ERR_NOT_SUPPORTED;
    }
    const uint32_t lines = node->message_lines != 0 ? node->message_lines : HOST_MESSAGES;
    return index < lines ? listen(node, index, handler, context) : HX_ERR_NO_DEVICE;
}

bool host_interrupt(struct host_device *device, uint32_t index) {
    if (index >= HOST_MESSAGES || device->lines[index].handler == NULL) {
        return false;
    }
    module_call(device->lines[index].handler, device->lines[index].context);
    return true;
}

bool host_isa_interrupt(uint32_t isa) {
    if (isa >= ISA_LINES || isa_lines[isa].handler == NULL) {
        return false;
    }
    module_call(isa_lines[isa].handler, isa_lines[isa].context);
    return true;
}
