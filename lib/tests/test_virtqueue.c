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

// A chain in a table takes one place, and is as long as its pieces.
static void test_table(bool is_packed) {
    const struct virtqueue_piece pieces[] = { { 0x1000, 16, false }, { 0x2000, 100, true } };
    struct virtqueue_descriptor table[2] = { 0 };
    int token;
    void *got = NULL;
    uint32_t bytes = 0;
    setup();
    if (is_packed) {
        virtqueue_init_packed(&queue, SIZE, memory, slots);
    }
    CHECK(!virtqueue_add_indirect(&queue, pieces, 0, &token, table, 0x5000));
    CHECK(virtqueue_add_indirect(&queue, pieces, 2, &token, table, 0x5000));
    (void)virtqueue_publish(&queue);
    CHECK(queue.free_count == SIZE - 1);
    CHECK(table[0].address == 0x1000 && table[0].size_bytes == 16);
    CHECK(table[1].address == 0x2000 && table[1].size_bytes == 100);
    if (is_packed) {
        CHECK(queue.packed[0].address == 0x5000 && queue.packed[0].size_bytes == 32);
        CHECK(atomic_load_explicit(&queue.packed[0].flags, memory_order_relaxed) == 0x84 &&
              table[0].next == 0 && table[1].next == 2);
        atomic_store(&queue.packed[0].size_bytes, 100);
        atomic_store(&queue.packed[0].flags, 0x8080);
    } else {
        CHECK(queue.descriptors[0].address == 0x5000 && queue.descriptors[0].size_bytes == 32);
        CHECK(queue.descriptors[0].flags == 4 && table[0].flags == 1 && table[0].next == 1);
        CHECK(table[1].flags == 2);
        device_done(0, 100);
    }
    CHECK(virtqueue_take(&queue, &got, &bytes) == HX_OK && got == &token && bytes == 100);
    CHECK(queue.free_count == SIZE);
}

// Packed queues -----------------------------------------------------------------------------------

static struct {
    uint16_t next, done; // places: what it takes next, what it says next
    bool next_round, done_round;
} device;

static void setup_packed(void) {
    setup();
    virtqueue_init_packed(&queue, SIZE, memory, slots);
    device.next = device.done = 0;
    device.next_round = device.done_round = true;
}

static void step(uint16_t *place, bool *round, uint32_t count) {
    *place = (uint16_t)(*place + count);
    if (*place >= SIZE) {
        *place = (uint16_t)(*place - SIZE);
        *round = !*round;
    }
}

// What the device takes next, and how many descriptors it has; -1: nothing.
static int packed_next(uint32_t *out_count) {
    const struct virtqueue_packed *at = &queue.packed[device.next];
    const uint16_t flags = atomic_load(&at->flags);
    if (((flags >> 7 & 1) != 0) != device.next_round ||
        ((flags >> 15 & 1) != 0) == device.next_round) {
        return -1;
    }
    *out_count = 1;
    for (uint32_t i = device.next; (atomic_load(&queue.packed[i].flags) & 1) != 0; ++*out_count) {
        i = (i + 1) % SIZE;
    }
    const int id = atomic_load(&at->id);
    step(&device.next, &device.next_round, *out_count);
    return id;
}

static void packed_done(uint32_t id, uint32_t bytes, uint32_t count) {
    struct virtqueue_packed *at = &queue.packed[device.done];
    atomic_store(&at->id, (uint16_t)id);
    atomic_store(&at->size_bytes, bytes);
    atomic_store(&at->flags, device.done_round ? 0x8080 : 0);
    step(&device.done, &device.done_round, count);
}

static void test_packed_chain(void) {
    int token, other;
    void *got = NULL;
    uint32_t bytes = 0, count = 0;
    setup_packed();
    CHECK(virtqueue_take(&queue, &got, &bytes) == HX_ERR_WOULD_BLOCK);
    CHECK(add(1, 2, &token) && add(1, 0, &other) && queue.free_count == SIZE - 4);
    CHECK(packed_next(&count) == -1); // not yet published
    CHECK(virtqueue_publish(&queue));
    CHECK(packed_next(&count) == 0 && count == 3);
    CHECK(queue.packed[0].address == 0x1000 &&
          atomic_load_explicit(&queue.packed[0].flags, memory_order_relaxed) == 0x81);
    CHECK(queue.packed[1].address == 0x2000 &&
          atomic_load_explicit(&queue.packed[1].flags, memory_order_relaxed) == 0x83);
    CHECK(queue.packed[2].address == 0x3000 &&
          atomic_load_explicit(&queue.packed[2].flags, memory_order_relaxed) == 0x82);
    CHECK(packed_next(&count) == 1 && count == 1 && packed_next(&count) == -1);
    packed_done(1, 0, 1); // in another order
    packed_done(0, 200, 3);
    CHECK(virtqueue_take(&queue, &got, &bytes) == HX_OK && got == &other && bytes == 0);
    CHECK(virtqueue_take(&queue, &got, &bytes) == HX_OK && got == &token && bytes == 200);
    CHECK(virtqueue_take(&queue, &got, &bytes) == HX_ERR_WOULD_BLOCK && queue.free_count == SIZE);
    atomic_store(&queue.events->flags, 1);
    CHECK(add(1, 0, &token) && !virtqueue_publish(&queue));
}

// Chains of random lengths come back in random order, across the wraps of the ring.
static void test_packed_many(void) {
    uint64_t state = 815;
    struct {
        uint32_t id, count;
    } held[SIZE];
    uint32_t held_count = 0;
    int tokens[SIZE];
    setup_packed();
    for (uint32_t round = 0; round < 200000; round++) {
        const uint32_t pieces = 1 + (uint32_t)next_random(&state) % 3;
        uint32_t count = 0;
        if (add(pieces, 0, &tokens[queue.free_first % SIZE])) {
            (void)virtqueue_publish(&queue);
            held[held_count].id = (uint32_t)packed_next(&count);
            held[held_count++].count = count;
            if (count != pieces) {
                CHECK(false);
                return;
            }
        }
        if (held_count > 0 && next_random(&state) % 2 == 0) {
            const uint32_t which = (uint32_t)next_random(&state) % held_count;
            void *got = NULL;
            uint32_t bytes = 1;
            packed_done(held[which].id, 0, held[which].count);
            if (virtqueue_take(&queue, &got, &bytes) != HX_OK || got != &tokens[held[which].id]) {
                CHECK(false);
                return;
            }
            held[which] = held[--held_count];
        }
    }
    CHECK(!queue.is_corrupt);
}

static void packed_lie(uint32_t id, uint32_t bytes) {
    int tokens[2];
    void *got = NULL;
    uint32_t written = 0;
    setup_packed();
    CHECK(add(1, 1, &tokens[0]) && add(1, 1, &tokens[1]));
    (void)virtqueue_publish(&queue);
    packed_done(id, bytes, 2);
    CHECK(virtqueue_take(&queue, &got, &written) == HX_ERR_CORRUPT && got == NULL);
    packed_done(0, 0, 2);
    CHECK(virtqueue_take(&queue, &got, &written) == HX_ERR_CORRUPT);
    CHECK(!add(1, 0, &tokens[0]));
    CHECK(virtqueue_reclaim(&queue) != NULL && virtqueue_reclaim(&queue) != NULL);
    CHECK(virtqueue_reclaim(&queue) == NULL && queue.free_count == SIZE);
}

static void test_packed_lies(void) {
    int token;
    void *got = NULL;
    uint32_t bytes = 0;
    packed_lie(SIZE, 0);
    packed_lie(UINT16_MAX, 0);
    packed_lie(5, 0); // free
    packed_lie(0, 101);
    packed_lie(0, UINT32_MAX);
    setup_packed(); // twice, and of the wrong round
    CHECK(add(0, 1, &token));
    (void)virtqueue_publish(&queue);
    device.done_round = false;
    packed_done(0, 100, 0);
    CHECK(virtqueue_take(&queue, &got, &bytes) == HX_ERR_WOULD_BLOCK);
    device.done_round = true;
    packed_done(0, 100, 1);
    packed_done(0, 100, 1);
    CHECK(virtqueue_take(&queue, &got, &bytes) == HX_OK);
    CHECK(virtqueue_take(&queue, &got, &bytes) == HX_ERR_CORRUPT);
}

int main(void) {
    test_table(false);
    test_table(true);
    test_packed_chain();
    test_packed_many();
    test_packed_lies();
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
