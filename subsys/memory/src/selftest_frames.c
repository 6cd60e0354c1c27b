// SPDX-License-Identifier: MIT OR Apache-2.0
// selftest_frames.c: frames, heap and kernel mappings, alone and from all processors at once.
#include "selftest.h"

#include <core/time.h>
#include <lib/string.h>

// NOLINTNEXTLINE(readability-function-size): each check counts as a branch
static bool test_frames(void) {
    struct frame *frame = frame_alloc(MEMORY_SLEEP, true);
    CHECK(frame != NULL && frame_references(frame) == 1);
    const uint8_t *data = frame_data(frame);
    for (size_t i = 0; i < PAGE_SIZE; i++) {
        CHECK(data[i] == 0);
    }
    CHECK(frame_of(frame_address(frame)) == frame);
    CHECK(frame_get(frame) == frame && frame_references(frame) == 2);
    frame_put(frame);
    frame_put(frame);
    for (uint32_t order = 0; order <= FRAME_ORDER_MAX - 1; order++) {
        struct frame *block = frame_alloc_order(order, MEMORY_SLEEP);
        CHECK(block != NULL || order > 6);
        if (block != NULL) {
            CHECK((frame_address(block).value & ((PAGE_SIZE << order) - 1)) == 0);
            memset(frame_data(block), 0x5a, PAGE_SIZE << order);
            frame_put(block);
        }
    }
    CHECK(frame_alloc_order(FRAME_ORDER_MAX + 1, MEMORY_SLEEP) == NULL);
    CHECK(frame_of(paddr_make(UINT64_MAX & ~PAGE_MASK)) == NULL);
    return true;
}

// All memory, in each mode: the reserve holds, nothing is given out twice, all comes back.
static bool test_exhaustion(void) {
    static const enum memory_mode modes[] = { MEMORY_SLEEP, MEMORY_ATOMIC, MEMORY_RESERVE };
    struct list all = LIST_INIT(all);
    uint64_t rest[3] = { 0 };
    for (uint32_t i = 0; i < ARRAY_SIZE(modes); i++) {
        struct frame *frame = frame_alloc(modes[i], false);
        for (; frame != NULL; frame = frame_alloc(modes[i], false)) {
            list_push_back(&all, &frame->link);
            *(struct frame **)frame_data(frame) = frame;
        }
        rest[i] = frames_free_pages();
    }
    bool intact = true;
    list_for_each_safe (link, &all) {
        struct frame *frame = LIST_ENTRY(link, struct frame, link);
        intact = intact && *(struct frame **)frame_data(frame) == frame;
        frame_put(frame);
    }
    CHECK(intact && rest[0] > rest[1] && rest[1] > rest[2] && rest[2] == 0);
    return true;
}

// NOLINTNEXTLINE(readability-function-size): each check counts as a branch
static bool test_heap(void) {
    for (size_t size = 1; size <= 3 * PAGE_SIZE; size += size < 300 ? 1 : 97) {
        uint8_t *memory = heap_alloc(size, MEMORY_SLEEP);
        CHECK(memory != NULL && (uintptr_t)memory % (size >= 64 ? 64 : 16) == 0);
        memset(memory, (int)size, size);
        uint8_t *other = heap_alloc_zero(size, MEMORY_SLEEP);
        CHECK(other != NULL && other != memory);
        for (size_t i = 0; i < size; i++) {
            CHECK(other[i] == 0 && memory[i] == (uint8_t)size);
        }
        heap_free(memory);
        heap_free(other);
    }
    CHECK(heap_alloc(0, MEMORY_SLEEP) == NULL && heap_alloc(SIZE_MAX, MEMORY_SLEEP) == NULL);
    heap_free(NULL);
    return true;
}

static bool many_of(size_t size) {
    static uint64_t *objects[200];
    bool good = true;
    for (uint32_t i = 0; i < ARRAY_SIZE(objects); i++) {
        objects[i] = heap_alloc(size, MEMORY_SLEEP);
        good = good && objects[i] != NULL;
        if (objects[i] != NULL) {
            objects[i][0] = objects[i][size / 8 - 1] = i;
        }
    }
    for (uint32_t i = 0; i < ARRAY_SIZE(objects); i++) {
        good = good && objects[i][0] == i && objects[i][size / 8 - 1] == i;
        heap_free(objects[i]);
    }
    return good;
}

// More objects of each size than a magazine and a page hold; draining finds each in its own slab.
static bool test_heap_many(void) {
    memory_drain_caches();
    for (size_t size = 2048; size >= 16; size -= size > 512 ? 128 : 16) {
        CHECK(many_of(size));
        memory_drain_caches();
    }
    return true;
}

// Interrupts that come in the middle of an allocation allocate and free, too: nothing is given out
// twice. Each object holds its own address.
#define INTERRUPTS 8000u

static struct {
    struct timer timer;
    uint64_t *kept[8];
    _Atomic uint32_t left;
    bool wrong;
} interrupts;

static uint64_t *marked_alloc(void) {
    uint64_t *object = heap_alloc(64, MEMORY_ATOMIC);
    if (object != NULL) {
        object[1] = (uintptr_t)object;
    }
    return object;
}

static bool marked_free(uint64_t *object) {
    bool intact = object == NULL || object[1] == (uintptr_t)object;
    if (object != NULL) {
        object[1] = 0;
    }
    heap_free(object);
    return intact;
}

static void interrupt_fired(struct timer *timer) {
    uint32_t left = atomic_load_explicit(&interrupts.left, memory_order_relaxed) - 1;
    uint64_t **kept = &interrupts.kept[left % ARRAY_SIZE(interrupts.kept)];
    if (*kept == NULL && left > ARRAY_SIZE(interrupts.kept)) {
        *kept = marked_alloc();
    } else {
        interrupts.wrong = !marked_free(*kept) || interrupts.wrong;
        *kept = NULL;
    }
    if (left != 0) {
        timer_arm(timer, time_now() + 10000);
    }
    atomic_store_explicit(&interrupts.left, left, memory_order_release);
}

static bool test_heap_interrupts(void) {
    interrupts.wrong = false;
    atomic_store_explicit(&interrupts.left, INTERRUPTS, memory_order_relaxed);
    timer_init(&interrupts.timer, interrupt_fired);
    timer_arm(&interrupts.timer, time_now());
    bool intact = true;
    while (intact && atomic_load_explicit(&interrupts.left, memory_order_acquire) != 0) {
        uint64_t *first = marked_alloc();
        uint64_t *second = marked_alloc();
        intact = first != NULL && second != NULL && first != second;
        intact = marked_free(first) && marked_free(second) && intact;
        hal_relax(); // interrupts come here on a machine that has them at such points only
    }
    (void)timer_cancel(&interrupts.timer);
    CHECK(intact && !interrupts.wrong);
    return true;
}

// Below each there is a page that nobody has.
static bool have_guards(void *const *maps, uint32_t count, size_t size) {
    for (uint32_t i = 0; i < count * count; i++) {
        const char *map = maps[i / count], *other = maps[i % count];
        CHECK(other >= map || other + size + PAGE_SIZE <= map);
    }
    return true;
}

static bool test_kernel_map(void) {
    const size_t size = 37 * PAGE_SIZE;
    void *maps[20];
    for (uint32_t i = 0; i < ARRAY_SIZE(maps); i++) {
        maps[i] = kernel_map_alloc(size);
        CHECK(maps[i] != NULL);
        const uint64_t *word = maps[i];
        CHECK(word[0] == 0 && word[size / 8 - 1] == 0);
        memset(maps[i], (int)i + 1, size);
    }
    CHECK(have_guards(maps, ARRAY_SIZE(maps), size));
    for (uint32_t i = 0; i < ARRAY_SIZE(maps); i++) {
        const uint8_t *byte = maps[i];
        CHECK(byte[0] == i + 1 && byte[size - 1] == i + 1);
        kernel_map_free(maps[i], size);
    }
    void *stack = kernel_stack_alloc(2 * PAGE_SIZE);
    CHECK(stack != NULL);
    memset(stack, 1, 2 * PAGE_SIZE);
    kernel_stack_free(stack, 2 * PAGE_SIZE);
    CHECK(kernel_map_alloc(SIZE_MAX) == NULL && kernel_map_alloc(0) == NULL);
    return true;
}

// What was unmapped counts as free at once, though it waits for others. Nobody else is here now.
static bool test_kernel_map_figures(void) {
    struct frame_stats before, between, after;
    memory_drop_caches();
    void *map = kernel_map_alloc(200 * PAGE_SIZE); // less than what may wait
    CHECK(map != NULL);
    frame_stats(&before);
    kernel_map_free(map, 200 * PAGE_SIZE);
    frame_stats(&between);
    vmap_purge();
    frame_stats(&after);
    CHECK(between.free >= before.free + 190 && between.free <= before.free + 210);
    CHECK(after.free >= before.free + 190 && after.free <= before.free + 210);
    CHECK(vmap_waiting_pages() == 0);
    return true;
}

// Every processor allocates and frees at random; some of it is freed by another one.
#define EXCHANGE 32u
static _Atomic(uint64_t *) exchange[EXCHANGE];

// NOLINTNEXTLINE(readability-function-size): each check counts as a branch
static bool frames_and_heap(uint32_t index) {
    uint64_t random = 0x9e3779b97f4a7c15ull + index;
    struct frame *frames[16] = { NULL };
    uint64_t tag = ((uint64_t)index << 32) | 0xf00d;
    for (uint32_t round = 0; round < 4000; round++) {
        struct frame **slot = &frames[memtest_random(&random, ARRAY_SIZE(frames))];
        if (*slot == NULL) {
            *slot = frame_alloc(MEMORY_SLEEP, false);
            CHECK(*slot != NULL);
            *(uint64_t *)frame_data(*slot) = tag;
        } else {
            CHECK(*(uint64_t *)frame_data(*slot) == tag);
            frame_put(*slot);
            *slot = NULL;
        }
        size_t words = 2 + memtest_random(&random, round % 64 == 0 ? 600 : 60);
        uint64_t *memory = heap_alloc(words * 8, MEMORY_SLEEP);
        CHECK(memory != NULL);
        memory[0] = words;
        memory[words - 1] = words;
        memory = atomic_exchange_explicit(&exchange[memtest_random(&random, EXCHANGE)], memory,
                                          memory_order_acq_rel);
        if (memory != NULL) {
            CHECK(memory[memory[0] - 1] == memory[0]);
            heap_free(memory);
        }
    }
    for (uint32_t i = 0; i < ARRAY_SIZE(frames); i++) {
        if (frames[i] != NULL) {
            frame_put(frames[i]);
        }
    }
    return true;
}

static bool test_concurrent(void) {
    CHECK(memtest_threads(MEMTEST_THREADS, frames_and_heap));
    for (uint32_t i = 0; i < EXCHANGE; i++) {
        heap_free(atomic_exchange_explicit(&exchange[i], NULL, memory_order_acquire));
    }
    return true;
}

static bool test_fail_nth(void) {
    inject_nth(INJECT_ALLOCATION, 2);
    void *first = heap_alloc(100, MEMORY_SLEEP);
    void *second = heap_alloc(100, MEMORY_SLEEP);
    void *third = heap_alloc(100, MEMORY_SLEEP);
    heap_free(first);
    heap_free(third);
    CHECK(first != NULL && second == NULL && third != NULL);
    inject_nth(INJECT_ALLOCATION, 1);
    CHECK(frame_alloc(MEMORY_RESERVE, false) == NULL);
    return true;
}

const struct memtest memtest_frames[] = {
    { "frames", test_frames },
    { "heap", test_heap },
    { "heap, many objects", test_heap_many },
    { "heap in interrupts", test_heap_interrupts },
    { "kernel map", test_kernel_map },
    { "kernel map, figures", test_kernel_map_figures },
    { "fail nth", test_fail_nth },
    { "concurrent", test_concurrent },
    { "exhaustion", test_exhaustion },
    { NULL, NULL },
};
