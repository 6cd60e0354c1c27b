// SPDX-License-Identifier: MIT OR Apache-2.0
// slab.h: slabs of equal objects, and the caches of processors (magazines) over them.
#pragma once

#include "internal.h"

#define MAGAZINE_OBJECTS 30u
#define CACHES_MAX       HEAP_CACHES_MAX

// A processor's stock of one cache, on a line of its own. The first word of an object in it links
// to the next one, as in a slab.
struct magazine {
    _Alignas(CACHE_LINE) void *first;
    uint32_t count;
};

struct heap_cache {
    const char *name;
    uint32_t object_bytes; // a multiple of 16; of 64 from 64 on
    uint32_t slab_order;
    uint32_t per_slab;
    uint32_t capacity; // of a magazine
    uint8_t number;    // below CACHES_MAX
    struct spinlock lock;
    struct list partial;     // [lock] struct frame.link: slabs with objects to give
    uint32_t empty;          // [lock] of them, slabs that are all free
    uint64_t slabs;          // [lock] all, full ones too
    _Atomic int64_t out;     // objects out of slabs: in use or in magazines
    struct heap_cache *next; // all caches
};

void slab_cache_init(struct heap_cache *cache, const char *name, size_t object_bytes);
// Up to `want` objects; returns how many.
uint32_t slab_take(struct heap_cache *cache, void **out_objects, uint32_t want,
                   enum memory_mode mode);
void slab_give(struct heap_cache *cache, void *const *objects, uint32_t count);
void slab_trim(struct heap_cache *cache);
// The frame that heads the slab or block around an address of the heap.
struct frame *slab_frame(const void *memory);
