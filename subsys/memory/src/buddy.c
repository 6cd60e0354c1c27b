// SPDX-License-Identifier: MIT OR Apache-2.0
// buddy.c: the buddy allocator (Knuth, The Art of Computer Programming, volume 1, section 2.5).
//
// A block of order o starts at a number that is a multiple of 1 << o; its buddy is the other half
// of the block of order o + 1 around both. Only the head of a free block has use FREE; the other
// frames of it are RESERVED, so a look at one never takes it for a head. A block of the highest
// order fills its chunk, so merging never leaves the chunk's array.
#include "buddy.h"

void buddy_init(struct buddy *buddy) {
    for (uint32_t order = 0; order <= FRAME_ORDER_MAX; order++) {
        list_init(&buddy->free[order]);
    }
    buddy->nonempty = 0;
    atomic_init(&buddy->free_pages, 0);
}

void buddy_chunk_init(struct frame *chunk, uint32_t first_number) {
    for (uint32_t i = 0; i < FRAME_CHUNK; i++) {
        chunk[i].number = first_number + i;
        chunk[i].order = 0;
        frame_use_set(&chunk[i], FRAME_RESERVED);
        atomic_init(&chunk[i].references, 0);
    }
}

static void push(struct buddy *buddy, struct frame *frame, uint32_t order) {
    frame_use_set(frame, FRAME_FREE);
    frame->order = (uint8_t)order;
    list_push_front(&buddy->free[order], &frame->link);
    buddy->nonempty |= 1u << order;
}

static void take(struct buddy *buddy, struct frame *frame, uint32_t order) {
    list_remove(&frame->link);
    frame_use_set(frame, FRAME_RESERVED);
    if (list_is_empty(&buddy->free[order])) {
        buddy->nonempty &= ~(1u << order);
    }
}

static void free_pages_set(struct buddy *buddy, uint64_t pages) {
    atomic_store_explicit(&buddy->free_pages, pages, memory_order_relaxed);
}

void buddy_free(struct buddy *buddy, struct frame *frame, uint32_t order) {
    free_pages_set(buddy, buddy_free_pages(buddy) + ((uint64_t)1 << order));
    uint32_t index = frame->number % FRAME_CHUNK;
    struct frame *chunk = frame - index;
    frame_use_set(frame, FRAME_RESERVED);
    while (order < FRAME_ORDER_MAX) {
        struct frame *other = &chunk[index ^ (1u << order)];
        if (frame_use(other) != FRAME_FREE || other->order != order) {
            break;
        }
        take(buddy, other, order);
        index &= ~(1u << order);
        order++;
    }
    push(buddy, &chunk[index], order);
}

void buddy_add(struct buddy *buddy, struct frame *chunk, uint32_t first, uint32_t count) {
    uint32_t end = first + count;
    while (first < end) {
        uint32_t order = first == 0 ? FRAME_ORDER_MAX : (uint32_t)__builtin_ctz(first);
        while (first + (1u << order) > end) {
            order--;
        }
        buddy_free(buddy, &chunk[first], order);
        first += 1u << order;
    }
}

struct frame *buddy_alloc(struct buddy *buddy, uint32_t order) {
    uint32_t large_enough = buddy->nonempty & ~((1u << order) - 1);
    if (large_enough == 0) {
        return NULL;
    }
    uint32_t found = (uint32_t)__builtin_ctz(large_enough);
    struct frame *frame = LIST_ENTRY(buddy->free[found].next, struct frame, link);
    take(buddy, frame, found);
    while (found > order) {
        found--;
        push(buddy, frame + (1u << found), found);
    }
    frame->order = (uint8_t)order;
    free_pages_set(buddy, buddy_free_pages(buddy) - ((uint64_t)1 << order));
    return frame;
}

uint32_t buddy_alloc_batch(struct buddy *buddy, struct frame **out_frames, uint32_t want) {
    uint32_t got = 0;
    while (got < want) {
        uint32_t order = 31u - (uint32_t)__builtin_clz(want - got);
        order = MIN_OF(order, FRAME_ORDER_MAX);
        struct frame *block = buddy_alloc(buddy, order);
        while (block == NULL && order > 0) {
            block = buddy_alloc(buddy, --order);
        }
        if (block == NULL) {
            break;
        }
        for (uint32_t i = 0; i < 1u << order; i++) {
            block[i].order = 0;
            out_frames[got++] = &block[i];
        }
    }
    return got;
}
