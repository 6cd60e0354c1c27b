// SPDX-License-Identifier: MIT OR Apache-2.0
// internal.h: what the files of subsys/memory share: frames, heap and boot. Mappings: private.h.
#pragma once

#include "ranges.h"

#include <core/cpu.h>
#include <core/inject.h>
#include <core/lock.h>
#include <core/log.h>
#include <core/thread.h>
#include <memory/frame.h>
#include <memory/heap.h>
#include <memory/init.h>

// Keeps a slow path's registers and stack out of the fast path that calls it.
#define NOINLINE __attribute__((noinline))

// Frames -------------------------------------------------------------------------------------

#define CHUNK_SHIFT (PAGE_SHIFT + FRAME_ORDER_MAX)

// By physical address >> CHUNK_SHIFT; NULL: not prepared.
struct frame_chunks {
    _Atomic(struct frame *) *arrays;
    uint64_t count;
};
extern struct frame_chunks frame_chunks;

// frame_of(), for the heap's fast path.
static inline struct frame *frame_find(struct paddr address) {
    uint64_t chunk = address.value >> CHUNK_SHIFT;
    if (chunk >= frame_chunks.count) {
        return NULL;
    }
    // Acquire: pairs with the release by which a prepared array is published.
    struct frame *array = atomic_load_explicit(&frame_chunks.arrays[chunk], memory_order_acquire);
    return array != NULL ? &array[(address.value >> PAGE_SHIFT) % FRAME_CHUNK] : NULL;
}

// Takes over the ranges that early.c did not use, for good; `whole` is all memory that may ever be
// added, and is changed. Panics if there is not enough to start.
void frames_init(struct ranges *ranges, struct ranges *whole);
// Gives more memory to the allocator: whole pages, until now RESERVED.
void frames_add(uint64_t start, uint64_t end);
// 1 << order frames for the heap: counted as `use`, use and owner set on every frame of them.
struct frame *frames_alloc_block(uint32_t order, enum memory_mode mode, enum frame_use use,
                                 void *owner);
// Gives this processor's cache back to the buddy allocator. Any context.
void frames_drain(void);
// Pages that no processor's cache holds either.
uint64_t frames_free_pages(void);

// More than an eighth of memory is free; a hint.
bool frames_are_plentiful(void);

// Writes zeroes over one page.
void page_zero(void *page);
void page_copy(void *to, const void *from);

// Asks the shrinkers for pages; returns how many frames are free now more than before, or 0.
// Thread context; other sleeping locks may be held.
uint64_t memory_reclaim(uint64_t want);
// Empties all caches of all processors, for tests and under pressure. Thread context.
void memory_drain_caches(void);

// Heap ---------------------------------------------------------------------------------------

void heap_init(void);
void heap_drain(void);       // this processor's magazines, to the slabs; any context
void heap_trim(void);        // empty slabs, to the frames
uint64_t heap_objects(void); // out of all slabs

// Kernel addresses ---------------------------------------------------------------------------

void vmap_init(void);
void vmap_purge(void);             // thread context: really frees what kernel_map_free() put off
uint64_t vmap_waiting_pages(void); // how much that is; any context
