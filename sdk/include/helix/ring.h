// SPDX-License-Identifier: MIT OR Apache-2.0
// <helix/ring.h>: a Fusion Ring of one producer and one consumer, who need not trust each other.
// The same source for the kernel and for programs.
//
// Shared are the positions (struct hx_ring) and the slots; what a side knows for itself lies in its
// struct hx_producer or hx_consumer, which nobody else may write. A side never reads back what it
// wrote to shared memory. What the other one wrote is read once and then checked: a position that
// cannot be, or a length over HX_SLOT_BYTES, breaks the ring for good (HX_ERR_CORRUPT). A slot's
// contents are the other side's word alone.
//
// Positions count messages, 64 bits wide; slot number = position modulo the number of slots. The
// producer fills slots and shows them all by one store (hx_ring_publish), the consumer gives slots
// back by one store (hx_ring_release). Both say whether the other side is to be woken, at most once
// for each of its sleeps.
//
// Sleeping, here the consumer; a producer that waits for room does the same with its functions:
//
//     hx_consumer_sleep(c);             says so in shared memory, with a number
//     <barrier>                         forgets wakes up to now; then every processor where the
//                                       other side may run executes a full barrier
//     if (hx_consumer_must_wait(c)) { <wait for a wake> }
//     hx_consumer_awake(c);
//
// The barrier is the sleeper's so that hx_ring_publish() has none: either its store is seen after
// the barrier, or its load sees the sleeper. Who wakes notes the sleep's number in shared memory
// first: a wake that the barrier forgot is seen there. Before it sleeps, a side shows all that it
// has done (release, publish), or both may wait for each other. Proof: tests/proof/ring.c.
//
// A side belongs to one thread at a time.
#pragma once

#include <helix/types.h>

#define HX_SLOT_BYTES     56u   // of a message
#define HX_RING_SLOTS_MAX 4096u // a power of two, as every number of slots

struct hx_slot {
    alignas(CACHE_LINE) uint32_t sequence; // of rings with many producers; 0 in others
    uint8_t length;                        // bytes of data in use
    uint8_t flags;                         // what kind and flags mean is for the two sides to agree
    uint16_t kind;
    uint8_t data[HX_SLOT_BYTES];
};
_Static_assert(sizeof(struct hx_slot) == CACHE_LINE && offsetof(struct hx_slot, data) == 8,
               "a slot is a cache line with 8 bytes of control");

// Zero at the start. A sleep counter is odd while its side sleeps. It has a line of its own, which
// stays with both processors as long as nobody sleeps.
struct hx_ring {
    alignas(CACHE_LINE) _Atomic uint64_t tail;           // the producer's position
    _Atomic uint64_t consumer_woken;                     // by the producer: from this sleep
    alignas(CACHE_LINE) _Atomic uint64_t head;           // the consumer's position
    _Atomic uint64_t producer_woken;                     // by the consumer
    alignas(CACHE_LINE) _Atomic uint64_t consumer_sleep; // by the consumer
    alignas(CACHE_LINE) _Atomic uint64_t producer_sleep; // by the producer
};
_Static_assert(sizeof(struct hx_ring) == 4 * CACHE_LINE, "lines of their own");

struct hx_producer {
    struct hx_ring *ring;
    struct hx_slot *slots;
    uint64_t mask;  // number of slots less 1
    uint64_t tail;  // where the next message goes; shown up to the last publish
    uint64_t limit; // where it must not go: the consumer's position, as last read and checked,
                    // and all slots behind it
    uint64_t sleep; // odd: asleep
    uint64_t woken; // the consumer's sleep that it was last woken from
    bool broken;    // the consumer lied
};

struct hx_consumer {
    struct hx_ring *ring;
    const struct hx_slot *slots;
    uint64_t mask;
    uint64_t head; // the next message; slots are given back up to the last release
    uint64_t tail; // the producer's, as last read and checked
    uint64_t most; // messages that can be ready: the number of slots; 0 in a broken ring
    uint64_t sleep;
    uint64_t woken;
    bool broken; // the producer lied
};

static inline bool hx_ring_count_is_valid(uint64_t count) {
    return count != 0 && count <= HX_RING_SLOTS_MAX && (count & (count - 1)) == 0;
}

// Both sides begin at `position`, which the shared positions must hold: 0 in fresh memory. They
// borrow the shared memory. HX_ERR_INVALID: that number of slots cannot be.
static inline enum hx_status hx_producer_init(struct hx_producer *producer, struct hx_ring *ring,
                                              struct hx_slot *slots, uint64_t count,
                                              uint64_t position) {
    if (!hx_ring_count_is_valid(count)) {
        return HX_ERR_INVALID;
    }
    *producer = (struct hx_producer){
        .ring = ring, .slots = slots, .mask = count - 1, .tail = position, .limit = position + count
    };
    return HX_OK;
}

static inline enum hx_status hx_consumer_init(struct hx_consumer *consumer, struct hx_ring *ring,
                                              const struct hx_slot *slots, uint64_t count,
                                              uint64_t position) {
    if (!hx_ring_count_is_valid(count)) {
        return HX_ERR_INVALID;
    }
    *consumer = (struct hx_consumer){ .ring = ring,
                                      .slots = slots,
                                      .mask = count - 1,
                                      .most = count,
                                      .tail = position,
                                      .head = position };
    return HX_OK;
}

// The other side sleeps. Whether it must be woken from this sleep; then it is noted.
static __attribute__((cold, noinline, unused)) bool
hx_ring_wake(uint64_t seen, _Atomic uint64_t *shared_woken, uint64_t *woken) {
    if (seen == *woken) {
        return false;
    }
    *woken = seen;
    atomic_store_explicit(shared_woken, seen, memory_order_relaxed);
    return true;
}

// Whether the other side, whose sleeps `sleep` counts, must be woken; then it is noted. Behind the
// caller's store; the processor may do the load before it: see the top.
static inline bool hx_ring_must_wake(_Atomic uint64_t *sleep, _Atomic uint64_t *shared_woken,
                                     uint64_t *woken) {
    atomic_signal_fence(memory_order_seq_cst);
    const uint64_t seen = atomic_load_explicit(sleep, memory_order_relaxed);
    return __builtin_expect(seen & 1, 0) && hx_ring_wake(seen, shared_woken, woken);
}

// ---- the producer

// Reads the consumer's position, when there is too little room. From a broken ring on, there is
// none.
static inline void hx_ring_look_for_room(struct hx_producer *producer) {
    const uint64_t head = atomic_load_explicit(&producer->ring->head, memory_order_acquire);
    const uint64_t before = producer->limit - producer->mask - 1;
    // It does not go back, nor beyond what was put.
    if (__builtin_expect(producer->broken || head - before > producer->tail - before, 0)) {
        producer->broken = true;
        producer->limit = producer->tail;
        return;
    }
    producer->limit = head + producer->mask + 1;
}

// How many messages can be put; looks at the consumer's position only if it knows of none.
static inline uint32_t hx_ring_room(struct hx_producer *producer) {
    if (__builtin_expect(producer->tail == producer->limit, 0)) {
        hx_ring_look_for_room(producer);
    }
    return (uint32_t)(producer->limit - producer->tail);
}

// Fills the next slot; the consumer sees it from the next publish on.
// HX_ERR_WOULD_BLOCK: no room; HX_ERR_CORRUPT.
static inline enum hx_status hx_ring_put(struct hx_producer *producer,
                                         const struct hx_slot *message) {
    const uint64_t tail = producer->tail;
    if (__builtin_expect(tail == producer->limit, 0) && hx_ring_room(producer) == 0) {
        return producer->broken ? HX_ERR_CORRUPT : HX_ERR_WOULD_BLOCK;
    }
    producer->slots[tail & producer->mask] = *message;
    producer->tail = tail + 1;
    return HX_OK;
}

// Fills slots with as many of the messages as there is room for; how many. 0 with producer->broken
// set: HX_ERR_CORRUPT.
static inline uint32_t hx_ring_put_many(struct hx_producer *producer,
                                        const struct hx_slot *messages, uint32_t count) {
    const uint64_t tail = producer->tail;
    if (producer->limit - tail < count) {
        hx_ring_look_for_room(producer);
        count = (uint32_t)MIN_OF(producer->limit - tail, (uint64_t)count);
    }
    for (uint32_t i = 0; i < count; i++) {
        producer->slots[(tail + i) & producer->mask] = messages[i];
    }
    producer->tail = tail + count;
    return count;
}

// Shows the consumer all that was put. Whether it must be woken.
static inline bool hx_ring_publish(struct hx_producer *producer) {
    struct hx_ring *ring = producer->ring;
    atomic_store_explicit(&ring->tail, producer->tail, memory_order_release);
    return hx_ring_must_wake(&ring->consumer_sleep, &ring->consumer_woken, &producer->woken);
}

static inline void hx_producer_sleep(struct hx_producer *producer) {
    atomic_store_explicit(&producer->ring->producer_sleep, ++producer->sleep, memory_order_relaxed);
}

// Behind the barrier: whether there is still no room, and nobody has woken it.
static inline bool hx_producer_must_wait(struct hx_producer *producer) {
    return hx_ring_room(producer) == 0 && !producer->broken &&
           atomic_load_explicit(&producer->ring->producer_woken, memory_order_relaxed) !=
               producer->sleep;
}

static inline void hx_producer_awake(struct hx_producer *producer) {
    atomic_store_explicit(&producer->ring->producer_sleep, ++producer->sleep, memory_order_relaxed);
}

// ---- the consumer

// The producer lied: there is nothing from `position` on, now and later.
static inline void hx_consumer_break(struct hx_consumer *consumer, uint64_t position) {
    consumer->broken = true;
    consumer->most = 0;
    consumer->tail = position;
}

// Reads the producer's position. Whether there are messages; from a broken ring on, there is none.
static inline bool hx_ring_look_for_messages(struct hx_consumer *consumer) {
    const uint64_t head = consumer->head;
    const uint64_t tail = atomic_load_explicit(&consumer->ring->tail, memory_order_acquire);
    if (__builtin_expect(tail - head > consumer->most, 0)) {
        hx_consumer_break(consumer, head);
        return false;
    }
    consumer->tail = tail;
    return tail != head;
}

// How many messages can be taken; looks at the producer's position only if it knows of none.
static inline uint32_t hx_ring_ready(struct hx_consumer *consumer) {
    if (consumer->tail == consumer->head) {
        (void)hx_ring_look_for_messages(consumer);
    }
    return (uint32_t)(consumer->tail - consumer->head);
}

// Copies the next message. HX_ERR_WOULD_BLOCK: there is none; HX_ERR_CORRUPT: *out is not a
// message.
static inline enum hx_status hx_ring_get(struct hx_consumer *consumer, struct hx_slot *out) {
    const uint64_t head = consumer->head;
    if (head == consumer->tail && !hx_ring_look_for_messages(consumer)) {
        return consumer->broken ? HX_ERR_CORRUPT : HX_ERR_WOULD_BLOCK;
    }
    *out = consumer->slots[head & consumer->mask];
    __asm__ volatile("" : "+m"(*out)); // from here on the compiler knows only the copy
    if (__builtin_expect(out->length > HX_SLOT_BYTES, 0)) {
        hx_consumer_break(consumer, head);
        return HX_ERR_CORRUPT;
    }
    consumer->head = head + 1;
    return HX_OK;
}

// Copies as many of the next messages as there are, up to `count`; how many. 0 with
// consumer->broken set: HX_ERR_CORRUPT.
static inline uint32_t hx_ring_get_many(struct hx_consumer *consumer, struct hx_slot *out,
                                        uint32_t count) {
    const uint64_t head = consumer->head;
    if (consumer->tail - head < count) {
        (void)hx_ring_look_for_messages(consumer);
        count = (uint32_t)MIN_OF(consumer->tail - head, (uint64_t)count);
    }
    for (uint32_t i = 0; i < count; i++) {
        out[i] = consumer->slots[(head + i) & consumer->mask];
        __asm__ volatile("" : "+m"(out[i])); // as in hx_ring_get()
        if (__builtin_expect(out[i].length > HX_SLOT_BYTES, 0)) {
            hx_consumer_break(consumer, head + i);
            count = i;
        }
    }
    consumer->head = head + count;
    return count;
}

// Gives back the slots of all that was taken. Whether the producer must be woken.
static inline bool hx_ring_release(struct hx_consumer *consumer) {
    struct hx_ring *ring = consumer->ring;
    atomic_store_explicit(&ring->head, consumer->head, memory_order_release);
    return hx_ring_must_wake(&ring->producer_sleep, &ring->producer_woken, &consumer->woken);
}

static inline void hx_consumer_sleep(struct hx_consumer *consumer) {
    atomic_store_explicit(&consumer->ring->consumer_sleep, ++consumer->sleep, memory_order_relaxed);
}

// Behind the barrier: whether there is still no message, and nobody has woken it.
static inline bool hx_consumer_must_wait(struct hx_consumer *consumer) {
    return hx_ring_ready(consumer) == 0 && !consumer->broken &&
           atomic_load_explicit(&consumer->ring->consumer_woken, memory_order_relaxed) !=
               consumer->sleep;
}

static inline void hx_consumer_awake(struct hx_consumer *consumer) {
    atomic_store_explicit(&consumer->ring->consumer_sleep, ++consumer->sleep, memory_order_relaxed);
}
