// SPDX-License-Identifier: MIT OR Apache-2.0
// <helix/ring_many.h>: a ring of many producers and many consumers, who trust each other: threads
// of one process, or processors of one kernel. Across a boundary each pair has a ring of its own
// (<helix/ring.h>).
//
// After D. Vyukov's bounded queue: each slot has a sequence, the low 32 bits of the position that
// may use it next: p for the producer of position p, p + 1 for its consumer, p + the number of
// slots for the producer of the next round. The positions have 64 bits, and who has found the
// sequences that it wants takes the slots by a compare-and-swap of the position: a sequence that is
// there again after 2^32 messages is of no use to somebody whose position is old.
//
// A batch takes its slots at once, fills (or empties) them, and passes each on by a release store
// of its sequence: no read-modify-write but the one for the batch. Nothing here sleeps or wakes.
#pragma once

#include <helix/ring.h>

// All of it lies in shared memory.
struct hx_many {
    alignas(CACHE_LINE) _Atomic uint64_t tail; // the next message goes there
    alignas(CACHE_LINE) _Atomic uint64_t head; // the next message comes from there
    alignas(CACHE_LINE) struct hx_slot *slots;
    uint64_t mask; // number of slots less 1
};

static inline _Atomic uint32_t *hx_many_sequence(const struct hx_many *ring, uint64_t position) {
    return (_Atomic uint32_t *)&ring->slots[position & ring->mask].sequence;
}

// Empty, from `position` on, which tests choose and others have 0. Borrows the slots. Before
// anybody else uses it. HX_ERR_INVALID: that number of slots cannot be; one alone cannot tell full
// from empty.
static inline enum hx_status hx_many_init(struct hx_many *ring, struct hx_slot *slots,
                                          uint64_t count, uint64_t position) {
    if (!hx_ring_count_is_valid(count) || count == 1) {
        return HX_ERR_INVALID;
    }
    *ring = (struct hx_many){ .slots = slots, .mask = count - 1 };
    atomic_init(&ring->tail, position);
    atomic_init(&ring->head, position);
    for (uint64_t i = 0; i < count; i++) {
        atomic_init(hx_many_sequence(ring, position + i), (uint32_t)(position + i));
    }
    return HX_OK;
}

// How many slots from `position` on have the sequences of that position plus `ahead`, up to
// `count`.
static inline uint32_t hx_many_ready(const struct hx_many *ring, uint64_t position, uint32_t ahead,
                                     uint32_t count) {
    uint32_t ready = 0;
    while (ready < count &&
           atomic_load_explicit(hx_many_sequence(ring, position + ready), memory_order_acquire) ==
               (uint32_t)(position + ready) + ahead) {
        ready++;
    }
    return ready;
}

// Takes up to `count` slots behind *position_word that are ready; how many, and from where. 0: none
// is, and none was passed on meanwhile.
static inline uint32_t hx_many_take(const struct hx_many *ring, _Atomic uint64_t *position_word,
                                    uint32_t ahead, uint32_t count, uint64_t *out_position) {
    uint64_t position = atomic_load_explicit(position_word, memory_order_relaxed);
    for (;;) {
        const uint32_t ready = hx_many_ready(ring, position, ahead, count);
        const uint64_t seen = position;
        // Relaxed: the sequences order the slots. A failure reads the position anew.
        if (ready != 0 &&
            atomic_compare_exchange_weak_explicit(position_word, &position, position + ready,
                                                  memory_order_relaxed, memory_order_relaxed)) {
            *out_position = seen;
            return ready;
        }
        if (ready == 0) {
            position = atomic_load_explicit(position_word, memory_order_relaxed);
            if (position == seen) {
                return 0;
            }
        }
    }
}

// Passes slots on that were taken: their sequences become their positions plus `ahead`.
static inline void hx_many_pass(const struct hx_many *ring, uint64_t position, uint32_t count,
                                uint64_t ahead) {
    for (uint32_t i = 0; i < count; i++) {
        atomic_store_explicit(hx_many_sequence(ring, position + i),
                              (uint32_t)(position + i + ahead), memory_order_release);
    }
}

// Puts as many of the messages as there is room for, in their order, nobody's between them; how
// many. Their sequence and what lies behind their length is not looked at.
static inline uint32_t hx_many_put(struct hx_many *ring, const struct hx_slot *messages,
                                   uint32_t count) {
    uint64_t position = 0;
    count = hx_many_take(ring, &ring->tail, 0, count, &position);
    for (uint32_t i = 0; i < count; i++) {
        struct hx_slot *slot = &ring->slots[(position + i) & ring->mask];
        slot->length = messages[i].length;
        slot->flags = messages[i].flags;
        slot->kind = messages[i].kind;
        __builtin_memcpy(slot->data, messages[i].data, sizeof(slot->data));
    }
    hx_many_pass(ring, position, count, 1);
    return count;
}

// Takes up to `count` messages, nobody's between them; how many.
static inline uint32_t hx_many_get(struct hx_many *ring, struct hx_slot *out, uint32_t count) {
    uint64_t position = 0;
    count = hx_many_take(ring, &ring->head, 1, count, &position);
    for (uint32_t i = 0; i < count; i++) {
        const struct hx_slot *slot = &ring->slots[(position + i) & ring->mask];
        out[i].length = slot->length;
        out[i].flags = slot->flags;
        out[i].kind = slot->kind;
        __builtin_memcpy(out[i].data, slot->data, sizeof(slot->data));
    }
    hx_many_pass(ring, position, count, ring->mask + 1);
    return count;
}
