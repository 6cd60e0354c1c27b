// SPDX-License-Identifier: MIT OR Apache-2.0
// virtqueue.c: split virtqueues, and the way to packed ones. Section numbers are those of Virtual
// I/O Device 1.2.
#include "virtqueue_packed.h"

#define DESCRIPTOR_NEXT     1u // 2.7.5
#define DESCRIPTOR_WRITABLE 2u
#define DESCRIPTOR_TABLE    4u
#define NO_INTERRUPT        1u // 2.7.7
#define USED_NO_NOTIFY      1u // 2.7.10
#define NOBODY              UINT16_MAX

_Static_assert(sizeof(struct virtqueue_descriptor) == 16, "2.7.5");
_Static_assert(sizeof(struct virtqueue_element) == 8, "2.7.8");

size_t virtqueue_driver_offset(uint16_t size) {
    return size * sizeof(struct virtqueue_descriptor);
}

size_t virtqueue_device_offset(uint16_t size) {
    const size_t driver = sizeof(struct virtqueue_available) + (size + 1u) * sizeof(uint16_t);
    const size_t end = virtqueue_driver_offset(size) + driver;
    return (end + VIRTQUEUE_ALIGN - 1) & ~(size_t)(VIRTQUEUE_ALIGN - 1);
}

size_t virtqueue_bytes(uint16_t size) {
    return virtqueue_device_offset(size) + sizeof(struct virtqueue_used) +
           size * sizeof(struct virtqueue_element) + sizeof(uint16_t);
}

void virtqueue_init(struct virtqueue *queue, uint16_t size, void *memory,
                    struct virtqueue_slot *slots) {
    uint8_t *bytes = memory;
    void *driver = bytes + virtqueue_driver_offset(size);
    void *device = bytes + virtqueue_device_offset(size);
    *queue = (struct virtqueue){ .size = size, .free_count = size, .slots = slots };
    queue->descriptors = memory;
    queue->driver = driver;
    queue->device = device;
    for (uint16_t i = 0; i < size; i++) {
        const uint16_t next = i + 1 < size ? (uint16_t)(i + 1) : NOBODY;
        slots[i] = (struct virtqueue_slot){ .next = next };
    }
}

// 2.7.7
void virtqueue_quiet(struct virtqueue *queue) {
    // Relaxed: a hint.
    atomic_store_explicit(&queue->driver->flags, NO_INTERRUPT, memory_order_relaxed);
}

void virtqueue_init_packed(struct virtqueue *queue, uint16_t size, void *memory,
                           struct virtqueue_slot *slots) {
    virtqueue_init(queue, size, memory, slots);
    void *events = queue->device;
    queue->is_packed = true;
    queue->packed_round = true;
    queue->used_round = true;
    queue->packed = memory;
    queue->events = events;
    queue->descriptors = NULL;
    queue->driver = NULL;
}

// `kind`: what all of its descriptors say.
static bool split_add(struct virtqueue *queue, const struct virtqueue_piece *pieces, uint32_t count,
                      void *token, uint32_t kind) {
    if (count == 0 || count > queue->free_count) {
        return false;
    }
    const uint16_t first = queue->free_first;
    uint16_t at = first;
    uint32_t writable_bytes = 0;
    for (uint32_t i = 0; i < count; i++) {
        const struct virtqueue_piece *piece = &pieces[i];
        const uint16_t next = queue->slots[at].next;
        const bool is_last = i + 1 == count;
        queue->descriptors[at] = (struct virtqueue_descriptor){
            .address = piece->address,
            .size_bytes = piece->size_bytes,
            .flags = (uint16_t)((piece->is_writable ? DESCRIPTOR_WRITABLE : 0) | kind |
                                (is_last ? 0 : DESCRIPTOR_NEXT)),
            .next = is_last ? (uint16_t)0 : next,
        };
        writable_bytes += piece->is_writable ? piece->size_bytes : 0;
        at = next;
    }
    queue->free_first = at;
    queue->free_count = (uint16_t)(queue->free_count - count);
    queue->slots[first].token = token;
    queue->slots[first].writable_bytes = writable_bytes;
    queue->slots[first].count = (uint16_t)count;
    // Relaxed: virtqueue_publish() makes it visible.
    atomic_store_explicit(&queue->driver->ring[queue->available & (queue->size - 1)], first,
                          memory_order_relaxed);
    queue->available++;
    return true;
}

static bool add(struct virtqueue *queue, const struct virtqueue_piece *pieces, uint32_t count,
                void *token, uint32_t kind) {
    return !queue->is_corrupt && (queue->is_packed ? packed_add(queue, pieces, count, token, kind)
                                                   : split_add(queue, pieces, count, token, kind));
}

bool virtqueue_add(struct virtqueue *queue, const struct virtqueue_piece *pieces, uint32_t count,
                   void *token) {
    return add(queue, pieces, count, token, 0);
}

// Split: 2.7.5.3; packed: 2.8.7, where neither the next one nor an id means anything.
static uint32_t table_fill(struct virtqueue_descriptor *table, const struct virtqueue_piece *pieces,
                           uint32_t count, bool is_packed) {
    uint32_t writable_bytes = 0;
    for (uint32_t i = 0; i < count; i++) {
        const uint32_t writable = pieces[i].is_writable ? DESCRIPTOR_WRITABLE : 0;
        const bool has_next = i + 1 < count;
        table[i] = (struct virtqueue_descriptor){ .address = pieces[i].address,
                                                  .size_bytes = pieces[i].size_bytes };
        if (is_packed) {
            table[i].next = (uint16_t)writable; // that is where its flags are
        } else {
            table[i].flags = (uint16_t)(writable | (has_next ? DESCRIPTOR_NEXT : 0));
            table[i].next = has_next ? (uint16_t)(i + 1) : (uint16_t)0;
        }
        writable_bytes += pieces[i].is_writable ? pieces[i].size_bytes : 0;
    }
    return writable_bytes;
}

bool virtqueue_add_indirect(struct virtqueue *queue, const struct virtqueue_piece *pieces,
                            uint32_t count, void *token, void *table, uint64_t address) {
    const struct virtqueue_piece whole = { .address = address,
                                           .size_bytes = count * VIRTQUEUE_ENTRY_BYTES };
    const uint16_t first = queue->free_first;
    const uint32_t writable_bytes = table_fill(table, pieces, count, queue->is_packed);
    if (count == 0 || !add(queue, &whole, 1, token, DESCRIPTOR_TABLE)) {
        return false;
    }
    queue->slots[first].writable_bytes = writable_bytes;
    return true;
}

bool virtqueue_publish(struct virtqueue *queue) {
    if (queue->is_packed) {
        return packed_publish(queue);
    }
    // Release: who sees the index sees the descriptors and the ring (2.7.13.2).
    atomic_store_explicit(&queue->driver->index, queue->available, memory_order_release);
    // The device stores its flag and then looks at the index; here it is the other way round
    // (2.7.13.4): one of the two sees the other's.
    atomic_thread_fence(memory_order_seq_cst);
    const uint16_t flags = atomic_load_explicit(&queue->device->flags, memory_order_relaxed);
    return (flags & USED_NO_NOTIFY) == 0;
}

// Takes a chain apart; its descriptors are free.
static void *chain_free(struct virtqueue *queue, uint16_t first) {
    struct virtqueue_slot *slot = &queue->slots[first];
    void *token = slot->token;
    uint16_t last = first;
    for (uint16_t i = 1; i < slot->count; i++) {
        last = queue->slots[last].next;
    }
    queue->slots[last].next = queue->free_first;
    queue->free_first = first;
    queue->free_count = (uint16_t)(queue->free_count + slot->count);
    slot->token = NULL;
    return token;
}

enum hx_status virtqueue_take(struct virtqueue *queue, void **out_token, uint32_t *out_bytes) {
    if (queue->is_corrupt) {
        return HX_ERR_CORRUPT;
    }
    if (queue->is_packed) {
        return packed_take(queue, out_token, out_bytes);
    }
    // Acquire: the element, and what the device wrote to the buffers, come before its index.
    const uint16_t index = atomic_load_explicit(&queue->device->index, memory_order_acquire);
    if (index == queue->used) {
        return HX_ERR_WOULD_BLOCK;
    }
    const struct virtqueue_element *element = &queue->device->ring[queue->used & (queue->size - 1)];
    const uint32_t id = atomic_load_explicit(&element->id, memory_order_relaxed);
    const uint32_t bytes = atomic_load_explicit(&element->size_bytes, memory_order_relaxed);
    if (id >= queue->size || queue->slots[id].token == NULL ||
        bytes > queue->slots[id].writable_bytes) {
        queue->is_corrupt = true;
        return HX_ERR_CORRUPT;
    }
    queue->used++;
    *out_token = chain_free(queue, (uint16_t)id);
    *out_bytes = bytes;
    return HX_OK;
}

void *virtqueue_reclaim(struct virtqueue *queue) {
    for (uint16_t i = 0; i < queue->size; i++) {
        if (queue->slots[i].token != NULL) {
            return queue->is_packed ? packed_chain_free(queue, i) : chain_free(queue, i);
        }
    }
    return NULL;
}
