// SPDX-License-Identifier: MIT OR Apache-2.0
// A virtqueue's driver beside a device that writes any bytes anywhere into the shared memory.
#include "fuzz.h"

#include <lib/virtqueue.h>

#include <stdlib.h>
#include <string.h>

#define SIZE   16u
#define CHAINS 64u

struct chain {
    bool is_held; // by the device
    uint32_t writable_bytes;
};

static struct chain chains[CHAINS];
static uint32_t next_chain;

static void add(struct virtqueue *queue, uint32_t shape) {
    struct virtqueue_piece pieces[4];
    const uint32_t count = 1 + shape % 4;
    struct chain *chain = &chains[next_chain++ % CHAINS];
    if (chain->is_held) {
        return;
    }
    uint32_t writable = 0;
    for (uint32_t i = 0; i < count; i++) {
        pieces[i] = (struct virtqueue_piece){ i, shape, i >= shape / 4 % 4 };
        writable += pieces[i].is_writable ? shape : 0;
    }
    if (virtqueue_add(queue, pieces, count, chain)) {
        *chain = (struct chain){ true, writable };
    }
}

static void take(struct virtqueue *queue) {
    void *token = NULL;
    uint32_t bytes = 0;
    if (virtqueue_take(queue, &token, &bytes) == HX_OK) {
        struct chain *chain = token;
        FUZZ_ASSERT(chain >= chains && chain < chains + CHAINS && chain->is_held);
        FUZZ_ASSERT(bytes <= chain->writable_bytes);
        chain->is_held = false;
    }
}

static void finish(struct virtqueue *queue) {
    for (struct chain *chain; (chain = virtqueue_reclaim(queue)) != NULL;) {
        FUZZ_ASSERT(chain->is_held);
        chain->is_held = false;
    }
    for (uint32_t i = 0; i < CHAINS; i++) {
        FUZZ_ASSERT(!chains[i].is_held);
    }
    FUZZ_ASSERT(queue->free_count == SIZE);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct virtqueue queue;
    struct virtqueue_slot slots[SIZE];
    const size_t bytes = virtqueue_bytes(SIZE);
    const size_t aligned = (bytes + VIRTQUEUE_ALIGN - 1) & ~(size_t)(VIRTQUEUE_ALIGN - 1);
    uint8_t *memory = aligned_alloc(VIRTQUEUE_ALIGN, aligned);
    memset(memory, 0, aligned);
    memset(chains, 0, sizeof(chains));
    if (size % 4 >= 2) { // what is left over says which
        virtqueue_init_packed(&queue, SIZE, memory, slots);
    } else {
        virtqueue_init(&queue, SIZE, memory, slots);
    }
    for (size_t at = 0; at + 4 <= size; at += 4) {
        const uint8_t *word = data + at;
        switch (word[0] % 4) {
        case 0:
            add(&queue, word[1]);
            break;
        case 1:
            (void)virtqueue_publish(&queue);
            break;
        case 2:
            take(&queue);
            break;
        default: // the device; most of what matters lies in its own part, or in the one ring
            memory[(virtqueue_device_offset(SIZE) * (!queue.is_packed && word[0] / 4 % 8 != 0) +
                    word[1] + (size_t)(word[2] % 16) * 256) %
                   bytes] = word[3];
            break;
        }
    }
    finish(&queue);
    free(memory);
    return 0;
}
