// SPDX-License-Identifier: MIT OR Apache-2.0
// selftest.c: memory's tests of itself in a booted kernel: each test runs twice, and the second run
// must leave exactly as many frames and heap objects in use as it found.
#include "selftest.h"

#include <core/input.h>
#include <core/wait.h>
#include <memory/selftest.h>

static struct thread threads[MEMTEST_THREADS];
static void *stacks[MEMTEST_THREADS];
static bool (*thread_work)(uint32_t index);
static _Atomic uint32_t thread_failures;

static void thread_entry(void *argument) {
    if (!thread_work((uint32_t)(uintptr_t)argument)) {
        atomic_fetch_add_explicit(&thread_failures, 1, memory_order_relaxed);
    }
}

bool memtest_threads(uint32_t count, bool (*work)(uint32_t index)) {
    CHECK(count <= MEMTEST_THREADS);
    thread_work = work;
    atomic_store_explicit(&thread_failures, 0, memory_order_relaxed);
    for (uint32_t i = 0; i < count; i++) {
        void *argument = (void *)(uintptr_t)i; // NOLINT(performance-no-int-to-ptr): a number
        thread_init(&threads[i], "selftest", stacks[i], THREAD_STACK_BYTES, thread_entry, argument);
    }
    for (uint32_t i = 0; i < count; i++) {
        thread_start(&threads[i]);
    }
    for (uint32_t i = 0; i < count; i++) {
        CHECK(wait_one(&threads[i].exited, WAIT_SIGNALED, TIME_NEVER, 0) == HX_OK);
        // `exited` comes before the last touch of the thread.
        while (atomic_load_explicit(&threads[i].object.references, memory_order_acquire) != 1) {
            thread_yield();
        }
    }
    CHECK(atomic_load_explicit(&thread_failures, memory_order_relaxed) == 0);
    return true;
}

uint64_t memtest_random(uint64_t *state, uint64_t bound) {
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    return *state % bound;
}

bool memtest_map(struct aspace *aspace, uint64_t size_bytes, uint64_t *out_address) {
    struct aspace_map_request request = {
        .size_bytes = size_bytes,
        .protection = ASPACE_READ | ASPACE_WRITE,
    };
    struct uaddr address;
    CHECK(aspace_map(aspace, &request, &address) == HX_OK);
    *out_address = address.value;
    return true;
}

bool memtest_poke(struct aspace *aspace, uint64_t address, uint64_t value) {
    CHECK(aspace_write_other(aspace, uaddr_make(address), &value, sizeof value) == HX_OK);
    return true;
}

bool memtest_peek(struct aspace *aspace, uint64_t address, uint64_t expected) {
    uint64_t value = ~expected;
    CHECK(aspace_read_other(aspace, uaddr_make(address), &value, sizeof value) == HX_OK);
    CHECK(value == expected);
    return true;
}

struct usage {
    uint64_t free, table, user, kernel, objects;
};

static struct usage measure(void) {
    struct frame_stats stats;
    vmap_purge();
    memory_drain_caches();
    frame_stats(&stats);
    // Slabs are told by their objects: which processor keeps an empty one may differ.
    return (struct usage){
        .free = stats.free + stats.slab,
        .table = stats.table,
        .user = stats.user,
        .kernel = stats.kernel,
        .objects = heap_objects(),
    };
}

static bool run_one(const struct memtest *test) {
    uint64_t start = input_counter();
    if (!test->run()) {
        return false;
    }
    uint64_t ticks = input_counter() - start;
    struct usage before = measure();
    if (!test->run()) {
        return false;
    }
    struct usage after = measure();
    CHECK(after.objects == before.objects);
    CHECK(after.user == before.user && after.table == before.table);
    CHECK(after.kernel == before.kernel && after.free == before.free);
    log_info("selftest: memory: %s: ok, %lu ticks", test->name, (unsigned long)ticks);
    return true;
}

static bool run_all(const struct memtest *tests) {
    bool passed = true;
    for (; tests->name != NULL; tests++) {
        if (!run_one(tests)) {
            log_error("selftest: memory: %s: FAILED", tests->name);
            passed = false;
        }
    }
    return passed;
}

bool memory_selftest(void) {
    for (uint32_t i = 0; i < MEMTEST_THREADS; i++) {
        if (stacks[i] == NULL) {
            stacks[i] = kernel_stack_alloc(THREAD_STACK_BYTES);
        }
        CHECK(stacks[i] != NULL);
    }
    bool passed = run_all(memtest_frames);
    passed = run_all(memtest_maps) && passed;
    passed = run_all(memtest_accounts) && passed;
    passed = run_all(memtest_objects) && passed;
    passed = run_all(memtest_aspaces) && passed;
    passed = run_all(memtest_families) && passed;
    passed = run_all(memtest_races) && passed;
    passed = run_all(memtest_undo) && passed;
    passed = run_all(memtest_cut) && passed;
    return passed;
}
