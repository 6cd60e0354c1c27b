// SPDX-License-Identifier: MIT OR Apache-2.0
// pci.c: what stands in a function's configuration space. Sections: PCI Local Bus 3.0.
#include <lib/pci.h>

#define BAR_IO           0x1u // 6.2.5.1
#define BAR_IO_MASK      0xfffffffcu
#define BAR_KIND         0x6u
#define BAR_WIDE         0x4u
#define BAR_MEMORY_MASK  0xfffffff0u
#define HEADER_KIND      0x7f0000u
#define STATUS_LIST      0x100000u // of the word at PCI_COMMAND: there are capabilities (6.2.3)
#define LIST_FIRST       0x34u
#define LIST_BEGIN       0x40u // capabilities lie behind the header
#define LIST_PLACES      48u   // as many as fit there
#define VIRTIO_WORDS     16u   // bytes of virtio's capability that all of them have
#define VIRTIO_NOTIFY    2u    // kinds (Virtual I/O Device 1.2, 4.1.4)
#define VIRTIO_INTERRUPT 3u
#define MSIX_TABLE_WORD  4u
#define MSIX_COUNT_MASK  0x7ffu // 6.8.2.3
#define MSIX_BAR_MASK    7u

static uint32_t get(const struct pci_config *config, uint32_t offset) {
    return config->read(config->context, offset);
}

static void set(const struct pci_config *config, uint32_t offset, uint32_t value) {
    config->write(config->context, offset, value);
}

// A bridge has two.
static uint32_t bar_count(const struct pci_config *config) {
    return (get(config, PCI_HEADER) & HEADER_KIND) == 0 ? PCI_BARS : 2;
}

// Which bits of the word stay when all ones are written.
static uint32_t probe(const struct pci_config *config, uint32_t offset, uint32_t before) {
    set(config, offset, UINT32_MAX);
    const uint32_t answer = get(config, offset);
    set(config, offset, before);
    return answer;
}

static struct pci_bar memory_bar(const struct pci_config *config, uint32_t index, uint32_t low) {
    const uint32_t offset = PCI_BAR0 + 4 * index;
    struct pci_bar bar = { .address = low & BAR_MEMORY_MASK };
    uint64_t mask = probe(config, offset, low) & BAR_MEMORY_MASK;
    bar.is_wide = (low & BAR_KIND) == BAR_WIDE;
    if (bar.is_wide && index + 1 < bar_count(config)) {
        const uint32_t high = get(config, offset + 4);
        bar.address |= (uint64_t)high << 32;
        mask |= (uint64_t)probe(config, offset + 4, high) << 32;
    } else if (bar.is_wide) {
        return (struct pci_bar){ 0 };
    } else {
        mask |= mask == 0 ? 0 : UINT64_MAX << 32;
    }
    bar.size_bytes = mask & -mask;
    return bar;
}

// Whether the BAR before is a wide one, whose upper half this is.
static bool is_upper_half(const struct pci_config *config, uint32_t index) {
    bool is_upper = false;
    for (uint32_t i = 0; i < index; i++) {
        const uint32_t low = get(config, PCI_BAR0 + 4 * i);
        is_upper = !is_upper && (low & BAR_IO) == 0 && (low & BAR_KIND) == BAR_WIDE;
    }
    return is_upper;
}

struct pci_bar pci_bar_read(const struct pci_config *config, uint32_t index) {
    if (index >= bar_count(config) || is_upper_half(config, index)) {
        return (struct pci_bar){ 0 };
    }
    const uint32_t offset = PCI_BAR0 + 4 * index;
    const uint32_t low = get(config, offset);
    if ((low & BAR_IO) == 0) {
        return memory_bar(config, index, low);
    }
    const uint32_t mask = probe(config, offset, low) & BAR_IO_MASK;
    return (
        struct pci_bar){ .address = low & BAR_IO_MASK, .size_bytes = mask & -mask, .is_io = true };
}

void pci_bar_place(const struct pci_config *config, uint32_t index, const struct pci_bar *bar) {
    set(config, PCI_BAR0 + 4 * index, (uint32_t)bar->address);
    if (bar->is_wide) {
        set(config, PCI_BAR0 + 4 * index + 4, (uint32_t)(bar->address >> 32));
    }
}

uint32_t pci_capability_next(const struct pci_config *config, uint32_t from, uint32_t id) {
    if ((get(config, PCI_COMMAND) & STATUS_LIST) == 0) {
        return 0;
    }
    uint32_t at = from == 0 ? get(config, LIST_FIRST) : get(config, from) >> 8;
    for (uint32_t i = 0; i < LIST_PLACES; i++) {
        at &= PCI_CONFIG_BYTES - 4; // the two low bits are reserved (6.7)
        if (at < LIST_BEGIN) {
            return 0;
        }
        const uint32_t word = get(config, at);
        if ((word & 0xff) == id) {
            return at;
        }
        at = word >> 8;
    }
    return 0;
}

// What the offset of a structure is a multiple of (4.1.4.3.1, 4.1.4.4.1, 4.1.4.5.1, 4.1.4.6.1).
static uint32_t virtio_align(uint32_t kind) {
    return kind == VIRTIO_NOTIFY ? 2 : kind == VIRTIO_INTERRUPT ? 1 : 4;
}

static bool virtio_window_at(const struct pci_config *config, uint32_t at, uint32_t kind,
                             struct pci_window *out_window) {
    const uint32_t length = get(config, at) >> 16 & 0xff;
    if (length < VIRTIO_WORDS || at + VIRTIO_WORDS > PCI_CONFIG_BYTES) {
        return false;
    }
    *out_window = (struct pci_window){
        .bar = get(config, at + 4) & 0xff,
        .offset = get(config, at + 8),
        .size_bytes = get(config, at + 12),
    };
    if (length >= VIRTIO_WORDS + 4 && at + VIRTIO_WORDS + 4 <= PCI_CONFIG_BYTES) {
        out_window->extra = get(config, at + VIRTIO_WORDS);
    }
    return out_window->bar < PCI_BARS && out_window->size_bytes != 0 &&
           out_window->offset <= UINT32_MAX - out_window->size_bytes &&
           out_window->offset % virtio_align(kind) == 0;
}

bool pci_virtio_window(const struct pci_config *config, uint32_t kind,
                       struct pci_window *out_window) {
    uint32_t at = 0;
    for (uint32_t i = 0; i < LIST_PLACES; i++) {
        at = pci_capability_next(config, at, PCI_CAPABILITY_VENDOR);
        if (at == 0) {
            return false;
        }
        struct pci_window window;
        if (get(config, at) >> 24 == kind && virtio_window_at(config, at, kind, &window)) {
            *out_window = window;
            return true;
        }
    }
    return false;
}

bool pci_msix_read(const struct pci_config *config, struct pci_msix *out_msix) {
    const uint32_t at = pci_capability_next(config, 0, PCI_CAPABILITY_MSIX);
    if (at == 0 || at + 8 > PCI_CONFIG_BYTES) {
        return false;
    }
    const uint32_t table = get(config, at + MSIX_TABLE_WORD);
    *out_msix = (struct pci_msix){
        .capability = at,
        .count = (get(config, at) >> 16 & MSIX_COUNT_MASK) + 1,
        .bar = table & MSIX_BAR_MASK,
        .offset = table & ~MSIX_BAR_MASK,
    };
    return out_msix->bar < PCI_BARS;
}
