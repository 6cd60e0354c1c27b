// SPDX-License-Identifier: MIT OR Apache-2.0
// Rings of one producer and one consumer: order, bounds, batches, who is woken, and a peer that
// lies.
#include "check.h"

#include <helix/ring.h>

#include <string.h>

#define SLOTS 8u

static struct hx_ring ring;
static struct hx_slot slots[SLOTS];
static struct hx_producer producer;
static struct hx_consumer consumer;

static void start(uint64_t position) {
    memset(slots, 0, sizeof(slots)); // a good message each, if it were one
    memset(&ring, 0, sizeof(ring));
    atomic_init(&ring.tail, position);
    atomic_init(&ring.head, position);
    CHECK(hx_producer_init(&producer, &ring, slots, SLOTS, position) == HX_OK);
    CHECK(hx_consumer_init(&consumer, &ring, slots, SLOTS, position) == HX_OK);
}

static enum hx_status put(uint16_t kind) {
    struct hx_slot message = { .kind = kind, .flags = 3, .length = HX_SLOT_BYTES };
    memset(message.data, kind, sizeof(message.data));
    return hx_ring_put(&producer, &message);
}

// The kind of the next message; a status if there is none, 1000000 if it is damaged.
static int get(void) {
    struct hx_slot message, wanted;
    enum hx_status status = hx_ring_get(&consumer, &message);
    if (status != HX_OK) {
        return status;
    }
    memset(wanted.data, message.kind, sizeof(wanted.data));
    bool good = message.flags == 3 && message.length == HX_SLOT_BYTES &&
                memcmp(message.data, wanted.data, sizeof(wanted.data)) == 0;
    return good ? message.kind : 1000000;
}

static void numbers_of_slots(void) {
    const uint64_t bad[] = { 0, 3, 6, 4095, 4097, 8192, UINT64_MAX, UINT64_C(1) << 32 };
    for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
        CHECK(hx_producer_init(&producer, &ring, slots, bad[i], 0) == HX_ERR_INVALID);
        CHECK(hx_consumer_init(&consumer, &ring, slots, bad[i], 0) == HX_ERR_INVALID);
    }
    CHECK(hx_producer_init(&producer, &ring, slots, 1, 0) == HX_OK);
    CHECK(hx_consumer_init(&consumer, &ring, slots, HX_RING_SLOTS_MAX, 0) == HX_OK);
}

// Many times around, over the end of 32 and of 64 bits.
static void order(uint64_t position) {
    uint16_t in = 1, out = 1;
    start(position);
    for (uint32_t round = 0; round < 100; round++) {
        for (uint32_t i = 0; i < 1 + round % SLOTS; i++) {
            CHECK(put(in++) == HX_OK);
        }
        CHECK(!hx_ring_publish(&producer));
        while (out != in) {
            CHECK(get() == out++);
        }
        CHECK(get() == HX_ERR_WOULD_BLOCK);
        CHECK(!hx_ring_release(&consumer));
    }
    CHECK(atomic_load(&ring.tail) == position + in - 1);
    CHECK(atomic_load(&ring.head) == position + in - 1);
}

static void full_and_empty(uint64_t position) {
    start(position);
    CHECK(get() == HX_ERR_WOULD_BLOCK && hx_ring_ready(&consumer) == 0);
    CHECK(hx_ring_room(&producer) == SLOTS);
    for (uint16_t i = 0; i < SLOTS; i++) {
        CHECK(hx_ring_room(&producer) == SLOTS - i);
        CHECK(put(i) == HX_OK);
    }
    CHECK(put(99) == HX_ERR_WOULD_BLOCK && hx_ring_room(&producer) == 0);
    CHECK(get() == HX_ERR_WOULD_BLOCK); // nothing is shown yet
    CHECK(!hx_ring_publish(&producer));
    CHECK(put(99) == HX_ERR_WOULD_BLOCK);
    CHECK(hx_ring_ready(&consumer) == SLOTS);
    CHECK(get() == 0 && get() == 1 && hx_ring_ready(&consumer) == SLOTS - 2);
    CHECK(put(99) == HX_ERR_WOULD_BLOCK); // taken, and not given back
    CHECK(!hx_ring_release(&consumer));
    CHECK(hx_ring_room(&producer) == 2);
    CHECK(put(8) == HX_OK && put(9) == HX_OK && put(99) == HX_ERR_WOULD_BLOCK);
    for (int i = 2; i < 8; i++) {
        CHECK(get() == i);
    }
    CHECK(get() == HX_ERR_WOULD_BLOCK); // a batch is one
    CHECK(!hx_ring_publish(&producer));
    CHECK(get() == 8 && get() == 9 && get() == HX_ERR_WOULD_BLOCK);
    CHECK(!producer.broken && !consumer.broken);
}

static uint32_t put_some(uint16_t first, uint32_t count) {
    struct hx_slot messages[SLOTS + 2];
    for (uint32_t i = 0; i < count; i++) {
        messages[i] = (struct hx_slot){ .kind = (uint16_t)(first + i), .length = i };
    }
    return hx_ring_put_many(&producer, messages, count);
}

static uint32_t get_some(uint16_t first, uint32_t count) {
    struct hx_slot messages[SLOTS + 2];
    const uint32_t got = hx_ring_get_many(&consumer, messages, count);
    for (uint32_t i = 0; i < got; i++) {
        CHECK(messages[i].kind == first + i);
    }
    return got;
}

static void several_at_once(uint64_t position) {
    start(position);
    CHECK(get_some(0, 3) == 0 && put_some(0, 0) == 0);
    CHECK(put_some(0, 5) == 5 && get_some(0, 5) == 0); // not shown yet
    HX_IGNORE(hx_ring_publish(&producer));
    CHECK(get_some(0, 2) == 2);
    CHECK(put_some(5, 10) == 3); // as many as there is room for
    HX_IGNORE(hx_ring_publish(&producer));
    CHECK(get_some(2, 10) == 6 && get_some(8, 1) == 0 && put_some(8, 1) == 0);
    HX_IGNORE(hx_ring_release(&consumer));
    CHECK(put_some(8, 10) == SLOTS);
    HX_IGNORE(hx_ring_publish(&producer));
    // The third of them lies about its length.
    slots[(position + 10) % SLOTS].length = HX_SLOT_BYTES + 1;
    CHECK(get_some(8, 8) == 2 && consumer.broken && hx_ring_ready(&consumer) == 0);
    CHECK(get_some(10, 8) == 0);
    start(position);
    CHECK(put_some(0, 3) == 3);
    atomic_store(&ring.head, position + 4); // which is more than it was shown
    CHECK(put_some(3, 8) == 0 && producer.broken && hx_ring_room(&producer) == 0);
    start(position);
    atomic_store(&ring.tail, position + SLOTS + 1);
    CHECK(get_some(0, 1) == 0 && consumer.broken);
}

// One wake for a batch, one for each sleep.
static void wakes(void) {
    start(0);
    hx_consumer_sleep(&consumer);
    CHECK(put(1) == HX_OK && put(2) == HX_OK);
    CHECK(hx_ring_publish(&producer));
    CHECK(put(3) == HX_OK && !hx_ring_publish(&producer)); // told already
    hx_consumer_awake(&consumer);
    CHECK(put(4) == HX_OK && !hx_ring_publish(&producer));
    hx_consumer_sleep(&consumer);
    CHECK(put(5) == HX_OK && hx_ring_publish(&producer));
    hx_consumer_awake(&consumer);
    hx_producer_sleep(&producer);
    CHECK(get() == 1 && hx_ring_release(&consumer) && !hx_ring_release(&consumer));
    hx_producer_awake(&producer);
    CHECK(get() == 2 && !hx_ring_release(&consumer));
    // What the other side writes there is a reason to wake it, nothing else.
    atomic_store(&ring.consumer_sleep, UINT64_MAX);
    CHECK(hx_ring_publish(&producer) && !hx_ring_publish(&producer));
    hx_consumer_sleep(&consumer);
    CHECK(atomic_load(&ring.consumer_sleep) == 5);
}

// Who was woken before it looks does not wait: the wake itself may be forgotten by then.
static void woken_before_the_wait(void) {
    start(0);
    hx_consumer_sleep(&consumer);
    CHECK(hx_consumer_must_wait(&consumer));
    CHECK(hx_ring_publish(&producer)); // there was nothing to show
    CHECK(hx_ring_ready(&consumer) == 0 && !hx_consumer_must_wait(&consumer));
    hx_consumer_awake(&consumer);
    hx_consumer_sleep(&consumer);
    CHECK(hx_consumer_must_wait(&consumer));
    while (put(1) == HX_OK) {
    }
    hx_producer_sleep(&producer);
    CHECK(hx_producer_must_wait(&producer));
    CHECK(hx_ring_release(&consumer));
    CHECK(hx_ring_room(&producer) == 0 && !hx_producer_must_wait(&producer));
}

// A tail that cannot be. The consumer reads nothing more, whatever comes then.
static void lying_producer(uint64_t position) {
    const uint64_t lies[] = { SLOTS + 1, UINT64_MAX, (uint64_t)INT64_MAX, UINT64_C(1) << 32, 3 };
    for (size_t i = 0; i < ARRAY_SIZE(lies); i++) {
        start(position);
        for (uint16_t kind = 0; kind < 4; kind++) {
            CHECK(put(kind) == HX_OK);
        }
        HX_IGNORE(hx_ring_publish(&producer));
        for (int kind = 0; kind < 4; kind++) {
            CHECK(get() == kind);
        }
        // Counted from the start; the last one goes back to what was taken already.
        atomic_store(&ring.tail, position + lies[i] + (lies[i] == 3 ? 0 : 4));
        CHECK(get() == HX_ERR_CORRUPT && consumer.broken);
        CHECK(hx_ring_ready(&consumer) == 0);
        atomic_store(&ring.tail, position + 5);
        CHECK(get() == HX_ERR_CORRUPT && hx_ring_ready(&consumer) == 0);
        HX_IGNORE(hx_ring_release(&consumer));
        CHECK(atomic_load(&ring.head) == position + 4);
    }
}

static void lying_length(void) {
    for (uint32_t length = 0; length < 256; length++) {
        struct hx_slot message;
        start(0);
        CHECK(put(1) == HX_OK);
        HX_IGNORE(hx_ring_publish(&producer));
        slots[0].length = (uint8_t)length;
        bool good = hx_ring_get(&consumer, &message) == HX_OK;
        CHECK(good == (length <= HX_SLOT_BYTES) && consumer.broken == !good);
        CHECK(get() == (good ? HX_ERR_WOULD_BLOCK : HX_ERR_CORRUPT));
    }
}

// A head that goes back, or beyond what was put: no slot is overwritten, ever again.
static void lying_consumer(uint64_t position) {
    const uint64_t lies[] = { 1, 11, UINT64_MAX, (uint64_t)INT64_MAX, UINT64_C(1) << 32 };
    for (size_t i = 0; i < ARRAY_SIZE(lies); i++) {
        start(position);
        for (uint16_t kind = 0; kind < SLOTS; kind++) {
            CHECK(put(kind) == HX_OK);
        }
        atomic_store(&ring.head, position + 2);
        CHECK(put(8) == HX_OK && put(9) == HX_OK && !producer.broken);
        atomic_store(&ring.head, position + lies[i]);
        CHECK(put(10) == HX_ERR_CORRUPT && producer.broken && hx_ring_room(&producer) == 0);
        atomic_store(&ring.head, position + 5);
        CHECK(put(10) == HX_ERR_CORRUPT && slots[2].kind == 2);
    }
}

// Nobody believes what stands where it wrote itself.
static void own_positions_are_not_read(void) {
    start(0);
    atomic_store(&ring.tail, 77);
    CHECK(put(1) == HX_OK);
    HX_IGNORE(hx_ring_publish(&producer));
    CHECK(atomic_load(&ring.tail) == 1);
    atomic_store(&ring.head, 77);
    CHECK(get() == 1);
    HX_IGNORE(hx_ring_release(&consumer));
    CHECK(atomic_load(&ring.head) == 1);
}

int main(void) {
    const uint64_t positions[] = { 0, (UINT64_C(1) << 32) - 8, UINT64_MAX - 7 };
    numbers_of_slots();
    for (size_t i = 0; i < ARRAY_SIZE(positions); i++) {
        order(positions[i]);
        full_and_empty(positions[i]);
        several_at_once(positions[i]);
        lying_producer(positions[i]);
        lying_consumer(positions[i]);
    }
    wakes();
    woken_before_the_wait();
    lying_length();
    own_positions_are_not_read();
    return check_result();
}
