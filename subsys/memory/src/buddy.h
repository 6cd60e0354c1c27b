// SPDX-License-Identifier: MIT OR Apache-2.0
// buddy.h: free blocks of 1 << order frames, naturally aligned, inside chunks.
//
// Pure: knows frames only as elements of a chunk's array; the caller's lock guards it.
#pragma once

#include <memory/frame_info.h>

struct buddy {
    struct list free[FRAME_ORDER_MAX + 1]; // struct frame.link of the heads
    uint32_t nonempty;                     // bit o: free[o] has blocks
    _Atomic uint64_t free_pages;           // others may look: buddy_free_pages()
};

// Right while the lock is held; else of some moment.
static inline uint64_t buddy_free_pages(const struct buddy *buddy) {
    return atomic_load_explicit(&buddy->free_pages, memory_order_relaxed);
}

void buddy_init(struct buddy *buddy);
// Prepares the array of a chunk whose first frame is number `first_number`: all RESERVED.
void buddy_chunk_init(struct frame *chunk, uint32_t first_number);
// Gives the frames [first, first + count) of a chunk, which are RESERVED, to the allocator.
void buddy_add(struct buddy *buddy, struct frame *chunk, uint32_t first, uint32_t count);
// A block, its head in use RESERVED and of that order; NULL if there is none.
struct frame *buddy_alloc(struct buddy *buddy, uint32_t order);
// Up to `want` single frames; returns how many.
uint32_t buddy_alloc_batch(struct buddy *buddy, struct frame **out_frames, uint32_t want);
// Takes a block back, merging it with free buddies. Its head must not be FREE.
void buddy_free(struct buddy *buddy, struct frame *frame, uint32_t order);
