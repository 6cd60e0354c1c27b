// SPDX-License-Identifier: MIT OR Apache-2.0
// <memory/frame.h>: physical page frames: per-processor caches over a buddy allocator.
//
// Each frame of a program or a file names the family of memory objects that it belongs to and the
// offset that it has there, and through them every mapping of it can be found (<memory/object.h>).
// A frame is freed when its last reference is dropped. Copy-on-write shares one frame among the
// objects of a family by reference.
#pragma once

#include <hal/mmu.h>
#include <helix/types.h>
#include <memory/frame_info.h>

// How an allocation may behave; every one says so.
enum memory_mode {
    MEMORY_SLEEP,   // may wait for reclaim; thread context, no spin lock
    MEMORY_ATOMIC,  // never waits
    MEMORY_RESERVE, // never waits and may use the reserve: for freeing memory and for fault paths
};

// One frame, contents undefined unless `zero`. Reference count 1. NULL if there is none.
struct frame *frame_alloc(enum memory_mode mode, bool zero);
// 1 << order contiguous, naturally aligned frames; the first one is returned and stands for all.
struct frame *frame_alloc_order(uint32_t order, enum memory_mode mode);
// The same as frame_alloc(), counted under `use` (KERNEL, SLAB, TABLE, USER).
struct frame *frame_alloc_use(enum memory_mode mode, bool zero, enum frame_use use);
// Adds a reference; the caller already holds one, or the lock of an object that does.
struct frame *frame_get(struct frame *frame);
// Drops a reference; the last one frees. Any context.
void frame_put(struct frame *frame);
static inline uint32_t frame_references(const struct frame *frame) {
    return atomic_load_explicit(&frame->references, memory_order_acquire);
}

static inline struct paddr frame_address(const struct frame *frame) {
    return paddr_make((uint64_t)frame->number << PAGE_SHIFT);
}
// Through the direct map.
static inline void *frame_data(const struct frame *frame) {
    return hal_phys_to_virt(frame_address(frame));
}
struct frame *frame_of(struct paddr address); // NULL if it is not memory
// One zero page that everybody maps read-only.
struct frame *frame_zero_page(void);

// Whether so little is free that an allocation may fail for it; otherwise a failure was another's,
// or is over.
bool frames_are_short(void);

struct frame_stats {
    uint64_t total;  // frames under management
    uint64_t free;   // with those in the processors' caches, and those that wait for a shoot-down
    uint64_t cached; // of them, in the processors' caches
    uint64_t slab, table, user, kernel;
};
void frame_stats(struct frame_stats *out_stats);

// Reclaim: caches register how to give memory back. The functions are called one at a time, in
// thread context, by a thread that may hold any sleeping lock: they may take spin locks, and
// sleeping locks only by trying.
struct shrinker {
    struct list link;
    const char *name;
    uint64_t (*count)(void *context);                 // pages it could give
    uint64_t (*shrink)(void *context, uint64_t want); // pages it gave; must not sleep on I/O
    void *context;
};
void shrinker_register(struct shrinker *shrinker); // keeps
// Takes from the caches whatever they can give. Thread context, no locks.
void memory_drop_caches(void);
