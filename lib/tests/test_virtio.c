// SPDX-License-Identifier: MIT OR Apache-2.0
// The registers of virtio devices: over MMIO of both versions, over PCI, and of devices that
// refuse.
#include "bytes.h"
#include "check.h"

#include <lib/virtio.h>
#include <lib/virtqueue.h>

#include <string.h>

#define MEMORY 0x123456000u

// One device, seen in one of two ways.
static struct {
    uint32_t magic, version, kind;
    uint64_t offered;
    uint64_t taken;
    uint32_t offered_word, taken_word;
    uint32_t status;
    bool refuses_features, refuses_reset, refuses_vector;
    uint32_t queue, size, page, align, ready, vector;
    uint32_t address[6];
    uint32_t notified;
    uint32_t pending, acknowledged;
    uint32_t writes;  // over PCI
    uint32_t changes; // the configuration, at each read of its generation
    uint8_t config[16];
    uint32_t wrong; // accesses that are none
} device;

static void status_write(uint32_t value) {
    if (value == 0 && device.refuses_reset) {
        return;
    }
    device.status = device.refuses_features ? value & ~8u : value;
}

static uint32_t generation(void) {
    if (device.changes > 0) {
        device.changes--;
    }
    device.config[0] = (uint8_t)device.changes;
    device.config[4] = (uint8_t)device.changes;
    return device.changes;
}

static uint32_t config_read(uint32_t at, uint32_t bytes) {
    uint32_t value = 0;
    CHECK(at + bytes <= sizeof(device.config));
    memcpy(&value, device.config + at, bytes);
    return value;
}

static uint32_t mmio_read(void *context, uint32_t window, uint32_t at, uint32_t bytes) {
    (void)context;
    if (window == 0 && at >= 0x100) {
        return config_read(at - 0x100, bytes);
    }
    device.wrong += window != 0 || bytes != 4;
    switch (at) {
    case 0x000:
        return device.magic;
    case 0x004:
        return device.version;
    case 0x008:
        return device.kind;
    case 0x010:
        return (uint32_t)(device.offered >> (32 * device.offered_word));
    case 0x034:
        return device.queue == 0 ? 64 : 0;
    case 0x060:
        return device.pending;
    case 0x070:
        return device.status;
    case 0x0fc:
        return generation();
    default:
        device.wrong++;
        return UINT32_MAX;
    }
}

static void taken_write(uint32_t word, uint32_t value) {
    device.taken |= (uint64_t)value << (32 * word);
}

static void mmio_write(void *context, uint32_t window, uint32_t at, uint32_t bytes,
                       uint32_t value) {
    (void)context;
    device.wrong += window != 0 || bytes != 4;
    switch (at) {
    case 0x014:
        device.offered_word = value;
        break;
    case 0x020:
        taken_write(device.taken_word, value);
        break;
    case 0x024:
        device.taken_word = value;
        break;
    case 0x028:
        CHECK(value == 4096 && device.version == 1);
        break;
    case 0x030:
        device.queue = value;
        break;
    case 0x038:
        device.size = value;
        break;
    case 0x03c:
        device.align = value;
        break;
    case 0x040:
        device.page = value;
        break;
    case 0x044:
        device.ready = value;
        break;
    case 0x050:
        device.notified = value + 1;
        break;
    case 0x064:
        device.acknowledged = value;
        break;
    case 0x070:
        status_write(value);
        break;
    case 0x080:
    case 0x084:
    case 0x090:
    case 0x094:
    case 0x0a0:
    case 0x0a4:
        device.address[(at - 0x80) / 0x10 * 2 + at / 4 % 2] = value;
        break;
    default:
        device.wrong++;
    }
}

// PCI: the common structure at 0 of BAR 4, interrupts at 0x1000, the device's own at 0x2000,
// notifications at 0x3000.
static uint32_t pci_read(void *context, uint32_t window, uint32_t at, uint32_t bytes) {
    (void)context;
    device.wrong += window != 4;
    if (at >= 0x2000) {
        return config_read(at - 0x2000, bytes);
    }
    switch (at << 4 | bytes) {
    case 0x044:
        return (uint32_t)(device.offered >> (32 * device.offered_word));
    case 0x141:
        return device.status;
    case 0x151:
        return generation();
    case 0x182:
        return device.queue == 0 ? 128 : 0;
    case 0x1a2:
        return device.refuses_vector ? 0xffff : device.vector;
    case 0x1e2:
        return 3;
    case 0x10001:
        return device.pending;
    default:
        device.wrong++;
        return UINT32_MAX;
    }
}

static void pci_write(void *context, uint32_t window, uint32_t at, uint32_t bytes, uint32_t value) {
    device.writes++;
    (void)context;
    device.wrong += window != 4;
    if (bytes == 4 && at >= 0x20 && at < 0x38) {
        device.address[(at - 0x20) / 4] = value;
        return;
    }
    switch (at << 4 | bytes) {
    case 0x004:
        device.offered_word = value;
        break;
    case 0x084:
        device.taken_word = value;
        break;
    case 0x0c4:
        taken_write(device.taken_word, value);
        break;
    case 0x102:
        CHECK(value == VIRTIO_NO_VECTOR);
        break;
    case 0x141:
        status_write(value);
        break;
    case 0x162:
        device.queue = value;
        break;
    case 0x182:
        device.size = value;
        break;
    case 0x1a2:
        device.vector = value;
        break;
    case 0x1c2:
        device.ready = value;
        break;
    case 0x300c2:
        device.notified = value + 1;
        break;
    default:
        device.wrong++;
    }
}

static uint8_t space[PCI_CONFIG_BYTES];

static uint32_t space_read(const void *context, uint32_t offset) {
    (void)context;
    uint32_t value;
    memcpy(&value, space + offset, 4);
    return value;
}

static void structure(uint8_t at, uint8_t next, uint8_t kind, uint32_t offset, uint32_t bytes) {
    const uint8_t head[] = { PCI_CAPABILITY_VENDOR, next, 20, kind, 4 };
    memcpy(space + at, head, sizeof(head));
    put_u32(space + at + 8, offset);
    put_u32(space + at + 12, bytes);
    put_u32(space + at + 16, 4);
}

static const struct pci_config config = { .read = space_read };
static const struct virtio_access over_mmio = { .read = mmio_read, .write = mmio_write };
static const struct virtio_access over_pci = { .read = pci_read,
                                               .write = pci_write,
                                               .config = &config };

static void setup(uint32_t version) {
    memset(&device, 0, sizeof(device));
    device.magic = 0x74726976;
    device.version = version;
    device.kind = VIRTIO_DEVICE_RNG;
    device.offered = UINT64_C(1) << 32 | 0x30000040;
    memset(space, 0, sizeof(space));
    put_u32(space + PCI_COMMAND, 0x100000);
    space[0x34] = 0x40;
    structure(0x40, 0x58, 1, 0, 0x1000);
    structure(0x58, 0x70, 3, 0x1000, 0x1000);
    structure(0x70, 0x88, 4, 0x2000, 0x1000);
    structure(0x88, 0, 2, 0x3000, 0x1000);
}

static bool is_part(uint32_t part, uint64_t address) {
    return device.address[2 * part] == (uint32_t)address &&
           device.address[2 * part + 1] == (uint32_t)(address >> 32);
}

static void live(const struct virtio_access *access, uint32_t room, uint16_t vector) {
    struct virtio virtio;
    device.status = 0x87;
    CHECK(virtio_open(&virtio, access) == HX_OK);
    CHECK(virtio_start(&virtio, 0x50) == HX_OK);
    CHECK(virtio.features == (UINT64_C(1) << 32 | 0x40) && device.taken == virtio.features);
    CHECK(device.status == 0xb);
    CHECK(virtio_queue_room(&virtio, 0) == room && virtio_queue_room(&virtio, 1) == 0);
    CHECK(virtio_queue_room(&virtio, VIRTIO_QUEUES_MAX) == 0);
    CHECK(virtio_queue_set(&virtio, 0, 16, MEMORY, vector) == HX_OK);
    CHECK(device.size == 16 && device.ready == 1 && device.queue == 0);
    CHECK(is_part(0, MEMORY) && is_part(1, MEMORY + 256) && is_part(2, MEMORY + 4096));
    virtio_go(&virtio);
    CHECK(device.status == 0xf && !virtio_is_broken(&virtio));
    virtio_notify(&virtio, 0);
    CHECK(device.notified == 1);
    device.pending = 3;
    CHECK(virtio_interrupt(&virtio) == 3);
    device.status |= 0x40;
    CHECK(virtio_is_broken(&virtio));
    device.changes = 5;
    CHECK(virtio_config(&virtio, 0, 8) == 0);
    put_u32(device.config + 8, 0x11223344);
    CHECK(virtio_config(&virtio, 8, 4) == 0x11223344 && virtio_config(&virtio, 9, 1) == 0x33);
    CHECK(virtio_reset(&virtio) == HX_OK && device.status == 0);
    CHECK(device.wrong == 0);
}

static void test_modern(void) {
    setup(2);
    live(&over_mmio, 64, VIRTIO_NO_VECTOR);
    CHECK(device.acknowledged == 3);
    setup(2);
    live(&over_pci, 128, 1);
    CHECK(device.vector == 1);
}

static void test_legacy(void) {
    struct virtio virtio;
    setup(1);
    CHECK(virtio_open(&virtio, &over_mmio) == HX_OK && virtio_mmio_kind(&virtio) == 4);
    CHECK(virtio_start(&virtio, 0x50) == HX_OK);
    CHECK(virtio.features == 0x40 && device.status == 3);
    CHECK(virtio_queue_set(&virtio, 0, 8, MEMORY, VIRTIO_NO_VECTOR) == HX_OK);
    CHECK(device.page == MEMORY / 4096 && device.align == 4096 && device.size == 8);
    CHECK(virtio_queue_set(&virtio, 0, 8, UINT64_C(1) << 44, 0) == HX_ERR_NOT_SUPPORTED);
    CHECK(device.wrong == 0);
}

static void test_refusals(void) {
    struct virtio virtio;
    setup(3);
    CHECK(virtio_open(&virtio, &over_mmio) == HX_ERR_NO_DEVICE);
    setup(2);
    device.magic = UINT32_MAX;
    CHECK(virtio_open(&virtio, &over_mmio) == HX_ERR_NO_DEVICE);
    setup(2);
    CHECK(virtio_open(&virtio, &over_pci) == HX_OK);
    device.refuses_features = true;
    CHECK(virtio_start(&virtio, 0) == HX_ERR_NOT_SUPPORTED);
    device.refuses_features = false;
    device.offered = 0x40;
    CHECK(virtio_start(&virtio, 0x40) == HX_ERR_NOT_SUPPORTED);
    device.refuses_reset = true;
    CHECK(virtio_start(&virtio, 0x40) == HX_ERR_IO && virtio_reset(&virtio) == HX_ERR_IO);
    device.refuses_vector = true;
    CHECK(virtio_queue_set(&virtio, 0, 8, MEMORY, 1) == HX_ERR_NOT_SUPPORTED);
}

static void test_hostile_pci(void) {
    struct virtio virtio;
    setup(2);
    put_u32(space + 0x88 + 16, 0x10000); // notifications beyond their window
    CHECK(virtio_open(&virtio, &over_pci) == HX_OK);
    CHECK(virtio_queue_set(&virtio, 0, 8, MEMORY, 1) == HX_ERR_NOT_SUPPORTED);
    put_u32(space + 0x88 + 16, UINT32_MAX);
    CHECK(virtio_open(&virtio, &over_pci) == HX_OK);
    CHECK(virtio_queue_set(&virtio, 0, 8, MEMORY, 1) == HX_ERR_NOT_SUPPORTED);
    put_u32(space + 0x40 + 12, 8); // a common structure without room
    CHECK(virtio_open(&virtio, &over_pci) == HX_ERR_NO_DEVICE);
    setup(2);
    space[0x88 + 3] = 9;
    CHECK(virtio_open(&virtio, &over_pci) == HX_ERR_NO_DEVICE);
    setup(2);
    put_u32(space + 0x40 + 8, 2); // its registers take 4 bytes
    CHECK(virtio_open(&virtio, &over_pci) == HX_ERR_NO_DEVICE);
    put_u32(space + 0x40 + 8, 0xfffff000); // its end is beyond 4 GiB
    CHECK(virtio_open(&virtio, &over_pci) == HX_ERR_NO_DEVICE);
    setup(2);
    put_u32(space + 0x88 + 8, 0x3001); // notifications take 2
    CHECK(virtio_open(&virtio, &over_pci) == HX_ERR_NO_DEVICE);
    setup(2);
    put_u32(space + 0x58 + 8, 0x1001); // a register of one byte
    CHECK(virtio_open(&virtio, &over_pci) == HX_OK);
}

// What the device does not call its configuration is not read as that, nor written.
static void test_short_config(void) {
    struct virtio virtio;
    setup(2);
    put_u32(space + 0x70 + 12, 6);
    CHECK(virtio_open(&virtio, &over_pci) == HX_OK);
    put_u32(device.config + 4, 0x1234);
    CHECK(virtio_config(&virtio, 4, 2) == 0x1234 && virtio_config(&virtio, 4, 4) == UINT32_MAX);
    CHECK(virtio_config(&virtio, 6, 1) == 0xff && virtio_config(&virtio, 8, 8) == UINT64_MAX);
    const uint32_t writes = device.writes;
    virtio_config_set(&virtio, 6, 1);
    CHECK(device.writes == writes);
    virtio_config_set(&virtio, 5, 1);
    CHECK(device.writes == writes + 1);
}

static bool is_word(const char *text, uint64_t size_bytes, uint64_t base, uint32_t interrupt) {
    struct virtio_word word;
    return virtio_word_parse(text, &word) && word.size_bytes == size_bytes && word.base == base &&
           word.interrupt == interrupt;
}

static void test_words(void) {
    static const char *const bad[] = { "",
                                       "512",
                                       "512@",
                                       "512@0x10",
                                       "512@0x10:",
                                       "512@:5",
                                       "@0x10:5",
                                       "5x@0x1:5",
                                       "512@0x10:x",
                                       "0x@0x10:5",
                                       "1K2@1:5",
                                       "1@1:5x",
                                       "1@1:99999999999",
                                       "1@0x10000000000000000:5" };
    struct virtio_word word;
    CHECK(is_word("512@0xfeb00000:5", 512, 0xfeb00000, 5));
    CHECK(is_word("0x200@4273995776:12:3", 512, 0xfec00000, 12));
    CHECK(is_word("4K@0xfeb00E00:0x10", 4096, 0xfeb00e00, 16) && is_word("1m@1:1", 1 << 20, 1, 1));
    for (uint32_t i = 0; i < ARRAY_SIZE(bad); i++) {
        CHECK(!virtio_word_parse(bad[i], &word));
    }
}

int main(void) {
    test_words();
    test_modern();
    test_legacy();
    test_refusals();
    test_hostile_pci();
    test_short_config();
    return check_result();
}
