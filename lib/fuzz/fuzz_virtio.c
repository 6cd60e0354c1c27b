// SPDX-License-Identifier: MIT OR Apache-2.0
// Any bytes as a virtio device, over PCI or MMIO, that answers what it likes: its driver's side
// asks only for what may be asked for, ends, and gives what it says.
#include "fuzz.h"

#include <lib/virtio.h>

#include <string.h>

static uint8_t space[PCI_CONFIG_BYTES];
static const uint8_t *answers; // of registers, over and over
static size_t answers_bytes;
static size_t asked;
static bool is_pci;
static bool is_honest;            // a reset ends at once
static uint32_t reset_at, resets; // where, and whether, one was asked for

static uint32_t space_read(const void *context, uint32_t offset) {
    (void)context;
    FUZZ_ASSERT(offset % 4 == 0 && offset < PCI_CONFIG_BYTES);
    uint32_t value;
    memcpy(&value, space + offset, 4);
    return value;
}

static void space_write(const void *context, uint32_t offset, uint32_t value) {
    (void)context;
    FUZZ_ASSERT(offset % 4 == 0 && offset < PCI_CONFIG_BYTES);
    memcpy(space + offset, &value, 4);
}

static void look(uint32_t window, uint32_t offset, uint32_t bytes) {
    FUZZ_ASSERT(bytes == 1 || bytes == 2 || bytes == 4);
    FUZZ_ASSERT(offset % bytes == 0 && window < (is_pci ? PCI_BARS : 1));
}

static uint32_t access_read(void *context, uint32_t window, uint32_t offset, uint32_t bytes) {
    (void)context;
    look(window, offset, bytes);
    uint32_t value = 0;
    if (is_honest && resets != 0 && offset == reset_at) {
        return 0;
    }
    for (uint32_t i = 0; i < bytes; i++) {
        value = value << 8 | (answers_bytes == 0 ? 0 : answers[asked++ % answers_bytes]);
    }
    return value;
}

static void access_write(void *context, uint32_t window, uint32_t offset, uint32_t bytes,
                         uint32_t value) {
    (void)context;
    look(window, offset, bytes);
    FUZZ_ASSERT(bytes == 4 || value >> (8 * bytes) == 0);
    if (value == 0 && bytes == (is_pci ? 1 : 4) && resets == 0) { // the first write of all
        reset_at = offset;
        resets = 1;
    } else if (resets != 0 && offset == reset_at) {
        resets = value == 0;
    }
}

// A place in a window lies in it: sums of 32 bits must not have wrapped.
static void look_at_window(const struct pci_window *window) {
    FUZZ_ASSERT(window->offset <= UINT32_MAX - window->size_bytes);
}

static void drive(struct virtio *virtio) {
    if (virtio_start(virtio, UINT64_MAX) != HX_OK) {
        return;
    }
    for (uint32_t queue = 0; queue <= VIRTIO_QUEUES_MAX; queue++) {
        const uint32_t room = virtio_queue_room(virtio, queue);
        FUZZ_ASSERT(queue < VIRTIO_QUEUES_MAX || room == 0);
        if (room != 0 && virtio_queue_set(virtio, queue, 8, 0x12345000, 0) == HX_OK) {
            const uint32_t at = virtio->notify_at[queue] - virtio->notify.offset;
            FUZZ_ASSERT(!is_pci || at + 2 <= virtio->notify.size_bytes);
            virtio_notify(virtio, queue);
        }
    }
    virtio_go(virtio);
    (void)virtio_interrupt(virtio);
    (void)virtio_is_broken(virtio);
    (void)virtio_config(virtio, 0, 8);
    (void)virtio_config(virtio, 12, 4);
    virtio_config_set(virtio, 32, 1);
    (void)virtio_reset(virtio);
}

// A list of capabilities, of which most make sense; a part of its numbers is round.
static void space_make(const uint8_t *data, size_t size) {
    const uint32_t count = 6;
    space[PCI_COMMAND + 2] = 0x10; // there is a list
    space[0x34] = 0x40;
    for (uint32_t i = 0; i < count && 4 * i + 3 < size; i++) {
        const uint8_t *choice = data + (size_t)4 * i;
        uint8_t *words = space + 0x40 + (size_t)24 * i;
        words[0] = PCI_CAPABILITY_VENDOR;
        words[1] = (uint8_t)(i + 1 < count ? 0x40 + 24 * (i + 1) : 0);
        words[2] = 20;
        words[3] = (uint8_t)(choice[0] % 16 == 0 ? choice[0] / 16 : 1 + i % 4);
        words[4] = choice[0] / 32;
        words[8 + choice[1] % 4] = choice[2];
        words[9] = choice[1] & 0xf0;
        memset(words + 10, choice[1] == 0xff ? 0xff : 0, 2);
        words[12 + choice[3] % 4] = choice[3];
        words[16] = choice[2];
    }
}

// A word of the command line: whatever follows the registers' answers.
static void word(const uint8_t *data, size_t size) {
    char text[64] = { 0 };
    struct virtio_word word = { 0 };
    memcpy(text, data, size < sizeof(text) ? size : sizeof(text) - 1);
    if (virtio_word_parse(text, &word)) {
        FUZZ_ASSERT(word.size_bytes >> 52 == 0);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static const struct pci_config config = { .read = space_read, .write = space_write };
    struct virtio virtio;
    is_pci = size != 0 && data[0] % 8 != 0;
    const size_t space_bytes = size < sizeof(space) ? size : sizeof(space);
    const struct virtio_access access = { .read = access_read,
                                          .write = access_write,
                                          .config = is_pci ? &config : NULL };
    memset(space, 0, sizeof(space));
    if (is_pci && data[0] % 8 != 1) {
        space_make(data + 1, size - 1);
    } else {
        memcpy(space, data, space_bytes);
    }
    answers = data;
    answers_bytes = size;
    asked = 0;
    resets = 0;
    is_honest = size != 0 && data[size - 1] % 16 != 0;
    word(data, size);
    if (virtio_open(&virtio, &access) != HX_OK) {
        return 0;
    }
    if (is_pci) {
        look_at_window(&virtio.common);
        look_at_window(&virtio.notify);
        look_at_window(&virtio.interrupt);
        look_at_window(&virtio.device);
    } else {
        (void)virtio_mmio_kind(&virtio);
    }
    drive(&virtio);
    return 0;
}
