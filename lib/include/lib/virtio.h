// SPDX-License-Identifier: MIT OR Apache-2.0
// <lib/virtio.h>: virtio devices over PCI and over MMIO (Virtual I/O Device specification 1.2,
// sections 3.1, 4.1, 4.2), through the caller's access to their registers.
//
// Life: virtio_open() finds the transport; virtio_start() resets the device and settles the
// features; virtio_queue_set() for each queue; virtio_go(). virtio_reset() ends all at any time:
// afterwards the device touches no memory. What the device answers is not trusted: each function
// ends, and gives what is said here. The caller serialises calls on one device, but for
// virtio_notify() and virtio_interrupt(), which may come at any time after virtio_queue_set().
#pragma once

#include <helix/types.h>
#include <lib/pci.h>

#define VIRTIO_NO_VECTOR  0xffffu
#define VIRTIO_QUEUES_MAX 16u

#define VIRTIO_DEVICE_BLOCK 2u // section 5
#define VIRTIO_DEVICE_RNG   4u

#define VIRTIO_FEATURE_INDIRECT  (UINT64_C(1) << 28) // virtqueue_add_indirect()
#define VIRTIO_FEATURE_VERSION_1 (UINT64_C(1) << 32)
#define VIRTIO_FEATURE_PLATFORM  (UINT64_C(1) << 33) // addresses are the bus's, maybe translated
#define VIRTIO_FEATURE_PACKED    (UINT64_C(1) << 34) // virtqueue_init_packed()

// Access to the registers of a device. `bytes` is 1, 2 or 4, and the offset a multiple of it.
// Beyond a window's end reads give all ones and writes do nothing.
struct virtio_access {
    uint32_t (*read)(void *context, uint32_t window, uint32_t offset, uint32_t bytes);
    void (*write)(void *context, uint32_t window, uint32_t offset, uint32_t bytes, uint32_t value);
    // Of PCI devices; NULL: the device is one of MMIO, and its registers are window 0. Of a PCI
    // device, window N is BAR N.
    const struct pci_config *config;
    void *context;
};

struct virtio {
    struct virtio_access access;
    bool is_legacy; // MMIO of version 1
    struct pci_window common, notify, interrupt, device;
    uint64_t features;                     // that were settled
    uint32_t notify_at[VIRTIO_QUEUES_MAX]; // PCI: where to tell of a queue, by its number
};

// HX_ERR_NO_DEVICE: there is none, or none that can be driven (legacy PCI, an unknown version).
enum hx_status virtio_open(struct virtio *virtio, const struct virtio_access *access);
// Of a device over MMIO: what it is, VIRTIO_DEVICE_…; 0: an empty place.
uint32_t virtio_mmio_kind(const struct virtio *virtio);
// Which features the device has.
uint64_t virtio_offered(const struct virtio *virtio);
// Resets the device and settles on those of `wanted` features that it has, on VERSION_1, and on
// PLATFORM if it has that: the caller's addresses are what <helix/env.h> says the device sees.
// HX_ERR_NOT_SUPPORTED: it refuses them; HX_ERR_IO: it does not reset
enum hx_status virtio_start(struct virtio *virtio, uint64_t wanted);
// How many chains queue `queue`, below VIRTIO_QUEUES_MAX, has room for; 0: there is no such queue.
uint32_t virtio_queue_room(struct virtio *virtio, uint32_t queue);
// Gives it its memory (<lib/virtqueue.h>), at `address` as the device sees it. `vector` is the
// number of its message interrupt, VIRTIO_NO_VECTOR: none. HX_ERR_NOT_SUPPORTED: it does not take
// it
enum hx_status virtio_queue_set(struct virtio *virtio, uint32_t queue, uint16_t size,
                                uint64_t address, uint16_t vector);
// The device may work from now on.
void virtio_go(struct virtio *virtio);
// Tells the device that there is something in the queue; what was published is visible to it.
void virtio_notify(const struct virtio *virtio, uint32_t queue);
// What the device wants attention for, which is then acknowledged: bit 0 queues, bit 1 its
// configuration. Message interrupts need none.
uint32_t virtio_interrupt(const struct virtio *virtio);
// Whether it says that it needs a reset.
bool virtio_is_broken(const struct virtio *virtio);
// HX_ERR_IO: it does not say that it has; its memory must not be used for anything else.
enum hx_status virtio_reset(struct virtio *virtio);
// A field of the device's configuration, little-endian, of 1, 2, 4 or 8 bytes, at a multiple of
// them (8: of 4); all ones where a PCI device says that it has no such field.
uint64_t virtio_config(const struct virtio *virtio, uint32_t offset, uint32_t bytes);
// Writes one of 1 byte, if it is there.
void virtio_config_set(const struct virtio *virtio, uint32_t offset, uint8_t value);

// What a word of the command line says of a device: SIZE@BASE:IRQ, with an end :ID that means
// nothing here; SIZE may end in K or M.
struct virtio_word {
    uint64_t size_bytes;
    uint64_t base;
    uint32_t interrupt;
};
// False: it is no such word.
bool virtio_word_parse(const char *text, struct virtio_word *out_word);
