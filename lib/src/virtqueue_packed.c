// SPDX-License-Identifier: MIT OR Apache-2.0
// virtqueue_packed.c: packed virtqueues: one ring of descriptors, in which the device writes what
// it has done over what it was given. Section numbers are those of Virtual I/O Device 1.2.
//
// Two bits of a descriptor say whose it is; each round of the ring turns their meaning around
// (2.8.1): available ones have AVAIL as the driver's round is and USED otherwise, used ones have
// both as the round is.
#include "virtqueue_packed.h"

#define DESCRIPTOR_NEXT     1u // 2.8.21
#define DESCRIPTOR_WRITABLE 2u
#define DESCRIPTOR_AVAIL    (1u << 7)
#define DESCRIPTOR_USED     (1u << 15)
#define EVENTS_OFF          1u // 2.8.10: the device does not want to be told
#define EVENTS_MASK         3u

_Static_assert(sizeof(struct virtqueue_packed) == 16, "2.8.21");

static uint16_t flags_of(const struct virtqueue *queue, bool is_writable, bool has_next) {
    const uint32_t round = queue->packed_round ? DESCRIPTOR_AVAIL : DESCRIPTOR_USED;
    return (uint16_t)(round | (is_writable ? DESCRIPTOR_WRITABLE : 0) |
                      (has_next ? DESCRIPTOR_NEXT : 0));
}

// The next place of the ring is shown to the device, unless it is where it looks next: what is
// behind that is seen by nobody before the first one is published.
static void place_show(struct virtqueue *queue, uint16_t flags) {
    if (queue->has_unpublished) {
        atomic_store_explicit(&queue->packed[queue->available].flags, flags, memory_order_relaxed);
    } else {
        queue->has_unpublished = true;
        queue->unpublished = queue->available;
        queue->unpublished_flags = flags;
    }
}

bool packed_add(struct virtqueue *queue, const struct virtqueue_piece *pieces, uint32_t count,
                void *token, uint32_t kind) {
    if (count == 0 || count > queue->free_count) {
        return false;
    }
    const uint16_t id = queue->free_first; // there is one: no chain has fewer places than one
    uint32_t writable_bytes = 0;
    for (uint32_t i = 0; i < count; i++) {
        const struct virtqueue_piece *piece = &pieces[i];
        struct virtqueue_packed *at = &queue->packed[queue->available];
        at->address = piece->address;
        atomic_store_explicit(&at->size_bytes, piece->size_bytes, memory_order_relaxed);
        atomic_store_explicit(&at->id, id, memory_order_relaxed);
        place_show(queue, (uint16_t)(flags_of(queue, piece->is_writable, i + 1 < count) | kind));
        writable_bytes += piece->is_writable ? piece->size_bytes : 0;
        queue->available++;
        if (queue->available == queue->size) {
            queue->available = 0;
            queue->packed_round = !queue->packed_round;
        }
    }
    struct virtqueue_slot *slot = &queue->slots[id];
    queue->free_first = slot->next;
    queue->free_count = (uint16_t)(queue->free_count - count);
    slot->token = token;
    slot->writable_bytes = writable_bytes;
    slot->count = (uint16_t)count;
    return true;
}

bool packed_publish(struct virtqueue *queue) {
    if (queue->has_unpublished) {
        // Release: who sees these flags sees all that was added (2.8.21.1).
        atomic_store_explicit(&queue->packed[queue->unpublished].flags, queue->unpublished_flags,
                              memory_order_release);
        queue->has_unpublished = false;
    }
    // As for split ones: one of the two sees the other's (2.8.21.3.1).
    atomic_thread_fence(memory_order_seq_cst);
    const uint16_t flags = atomic_load_explicit(&queue->events->flags, memory_order_relaxed);
    return (flags & EVENTS_MASK) != EVENTS_OFF;
}

void *packed_chain_free(struct virtqueue *queue, uint16_t id) {
    struct virtqueue_slot *slot = &queue->slots[id];
    void *token = slot->token;
    slot->token = NULL;
    slot->next = queue->free_first;
    queue->free_first = id;
    queue->free_count = (uint16_t)(queue->free_count + slot->count);
    return token;
}

static bool is_used(const struct virtqueue *queue, uint16_t flags) {
    const bool available = (flags & DESCRIPTOR_AVAIL) != 0;
    const bool used = (flags & DESCRIPTOR_USED) != 0;
    return available == used && used == queue->used_round;
}

enum hx_status packed_take(struct virtqueue *queue, void **out_token, uint32_t *out_bytes) {
    struct virtqueue_packed *at = &queue->packed[queue->used];
    // Acquire: what the device wrote, to the buffers and here, comes before its flags.
    if (!is_used(queue, atomic_load_explicit(&at->flags, memory_order_acquire))) {
        return HX_ERR_WOULD_BLOCK;
    }
    const uint16_t id = atomic_load_explicit(&at->id, memory_order_relaxed);
    const uint32_t bytes = atomic_load_explicit(&at->size_bytes, memory_order_relaxed);
    if (id >= queue->size || queue->slots[id].token == NULL ||
        bytes > queue->slots[id].writable_bytes) {
        queue->is_corrupt = true;
        return HX_ERR_CORRUPT;
    }
    // The device leaves out the places of the rest of the chain (2.8.6).
    queue->used = (uint16_t)(queue->used + queue->slots[id].count);
    if (queue->used >= queue->size) {
        queue->used = (uint16_t)(queue->used - queue->size);
        queue->used_round = !queue->used_round;
    }
    *out_token = packed_chain_free(queue, id);
    *out_bytes = bytes;
    return HX_OK;
}
