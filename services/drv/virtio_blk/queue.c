// SPDX-License-Identifier: MIT OR Apache-2.0
// services/drv/virtio_blk/queue.c: requests in a queue. Section numbers are those of Virtual I/O
// Device 1.2.
#include "queue.h"

#include <lib/string.h>

#define STATUS_OK   0u
#define STATUS_NONE 0xffu // what the device has not written

#define RING_BYTES   ((size_t)4 * VIRTQUEUE_ALIGN) // for VIRTQUEUE_SIZE_MAX
#define SHARED_BYTES (SLOTS * sizeof(struct shared))
#define TABLE_BYTES  ((size_t)PIECES_MAX * VIRTQUEUE_ENTRY_BYTES)
#define TABLES_BYTES (SLOTS * TABLE_BYTES)
_Static_assert(TABLES_BYTES <= 65536, "fewer slots");

enum hx_status blk_queue_init(struct blk_queue *queue) {
    hx_mutex_init(&queue->lock, "virtio_blk queue");
    queue->memory = hx_dma_alloc(queue->env, queue->device, RING_BYTES, &queue->address);
    queue->shared = hx_dma_alloc(queue->env, queue->device, SHARED_BYTES, &queue->shared_address);
    if ((queue->virtio->features & VIRTIO_FEATURE_INDIRECT) != 0) { // it works without, too
        queue->tables =
            hx_dma_alloc(queue->env, queue->device, TABLES_BYTES, &queue->tables_address);
    }
    return queue->memory != NULL && queue->shared != NULL ? HX_OK : HX_ERR_NO_MEMORY;
}

void blk_queue_fini(struct blk_queue *queue) {
    hx_dma_free(queue->env, queue->device, queue->memory, queue->address);
    hx_dma_free(queue->env, queue->device, queue->shared, queue->shared_address);
    hx_dma_free(queue->env, queue->device, queue->tables, queue->tables_address);
}

// Its life
// ------------------------------------------------------------------------------------------------

void blk_queue_state_set(struct blk_queue *queue, enum blk_queue_state state) {
    hx_mutex_lock(&queue->lock);
    queue->state = state;
    queue->closed += state != QUEUE_OPEN;
    hx_mutex_unlock(&queue->lock);
}

uint64_t blk_queue_closed(struct blk_queue *queue) {
    hx_mutex_lock(&queue->lock);
    const uint64_t closed = queue->closed;
    hx_mutex_unlock(&queue->lock);
    return closed;
}

static void slots_init_locked(struct blk_queue *queue) {
    queue->free = NULL;
    for (uint32_t i = 0; i < SLOTS; i++) {
        queue->slots[i] = (struct slot){ .next = queue->free, .number = i };
        queue->free = &queue->slots[i];
    }
}

static enum hx_status set_locked(struct blk_queue *queue) {
    memset(queue->memory, 0, RING_BYTES);
    if ((queue->virtio->features & VIRTIO_FEATURE_PACKED) != 0) {
        virtqueue_init_packed(&queue->ring, queue->size, queue->memory, queue->chains);
    } else {
        virtqueue_init(&queue->ring, queue->size, queue->memory, queue->chains);
    }
    slots_init_locked(queue);
    // Relaxed: whoever sets it has called this.
    const uint16_t vector = atomic_load_explicit(&queue->vector, memory_order_relaxed);
    return virtio_queue_set(queue->virtio, queue->number, queue->size, queue->address, vector);
}

// A device may have no room for one more message (4.1.5.1.2); the first one's does for all.
enum hx_status blk_queue_set(struct blk_queue *queue) {
    hx_mutex_lock(&queue->lock);
    enum hx_status status = set_locked(queue);
    const uint16_t vector = atomic_load_explicit(&queue->vector, memory_order_relaxed);
    if (status != HX_OK && vector != 0 && vector != VIRTIO_NO_VECTOR) {
        atomic_store_explicit(&queue->vector, 0, memory_order_release);
        status = set_locked(queue);
    }
    hx_mutex_unlock(&queue->lock);
    return status;
}

// Requests
// ------------------------------------------------------------------------------------------------

enum hx_status blk_queue_state_locked(const struct blk_queue *queue) {
    return queue->state == QUEUE_OPEN        ? HX_OK
           : queue->state == QUEUE_RESETTING ? HX_ERR_WOULD_BLOCK
                                             : HX_ERR_NO_DEVICE;
}

static struct virtqueue_piece shared_piece(const struct blk_queue *queue, const struct slot *slot,
                                           size_t offset, uint32_t bytes, bool is_writable) {
    const uint64_t at = queue->shared_address + slot->number * sizeof(struct shared) + offset;
    return (struct virtqueue_piece){ at, bytes, is_writable };
}

bool blk_queue_add_locked(struct blk_queue *queue, uint64_t id, uint32_t kind, uint64_t sector,
                          struct virtqueue_piece *pieces, uint32_t count) {
    struct slot *slot = queue->free;
    if (slot == NULL) {
        return false;
    }
    struct shared *shared = &queue->shared[slot->number];
    shared->header.kind = kind;
    shared->header.reserved = 0;
    shared->header.sector = sector;
    // Relaxed: the device sees it when it sees the chain.
    atomic_store_explicit(&shared->status, STATUS_NONE, memory_order_relaxed);
    slot->id = id;
    slot->has_pages = false;
    slot->must_write = 1;
    for (uint32_t i = 1; i <= count; i++) {
        slot->must_write += pieces[i].is_writable ? pieces[i].size_bytes : 0;
    }
    pieces[0] = shared_piece(queue, slot, offsetof(struct shared, header), 16, false);
    pieces[count + 1] = shared_piece(queue, slot, offsetof(struct shared, status), 1, true);
    const size_t table = slot->number * TABLE_BYTES;
    const bool is_asked = (queue->virtio->features & VIRTIO_FEATURE_INDIRECT) != 0;
    if (is_asked && queue->tables != NULL
            ? !virtqueue_add_indirect(&queue->ring, pieces, count + 2, slot, queue->tables + table,
                                      queue->tables_address + table)
            : !virtqueue_add(&queue->ring, pieces, count + 2, slot)) {
        return false;
    }
    queue->free = slot->next;
    return true;
}

// 5.2.6: the range follows the header.
bool blk_queue_discard_locked(struct blk_queue *queue, uint64_t id, uint64_t sector,
                              uint32_t sectors) {
    struct virtqueue_piece pieces[3];
    const struct slot *slot = queue->free;
    if (slot == NULL) {
        return false;
    }
    struct shared *shared = &queue->shared[slot->number];
    shared->discard.sector = sector;
    shared->discard.sectors = sectors;
    shared->discard.flags = 0;
    pieces[1] = shared_piece(queue, slot, offsetof(struct shared, discard), 16, false);
    return blk_queue_add_locked(queue, id, KIND_DISCARD, 0, pieces, 1);
}

void blk_queue_publish_locked(struct blk_queue *queue) {
    if (virtqueue_publish(&queue->ring)) {
        virtio_notify(queue->virtio, queue->number);
    }
}

// Completions
// ------------------------------------------------------------------------------------------------

static void done_add(struct blk_queue *queue, struct slot *slot, uint32_t outcome,
                     struct ended *ended) {
    ended->done[ended->count++] = (struct block_completion){ .id = slot->id, .outcome = outcome };
    if (slot->has_pages) {
        ended->lent[ended->lent_count++] = slot->lent;
    }
    slot->next = queue->free;
    queue->free = slot;
}

// What the device says of a request; what it has not written is not there.
static uint32_t outcome_of(const struct blk_queue *queue, const struct slot *slot, uint32_t bytes) {
    const uint8_t status =
        atomic_load_explicit(&queue->shared[slot->number].status, memory_order_relaxed);
    return status == STATUS_OK && bytes >= slot->must_write ? BLOCK_DONE : BLOCK_FAILED;
}

enum hx_status blk_queue_take(struct blk_queue *queue, struct ended *out_ended,
                              uint64_t *out_closed) {
    out_ended->count = 0;
    out_ended->lent_count = 0;
    hx_mutex_lock(&queue->lock);
    // Another device on the line may be heard before there is a ring.
    enum hx_status status = queue->state == QUEUE_OPEN ? HX_OK : HX_ERR_WOULD_BLOCK;
    while (status == HX_OK && out_ended->count < BLOCK_BATCH_MAX) {
        void *token = NULL;
        uint32_t bytes = 0;
        status = virtqueue_take(&queue->ring, &token, &bytes);
        if (status == HX_OK) {
            done_add(queue, token, outcome_of(queue, token, bytes), out_ended);
        }
    }
    *out_closed = queue->closed;
    hx_mutex_unlock(&queue->lock);
    return status;
}

void blk_queue_reclaim(struct blk_queue *queue, uint32_t outcome, struct ended *out_ended) {
    struct slot *slot = NULL;
    out_ended->count = 0;
    out_ended->lent_count = 0;
    hx_mutex_lock(&queue->lock);
    while (out_ended->count < BLOCK_BATCH_MAX && (slot = virtqueue_reclaim(&queue->ring)) != NULL) {
        done_add(queue, slot, outcome, out_ended);
    }
    hx_mutex_unlock(&queue->lock);
}
