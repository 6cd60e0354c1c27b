// SPDX-License-Identifier: MIT OR Apache-2.0
// frames.c: page frames: a cache for each processor over one buddy allocator.
//
// A cache is used with preemption off and without atomics. An interrupt that comes in the middle
// finds it `busy` and goes to the buddy allocator instead. Chunks (4 MiB) get their frames' array
// when memory first runs short of prepared ones, so a boot pays for what it uses.
#include "buddy.h"
#include "internal.h"

#include <core/trace.h>
#include <lib/string.h>

#define CACHE_FRAMES 30u
#define CACHE_BATCH  15u
#define CHUNK_BYTES  ((uint64_t)1 << CHUNK_SHIFT)
#define ARRAY_BYTES  ALIGN_UP(FRAME_CHUNK * sizeof(struct frame), PAGE_SIZE)
#define RESERVE_MIN  32u
#define RESERVE_MAX  1024u
#define SHORT_PAGES  64u // above the reserve

struct frame_cache {
    _Alignas(CACHE_LINE) _Atomic uint32_t count; // changed here alone, while `busy`
    volatile bool busy;
    struct frame *frames[CACHE_FRAMES];
    // Taken less given back here; the sum over processors is what counts. `used` changes while
    // `busy`, the other one with interrupts off; others look.
    _Atomic int64_t used[FRAME_USES];
    _Atomic int64_t used_slow[FRAME_USES];
};

static const struct lock_class frames_class = { "frames", LOCK_RANK_FRAMES, false };

static struct {
    struct spinlock lock;
    struct buddy buddy;          // [lock]
    struct ranges *ranges;       // all memory ever under management
    uint8_t *arrays;             // [lock] room for the arrays of chunks to come
    uint64_t arrays_left;        // [lock] how many
    uint64_t frontier;           // [lock] chunks below were looked at
    _Atomic uint64_t unprepared; // pages in chunks that are not prepared
    _Atomic uint64_t total;
    uint64_t reserve;
    struct frame *zero_page;
} frames = { .lock = SPINLOCK_INIT(&frames_class) };

static struct frame_cache frame_caches[CPU_MAX];

void page_zero(void *page) {
    volatile uint64_t *word = page; // volatile: not to become a call of memset()
    for (const volatile uint64_t *end = word + PAGE_SIZE / 8; word != end; word += 32) {
#define Z(i) word[i] = 0, word[(i) + 1] = 0, word[(i) + 2] = 0, word[(i) + 3] = 0
        Z(0);
        Z(4);
        Z(8);
        Z(12);
        Z(16);
        Z(20);
        Z(24);
        Z(28);
#undef Z
    }
}

void page_copy(void *to, const void *from) {
    volatile uint64_t *out = to;
    const uint64_t *in = from;
    for (const uint64_t *end = in + PAGE_SIZE / 8; in != end; in += 32, out += 32) {
#define C(i)                                                                                       \
    out[i] = in[i], out[(i) + 1] = in[(i) + 1], out[(i) + 2] = in[(i) + 2],                        \
    out[(i) + 3] = in[(i) + 3]
        C(0);
        C(4);
        C(8);
        C(12);
        C(16);
        C(20);
        C(24);
        C(28);
#undef C
    }
}

// ---- chunks ------------------------------------------------------------------------------------

struct frame_chunks frame_chunks;

static inline struct frame *chunk_array(uint64_t chunk) {
    return atomic_load_explicit(&frame_chunks.arrays[chunk], memory_order_acquire);
}

struct frame *frame_of(struct paddr address) {
    return frame_find(address);
}

// Gives the chunk its array and its free pages to the buddy allocator. False: no array is left.
static bool prepare_locked(uint64_t chunk) {
    if (frames.arrays_left == 0) {
        return false;
    }
    struct frame *array = (struct frame *)(void *)frames.arrays;
    frames.arrays += ARRAY_BYTES;
    frames.arrays_left--;
    uint64_t base = chunk << CHUNK_SHIFT;
    buddy_chunk_init(array, (uint32_t)(base >> PAGE_SHIFT));
    for (uint32_t i = 0; i < frames.ranges->count; i++) {
        uint64_t start = MAX_OF(frames.ranges->range[i].start, base);
        uint64_t end = MIN_OF(frames.ranges->range[i].end, base + CHUNK_BYTES);
        if (start < end) {
            uint64_t count = (end - start) >> PAGE_SHIFT;
            buddy_add(&frames.buddy, array, (uint32_t)((start - base) >> PAGE_SHIFT),
                      (uint32_t)count);
            atomic_fetch_sub_explicit(&frames.unprepared, count, memory_order_relaxed);
        }
    }
    atomic_store_explicit(&frame_chunks.arrays[chunk], array, memory_order_release);
    return true;
}

// Prepares the next chunk that has free memory. False: there is none.
static bool grow_locked(void) {
    for (uint32_t i = 0; i < frames.ranges->count; i++) {
        const struct range *range = &frames.ranges->range[i];
        uint64_t chunk = MAX_OF(range->start >> CHUNK_SHIFT, frames.frontier);
        for (; chunk <= (range->end - 1) >> CHUNK_SHIFT; chunk++) {
            frames.frontier = chunk + 1;
            if (chunk_array(chunk) == NULL) {
                return prepare_locked(chunk);
            }
        }
    }
    return false;
}

static uint64_t free_locked(void) {
    return buddy_free_pages(&frames.buddy) +
           atomic_load_explicit(&frames.unprepared, memory_order_relaxed);
}

uint64_t frames_free_pages(void) {
    unsigned long state = spin_lock_irq(&frames.lock);
    uint64_t pages = free_locked();
    spin_unlock_irq(&frames.lock, state);
    return pages;
}

bool frames_are_short(void) {
    return frames_free_pages() < frames.reserve + SHORT_PAGES;
}

// Whether an allocation in this mode may take `pages` more.
static bool permitted_locked(enum memory_mode mode, uint64_t pages) {
    uint64_t keep = mode == MEMORY_SLEEP    ? frames.reserve
                    : mode == MEMORY_ATOMIC ? frames.reserve / 2
                                            : 0;
    return free_locked() >= keep + pages;
}

// ---- caches ------------------------------------------------------------------------------------

// Turns preemption off and takes this processor's cache; NULL if an interrupt found it in use.
static struct frame_cache *cache_enter(void) {
    preempt_disable();
    struct frame_cache *cache = &frame_caches[hal_cpu_id()];
    if (cache->busy) {
        preempt_enable();
        return NULL;
    }
    cache->busy = true;
    atomic_signal_fence(memory_order_seq_cst);
    return cache;
}

static void cache_leave(struct frame_cache *cache) {
    atomic_signal_fence(memory_order_seq_cst);
    cache->busy = false;
    preempt_enable();
}

// The cache's counters have one writer at a time, so a change is no RMW.
static uint32_t cache_count(const struct frame_cache *cache) {
    return atomic_load_explicit(&cache->count, memory_order_relaxed);
}

static void cache_push(struct frame_cache *cache, struct frame *frame) {
    const uint32_t count = cache_count(cache);
    cache->frames[count] = frame;
    atomic_store_explicit(&cache->count, count + 1, memory_order_relaxed);
}

static struct frame *cache_pop(struct frame_cache *cache) {
    const uint32_t count = cache_count(cache) - 1;
    atomic_store_explicit(&cache->count, count, memory_order_relaxed);
    return cache->frames[count];
}

static void used_add(_Atomic int64_t *used, int64_t pages) {
    const int64_t before = atomic_load_explicit(used, memory_order_relaxed);
    atomic_store_explicit(used, before + pages, memory_order_relaxed);
}

static void count_use(enum frame_use use, int64_t pages) {
    unsigned long state = hal_irq_save();
    used_add(&frame_caches[hal_cpu_id()].used_slow[use], pages);
    hal_irq_restore(state);
}

static uint32_t batch_from_buddy(struct frame **out_frames, uint32_t want, enum memory_mode mode) {
    uint32_t got = 0;
    unsigned long state = spin_lock_irq(&frames.lock);
    if (permitted_locked(mode, want) || (want = 1, permitted_locked(mode, 1))) {
        do {
            got += buddy_alloc_batch(&frames.buddy, out_frames + got, want - got);
        } while (got == 0 && grow_locked());
    }
    spin_unlock_irq(&frames.lock, state);
    return got;
}

static void batch_to_buddy(struct frame *const *from, uint32_t count) {
    unsigned long state = spin_lock_irq(&frames.lock);
    for (uint32_t i = 0; i < count; i++) {
        buddy_free(&frames.buddy, from[i], 0);
    }
    spin_unlock_irq(&frames.lock, state);
}

// The cache is empty or busy: fetch a batch.
static NOINLINE struct frame *alloc_slow(enum memory_mode mode, enum frame_use use) {
    struct frame *batch[CACHE_BATCH];
    uint32_t got = batch_from_buddy(batch, CACHE_BATCH, mode);
    for (uint32_t tries = 0; got == 0 && mode == MEMORY_SLEEP && tries < 4; tries++) {
        if (memory_reclaim(CACHE_BATCH) == 0) {
            break;
        }
        got = batch_from_buddy(batch, CACHE_BATCH, mode);
    }
    if (got == 0) {
        trace(TRACE_OUT_OF_MEMORY, 1, (uint64_t)mode);
        return NULL;
    }
    struct frame *frame = batch[--got];
    struct frame_cache *cache = cache_enter();
    if (cache != NULL) {
        while (got > 0 && cache_count(cache) < CACHE_FRAMES) {
            cache_push(cache, batch[--got]);
        }
        cache_leave(cache);
    }
    if (got > 0) {
        batch_to_buddy(batch, got);
    }
    count_use(use, 1);
    return frame;
}

struct frame *frame_alloc_use(enum memory_mode mode, bool zero, enum frame_use use) {
    if (inject_strikes(INJECT_ALLOCATION)) {
        return NULL;
    }
    struct frame *frame = NULL;
    struct frame_cache *cache = cache_enter();
    if (cache != NULL) {
        if (cache_count(cache) > 0) {
            frame = cache_pop(cache);
            used_add(&cache->used[use], 1);
        }
        cache_leave(cache);
    }
    if (frame == NULL) {
        frame = alloc_slow(mode, use);
        if (frame == NULL) {
            return NULL;
        }
    }
    frame_use_set(frame, use);
    frame->object = NULL;
    frame->owner = NULL;
    atomic_store_explicit(&frame->flags, 0, memory_order_relaxed);
    atomic_store_explicit(&frame->references, 1, memory_order_relaxed);
    if (zero) {
        page_zero(frame_data(frame));
    }
    return frame;
}

struct frame *frame_alloc(enum memory_mode mode, bool zero) {
    return frame_alloc_use(mode, zero, FRAME_KERNEL);
}

// The cache is full or busy.
static NOINLINE void free_slow(struct frame *frame) {
    struct frame *batch[CACHE_BATCH + 1] = { frame };
    uint32_t count = 1;
    count_use(frame_use(frame), -1);
    struct frame_cache *cache = cache_enter();
    if (cache != NULL) {
        while (count <= CACHE_BATCH && cache_count(cache) > 0) {
            batch[count++] = cache_pop(cache);
        }
        cache_leave(cache);
    }
    batch_to_buddy(batch, count);
}

static void free_one(struct frame *frame) {
    struct frame_cache *cache = cache_enter();
    if (cache != NULL) {
        bool room = cache_count(cache) < CACHE_FRAMES;
        if (room) {
            used_add(&cache->used[frame_use(frame)], -1);
            frame_use_set(frame, FRAME_RESERVED);
            cache_push(cache, frame);
        }
        cache_leave(cache);
        if (room) {
            return;
        }
    }
    free_slow(frame);
}

void frames_drain(void) {
    struct frame *batch[CACHE_FRAMES];
    struct frame_cache *cache = cache_enter();
    if (cache == NULL) {
        return;
    }
    uint32_t count = cache_count(cache);
    memcpy(batch, cache->frames, count * sizeof batch[0]);
    atomic_store_explicit(&cache->count, 0, memory_order_relaxed);
    cache_leave(cache);
    batch_to_buddy(batch, count);
}

// ---- blocks ------------------------------------------------------------------------------------

static struct frame *block_from_buddy(uint32_t order, enum memory_mode mode) {
    struct frame *frame = NULL;
    unsigned long state = spin_lock_irq(&frames.lock);
    if (permitted_locked(mode, (uint64_t)1 << order)) {
        do {
            frame = buddy_alloc(&frames.buddy, order);
        } while (frame == NULL && grow_locked());
    }
    spin_unlock_irq(&frames.lock, state);
    return frame;
}

struct frame *frames_alloc_block(uint32_t order, enum memory_mode mode, enum frame_use use,
                                 void *owner) {
    if (order > FRAME_ORDER_MAX || inject_strikes(INJECT_ALLOCATION)) {
        return NULL;
    }
    struct frame *frame = block_from_buddy(order, mode);
    for (uint32_t tries = 0; frame == NULL && mode == MEMORY_SLEEP && tries < 2; tries++) {
        if (memory_reclaim((uint64_t)1 << order) == 0) {
            break;
        }
        frame = block_from_buddy(order, mode);
    }
    if (frame == NULL) {
        trace(TRACE_OUT_OF_MEMORY, (uint64_t)1 << order, (uint64_t)mode);
        return NULL;
    }
    count_use(use, (int64_t)1 << order);
    for (uint32_t i = 0; i < 1u << order; i++) {
        frame_use_set(&frame[i], use);
        frame[i].order = (uint8_t)order;
        frame[i].owner = owner;
    }
    frame->object = NULL;
    atomic_store_explicit(&frame->flags, 0, memory_order_relaxed);
    atomic_store_explicit(&frame->references, 1, memory_order_relaxed);
    return frame;
}

struct frame *frame_alloc_order(uint32_t order, enum memory_mode mode) {
    return order == 0 ? frame_alloc(mode, false)
                      : frames_alloc_block(order, mode, FRAME_KERNEL, NULL);
}

static NOINLINE void free_block(struct frame *frame) {
    uint32_t order = frame->order;
    count_use(frame_use(frame), -((int64_t)1 << order));
    for (uint32_t i = 0; i < 1u << order; i++) {
        frame_use_set(&frame[i], FRAME_RESERVED);
        frame[i].order = 0;
    }
    unsigned long state = spin_lock_irq(&frames.lock);
    buddy_free(&frames.buddy, frame, order);
    spin_unlock_irq(&frames.lock, state);
}

// ---- references --------------------------------------------------------------------------------

struct frame *frame_get(struct frame *frame) {
    uint32_t before = atomic_fetch_add_explicit(&frame->references, 1, memory_order_relaxed);
    ASSERT(before != 0 && before < UINT32_MAX / 2);
    return frame;
}

void frame_put(struct frame *frame) {
    // The holder of the only reference needs no atomic change: nobody else can add one.
    uint32_t references = atomic_load_explicit(&frame->references, memory_order_acquire);
    ASSERT(references != 0 && frame_use(frame) > FRAME_RESERVED);
    if (references != 1 &&
        atomic_fetch_sub_explicit(&frame->references, 1, memory_order_acq_rel) != 1) {
        return;
    }
    atomic_store_explicit(&frame->references, 0, memory_order_relaxed);
#if HELIX_DEBUG
    memset(frame_data(frame), 0xdf, PAGE_SIZE << frame->order);
#endif
    if (frame->order == 0) {
        free_one(frame);
    } else {
        free_block(frame);
    }
}

bool frames_are_plentiful(void) {
    // Not under the lock: an old value does no harm.
    uint64_t free_pages = buddy_free_pages(&frames.buddy) +
                          atomic_load_explicit(&frames.unprepared, memory_order_relaxed);
    return free_pages > atomic_load_explicit(&frames.total, memory_order_relaxed) / 8;
}

struct frame *frame_zero_page(void) {
    return frames.zero_page;
}

// ---- start and figures -------------------------------------------------------------------------

void frames_add(uint64_t start, uint64_t end) {
    unsigned long state = spin_lock_irq(&frames.lock);
    while (start < end) {
        uint64_t chunk = start >> CHUNK_SHIFT;
        uint64_t stop = MIN_OF(end, (chunk + 1) << CHUNK_SHIFT);
        if (chunk >= frame_chunks.count || (chunk_array(chunk) == NULL && !prepare_locked(chunk))) {
            break; // no array for it: the memory stays unused
        }
        uint64_t count = (stop - start) >> PAGE_SHIFT;
        buddy_add(&frames.buddy, chunk_array(chunk),
                  (uint32_t)((start >> PAGE_SHIFT) % FRAME_CHUNK), (uint32_t)count);
        atomic_fetch_add_explicit(&frames.total, count, memory_order_relaxed);
        start = stop;
    }
    spin_unlock_irq(&frames.lock, state);
}

// Chunks that the memory map touches.
static uint64_t chunks_needed(const struct ranges *ranges) {
    uint64_t count = 0;
    uint64_t next = 0; // first chunk that is not counted yet
    for (uint32_t i = 0; i < ranges->count; i++) {
        uint64_t first = MAX_OF(ranges->range[i].start >> CHUNK_SHIFT, next);
        next = ((ranges->range[i].end - 1) >> CHUNK_SHIFT) + 1;
        count += next > first ? next - first : 0;
    }
    return count;
}

static void *take_zeroed(struct ranges *ranges, uint64_t size, bool zero) {
    uint64_t start;
    if (!ranges_take(ranges, ALIGN_UP(size, (uint64_t)PAGE_SIZE), UINT64_MAX, true, &start)) {
        return NULL;
    }
    void *memory = hal_phys_to_virt(paddr_make(start));
    if (zero) {
        memset(memory, 0, size);
    }
    return memory;
}

void frames_init(struct ranges *ranges, struct ranges *whole) {
    // A stray range far up would need a table larger than it is worth: leave it out.
    while (whole->count > 1 &&
           (whole->range[whole->count - 1].end >> CHUNK_SHIFT) * sizeof(void *) >
               ranges_bytes(whole) / 16 + 16 * PAGE_SIZE) {
        whole->count--;
    }
    uint64_t end = whole->count > 0 ? whole->range[whole->count - 1].end : 0;
    ranges_exclude(ranges, end, UINT64_MAX);
    uint64_t arrays = chunks_needed(whole);
    frame_chunks.count = (end + CHUNK_BYTES - 1) >> CHUNK_SHIFT;
    frame_chunks.arrays = take_zeroed(ranges, frame_chunks.count * sizeof(void *), true);
    frames.arrays = take_zeroed(ranges, arrays * ARRAY_BYTES, false);
    if (frame_chunks.arrays == NULL || frames.arrays == NULL || arrays == 0) {
        panic("too little memory to start: %u KiB", (unsigned)(ranges_bytes(ranges) / 1024));
    }
    frames.arrays_left = arrays;
    frames.ranges = ranges;
    uint64_t pages = ranges_bytes(ranges) >> PAGE_SHIFT;
    atomic_store_explicit(&frames.unprepared, pages, memory_order_relaxed);
    atomic_store_explicit(&frames.total, pages, memory_order_relaxed);
    frames.reserve = MAX_OF(RESERVE_MIN, MIN_OF(pages / 256, RESERVE_MAX));
    buddy_init(&frames.buddy);
    frames.zero_page = frame_alloc(MEMORY_RESERVE, true);
    if (frames.zero_page == NULL) {
        panic("too little memory to start: %u KiB", (unsigned)(pages * (PAGE_SIZE / 1024)));
    }
}

void frame_stats(struct frame_stats *out_stats) {
    int64_t used[FRAME_USES] = { 0 };
    uint64_t cached = 0;
    for (uint32_t cpu = 0; cpu < CPU_MAX; cpu++) {
        const struct frame_cache *cache = &frame_caches[cpu];
        cached += cache_count(cache);
        for (uint32_t use = 0; use < FRAME_USES; use++) {
            used[use] += atomic_load_explicit(&cache->used[use], memory_order_relaxed) +
                         atomic_load_explicit(&cache->used_slow[use], memory_order_relaxed);
        }
    }
    *out_stats = (struct frame_stats){
        .total = atomic_load_explicit(&frames.total, memory_order_relaxed),
        .free = frames_free_pages() + cached + vmap_waiting_pages(),
        .cached = cached,
        .slab = (uint64_t)MAX_OF(used[FRAME_SLAB], 0),
        .table = (uint64_t)MAX_OF(used[FRAME_TABLE], 0),
        .user = (uint64_t)MAX_OF(used[FRAME_USER], 0),
        .kernel = (uint64_t)MAX_OF(used[FRAME_KERNEL], 0),
    };
}
