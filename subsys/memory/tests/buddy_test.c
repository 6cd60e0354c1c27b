// SPDX-License-Identifier: MIT OR Apache-2.0
// Tests of buddy.c: against a map of who owns which frame.
#include "../src/buddy.h"
#include "check.h"

#include <string.h>

#define CHUNKS 3u
#define FRAMES (CHUNKS * FRAME_CHUNK)
#define BLOCKS 512u

static struct frame *chunks[CHUNKS];
static struct buddy buddy;

static uint8_t owned[FRAMES]; // 0: free, 1: given out, 2: not memory
struct block {
    struct frame *frame;
    uint32_t order;
};
static struct block blocks[BLOCKS];
static uint32_t block_count;
static uint64_t model_free;

static void start(void) {
    buddy_init(&buddy);
    memset(owned, 2, sizeof owned);
    model_free = 0;
    block_count = 0;
    for (uint32_t i = 0; i < CHUNKS; i++) {
        free(chunks[i]);
        chunks[i] = malloc(FRAME_CHUNK * sizeof(struct frame));
        memset(chunks[i], 0xa5, FRAME_CHUNK * sizeof(struct frame));
        buddy_chunk_init(chunks[i], i * FRAME_CHUNK);
    }
}

static void add(uint32_t chunk, uint32_t first, uint32_t count) {
    buddy_add(&buddy, chunks[chunk], first, count);
    memset(&owned[chunk * FRAME_CHUNK + first], 0, count);
    model_free += count;
}

static void mark(const struct frame *frame, uint32_t order, uint8_t from, uint8_t to) {
    CHECK(frame->number % (1u << order) == 0);
    for (uint32_t i = 0; i < 1u << order; i++) {
        CHECK(owned[frame->number + i] == from);
        owned[frame->number + i] = to;
    }
}

static void allocate(uint32_t order) {
    struct frame *frame = buddy_alloc(&buddy, order);
    if (frame == NULL) {
        // No free aligned block of that order may exist.
        for (uint32_t at = 0; at < FRAMES; at += 1u << order) {
            CHECK(memchr(&owned[at], 1, 1u << order) != NULL ||
                  memchr(&owned[at], 2, 1u << order) != NULL);
        }
        return;
    }
    CHECK(frame->order == order && frame_use(frame) == FRAME_RESERVED);
    mark(frame, order, 0, 1);
    model_free -= 1u << order;
    blocks[block_count++] = (struct block){ frame, order };
}

static void release(uint32_t index) {
    struct block block = blocks[index];
    mark(block.frame, block.order, 1, 0);
    model_free += 1u << block.order;
    buddy_free(&buddy, block.frame, block.order);
    blocks[index] = blocks[--block_count];
}

static void batch(void) {
    struct frame *frames[32];
    uint32_t want = 1 + (uint32_t)random_number(32);
    want = want < BLOCKS - block_count ? want : BLOCKS - block_count;
    uint32_t got = buddy_alloc_batch(&buddy, frames, want);
    CHECK(got == (want < model_free ? want : model_free));
    for (uint32_t i = 0; i < got; i++) {
        mark(frames[i], 0, 0, 1);
        CHECK(frames[i]->order == 0);
        blocks[block_count++] = (struct block){ frames[i], 0 };
    }
    model_free -= got;
}

static void torture(void) {
    start();
    add(0, 0, FRAME_CHUNK);
    add(1, 3, 700);
    add(1, 1000, 24);
    add(2, 1, 1);
    add(2, 511, 2);
    for (uint32_t step = 0; step < 200000; step++) {
        uint64_t what = random_number(8);
        if (what < 3 && block_count < BLOCKS) {
            allocate((uint32_t)random_number(FRAME_ORDER_MAX + 1));
        } else if (what == 3 && block_count < BLOCKS) {
            batch();
        } else if (block_count > 0) {
            release((uint32_t)random_number(block_count));
        }
        CHECK(buddy_free_pages(&buddy) == model_free);
    }
    while (block_count > 0) {
        release(0);
    }
    // All merged again: the whole chunk is one block.
    CHECK(buddy_alloc(&buddy, FRAME_ORDER_MAX) == chunks[0]);
    CHECK(buddy_alloc(&buddy, FRAME_ORDER_MAX) == NULL);
}

static void single(void) {
    start();
    CHECK(buddy_alloc(&buddy, 0) == NULL);
    add(2, 1023, 1);
    CHECK(buddy_alloc(&buddy, 1) == NULL);
    struct frame *frame = buddy_alloc(&buddy, 0);
    CHECK(frame == &chunks[2][1023] && buddy_free_pages(&buddy) == 0 && buddy.nonempty == 0);
    buddy_free(&buddy, frame, 0);
    CHECK(buddy_free_pages(&buddy) == 1 && buddy.nonempty == 1);
}

int main(void) {
    single();
    torture();
    for (uint32_t i = 0; i < CHUNKS; i++) {
        free(chunks[i]);
    }
    return 0;
}
