// SPDX-License-Identifier: MIT OR Apache-2.0
// Configuration spaces as devices have them, and as no device should.
#include "bytes.h"
#include "check.h"

#include <lib/pci.h>

#include <string.h>

static uint8_t space[PCI_CONFIG_BYTES];
static uint32_t writable[PCI_BARS]; // bits of the BARs that keep what is written
static uint32_t reads;

static uint32_t space_read(const void *context, uint32_t offset) {
    (void)context;
    CHECK(offset % 4 == 0 && offset < PCI_CONFIG_BYTES);
    reads++;
    uint32_t value;
    memcpy(&value, space + offset, 4);
    return value;
}

static void space_write(const void *context, uint32_t offset, uint32_t value) {
    (void)context;
    CHECK(offset % 4 == 0 && offset >= PCI_BAR0 && offset < PCI_BAR0 + 4 * PCI_BARS);
    const uint32_t mask = writable[(offset - PCI_BAR0) / 4];
    put_u32(space + offset, (value & mask) | (space_read(NULL, offset) & ~mask));
}

static const struct pci_config config = { .read = space_read, .write = space_write };

static void setup(void) {
    memset(space, 0, sizeof(space));
    memset(writable, 0, sizeof(writable));
    put_u32(space + PCI_COMMAND, 0x100000);
    reads = 0;
}

static void test_bars(void) {
    setup();
    put_u32(space + PCI_BAR0, 0x0000c001); // I/O, 128 bytes
    writable[0] = 0xffffff80;
    put_u32(space + PCI_BAR0 + 4, 0xfebd1000); // memory, 4 KiB
    writable[1] = 0xfffff000;
    put_u32(space + PCI_BAR0 + 16, 0x0000000c); // 64 bits, prefetchable, 16 KiB at 8 GiB
    put_u32(space + PCI_BAR0 + 20, 2);
    writable[4] = 0xffffc000;
    writable[5] = UINT32_MAX;
    struct pci_bar bar = pci_bar_read(&config, 0);
    CHECK(bar.is_io && bar.address == 0xc000 && bar.size_bytes == 128);
    bar = pci_bar_read(&config, 1);
    CHECK(!bar.is_io && bar.address == 0xfebd1000 && bar.size_bytes == 4096 && !bar.is_wide);
    CHECK(pci_bar_read(&config, 2).size_bytes == 0);
    bar = pci_bar_read(&config, 4);
    CHECK(bar.is_wide && bar.address == 0x200000000 && bar.size_bytes == 16384);
    CHECK(pci_bar_read(&config, 5).size_bytes == 0); // the upper half of 4
    CHECK(pci_bar_read(&config, 6).size_bytes == 0);
    CHECK(space_read(NULL, PCI_BAR0 + 4) == 0xfebd1000); // as before
    bar.address = 0x10004000;
    pci_bar_place(&config, 4, &bar);
    CHECK(pci_bar_read(&config, 4).address == 0x10004000);
}

static void test_large_bar(void) {
    setup();
    put_u32(space + PCI_BAR0, 4);
    writable[1] = 0xfffffff0; // 64 GiB
    CHECK(pci_bar_read(&config, 0).size_bytes == (uint64_t)16 << 32);
    put_u32(space + PCI_HEADER, 0x010000); // a bridge has two BARs
    CHECK(pci_bar_read(&config, 2).size_bytes == 0);
    put_u32(space + PCI_BAR0 + 4, 4); // the upper half of nothing
    put_u32(space + PCI_BAR0, 0);
    writable[1] = 0xfffffff0;
    CHECK(pci_bar_read(&config, 1).size_bytes == 0);
}

static void capability(uint8_t at, uint8_t id, uint8_t next, uint8_t length, uint8_t kind) {
    space[at] = id;
    space[at + 1] = next;
    space[at + 2] = length;
    space[at + 3] = kind;
}

static void test_capabilities(void) {
    struct pci_window window;
    struct pci_msix msix;
    setup();
    space[0x34] = 0x98;
    capability(0x98, PCI_CAPABILITY_MSIX, 0x84, 2, 0x80); // three entries, on
    put_u32(space + 0x9c, 0x2001);
    capability(0x84, PCI_CAPABILITY_VENDOR, 0x70, 20, 2);
    put_u32(space + 0x88, 4);
    put_u32(space + 0x8c, 0x3000);
    put_u32(space + 0x90, 0x1000);
    put_u32(space + 0x94, 4);
    capability(0x70, PCI_CAPABILITY_VENDOR, 0, 16, 1);
    put_u32(space + 0x74, 9); // no such BAR
    CHECK(pci_msix_read(&config, &msix));
    CHECK(msix.capability == 0x98 && msix.count == 3 && msix.bar == 1 && msix.offset == 0x2000);
    CHECK(pci_virtio_window(&config, 2, &window));
    CHECK(window.bar == 4 && window.offset == 0x3000 && window.size_bytes == 0x1000);
    CHECK(window.extra == 4);
    CHECK(!pci_virtio_window(&config, 1, &window));
    CHECK(!pci_virtio_window(&config, 3, &window));
    put_u32(space + PCI_COMMAND, 0); // there is no list
    CHECK(!pci_msix_read(&config, &msix));
}

// A list that goes round, one that leads into the header, and ends that are cut off.
static void test_hostile_lists(void) {
    struct pci_window window;
    struct pci_msix msix;
    setup();
    space[0x34] = 0x40;
    capability(0x40, PCI_CAPABILITY_VENDOR, 0x40, 16, 7);
    CHECK(!pci_msix_read(&config, &msix));
    CHECK(!pci_virtio_window(&config, 2, &window));
    CHECK(reads < 20000);
    capability(0x40, 1, 0x10, 0, 0);
    CHECK(!pci_msix_read(&config, &msix));
    space[0x34] = 0xff;
    capability(0xfc, PCI_CAPABILITY_MSIX, 0, 0, 0);
    CHECK(!pci_msix_read(&config, &msix));
    capability(0xfc, PCI_CAPABILITY_VENDOR, 0, 20, 2);
    CHECK(!pci_virtio_window(&config, 2, &window));
}

int main(void) {
    test_bars();
    test_large_bar();
    test_capabilities();
    test_hostile_lists();
    return check_result();
}
