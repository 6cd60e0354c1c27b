// SPDX-License-Identifier: MIT OR Apache-2.0
// virtio_mmio.c: virtio devices over MMIO: those that firmware lists, and those of the command line
// (Linux 6.1, drivers/virtio/virtio_mmio.c: virtio_mmio.device=SIZE@BASE:IRQ[:ID]).
#include "private.h"

#include <core/log.h>
#include <hal/irq.h>
#include <lib/format.h>
#include <lib/string.h>
#include <lib/virtio.h>

#define FIRMWARE_MAX   64u // of those that firmware lists
#define REGISTER_BYTES 0x100u

static uint32_t window_read(void *context, uint32_t window, uint32_t offset, uint32_t bytes) {
    volatile uint8_t *registers = context;
    (void)window; // there is one
    return hal_device_read(registers + offset, bytes);
}

static void window_write(void *context, uint32_t window, uint32_t offset, uint32_t bytes,
                         uint32_t value) {
    volatile uint8_t *registers = context;
    (void)window;
    hal_device_write(registers + offset, bytes, value);
}

// An empty place has no kind.
static void look(const struct hal_device *found) {
    volatile void *mapped = hal_device_map(found->base, found->size_bytes);
    // NOLINTNEXTLINE(performance-no-int-to-ptr): only the qualifier goes
    void *registers = (void *)(uintptr_t)mapped;
    const struct virtio_access access = { .read = window_read,
                                          .write = window_write,
                                          .context = registers };
    struct virtio virtio;
    struct io_device device = { .function = IO_NO_FUNCTION, .line = found->line };
    if (mapped == NULL || found->size_bytes < REGISTER_BYTES ||
        virtio_open(&virtio, &access) != HX_OK || virtio_mmio_kind(&virtio) == 0) {
        return;
    }
    (void)format_string(device.name, sizeof(device.name), "virtio:%u", virtio_mmio_kind(&virtio));
    device.windows[0] = (struct io_window){ .registers = mapped, .size_bytes = found->size_bytes };
    if (device_add(&device) != HX_OK) {
        log_warning("%s: no memory for it", device.name);
    }
}

static void look_at_word(const char *text) {
    struct virtio_word word;
    if (!virtio_word_parse(text, &word) ||
        !device_range_is_sound(paddr_make(word.base), word.size_bytes)) {
        log_warning("command line: virtio_mmio.device=%s is no SIZE@BASE:IRQ", text);
        return;
    }
    const struct hal_device found = {
        .base = paddr_make(word.base),
        .size_bytes = (size_t)word.size_bytes,
        .line = hal_irq_from_isa(word.interrupt),
    };
    look(&found);
}

void virtio_mmio_find(const struct cmdline *cmdline) {
    struct hal_device found;
    uint32_t cursor = 0;
    const char *text;
    for (uint32_t i = 0; i < FIRMWARE_MAX && hal_device_find("virtio,mmio", i, &found) == HX_OK;
         i++) {
        look(&found);
    }
    while ((text = cmdline_next(cmdline, "virtio_mmio.device", &cursor)) != NULL) {
        look_at_word(text);
    }
}
