// SPDX-License-Identifier: MIT OR Apache-2.0
// <lib/pci.h>: reads a PCI function's configuration space: base addresses and capabilities (PCI
// Local Bus 3.0, chapter 6; PCI Express Base 5.0, 7.5).
//
// The space is the device's, which is not trusted: whatever it holds, each of these ends and gives
// numbers within the bounds that are said here. No state; any context in which the caller's
// accessors work.
#pragma once

#include <helix/types.h>

#define PCI_CONFIG_BYTES 256u
#define PCI_BARS         6u
#define PCI_NO_DEVICE    UINT32_MAX // what the identity of an absent function reads as

#define PCI_IDENTITY  0x00u // vendor, device
#define PCI_COMMAND   0x04u // and status
#define PCI_CLASS     0x08u // revision, interface, subclass, class
#define PCI_HEADER    0x0cu // its third byte: the header's kind
#define PCI_BAR0      0x10u
#define PCI_BUSES     0x18u // of a bridge
#define PCI_SUBSYSTEM 0x2cu // vendor, device
#define PCI_INTERRUPT 0x3cu // line, pin

#define PCI_COMMAND_IO      0x001u
#define PCI_COMMAND_MEMORY  0x002u
#define PCI_COMMAND_MASTER  0x004u
#define PCI_COMMAND_NO_INTX 0x400u

#define PCI_CAPABILITY_VENDOR 0x09u
#define PCI_CAPABILITY_MSIX   0x11u

// How a function's configuration space is reached. Offsets are multiples of 4 below
// PCI_CONFIG_BYTES.
struct pci_config {
    uint32_t (*read)(const void *context, uint32_t offset);
    void (*write)(const void *context, uint32_t offset, uint32_t value);
    const void *context;
};

struct pci_bar {
    uint64_t address;    // 0: nobody gave it one
    uint64_t size_bytes; // a power of two; 0: there is no such BAR
    bool is_io;
    bool is_wide; // takes the next one's place, too
};

// Where a structure lies in a BAR (Virtual I/O Device 1.2, 4.1.4).
struct pci_window {
    uint32_t bar;        // below PCI_BARS
    uint32_t offset;     // a multiple of what registers there take; its end is below 4 GiB
    uint32_t size_bytes; // not 0
    uint32_t extra;      // of the capability's next word, if it has one: notify_off_multiplier
};

struct pci_msix {
    uint32_t capability; // its offset
    uint32_t count;      // of entries, 1 to 2048
    uint32_t bar;        // below PCI_BARS
    uint32_t offset;     // of the table in it
};

// Reads BAR `index` and finds its size by writing to it; it is as before then. The function's
// decoders must be off. An index beyond the last one, or in the middle of a wide one: size 0.
struct pci_bar pci_bar_read(const struct pci_config *config, uint32_t index);
// Gives a memory BAR an address.
void pci_bar_place(const struct pci_config *config, uint32_t index, const struct pci_bar *bar);
// The offset of the next capability `id` behind the one at `from`, 0 at first; 0: none. The list
// may be a circle: no more than 48 places are looked at.
uint32_t pci_capability_next(const struct pci_config *config, uint32_t from, uint32_t id);
// The first virtio structure of that kind which is usable. False: none.
bool pci_virtio_window(const struct pci_config *config, uint32_t kind,
                       struct pci_window *out_window);
// False: the function has no MSI-X, or it makes no sense.
bool pci_msix_read(const struct pci_config *config, struct pci_msix *out_msix);
