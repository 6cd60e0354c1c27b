// SPDX-License-Identifier: MIT OR Apache-2.0
// heap.c: kernel memory by size: magazines of processors over slabs, whole frames above 2 KiB.
#include "slab.h"

#include <lib/string.h>

#define SMALL_MAX   1024u // sizes up to here find their class in a table
#define POISON_FREE 0xdeadf4eedeadf4eeull
#define POISON_NEW  0xa5a5a5a5a5a5a5a5ull

static const char *const class_names[] = {
    "heap-16",  "heap-32",   "heap-48",   "heap-64",   "heap-128", "heap-192",
    "heap-256", "heap-320",  "heap-384",  "heap-448",  "heap-512", "heap-640",
    "heap-768", "heap-1024", "heap-1344", "heap-2048",
};
static const uint16_t class_bytes[] = { 16,  32,  48,  64,  128, 192,  256,  320,
                                        384, 448, 512, 640, 768, 1024, 1344, 2048 };
#define CLASSES         ARRAY_SIZE(class_bytes)
#define CLASS_LARGE_MAX 2048u

static struct heap_cache classes[CLASSES];
static struct heap_cache *small[SMALL_MAX / 16 + 1]; // by (size + 15) / 16
static struct heap_cache cache_cache;                // struct heap_cache itself

// Of each processor: a page of magazines, by the numbers of their caches; NULL until the processor
// first needs it. A number leads from a page to its magazine by arithmetic alone.
static _Atomic(struct magazine *) stocks[CPU_MAX];
_Static_assert(CACHES_MAX * sizeof(struct magazine) == PAGE_SIZE, "they fill a page");

static char large_owner; // marks frames that were given out whole

static const struct lock_class caches_class = { "heap caches", LOCK_RANK_LEAF, false };
static struct spinlock caches_lock = SPINLOCK_INIT(&caches_class);
static _Atomic(struct heap_cache *) caches; // [caches_lock] for writing; only grows
static uint8_t cache_count;                 // [caches_lock]

static struct heap_cache *caches_first(void) {
    return atomic_load_explicit(&caches, memory_order_acquire);
}

static void cache_register(struct heap_cache *cache, const char *name, size_t object_bytes) {
    slab_cache_init(cache, name, object_bytes);
    unsigned long state = spin_lock_irq(&caches_lock);
    ASSERT(cache_count < CACHES_MAX);
    cache->number = cache_count++;
    cache->next = caches_first();
    atomic_store_explicit(&caches, cache, memory_order_release);
    spin_unlock_irq(&caches_lock, state);
}

void heap_init(void) {
    for (uint32_t i = 0; i < CLASSES; i++) {
        cache_register(&classes[i], class_names[i], class_bytes[i]);
    }
    struct heap_cache *cache = classes;
    for (uint32_t slot = 0; slot < ARRAY_SIZE(small); slot++) {
        cache += slot * 16 > cache->object_bytes;
        small[slot] = cache;
    }
    cache_register(&cache_cache, "heap_caches", sizeof(struct heap_cache));
}

// ---- magazines ---------------------------------------------------------------------------------

// This processor's magazine while preemption is off.
struct stay {
    struct thread *thread;
    uint32_t before;
    struct magazine *magazine;
};

// Turns preemption off and takes this processor's magazine; false if there is none, or this is an
// interrupt in the middle of somebody else's stay. The slow path that follows gives way to a better
// thread, as it takes a lock.
static inline bool magazine_enter(struct stay *stay, uint8_t cache) {
    stay->thread = thread_current();
    stay->before = preempt_hold(stay->thread);
    struct magazine *stock = atomic_load_explicit(&stocks[hal_cpu_id()], memory_order_relaxed);
    if (stock == NULL || preempt_is_held(stay->before)) {
        (void)preempt_drop(stay->thread, stay->before);
        return false;
    }
    stay->magazine = stock + cache;
    return true;
}

// True: the caller has to give way (preempt_drop()).
static inline bool magazine_leave(const struct stay *stay) {
    return preempt_drop(stay->thread, stay->before);
}

static inline void magazine_push(struct magazine *magazine, void *object) {
    *(void **)object = magazine->first;
    magazine->first = object;
    magazine->count++;
}

// NULL: it is empty.
static inline void *magazine_pop(struct magazine *magazine) {
    void *object = magazine->first;
    if (object != NULL) {
        magazine->first = *(void **)object;
        magazine->count--;
    }
    return object;
}

// Gives this processor its magazines if it has none; on failure it goes on without.
static void stock_create(void) {
    preempt_disable();
    bool there = atomic_load_explicit(&stocks[hal_cpu_id()], memory_order_relaxed) != NULL;
    preempt_enable();
    struct frame *frame = there ? NULL : frame_alloc_use(MEMORY_ATOMIC, true, FRAME_SLAB);
    if (frame == NULL) {
        return;
    }
    preempt_disable();
    struct magazine *expected = NULL;
    bool mine =
        atomic_compare_exchange_strong_explicit(&stocks[hal_cpu_id()], &expected, frame_data(frame),
                                                memory_order_release, memory_order_relaxed);
    preempt_enable();
    if (!mine) {
        frame_put(frame);
    }
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

static NOINLINE void *alloc_slow(struct heap_cache *cache, enum memory_mode mode) {
    void *batch[MAGAZINE_OBJECTS / 2];
    uint32_t got = slab_take(cache, batch, cache->capacity / 2, mode);
    if (got == 0) {
        return NULL;
    }
    void *object = batch[--got];
    struct stay stay;
    bool inside = magazine_enter(&stay, cache->number);
    if (!inside) {
        stock_create();
        inside = magazine_enter(&stay, cache->number);
    }
    if (inside) {
        struct magazine *magazine = stay.magazine;
        while (got > 0 && magazine->count < cache->capacity) {
            magazine_push(magazine, batch[--got]);
        }
        if (magazine_leave(&stay)) {
            preempt_slow();
        }
    }
    if (got > 0) {
        slab_give(cache, batch, got);
    }
    unpoison(cache, object);
    return object;
}

static NOINLINE void free_slow(struct heap_cache *cache, void *object) {
    void *batch[MAGAZINE_OBJECTS / 2 + 1] = { object };
    uint32_t count = 1;
    struct stay stay;
    if (magazine_enter(&stay, cache->number)) {
        struct magazine *magazine = stay.magazine;
        while (count <= cache->capacity / 2 && magazine->count > 0) {
            batch[count++] = magazine_pop(magazine);
        }
        (void)magazine_leave(&stay); // slab_give() gives way
    }
    slab_give(cache, batch, count);
}

static inline void *cache_alloc(struct heap_cache *cache, enum memory_mode mode) {
    struct stay stay;
    if (magazine_enter(&stay, cache->number)) {
        void *object = magazine_pop(stay.magazine);
        bool due = magazine_leave(&stay);
        if (object != NULL) {
            unpoison(cache, object);
            return due ? preempt_slow_with(object) : object;
        }
    }
    return alloc_slow(cache, mode);
}

// `number` is the cache's, found without it.
static inline void cache_free(struct heap_cache *cache, uint8_t number, void *object) {
    poison(cache, object);
    struct stay stay;
    if (magazine_enter(&stay, number)) {
        bool room = stay.magazine->count < cache->capacity;
        if (room) {
            ASSERT(stay.magazine->first != object); // freed twice
            magazine_push(stay.magazine, object);
        }
        bool due = magazine_leave(&stay);
        if (room) {
            if (due) {
                preempt_slow();
            }
            return;
        }
    }
    free_slow(cache, object);
}

// ---- the heap ----------------------------------------------------------------------------------

static struct heap_cache *class_for(size_t size_bytes) {
    return size_bytes <= SMALL_MAX                  ? small[(size_bytes + 15) / 16]
           : size_bytes <= class_bytes[CLASSES - 2] ? &classes[CLASSES - 2]
                                                    : &classes[CLASSES - 1];
}

// Large sizes, none, and allocations that may be made to fail.
static NOINLINE void *alloc_other(size_t size_bytes, enum memory_mode mode) {
    if (size_bytes == 0 || size_bytes > PAGE_SIZE << FRAME_ORDER_MAX) {
        return NULL;
    }
    if (size_bytes <= CLASS_LARGE_MAX) {
        return inject_strikes(INJECT_ALLOCATION) ? NULL : cache_alloc(class_for(size_bytes), mode);
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

void *heap_alloc(size_t size_bytes, enum memory_mode mode) {
    if (size_bytes - 1 >= SMALL_MAX ||
        inject_is_armed(INJECT_ALLOCATION)) { // 0 is not small either
        return alloc_other(size_bytes, mode);
    }
    return cache_alloc(small[(size_bytes + 15) / 16], mode);
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
    struct frame *frame = frame_find(hal_virt_to_phys(memory));
    ASSERT(frame != NULL); // a foreign pointer
    if (frame_use(frame) == FRAME_SLAB) {
        cache_free(frame->owner, frame->cache, memory);
    } else {
        ASSERT(frame_use(frame) == FRAME_KERNEL && frame->owner == &large_owner &&
               ((uintptr_t)memory & PAGE_MASK) == 0);
        frame->owner = NULL;
        frame_put(frame);
    }
}

static bool is_of_heap(const void *memory) {
    const struct paddr address = hal_virt_to_phys(memory);
    const struct frame *frame = frame_find(address);
    return frame != NULL && hal_phys_to_virt(address) == memory &&
           (frame_use(frame) == FRAME_SLAB ||
            (frame_use(frame) == FRAME_KERNEL && frame->owner == &large_owner));
}

bool heap_can_read(const void *memory, size_t size_bytes) {
    return is_of_heap(memory) && is_of_heap((const uint8_t *)memory + size_bytes - 1);
}

struct heap_cache *heap_cache_create(const char *name, size_t object_bytes, size_t alignment) {
    ASSERT(object_bytes != 0 && object_bytes <= PAGE_SIZE && alignment <= CACHE_LINE);
    if (inject_strikes(INJECT_ALLOCATION)) {
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
    return inject_strikes(INJECT_ALLOCATION) ? NULL : cache_alloc(cache, mode);
}

void heap_cache_free(struct heap_cache *cache, void *object) {
    cache_free(cache, cache->number, object);
}

// ---- giving back -------------------------------------------------------------------------------

void heap_drain(void) {
    for (struct heap_cache *cache = caches_first(); cache != NULL; cache = cache->next) {
        void *batch[MAGAZINE_OBJECTS];
        uint32_t count = 0;
        struct stay stay;
        if (!magazine_enter(&stay, cache->number)) {
            continue;
        }
        while (stay.magazine->count > 0) {
            batch[count++] = magazine_pop(stay.magazine);
        }
        (void)magazine_leave(&stay); // slab_give() gives way
        slab_give(cache, batch, count);
    }
}

void heap_trim(void) {
    for (struct heap_cache *cache = caches_first(); cache != NULL; cache = cache->next) {
        slab_trim(cache);
    }
}

uint64_t heap_objects(void) {
    int64_t sum = 0;
    for (struct heap_cache *cache = caches_first(); cache != NULL; cache = cache->next) {
        sum += atomic_load_explicit(&cache->out, memory_order_relaxed);
    }
    return (uint64_t)MAX_OF(sum, 0);
}

// What lies in magazines, by number of the cache: each processor counts its own.
struct stock_count {
    _Atomic uint32_t objects[CACHES_MAX];
};

static void stock_count(void *argument) {
    struct stock_count *count = argument;
    const struct magazine *stock =
        atomic_load_explicit(&stocks[hal_cpu_id()], memory_order_relaxed);
    for (uint32_t i = 0; i < CACHES_MAX && stock != NULL; i++) {
        // Relaxed: cpu_call() orders it.
        atomic_fetch_add_explicit(&count->objects[i], stock[i].count, memory_order_relaxed);
    }
}

static void cache_info(struct heap_cache *cache, uint64_t in_magazines,
                       struct heap_cache_info *out_info) {
    unsigned long state = spin_lock_irq(&cache->lock);
    const uint64_t slabs = cache->slabs;
    spin_unlock_irq(&cache->lock, state);
    const int64_t out = atomic_load_explicit(&cache->out, memory_order_relaxed);
    *out_info = (struct heap_cache_info){
        .name = cache->name,
        .used = (uint64_t)MAX_OF(out - (int64_t)in_magazines, 0), // both change meanwhile
        .total = slabs * cache->per_slab,
        .slabs = slabs,
        .object_bytes = cache->object_bytes,
        .per_slab = cache->per_slab,
        .slab_pages = 1u << cache->slab_order,
    };
}

uint32_t heap_cache_infos(struct heap_cache_info *out_infos, uint32_t capacity) {
    struct stock_count count = { 0 };
    uint32_t written = 0;
    cpu_call(cpu_online_mask(), stock_count, &count);
    for (struct heap_cache *cache = caches_first(); cache != NULL; cache = cache->next) {
        if (cache->number < capacity) {
            cache_info(cache,
                       atomic_load_explicit(&count.objects[cache->number], memory_order_relaxed),
                       &out_infos[cache->number]);
            written++;
        }
    }
    return written;
}
