// SPDX-License-Identifier: MIT OR Apache-2.0
// "fake_virtio.h": the SDK and <lib/virtio.h> for a driver of one kind of virtio device, with
// devices that a test speaks for. Their queues are split, of FAKE_CHAINS places, which a test
// defines; their memory is what the driver allocates, and gone when it is freed.
#pragma once

#include "check.h"

#include <helix/env.h>
#include <lib/virtio.h>
#include <lib/virtqueue.h>

#include <stdlib.h>
#include <string.h>

#define FAKE_DEVICES 4u

static struct {
    uint32_t devices; // that are there
    uint32_t refused; // bit per device that does not open
    bool out_of_memory, is_message;
    uint32_t room;                                       // of a queue
    enum hx_status reset_status, set_status, irq_status; // what these answer
    // What the driver did.
    uint32_t opened, resets, notifies, errors, freed;
    const struct virtio *last_reset;
    int depth; // locks that are held
    uint8_t *memory;
    void (*handler)(void *context);
    void *context;
} fake;

static void fake_begin(uint32_t devices) {
    memset(&fake, 0, sizeof(fake));
    fake.devices = devices;
    fake.room = 256;
    fake.is_message = true;
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
    (void)queue;
    CHECK(size == FAKE_CHAINS && address % VIRTQUEUE_ALIGN == 0);
    CHECK(vector == (fake.is_message ? 0 : VIRTIO_NO_VECTOR));
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

// <helix/env.h>
// ------------------------------------------------------------------------------------------------

void *hx_alloc(struct hx_env *env, size_t size_bytes) {
    (void)env;
    return fake.out_of_memory ? NULL : calloc(1, size_bytes);
}

void hx_log(struct hx_env *env, enum hx_log_level level, const char *format, ...) {
    (void)env;
    (void)format;
    CHECK(fake.depth == 0); // the log may come back to the driver
    fake.errors += level == HX_LOG_ERROR;
}

void hx_mutex_init(struct hx_mutex *mutex, const char *name) {
    (void)name;
    memset(mutex, 1, sizeof(*mutex));
}

HX_ATTR(no_thread_safety_analysis) void hx_mutex_lock(struct hx_mutex *mutex) {
    CHECK(*(const uint8_t *)mutex == 1); // it was initialised
    CHECK(fake.depth++ == 0);
}

HX_ATTR(no_thread_safety_analysis) void hx_mutex_unlock(struct hx_mutex *mutex) {
    (void)mutex;
    CHECK(--fake.depth == 0);
}

void hx_spinlock_init(struct hx_spinlock *lock, const char *name) {
    (void)name;
    memset(lock, 1, sizeof(*lock));
}

HX_ATTR(no_thread_safety_analysis) void hx_spinlock_acquire(struct hx_spinlock *lock) {
    CHECK(*(const uint8_t *)lock == 1);
    CHECK(fake.depth++ == 0);
}

HX_ATTR(no_thread_safety_analysis) void hx_spinlock_release(struct hx_spinlock *lock) {
    (void)lock;
    CHECK(--fake.depth == 0);
}

enum hx_status hx_device_open(struct hx_env *env, const char *name, uint32_t index,
                              struct hx_device *out_device) {
    (void)env;
    (void)name;
    (void)out_device;
    fake.opened++;
    return index >= fake.devices              ? HX_ERR_NOT_FOUND
           : (fake.refused >> index & 1) != 0 ? HX_ERR_BUSY
                                              : HX_OK;
}

uint32_t hx_device_read(const struct hx_device *device, uint32_t window, uint32_t offset,
                        uint32_t bytes) {
    (void)device;
    (void)window;
    (void)offset;
    (void)bytes;
    abort(); // the registers are <lib/virtio.h>'s
}

void hx_device_write(const struct hx_device *device, uint32_t window, uint32_t offset,
                     uint32_t bytes, uint32_t value) {
    (void)device;
    (void)window;
    (void)offset;
    (void)bytes;
    (void)value;
    abort();
}

uint32_t hx_device_config(const struct hx_device *device, uint32_t offset) {
    (void)device;
    (void)offset;
    abort();
}

bool hx_device_is_pci(const struct hx_device *device) {
    (void)device;
    return true;
}

enum hx_status hx_device_irq(struct hx_env *env, const struct hx_device *device,
                             void (*handler)(void *context), void *context, bool *out_is_message) {
    (void)env;
    (void)device;
    if (fake.irq_status == HX_OK) {
        fake.handler = handler;
        fake.context = context;
        *out_is_message = fake.is_message;
    }
    return fake.irq_status;
}

void *hx_dma_alloc(struct hx_env *env, const struct hx_device *device, size_t size_bytes,
                   uint64_t *out_address) {
    (void)env;
    (void)device;
    fake.memory = fake.out_of_memory ? NULL : aligned_alloc(VIRTQUEUE_ALIGN, size_bytes);
    if (fake.memory != NULL) {
        memset(fake.memory, 0, size_bytes);
        *out_address = 16 * VIRTQUEUE_ALIGN;
    }
    return fake.memory;
}

void hx_dma_free(struct hx_env *env, const struct hx_device *device, void *memory,
                 uint64_t address) {
    (void)env;
    (void)device;
    CHECK(address == 16 * VIRTQUEUE_ALIGN && fake.reset_status == HX_OK);
    free(memory);
    fake.freed++;
}
