// SPDX-License-Identifier: MIT OR Apache-2.0
// Any bytes as a configuration space that keeps of each write what a mask lets through, and
// answers each read anew from the input.
#include "fuzz.h"

#include <lib/pci.h>

#include <string.h>

struct space {
    uint8_t bytes[PCI_CONFIG_BYTES];
    uint32_t changes; // reads give something else each time
};

static struct space space;

static uint32_t space_read(const void *context, uint32_t offset) {
    (void)context;
    FUZZ_ASSERT(offset % 4 == 0 && offset < PCI_CONFIG_BYTES);
    uint32_t value;
    memcpy(&value, space.bytes + offset, 4);
    const uint32_t change = space.changes;
    space.changes = change * 1664525u;
    return value ^ (change >> 31);
}

static void space_write(const void *context, uint32_t offset, uint32_t value) {
    (void)context;
    FUZZ_ASSERT(offset % 4 == 0 && offset >= PCI_BAR0 && offset < PCI_BAR0 + 4 * PCI_BARS);
    memcpy(space.bytes + offset, &value, 4);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    const struct pci_config config = { .read = space_read, .write = space_write };
    memset(&space, 0, sizeof(space));
    memcpy(&space, data, size < sizeof(space) ? size : sizeof(space));
    struct pci_window window;
    struct pci_msix msix;
    for (uint32_t kind = 0; kind < 6; kind++) {
        if (pci_virtio_window(&config, kind, &window)) {
            FUZZ_ASSERT(window.bar < PCI_BARS && window.size_bytes != 0);
        }
    }
    if (pci_msix_read(&config, &msix)) {
        FUZZ_ASSERT(msix.bar < PCI_BARS && msix.count >= 1 && msix.count <= 2048);
        FUZZ_ASSERT(msix.capability + 8 <= PCI_CONFIG_BYTES && msix.offset % 8 == 0);
    }
    for (uint32_t i = 0; i <= PCI_BARS; i++) {
        const struct pci_bar bar = pci_bar_read(&config, i);
        FUZZ_ASSERT((bar.size_bytes & (bar.size_bytes - 1)) == 0);
        FUZZ_ASSERT(i < PCI_BARS || bar.size_bytes == 0);
    }
    return 0;
}
