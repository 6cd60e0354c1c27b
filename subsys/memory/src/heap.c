// SPDX-License-Identifier: MIT OR Apache-2.0
// heap.c: kernel memory by size: magazines of processors over slabs, whole frames above 2 KiB.
#include "slab.h"

#include <lib/string.h>

#define SMALL_MAX   1024u // sizes up to here find their class in a table
#define POISON_FREE 0xdeadf4eedeadf4eeull
#define POISON_NEW  0xa5a5a5a5a5a5a5a5ull

static const uint16_t class_bytes[] = { 16,  32,  48,  64,  128, 192,  256,  320,
                                        384, 448, 512, 640, 768, 1024, 1344, 2048 };
#define CLASSES         ARRAY_SIZE(class_bytes)
#define CLASS_LARGE_MAX 2048u

static struct heap_cache classes[CLASSES];
static uint8_t class_of[SMALL_MAX / 16 + 1]; // by (size + 15) / 16
static struct heap_cache cache_cache;        // struct heap_cache itself
static _Atomic int64_t magazine_count;
static char large_owner; // marks frames that were given out whole

static const struct lock_class caches_class = { "heap caches", LOCK_RANK_LEAF, false };
static struct spinlock caches_lock = SPINLOCK_INIT(&caches_class);
static _Atomic(struct heap_cache *) caches; // [caches_lock] for writing; only grows

static struct heap_cache *caches_first(void) {
    return atomic_load_explicit(&caches, memory_order_acquire);
}

static void cache_register(struct heap_cache *cache, const char *name, size_t object_bytes) {
    slab_cache_init(cache, name, object_bytes);
    unsigned long state = spin_lock_irq(&caches_lock);
    cache->next = caches_first();
    atomic_store_explicit(&caches, cache, memory_order_release);
    spin_unlock_irq(&caches_lock, state);
}

void heap_init(void) {
    for (uint32_t i = 0; i < CLASSES; i++) {
        cache_register(&classes[i], "heap", class_bytes[i]);
    }
    uint8_t at = 0;
    for (uint32_t slot = 0; slot < ARRAY_SIZE(class_of); slot++) {
        at += slot * 16 > class_bytes[at];
        class_of[slot] = at;
    }
    cache_register(&cache_cache, "heap caches", sizeof(struct heap_cache));
}

// ---- magazines ---------------------------------------------------------------------------------

// Turns preemption off and takes this processor's magazine; NULL if there is none or an interrupt
// found it in use.
static inline struct magazine *magazine_enter(struct heap_cache *cache) {
    preempt_disable();
    struct magazine *magazine =
        atomic_load_explicit(&cache->magazines[hal_cpu_id()], memory_order_relaxed);
    if (magazine == NULL || magazine->busy) {
        preempt_enable();
        return NULL;
    }
    magazine->busy = true;
    atomic_signal_fence(memory_order_seq_cst);
    return magazine;
}

static inline void magazine_leave(struct magazine *magazine) {
    atomic_signal_fence(memory_order_seq_cst);
    magazine->busy = false;
    preempt_enable();
}

// Gives this processor a magazine; on failure it goes on without.
static void magazine_create(struct heap_cache *cache) {
    size_t size = sizeof(struct magazine) + cache->capacity * sizeof(void *);
    struct heap_cache *from = &classes[class_of[(size + 15) / 16]];
    void *memory;
    if (slab_take(from, &memory, 1, MEMORY_ATOMIC) == 0) {
        return;
    }
    struct magazine *magazine = memory;
    *magazine = (struct magazine){ .capacity = cache->capacity };
    preempt_disable();
    struct magazine *expected = NULL;
    bool mine = atomic_compare_exchange_strong_explicit(&cache->magazines[hal_cpu_id()], &expected,
                                                        magazine, memory_order_release,
                                                        memory_order_relaxed);
    preempt_enable();
    if (mine) {
        atomic_fetch_add_explicit(&magazine_count, 1, memory_order_relaxed);
    } else {
        slab_give(from, &memory, 1);
    }
}

static NOINLINE void *alloc_slow(struct heap_cache *cache, enum memory_mode mode) {
    void *batch[MAGAZINE_OBJECTS / 2];
    uint32_t got = slab_take(cache, batch, cache->capacity / 2, mode);
    if (got == 0) {
        return NULL;
    }
    void *object = batch[--got];
    struct magazine *magazine = magazine_enter(cache);
    if (magazine == NULL) {
        magazine_create(cache);
        magazine = magazine_enter(cache);
    }
    if (magazine != NULL) {
        while (got > 0 && magazine->count < magazine->capacity) {
            magazine->objects[magazine->count++] = batch[--got];
        }
        magazine_leave(magazine);
    }
    if (got > 0) {
        slab_give(cache, batch, got);
    }
    return object;
}

static NOINLINE void free_slow(struct heap_cache *cache, void *object) {
    void *batch[MAGAZINE_OBJECTS / 2 + 1] = { object };
    uint32_t count = 1;
    struct magazine *magazine = magazine_enter(cache);
    if (magazine != NULL) {
        while (count <= cache->capacity / 2 && magazine->count > 0) {
            batch[count++] = magazine->objects[--magazine->count];
        }
        magazine_leave(magazine);
    }
    slab_give(cache, batch, count);
}

#if HELIX_DEBUG
// Free objects are full of one word, from their second word on (the first is a slab's link).
static void poison(const struct heap_cache *cache, void *object) {
    uint64_t *word = object;
    uint32_t words = cache->object_bytes / 8;
    bool free = words > 2;
    for (uint32_t i = 1; i < words; i++) {
        free = free && word[i] == POISON_FREE;
        word[i] = POISON_FREE;
    }
    ASSERT(!free); // freed twice
}

static void unpoison(const struct heap_cache *cache, void *object) {
    uint64_t *word = object;
    bool written = false;
    for (uint32_t i = 1; i < cache->object_bytes / 8; i++) {
        // Never given out: frames have a poison of their own, or what the boot left in them.
        written = written || (word[1] == POISON_FREE && word[i] != POISON_FREE);
        word[i] = POISON_NEW;
    }
    ASSERT(!written); // written after it was freed
    word[0] = POISON_NEW;
}
#else
static inline void poison(const struct heap_cache *cache, void *object) {
    (void)cache, (void)object;
}
static inline void unpoison(const struct heap_cache *cache, void *object) {
    (void)cache, (void)object;
}
#endif

static inline void *cache_alloc(struct heap_cache *cache, enum memory_mode mode) {
    struct magazine *magazine = magazine_enter(cache);
    void *object = NULL;
    if (magazine != NULL) {
        if (magazine->count > 0) {
            object = magazine->objects[--magazine->count];
        }
        magazine_leave(magazine);
    }
    if (object == NULL) {
        object = alloc_slow(cache, mode);
    }
    if (object != NULL) {
        unpoison(cache, object);
    }
    return object;
}

static inline void cache_free(struct heap_cache *cache, void *object) {
    poison(cache, object);
    struct magazine *magazine = magazine_enter(cache);
    if (magazine != NULL) {
        if (magazine->count < magazine->capacity) {
            ASSERT(magazine->count == 0 || magazine->objects[magazine->count - 1] != object);
            magazine->objects[magazine->count++] = object;
            magazine_leave(magazine);
            return;
        }
        magazine_leave(magazine);
    }
    free_slow(cache, object);
}

// ---- the heap ----------------------------------------------------------------------------------

static struct heap_cache *class_for(size_t size_bytes) {
    return size_bytes <= SMALL_MAX                  ? &classes[class_of[(size_bytes + 15) / 16]]
           : size_bytes <= class_bytes[CLASSES - 2] ? &classes[CLASSES - 2]
                                                    : &classes[CLASSES - 1];
}

void *heap_alloc(size_t size_bytes, enum memory_mode mode) {
    if (size_bytes == 0 || size_bytes > PAGE_SIZE << FRAME_ORDER_MAX) {
        return NULL;
    }
    if (size_bytes <= CLASS_LARGE_MAX) {
        return memory_fail() ? NULL : cache_alloc(class_for(size_bytes), mode);
    }
    size_t pages = (size_bytes + PAGE_MASK) >> PAGE_SHIFT;
    uint32_t order = pages == 1 ? 0 : 64u - (uint32_t)__builtin_clzll(pages - 1);
    struct frame *frame = frame_alloc_order(order, mode);
    if (frame == NULL) {
        return NULL;
    }
    frame->owner = &large_owner;
    return frame_data(frame);
}

void *heap_alloc_zero(size_t size_bytes, enum memory_mode mode) {
    void *memory = heap_alloc(size_bytes, mode);
    if (memory != NULL) {
        memset(memory, 0, size_bytes);
    }
    return memory;
}

void heap_free(void *memory) {
    if (memory == NULL) {
        return;
    }
    struct frame *frame = frame_of(hal_virt_to_phys(memory));
    ASSERT(frame != NULL); // a foreign pointer
    if (frame->use == FRAME_SLAB) {
        cache_free(frame->owner, memory);
    } else {
        ASSERT(frame->use == FRAME_KERNEL && frame->owner == &large_owner &&
               ((uintptr_t)memory & PAGE_MASK) == 0);
        frame->owner = NULL;
        frame_put(frame);
    }
}

struct heap_cache *heap_cache_create(const char *name, size_t object_bytes, size_t alignment) {
    ASSERT(object_bytes != 0 && object_bytes <= PAGE_SIZE && alignment <= CACHE_LINE);
    if (memory_fail()) {
        return NULL;
    }
    struct heap_cache *cache = cache_alloc(&cache_cache, MEMORY_SLEEP);
    if (cache != NULL) {
        memset(cache, 0, sizeof *cache);
        cache_register(cache, name, ALIGN_UP(object_bytes, MAX_OF(alignment, (size_t)16)));
    }
    return cache;
}

void *heap_cache_alloc(struct heap_cache *cache, enum memory_mode mode) {
    return memory_fail() ? NULL : cache_alloc(cache, mode);
}

void heap_cache_free(struct heap_cache *cache, void *object) {
    cache_free(cache, object);
}

// ---- giving back -------------------------------------------------------------------------------

void heap_drain(void) {
    for (struct heap_cache *cache = caches_first(); cache != NULL; cache = cache->next) {
        void *batch[MAGAZINE_OBJECTS];
        uint32_t count = 0;
        struct magazine *magazine = magazine_enter(cache);
        if (magazine == NULL) {
            continue;
        }
        while (magazine->count > 0) {
            batch[count++] = magazine->objects[--magazine->count];
        }
        magazine_leave(magazine);
        slab_give(cache, batch, count);
    }
}

void heap_trim(void) {
    for (struct heap_cache *cache = caches_first(); cache != NULL; cache = cache->next) {
        slab_trim(cache);
    }
}

uint64_t heap_objects(void) {
    int64_t sum = -atomic_load_explicit(&magazine_count, memory_order_relaxed);
    for (struct heap_cache *cache = caches_first(); cache != NULL; cache = cache->next) {
        sum += atomic_load_explicit(&cache->out, memory_order_relaxed);
    }
    return (uint64_t)MAX_OF(sum, 0);
}
