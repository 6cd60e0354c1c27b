// SPDX-License-Identifier: MIT OR Apache-2.0
// A hostile peer of a ring: the input writes any bytes into the shared memory between the steps of
// an honest producer and an honest consumer. Neither goes outside of its slots; each gets at most
// what fits, and a broken side does nothing more.
//
// Input: the number of slots, 8 bytes of position, then steps: a byte that says which, and, for
// those that write, where, and 8 bytes.
#include "fuzz.h"

#include <helix/ring.h>

#include <stdlib.h>
#include <string.h>

struct input {
    const uint8_t *bytes;
    size_t left;
};

static uint64_t take(struct input *input, size_t size) {
    uint64_t value = 0;
    size = MIN_OF(size, input->left);
    memcpy(&value, input->bytes, size);
    input->bytes += size;
    input->left -= size;
    return value;
}

// The shared memory is exactly as large as it must be: the sanitizer sees each byte too many.
struct world {
    struct hx_ring *ring;
    struct hx_slot *slots;
    uint64_t count, put, got;
    uint64_t position;
    struct hx_producer producer;
    struct hx_consumer consumer;
};

static void put_one(struct world *world) {
    const struct hx_slot message = { .length = HX_SLOT_BYTES, .kind = 7 };
    const bool was_broken = world->producer.broken;
    const uint32_t room = hx_ring_room(&world->producer);
    FUZZ_ASSERT(room <= world->count && (!was_broken || room == 0));
    enum hx_status status = hx_ring_put(&world->producer, &message);
    FUZZ_ASSERT((status == HX_OK) == (room != 0));
    FUZZ_ASSERT((status == HX_ERR_CORRUPT) == world->producer.broken);
    world->put += status == HX_OK;
    FUZZ_ASSERT(world->producer.tail == world->position + world->put);
}

static void get_one(struct world *world) {
    struct hx_slot message;
    const bool was_broken = world->consumer.broken;
    const uint32_t ready = hx_ring_ready(&world->consumer);
    FUZZ_ASSERT(ready <= world->count && (!was_broken || ready == 0));
    enum hx_status status = hx_ring_get(&world->consumer, &message);
    FUZZ_ASSERT(status != HX_OK || (ready != 0 && message.length <= HX_SLOT_BYTES));
    FUZZ_ASSERT((status == HX_ERR_CORRUPT) == world->consumer.broken);
    world->got += status == HX_OK;
    FUZZ_ASSERT(world->consumer.head == world->position + world->got);
}

static void put_some(struct world *world, uint32_t count) {
    static const struct hx_slot messages[8] = { { .length = HX_SLOT_BYTES, .kind = 7 } };
    const uint32_t put = hx_ring_put_many(&world->producer, messages, count);
    FUZZ_ASSERT(put <= count && (!world->producer.broken || put == 0));
    FUZZ_ASSERT(world->producer.broken || put == count || hx_ring_room(&world->producer) == 0);
    world->put += put;
    FUZZ_ASSERT(world->producer.tail == world->position + world->put);
}

static void get_some(struct world *world, uint32_t count) {
    struct hx_slot messages[8];
    const bool was_broken = world->consumer.broken;
    const uint32_t got = hx_ring_get_many(&world->consumer, messages, count);
    FUZZ_ASSERT(got <= count && (!was_broken || got == 0));
    for (uint32_t i = 0; i < got; i++) {
        FUZZ_ASSERT(messages[i].length <= HX_SLOT_BYTES);
    }
    world->got += got;
    FUZZ_ASSERT(world->consumer.head == world->position + world->got);
}

static void scribble(struct world *world, struct input *input) {
    const uint64_t place = take(input, 2), value = take(input, 8);
    const uint64_t words = world->count * sizeof(struct hx_slot) / 8;
    switch (place % 8) {
    case 0: // likely positions are likely lies
        atomic_store(&world->ring->tail, world->consumer.head + value % 64 - 16);
        break;
    case 1:
        atomic_store(&world->ring->head, world->producer.tail - value % 64 + 16);
        break;
    case 2:
        ((uint64_t *)world->slots)[place / 8 % words] = value;
        break;
    default:
        ((uint64_t *)world->ring)[place / 8 % (sizeof(*world->ring) / 8)] = value;
    }
}

static void step(struct world *world, struct input *input) {
    switch (take(input, 1) % 8) {
    case 0:
        put_one(world);
        break;
    case 1:
        put_some(world, (uint32_t)take(input, 1) % 9);
        break;
    case 2:
        get_one(world);
        break;
    case 3:
        get_some(world, (uint32_t)take(input, 1) % 9);
        break;
    case 4:
        (void)hx_ring_publish(&world->producer);
        FUZZ_ASSERT(!hx_ring_publish(&world->producer)); // one wake for a sleep
        break;
    case 5:
        (void)hx_ring_release(&world->consumer);
        FUZZ_ASSERT(!hx_ring_release(&world->consumer));
        break;
    case 6:
        hx_consumer_sleep(&world->consumer);
        hx_producer_sleep(&world->producer);
        break;
    default:
        scribble(world, input);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct input input = { data, size };
    struct world world = { .count = UINT64_C(1) << take(&input, 1) % 6 };
    world.position = take(&input, 8);
    world.ring = aligned_alloc(CACHE_LINE, sizeof(*world.ring));
    world.slots = aligned_alloc(CACHE_LINE, world.count * sizeof(*world.slots));
    memset(world.ring, 0, sizeof(*world.ring));
    memset(world.slots, 0, world.count * sizeof(*world.slots));
    atomic_store(&world.ring->tail, world.position);
    atomic_store(&world.ring->head, world.position);
    FUZZ_ASSERT(hx_producer_init(&world.producer, world.ring, world.slots, world.count,
                                 world.position) == HX_OK);
    FUZZ_ASSERT(hx_consumer_init(&world.consumer, world.ring, world.slots, world.count,
                                 world.position) == HX_OK);
    while (input.left != 0) {
        step(&world, &input);
    }
    free(world.ring);
    free(world.slots);
    return 0;
}
