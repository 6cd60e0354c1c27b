// SPDX-License-Identifier: MIT OR Apache-2.0
// bench/hosted/minimal_ring.h: a ring of one producer and one consumer with nothing in it that
// could be left out: what the SDK's is compared with.
#pragma once

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

// The least that two who trust each other need: a position each, a copy of the other's.
struct minimal_message {
    _Alignas(64) uint64_t words[8];
};

struct minimal {
    _Alignas(64) _Atomic uint64_t tail;
    _Alignas(64) _Atomic uint64_t head;
    _Alignas(64) uint64_t put, head_seen;
    _Alignas(64) uint64_t got, tail_seen;
    struct minimal_message slots[64];
};

static inline bool minimal_put(struct minimal *ring, const struct minimal_message *message) {
    if (ring->put - ring->head_seen == 64) {
        ring->head_seen = atomic_load_explicit(&ring->head, memory_order_acquire);
        if (ring->put - ring->head_seen == 64) {
            return false;
        }
    }
    ring->slots[ring->put++ % 64] = *message;
    return true;
}

static inline bool minimal_get(struct minimal *ring, struct minimal_message *out) {
    if (ring->got == ring->tail_seen) {
        ring->tail_seen = atomic_load_explicit(&ring->tail, memory_order_acquire);
        if (ring->got == ring->tail_seen) {
            return false;
        }
    }
    *out = ring->slots[ring->got++ % 64];
    __asm__ volatile("" : "+m"(*out)); // all of it arrives
    return true;
}
