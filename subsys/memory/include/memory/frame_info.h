// SPDX-License-Identifier: MIT OR Apache-2.0
// <memory/frame_info.h>: what the kernel knows about a page frame; pure data, for <memory/frame.h>.
//
// Frames of 4 MiB of physical memory (a chunk) lie in one array, in order, so that a frame's buddy
// is found by arithmetic on pointers. Chunks are prepared when memory first runs short of them.
#pragma once

#include <helix/types.h>
#include <lib/list.h>

struct memory_object;

#define FRAME_ORDER_MAX 10u                     // up to 4 MiB in one piece
#define FRAME_CHUNK     (1u << FRAME_ORDER_MAX) // frames of a chunk

enum frame_use {
    FRAME_FREE,     // head of a free block, in the buddy allocator
    FRAME_RESERVED, // not memory of ours, or inside a block that another frame heads
    FRAME_KERNEL,
    FRAME_SLAB,
    FRAME_TABLE,
    FRAME_USER,
    FRAME_USES,
};

struct frame {
    struct list link; // free list, or the owner's
    union {
        struct memory_object
            *object;     // of USER frames: what they belong to (its `family`); NULL: nothing
        void *slab_free; // of SLAB frames: the first free object
    };
    union {
        uint64_t offset; // in pages, in that object
        struct {
            uint32_t slab_used;   // objects given out
            uint32_t slab_carved; // objects that were ever given out: the rest is untouched
        };
    };
    void *owner; // slab or other private pointer
    _Atomic uint32_t references;
    uint32_t number;        // of the frame: its physical address >> PAGE_SHIFT
    uint8_t order;          // of a free block or a multi-page allocation
    _Atomic uint8_t use;    // enum frame_use; the buddy looks at its neighbours'
    uint8_t cache;          // of SLAB frames: the owner's number
    _Atomic uint16_t flags; // FRAME_DIRTY …
};
_Static_assert(sizeof(struct frame) <= 64, "one cache line a frame");

// Relaxed: whether a frame is FREE changes under the buddy's lock alone, all else is its owner's.
static inline enum frame_use frame_use(const struct frame *frame) {
    return (enum frame_use)atomic_load_explicit(&frame->use, memory_order_relaxed);
}

static inline void frame_use_set(struct frame *frame, enum frame_use use) {
    atomic_store_explicit(&frame->use, (uint8_t)use, memory_order_relaxed);
}

#define FRAME_DIRTY (1u << 0)
#define FRAME_BUSY  (1u << 1) // being read by a pager: not to be used yet
