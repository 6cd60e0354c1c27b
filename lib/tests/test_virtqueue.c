// SPDX-License-Identifier: MIT OR Apache-2.0
// Split virtqueues beside a device that works, and beside one that lies.
#include "bytes.h"
#include "check.h"

#include <lib/virtqueue.h>

#include <stdlib.h>
#include <string.h>

#define SIZE 8u

static struct virtqueue queue;
static struct virtqueue_slot slots[SIZE];
static uint8_t *memory;
static uint16_t seen; // the device's place in the driver's ring

static void setup(void) {
    free(memory);
    memory = aligned_alloc(VIRTQUEUE_ALIGN, 2 * VIRTQUEUE_ALIGN);
    memset(memory, 0, 2 * VIRTQUEUE_ALIGN);
    virtqueue_init(&queue, SIZE, memory, slots);
    seen = 0;
}

// The device: what it takes next; -1: nothing.
static int device_next(void) {
    if (atomic_load(&queue.driver->index) == seen) {
        return -1;
    }
    return atomic_load(&queue.driver->ring[seen++ % SIZE]);
}

static void device_done(uint32_t id, uint32_t bytes) {
    const uint16_t index = atomic_load(&queue.device->index);
    atomic_store(&queue.device->ring[index % SIZE].id, id);
    atomic_store(&queue.device->ring[index % SIZE].size_bytes, bytes);
    atomic_store(&queue.device->index, (uint16_t)(index + 1));
}

static bool add(uint32_t reads, uint32_t writes, void *token) {
    struct virtqueue_piece pieces[SIZE] = { 0 };
    for (uint32_t i = 0; i < reads + writes; i++) {
        pieces[i] = (struct virtqueue_piece){ 0x1000u * (i + 1), 100, i >= reads };
    }
    return virtqueue_add(&queue, pieces, reads + writes, token);
}

static void test_chain(void) {
    int token;
    void *got = NULL;
    uint32_t bytes = 0;
    setup();
    CHECK(virtqueue_take(&queue, &got, &bytes) == HX_ERR_WOULD_BLOCK);
    CHECK(add(1, 2, &token));
    CHECK(device_next() == -1); // not yet published
    CHECK(virtqueue_publish(&queue));
    const int head = device_next();
    CHECK(head == 0);
    const struct virtqueue_descriptor *first = &queue.descriptors[0];
    const struct virtqueue_descriptor *second = &queue.descriptors[first->next];
    const struct virtqueue_descriptor *third = &queue.descriptors[second->next];
    CHECK(first->address == 0x1000 && first->size_bytes == 100 && first->flags == 1);
    CHECK(second->address == 0x2000 && second->flags == 3);
    CHECK(third->address == 0x3000 && third->flags == 2);
    device_done(0, 200);
    CHECK(virtqueue_take(&queue, &got, &bytes) == HX_OK && got == &token && bytes == 200);
    CHECK(virtqueue_take(&queue, &got, &bytes) == HX_ERR_WOULD_BLOCK);
    CHECK(queue.free_count == SIZE);
}

static void test_room(void) {
    int tokens[3];
    setup();
    CHECK(!add(0, 0, &tokens[0]));
    CHECK(add(2, 2, &tokens[0]) && add(3, 0, &tokens[1]));
    CHECK(!add(1, 1, &tokens[2]));
    CHECK(add(1, 0, &tokens[2]));
    CHECK(!add(1, 0, &tokens[2]) && queue.free_count == 0);
}

static void test_no_notify(void) {
    int token;
    setup();
    atomic_store(&queue.device->flags, 1);
    CHECK(add(1, 0, &token) && !virtqueue_publish(&queue));
}

// Chains of random lengths come back in random order, across the wrap of the indices.
static void test_many(void) {
    uint64_t state = 4711;
    uint32_t held[SIZE];
    uint32_t held_count = 0;
    int tokens[SIZE];
    setup();
    for (uint32_t round = 0; round < 200000; round++) {
        const uint32_t pieces = 1 + (uint32_t)next_random(&state) % 3;
        if (add(pieces, 0, &tokens[queue.free_first % SIZE])) {
            (void)virtqueue_publish(&queue);
            held[held_count++] = (uint32_t)device_next();
        }
        if (held_count > 0 && next_random(&state) % 2 == 0) {
            const uint32_t which = (uint32_t)next_random(&state) % held_count;
            void *got = NULL;
            uint32_t bytes = 1;
            device_done(held[which], 0);
            if (virtqueue_take(&queue, &got, &bytes) != HX_OK || got != &tokens[held[which]]) {
                CHECK(false);
                return;
            }
            held[which] = held[--held_count];
        }
    }
    CHECK(!queue.is_corrupt);
}

// A lie, and what comes after it is not believed either.
static void lie(uint32_t id, uint32_t bytes) {
    int tokens[2];
    void *got = NULL;
    uint32_t written = 0;
    setup();
    CHECK(add(1, 1, &tokens[0]) && add(1, 1, &tokens[1]));
    (void)virtqueue_publish(&queue);
    device_done(id, bytes);
    CHECK(virtqueue_take(&queue, &got, &written) == HX_ERR_CORRUPT && got == NULL);
    device_done(0, 0);
    CHECK(virtqueue_take(&queue, &got, &written) == HX_ERR_CORRUPT);
    CHECK(!add(1, 0, &tokens[0]));
    CHECK(virtqueue_reclaim(&queue) != NULL && virtqueue_reclaim(&queue) != NULL);
    CHECK(virtqueue_reclaim(&queue) == NULL && queue.free_count == SIZE);
}

static void test_lies(void) {
    lie(SIZE, 0);       // no descriptor
    lie(UINT32_MAX, 0); // the same
    lie(1, 0);          // not the first of its chain
    lie(4, 0);          // free
    lie(0, 101);        // more than it was given
    lie(0, UINT32_MAX);
}

// A chain that is reported twice, and an index far ahead.
static void test_twice(void) {
    int token;
    void *got = NULL;
    uint32_t bytes = 0;
    setup();
    CHECK(add(0, 1, &token));
    (void)virtqueue_publish(&queue);
    device_done(0, 100);
    device_done(0, 100);
    CHECK(virtqueue_take(&queue, &got, &bytes) == HX_OK);
    CHECK(virtqueue_take(&queue, &got, &bytes) == HX_ERR_CORRUPT);
    setup();
    atomic_store(&queue.device->index, 40000);
    CHECK(virtqueue_take(&queue, &got, &bytes) == HX_ERR_CORRUPT);
}

static void test_layout(void) {
    CHECK(virtqueue_driver_offset(256) == 4096);
    CHECK(virtqueue_device_offset(256) == 8192);
    CHECK(virtqueue_bytes(256) == 8192 + 4 + 256 * 8 + 2);
    CHECK(virtqueue_device_offset(8) == 4096);
}

int main(void) {
    test_chain();
    test_room();
    test_no_notify();
    test_many();
    test_lies();
    test_twice();
    test_layout();
    free(memory);
    return check_result();
}
