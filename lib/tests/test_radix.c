// SPDX-License-Identifier: MIT OR Apache-2.0
// Sparse arrays: against a plain table, over indices of all sizes; no node leaks; every allocation
// may fail.
#include "bytes.h"
#include "check.h"

#include <lib/radix.h>

#include <stdlib.h>
#include <string.h>

static long nodes;
static long fail_after = -1; // allocations that still succeed; -1: all

static void *allocate(void *context, size_t size_bytes) {
    (void)context;
    if (fail_after == 0) {
        return NULL;
    }
    fail_after -= fail_after > 0;
    nodes++;
    void *node = malloc(size_bytes);
    memset(node, 0xa5, size_bytes);
    return node;
}

static void release(void *context, void *node, size_t size_bytes) {
    (void)context;
    CHECK(size_bytes == sizeof(struct radix_node));
    nodes--;
    free(node);
}

static const struct radix_memory memory = { .allocate = allocate, .release = release };

// Indices near the borders of each level.
#define INDICES 256
static uint64_t indices[INDICES];
static void *values[INDICES];

static int compare(const void *a, const void *b) {
    uint64_t left = *(const uint64_t *)a;
    uint64_t right = *(const uint64_t *)b;
    return (left > right) - (left < right);
}

static void make_indices(void) {
    uint64_t state = 7;
    for (size_t i = 0; i < INDICES; i++) {
        uint64_t value = next_random(&state);
        indices[i] = i<20 ? i : i<84 ? (uint64_t)1 << (i - 20) : value>>(value % 64);
    }
    indices[INDICES - 1] = UINT64_MAX;
    indices[INDICES - 2] = UINT64_MAX - 1;
    // Sorted, and each one once.
    qsort(indices, INDICES, sizeof(indices[0]), compare);
    for (size_t i = 1; i < INDICES; i++) {
        if (indices[i] <= indices[i - 1]) {
            indices[i] = indices[i - 1] + 1;
        }
    }
}

static void check_contents(const struct radix *radix) {
    uint64_t from = 0;
    for (size_t i = 0; i < INDICES; i++) {
        CHECK(radix_get(radix, indices[i]) == values[i]);
        if (values[i] == NULL) {
            continue;
        }
        uint64_t found = 1234;
        CHECK(radix_next(radix, from, &found) == values[i]);
        CHECK(found == indices[i]);
        from = indices[i] + 1;
    }
    uint64_t untouched = 1234;
    if (from != 0) {
        CHECK(radix_next(radix, from, &untouched) == NULL && untouched == 1234);
    }
}

static void test_random(void) {
    struct radix radix;
    radix_init(&radix, &memory);
    CHECK(radix_is_empty(&radix) && radix_get(&radix, 0) == NULL);
    uint64_t state = 3;
    for (int step = 0; step < 4000; step++) {
        size_t i = next_random(&state) % INDICES;
        if (next_random(&state) % 3 == 0 || step % 500 > 400) {
            CHECK(radix_remove(&radix, indices[i]) == values[i]);
            values[i] = NULL;
        } else {
            values[i] = &values[next_random(&state) % INDICES];
            CHECK(radix_set(&radix, indices[i], values[i]) == HX_OK);
        }
        if (step % 16 == 0) {
            check_contents(&radix);
        }
    }
    for (size_t i = 0; i < INDICES; i++) {
        CHECK(radix_remove(&radix, indices[i]) == values[i]);
        values[i] = NULL;
    }
    CHECK(radix_is_empty(&radix) && nodes == 0 && radix.height == 0);
}

// Fails the n-th allocation of each insertion, for every n.
static void test_no_memory(void) {
    struct radix radix;
    radix_init(&radix, &memory);
    for (size_t step = 0; step < 64; step++) {
        size_t i = step * 37 % INDICES;
        for (long n = 0;; n++) {
            fail_after = n;
            long before = nodes;
            unsigned height = radix.height;
            enum hx_status status = radix_set(&radix, indices[i], &values[i]);
            fail_after = -1;
            if (status == HX_OK) {
                break;
            }
            CHECK(status == HX_ERR_NO_MEMORY && nodes == before && radix.height == height);
            check_contents(&radix);
        }
        values[i] = &values[i];
        check_contents(&radix);
    }
    fail_after = 0;
    CHECK(radix_set(&radix, indices[0], &values[1]) == HX_OK); // replacing needs no memory
    fail_after = -1;
    radix_fini(&radix);
    CHECK(nodes == 0 && radix_is_empty(&radix));
    radix_fini(&radix);
}

int main(void) {
    make_indices();
    test_random();
    test_no_memory();
    return check_result();
}
