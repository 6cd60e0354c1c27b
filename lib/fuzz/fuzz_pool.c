// SPDX-License-Identifier: MIT OR Apache-2.0
// A lying peer of a pool: between what the owner does, it gives back whatever extents the input
// says. No page is handed out twice, no extent leads outside of the memory, and the pool stays as a
// plain list of its pages says that it is.
//
// Input: page count, first own page, own count (2 bytes each), then steps of 8 bytes: what, 3
// unused, and 4 that mean an extent or a choice.
#include "fuzz.h"

#include <helix/pool.h>

#include <stdlib.h>
#include <string.h>

enum state { NOT_OURS, FREE, TAKEN, LENT };

static struct hx_pool pool;
static uint8_t base[HX_POOL_PAGES_MAX * PAGE_SIZE]; // numbers alone: never touched
static uint8_t states[HX_POOL_PAGES_MAX];

static uint16_t word_at(const uint8_t *bytes) {
    uint16_t word;
    memcpy(&word, bytes, sizeof(word));
    return word;
}

static bool all_are(uint64_t page, uint64_t count, enum state state) {
    for (uint64_t i = page; i < page + count; i++) {
        if (i >= HX_POOL_PAGES_MAX || states[i] != state) {
            return false;
        }
    }
    return true;
}

static void step_take(uint64_t count) {
    uint32_t page;
    if (hx_pool_take(&pool, count * PAGE_SIZE, &page)) {
        FUZZ_ASSERT(count > 0 && count <= 64 && all_are(page, count, FREE));
        FUZZ_ASSERT(hx_pool_at(&pool, page, count * PAGE_SIZE) == base + (size_t)page * PAGE_SIZE);
        memset(&states[page], TAKEN, count);
        return;
    }
    // There is none: not one that lies in one word.
    for (uint32_t first = 0; count > 0 && first < HX_POOL_PAGES_MAX; first++) {
        FUZZ_ASSERT(first % 64 + count > 64 || !all_are(first, count, FREE));
    }
}

// What is taken from a page on, in its word.
static uint64_t run_at(uint64_t page) {
    uint64_t count = 0;
    while (page + count < HX_POOL_PAGES_MAX && page % 64 + count < 64 &&
           states[page + count] == TAKEN) {
        count++;
    }
    return count;
}

static void step_back(uint32_t page, uint64_t bytes) {
    const uint64_t count = hx_pool_pages_of(bytes);
    const bool is_lent = count > 0 && page % 64 + count <= 64 && all_are(page, count, LENT);
    const enum hx_status status = hx_pool_back(&pool, page, bytes);
    FUZZ_ASSERT(status == (is_lent ? HX_OK : HX_ERR_CORRUPT));
    if (status == HX_OK) {
        memset(&states[page], FREE, count);
    }
    const uint8_t *at = hx_pool_at(&pool, page, bytes);
    FUZZ_ASSERT((at != NULL) == (page < pool.page_count && count <= pool.page_count - page));
}

static void step(uint8_t what, uint16_t a, uint16_t b) {
    const uint64_t count = run_at(a % HX_POOL_PAGES_MAX);
    const uint32_t page = a % HX_POOL_PAGES_MAX;
    switch (what % 5) {
    case 0:
        step_take(b % 70);
        break;
    case 1:
        if (count > 0) {
            hx_pool_lend(&pool, page, count * PAGE_SIZE);
            memset(&states[page], LENT, count);
        }
        break;
    case 2:
        if (count > 0) {
            hx_pool_give(&pool, page, count * PAGE_SIZE);
            memset(&states[page], FREE, count);
        }
        break;
    case 3:
        step_back(a % 1100, (uint64_t)b * 64);
        break;
    default:
        step_back(a * UINT32_C(65537), (uint64_t)b << (b % 49));
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    if (size < 6) {
        return 0;
    }
    const uint32_t count = 1 + word_at(data) % HX_POOL_PAGES_MAX;
    const uint32_t first = word_at(data + 2) % count;
    const uint32_t own = word_at(data + 4) % (count - first + 1);
    memset(states, NOT_OURS, sizeof(states));
    memset(states + first, FREE, own);
    hx_pool_init(&pool, base, count, first, own);
    for (data += 6, size -= 6; size >= 8; data += 8, size -= 8) {
        step(data[0], word_at(data + 4), word_at(data + 6));
    }
    for (uint32_t i = 0; i < HX_POOL_PAGES_MAX; i++) {
        FUZZ_ASSERT((atomic_load_explicit(&pool.used[i / 64], memory_order_relaxed) >> i % 64 &
                     1) == (states[i] != FREE));
        FUZZ_ASSERT((atomic_load_explicit(&pool.lent[i / 64], memory_order_relaxed) >> i % 64 &
                     1) == (states[i] == LENT));
    }
    return 0;
}
