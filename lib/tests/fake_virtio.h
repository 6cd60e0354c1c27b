// SPDX-License-Identifier: MIT OR Apache-2.0
// "fake_virtio.h": <lib/virtio.h> for a driver of one kind of virtio device, with devices that a
// test speaks for, in the host's SDK. Their queues are split, of FAKE_CHAINS places, which a test
// defines, and lie where the driver says to the device that they do.
#pragma once

#include "check.h"

#include <host/host.h>
#include <lib/virtio.h>
#include <lib/virtqueue.h>

#include <string.h>

#define FAKE_DEVICES 4u
#define FAKE_QUEUES  2u

static struct {
    uint32_t room;                           // of a queue
    enum hx_status reset_status, set_status; // what these answer
    // What the driver did.
    uint32_t resets, notifies;
    const struct virtio *last_reset;
    uint8_t *queues[FAKE_QUEUES]; // of the device that was set up last
} fake;

static struct host_device fake_devices[FAKE_DEVICES];

// The log may come back to the driver.
static void fake_logged(enum hx_log_level level, const char *line) {
    (void)level;
    (void)line;
    CHECK(host_locks_held() == 0);
}

static uint32_t fake_no_read(void *context, uint32_t window, uint32_t offset, uint32_t bytes) {
    (void)context;
    (void)window;
    (void)bytes;
    host_broken("register %#x is read, and the registers are <lib/virtio.h>'s", offset);
}

// So many devices, which come as hx_device_open() calls them.
static void fake_begin(const char *name, uint32_t devices) {
    host_begin();
    host_log_watch(fake_logged);
    memset(&fake, 0, sizeof(fake));
    fake.room = 256;
    for (uint32_t i = 0; i < devices; i++) {
        fake_devices[i] = (struct host_device){ .name = name,
                                                .is_pci = true,
                                                .message_count = 1,
                                                .window_bytes = { 4096 },
                                                .read = fake_no_read };
        host_device_add(&fake_devices[i]);
    }
}

// The memory that a device sees at that address; the drivers share none.
static void *fake_memory(uint64_t address, size_t size_bytes) {
    for (uint32_t i = 0; i < FAKE_DEVICES; i++) {
        void *found = host_dma_find(&fake_devices[i], address, size_bytes, HX_DMA_WRITE);
        if (found != NULL) {
            return found;
        }
    }
    host_broken("no device was given that memory");
}

// The device says that it is done with what was shown to it last, in queue memory `at`, and that it
// wrote so many bytes; `wrong` is added to the number of the chain.
static void fake_done(uint8_t *at, uint32_t bytes, uint32_t wrong) {
    struct virtqueue_available *shown = (void *)(at + virtqueue_driver_offset(FAKE_CHAINS));
    struct virtqueue_used *used = (void *)(at + virtqueue_device_offset(FAKE_CHAINS));
    const uint16_t index = atomic_load(&used->index);
    const uint32_t id = atomic_load(&shown->ring[index % FAKE_CHAINS]);
    CHECK(index != atomic_load(&shown->index)); // it was given something
    atomic_store(&used->ring[index % FAKE_CHAINS].id, id + wrong);
    atomic_store(&used->ring[index % FAKE_CHAINS].size_bytes, bytes);
    atomic_store(&used->index, (uint16_t)(index + 1));
}

// <lib/virtio.h>
// ------------------------------------------------------------------------------------------------

enum hx_status virtio_open(struct virtio *virtio, const struct virtio_access *access) {
    virtio->access = *access;
    return HX_OK;
}

enum hx_status virtio_start(struct virtio *virtio, uint64_t wanted) {
    (void)wanted;
    virtio->features = VIRTIO_FEATURE_VERSION_1;
    return HX_OK;
}

uint32_t virtio_queue_room(struct virtio *virtio, uint32_t queue) {
    (void)virtio;
    (void)queue;
    return fake.room;
}

enum hx_status virtio_queue_set(struct virtio *virtio, uint32_t queue, uint16_t size,
                                uint64_t address, uint16_t vector) {
    (void)virtio;
    CHECK(size == FAKE_CHAINS && address % VIRTQUEUE_ALIGN == 0 && queue < FAKE_QUEUES);
    CHECK(vector == (fake_devices[0].message_count != 0 ? 0 : VIRTIO_NO_VECTOR));
    fake.queues[queue] = fake_memory(address, 2 * VIRTQUEUE_ALIGN);
    return fake.set_status;
}

void virtio_go(struct virtio *virtio) {
    (void)virtio;
}

void virtio_notify(const struct virtio *virtio, uint32_t queue) {
    (void)virtio;
    (void)queue;
    fake.notifies++;
}

uint32_t virtio_interrupt(const struct virtio *virtio) {
    (void)virtio;
    return 1;
}

enum hx_status virtio_reset(struct virtio *virtio) {
    fake.resets++;
    fake.last_reset = virtio;
    return fake.reset_status;
}
