// SPDX-License-Identifier: MIT OR Apache-2.0
// BY: cbmc --unwind 14 --object-bits 10
// ring_values.c: whatever the other side writes, a side of a ring of <helix/ring.h> stays within
// its slots and keeps to its rules. Each step begins in any state that the rules allow, at any of
// the 2^64 positions, with anything in the shared memory, and ends in one of them: so it holds
// after any number of steps. What two processors make of it together is ring.c's.
#include "values.h"

#include <helix/ring.h>

#define SLOTS_MAX 4u // of a ring here; all sizes up to that
#define BATCH     3u

static struct hx_ring ring; // shared: anything, and anything else at the next step
static struct hx_slot slots[SLOTS_MAX];
static struct hx_slot messages[BATCH];

static uint64_t any_count(void) {
    const uint64_t count = nondet_u64();
    __CPROVER_assume(count <= SLOTS_MAX && hx_ring_count_is_valid(count));
    return count;
}

// Any number of slots is taken that is a power of two up to the most, and no other.
static void prove_counts(void) {
    const uint64_t count = nondet_u64();
    struct hx_producer producer;
    struct hx_consumer consumer;
    const bool is_valid = hx_producer_init(&producer, &ring, slots, count, 0) == HX_OK;
    PROVE(is_valid == (hx_consumer_init(&consumer, &ring, slots, count, 0) == HX_OK));
    bool is_listed = false;
    for (uint32_t bit = 0; bit < 13; bit++) {
        is_listed |= count == UINT64_C(1) << bit;
    }
    PROVE(is_valid == is_listed);
    if (is_valid) {
        REACHED(0);
    }
}

// ---- the producer

static bool producer_is_right(const struct hx_producer *producer, uint64_t count) {
    return producer->mask == count - 1 &&
           producer->limit - producer->tail <= (producer->broken ? 0 : count);
}

static void prove_put(void) {
    const uint64_t count = any_count();
    struct hx_producer producer;
    __CPROVER_havoc_object(&producer);
    __CPROVER_havoc_object(&ring);
    __CPROVER_havoc_object(messages);
    producer.ring = &ring;
    producer.slots = slots;
    __CPROVER_assume(producer_is_right(&producer, count));
    const struct hx_producer before = producer;
    const enum hx_status status = hx_ring_put(&producer, &messages[0]);
    PROVE(producer_is_right(&producer, count));
    PROVE(!before.broken || (producer.broken && status == HX_ERR_CORRUPT));
    PROVE(producer.tail == before.tail + (status == HX_OK ? 1 : 0));
    // A slot is filled that was given back: behind the consumer's position, as it was last told.
    PROVE(status != HX_OK || producer.limit - before.tail <= count);
    PROVE(producer.limit == before.limit || producer.broken || producer.limit == ring.head + count);
    if (status == HX_OK) {
        PROVE(slots[before.tail & producer.mask].length == messages[0].length);
        REACHED(1);
    } else if (status == HX_ERR_WOULD_BLOCK) {
        PROVE(!producer.broken && producer.limit == producer.tail);
        REACHED(2);
    } else {
        PROVE(status == HX_ERR_CORRUPT && producer.broken);
        REACHED(3);
    }
}

static void prove_put_many(void) {
    const uint64_t count = any_count();
    const uint32_t wanted = any_below(BATCH + 1);
    struct hx_producer producer;
    __CPROVER_havoc_object(&producer);
    __CPROVER_havoc_object(&ring);
    producer.ring = &ring;
    producer.slots = slots;
    __CPROVER_assume(producer_is_right(&producer, count));
    const struct hx_producer before = producer;
    const uint32_t put = hx_ring_put_many(&producer, messages, wanted);
    PROVE(producer_is_right(&producer, count));
    PROVE(put <= wanted && put <= count && producer.tail == before.tail + put);
    PROVE(!before.broken || (producer.broken && put == 0));
    if (put == BATCH) {
        REACHED(4);
    }
}

// ---- the consumer

static bool consumer_is_right(const struct hx_consumer *consumer, uint64_t count) {
    return consumer->mask == count - 1 && consumer->most == (consumer->broken ? 0 : count) &&
           consumer->tail - consumer->head <= consumer->most;
}

static void prove_get(void) {
    const uint64_t count = any_count();
    struct hx_consumer consumer;
    struct hx_slot message;
    __CPROVER_havoc_object(&consumer);
    __CPROVER_havoc_object(&ring);
    __CPROVER_havoc_object(slots);
    consumer.ring = &ring;
    consumer.slots = slots;
    __CPROVER_assume(consumer_is_right(&consumer, count));
    const struct hx_consumer before = consumer;
    const enum hx_status status = hx_ring_get(&consumer, &message);
    PROVE(consumer_is_right(&consumer, count));
    PROVE(!before.broken || (consumer.broken && status == HX_ERR_CORRUPT));
    PROVE(consumer.head == before.head + (status == HX_OK ? 1 : 0));
    PROVE(consumer.tail == before.tail || consumer.broken || consumer.tail == ring.tail);
    if (status == HX_OK) {
        PROVE(message.length <= HX_SLOT_BYTES);
        REACHED(5);
    } else if (status == HX_ERR_WOULD_BLOCK) {
        PROVE(!consumer.broken && consumer.head == consumer.tail);
        REACHED(6);
    } else {
        PROVE(status == HX_ERR_CORRUPT && consumer.broken);
        REACHED(7);
    }
}

static void prove_get_many(void) {
    const uint64_t count = any_count();
    const uint32_t wanted = any_below(BATCH + 1);
    struct hx_consumer consumer;
    __CPROVER_havoc_object(&consumer);
    __CPROVER_havoc_object(&ring);
    __CPROVER_havoc_object(slots);
    consumer.ring = &ring;
    consumer.slots = slots;
    __CPROVER_assume(consumer_is_right(&consumer, count));
    const struct hx_consumer before = consumer;
    const uint32_t got = hx_ring_get_many(&consumer, messages, wanted);
    PROVE(consumer_is_right(&consumer, count));
    PROVE(got <= wanted && got <= count && consumer.head == before.head + got);
    PROVE(!before.broken || (consumer.broken && got == 0));
    for (uint32_t i = 0; i < got; i++) {
        PROVE(messages[i].length <= HX_SLOT_BYTES);
    }
    if (got == BATCH) {
        REACHED(8);
    }
}

// ---- waking

// The other side is woken once from each sleep, and only from one.
static void prove_wake(void) {
    struct hx_producer producer;
    __CPROVER_havoc_object(&producer);
    __CPROVER_havoc_object(&ring);
    producer.ring = &ring;
    const uint64_t woken = producer.woken;
    const bool wakes = hx_ring_publish(&producer);
    PROVE(ring.tail == producer.tail);
    PROVE(wakes == ((ring.consumer_sleep & 1) != 0 && ring.consumer_sleep != woken));
    PROVE(!wakes || (ring.consumer_woken == ring.consumer_sleep && !hx_ring_publish(&producer)));
    if (wakes) {
        REACHED(9);
    }
}

int main(void) {
    switch (nondet_u8()) {
    case 0:
        prove_counts();
        break;
    case 1:
        prove_put();
        break;
    case 2:
        prove_put_many();
        break;
    case 3:
        prove_get();
        break;
    case 4:
        prove_get_many();
        break;
    default:
        prove_wake();
    }
    return 0;
}
