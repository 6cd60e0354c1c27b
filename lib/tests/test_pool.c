// SPDX-License-Identifier: MIT OR Apache-2.0
// test_pool.c: a pool of pages: runs, both sides' parts, extents that lie, pages given back twice,
// and threads that take and give at once.
#include "check.h"

#include <helix/pool.h>

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

static struct hx_pool pool;
static uint8_t memory[HX_POOL_PAGES_MAX * PAGE_SIZE]; // never touched: numbers alone are tested

static uint32_t used_count(void) {
    uint32_t count = 0;
    for (uint32_t i = 0; i < HX_POOL_WORDS; i++) {
        count += (uint32_t)__builtin_popcountll(
            atomic_load_explicit(&pool.used[i], memory_order_relaxed));
    }
    return count;
}

static void test_parts(void) {
    uint32_t page;
    hx_pool_init(&pool, memory, 100, 10, 60); // from one word into the next
    CHECK(used_count() == HX_POOL_PAGES_MAX - 60);
    for (uint32_t i = 0; i < 60; i++) {
        CHECK(hx_pool_take(&pool, 1, &page) && page == 10 + i);
    }
    CHECK(!hx_pool_take(&pool, 1, &page));
    hx_pool_give(&pool, 64, PAGE_SIZE);
    hx_pool_give(&pool, 20, PAGE_SIZE);
    CHECK(hx_pool_take(&pool, PAGE_SIZE, &page) && page == 20);
    CHECK(hx_pool_take(&pool, PAGE_SIZE, &page) && page == 64);
}

static void test_runs(void) {
    uint32_t page;
    hx_pool_init(&pool, memory, HX_POOL_PAGES_MAX, 0, HX_POOL_PAGES_MAX);
    CHECK(hx_pool_take(&pool, 5 * PAGE_SIZE, &page) && page == 0);
    CHECK(hx_pool_take(&pool, 58 * PAGE_SIZE + 1, &page) && page == 5); // 59 pages: all the rest
    CHECK(hx_pool_take(&pool, HX_POOL_RUN_BYTES, &page) && page == 64);
    CHECK(!hx_pool_take(&pool, HX_POOL_RUN_BYTES + 1, &page));
    CHECK(!hx_pool_take(&pool, 0, &page));
    CHECK(!hx_pool_take(&pool, UINT64_MAX, &page));
    hx_pool_give(&pool, 10, 3 * PAGE_SIZE);
    hx_pool_give(&pool, 20, 7 * PAGE_SIZE);
    CHECK(hx_pool_take(&pool, 4 * PAGE_SIZE, &page) && page == 20);
    CHECK(hx_pool_take(&pool, 3 * PAGE_SIZE, &page) && page == 10);
    CHECK(hx_pool_take(&pool, 3 * PAGE_SIZE, &page) && page == 24);
    hx_pool_give(&pool, 63, PAGE_SIZE); // the last of a word: no run goes on into the next one
    CHECK(hx_pool_take(&pool, 2 * PAGE_SIZE, &page) && page == 128);
    CHECK(hx_pool_take(&pool, 1, &page) && page == 63);
}

static void test_places(void) {
    hx_pool_init(&pool, memory, 70, 0, 70);
    CHECK(hx_pool_at(&pool, 0, 0) == memory);
    CHECK(hx_pool_at(&pool, 69, PAGE_SIZE) != NULL && hx_pool_at(&pool, 69, PAGE_SIZE + 1) == NULL);
    CHECK(hx_pool_at(&pool, 70, 1) == NULL && hx_pool_at(&pool, UINT32_MAX, 1) == NULL);
    CHECK(hx_pool_at(&pool, 0, 70 * PAGE_SIZE) != NULL);
    CHECK(hx_pool_at(&pool, 1, 70 * PAGE_SIZE) == NULL);
    CHECK(hx_pool_at(&pool, 0, UINT64_MAX - 4094) == NULL);
}

static void test_back(void) {
    uint32_t page;
    hx_pool_init(&pool, memory, 128, 0, 64);
    CHECK(hx_pool_take(&pool, 3 * PAGE_SIZE, &page) && page == 0);
    CHECK(hx_pool_back(&pool, 0, 3 * PAGE_SIZE) == HX_ERR_CORRUPT); // taken, not lent
    hx_pool_lend(&pool, 0, 3 * PAGE_SIZE);
    CHECK(hx_pool_back(&pool, 0, 4 * PAGE_SIZE) == HX_ERR_CORRUPT); // more than that
    CHECK(hx_pool_back(&pool, 2, 2 * PAGE_SIZE) == HX_ERR_CORRUPT);
    CHECK(hx_pool_back(&pool, 0, 0) == HX_ERR_CORRUPT);
    CHECK(hx_pool_back(&pool, 64, PAGE_SIZE) == HX_ERR_CORRUPT); // the other side's own
    CHECK(hx_pool_back(&pool, 63, 2 * PAGE_SIZE) == HX_ERR_CORRUPT);
    CHECK(hx_pool_back(&pool, HX_POOL_PAGES_MAX, 1) == HX_ERR_CORRUPT);
    CHECK(hx_pool_back(&pool, UINT32_MAX, 1) == HX_ERR_CORRUPT);
    CHECK(hx_pool_back(&pool, 0, UINT64_MAX) == HX_ERR_CORRUPT);
    CHECK(used_count() == HX_POOL_PAGES_MAX - 61);
    CHECK(hx_pool_back(&pool, 0, 3 * PAGE_SIZE) == HX_OK);
    CHECK(hx_pool_back(&pool, 0, 3 * PAGE_SIZE) == HX_ERR_CORRUPT); // twice
    CHECK(used_count() == HX_POOL_PAGES_MAX - 64);
    CHECK(hx_pool_take(&pool, 1, &page) && page == 0);
    CHECK(hx_pool_back(&pool, 0, 1) == HX_ERR_CORRUPT); // it is somebody else's by now
    hx_pool_lend(&pool, 0, 1);
    hx_pool_give(&pool, 0, 1);
    CHECK(hx_pool_back(&pool, 0, 1) == HX_ERR_CORRUPT); // the answer came first
}

// ---- threads

#define THREADS 4
#define ROUNDS  20000

static _Atomic uint32_t holders[192];

// How often something was wrong.
static void *take_and_give(void *context) {
    uintptr_t wrong = 0;
    const uint32_t me = (uint32_t)(uintptr_t)context;
    for (uint32_t i = 0; i < ROUNDS; i++) {
        const uint64_t bytes = (1 + (i * 7 + me) % 9) * PAGE_SIZE;
        uint32_t page;
        if (!hx_pool_take(&pool, bytes, &page)) {
            continue;
        }
        for (uint32_t k = 0; k < bytes / PAGE_SIZE; k++) {
            wrong += atomic_exchange_explicit(&holders[page + k], me, memory_order_relaxed) != 0;
        }
        for (uint32_t k = 0; k < bytes / PAGE_SIZE; k++) {
            atomic_store_explicit(&holders[page + k], 0, memory_order_relaxed);
        }
        hx_pool_lend(&pool, page, bytes);
        wrong += hx_pool_back(&pool, page, bytes) != HX_OK;
    }
    return (void *)wrong;
}

static void test_threads(void) {
    pthread_t threads[THREADS];
    hx_pool_init(&pool, memory, 192, 50, 30);
    for (uintptr_t i = 0; i < THREADS; i++) {
        CHECK(pthread_create(&threads[i], NULL, take_and_give, (void *)(i + 1)) == 0);
    }
    for (uint32_t i = 0; i < THREADS; i++) {
        void *wrong;
        CHECK(pthread_join(threads[i], &wrong) == 0 && wrong == NULL);
    }
    CHECK(used_count() == HX_POOL_PAGES_MAX - 30);
}

int main(void) {
    test_parts();
    test_runs();
    test_places();
    test_back();
    test_threads();
    return check_result();
}
