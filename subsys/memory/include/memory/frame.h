// SPDX-License-Identifier: MIT OR Apache-2.0
// <memory/frame.h>: physical page frames: per-processor caches over a buddy allocator.
//
// Each frame names the memory object and the offset that it holds, and through the object every
// mapping of it can be found (<memory/object.h>). A frame is freed when its last reference is
// dropped. Copy-on-write shares one frame among objects by reference.
#pragma once

#include <hal/mmu.h>
#include <helix/types.h>
#include <lib/list.h>

struct memory_object;
struct account;

// How an allocation may behave; every one says so.
enum memory_mode {
    MEMORY_SLEEP,   // may wait for reclaim; thread context, no spin lock
    MEMORY_ATOMIC,  // never waits
    MEMORY_RESERVE, // never waits and may use the reserve: for freeing memory and for fault paths
};

#define FRAME_ORDER_MAX 10u // up to 4 MiB in one piece

enum frame_use { FRAME_FREE, FRAME_RESERVED, FRAME_KERNEL, FRAME_SLAB, FRAME_TABLE, FRAME_USER };

struct frame {
    struct list link;            // free list, or the owner's
    struct memory_object *object; // of USER frames: the object it was made for, or its family's
    uint64_t offset;             // in pages, in that object
    _Atomic uint32_t references;
    uint8_t order;               // of a free block or a multi-page allocation
    uint8_t use;                 // enum frame_use
    _Atomic uint16_t flags;      // FRAME_DIRTY …
    void *owner;                 // slab or other private pointer
};
_Static_assert(sizeof(struct frame) <= 64, "one cache line a frame");

#define FRAME_DIRTY (1u << 0)

// One frame, contents undefined unless `zero`. Reference count 1. NULL if there is none.
struct frame *frame_alloc(enum memory_mode mode, bool zero);
// 1 << order contiguous, naturally aligned frames; the first one is returned.
struct frame *frame_alloc_order(uint32_t order, enum memory_mode mode);
struct frame *frame_get(struct frame *frame);
// Drops a reference; the last one frees. Any context.
void frame_put(struct frame *frame);
uint32_t frame_references(const struct frame *frame);

struct paddr frame_address(const struct frame *frame);
void *frame_data(const struct frame *frame); // through the direct map
struct frame *frame_of(struct paddr address); // NULL if it is not memory
// One zero page that everybody maps read-only.
struct frame *frame_zero_page(void);

struct frame_stats {
    uint64_t total, free, cached, slab, table, user, kernel;
};
void frame_stats(struct frame_stats *out_stats);

// Reclaim: caches register how to give memory back.
struct shrinker {
    struct list link;
    const char *name;
    uint64_t (*count)(void *context);                 // pages it could give
    uint64_t (*shrink)(void *context, uint64_t want); // pages it gave; must not sleep on I/O
    void *context;
};
void shrinker_register(struct shrinker *shrinker); // keeps
