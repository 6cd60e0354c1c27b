// SPDX-License-Identifier: MIT OR Apache-2.0
// Bitmaps, against an array of bool.
#include "bytes.h"
#include "check.h"

#include <lib/bitmap.h>

#include <string.h>

#define BITS 200u

static bool model[BITS];

static size_t model_find(bool wanted, size_t from) {
    while (from < BITS && model[from] != wanted) {
        from++;
    }
    return MIN_OF(from, (size_t)BITS);
}

static size_t model_find_run(size_t from, size_t count) {
    for (; from + count <= BITS; from++) {
        size_t length = 0;
        while (length < count && !model[from + length]) {
            length++;
        }
        if (length == count) {
            return from;
        }
    }
    return BITS;
}

int main(void) {
    uint64_t words[BITMAP_WORDS(BITS) + 1] = { 0 };
    words[BITMAP_WORDS(BITS)] = 0x5555;                        // a guard
    words[BITMAP_WORDS(BITS) - 1] = UINT64_MAX << (BITS % 64); // bits behind the end do not count
    uint64_t state = 1;
    for (int step = 0; step < 20000; step++) {
        size_t first = next_random(&state) % BITS;
        size_t count = next_random(&state) % (BITS - first + 1) % 90;
        bool value = next_random(&state) % 2;
        if (value) {
            bitmap_set_range(words, first, count);
        } else {
            bitmap_clear_range(words, first, count);
        }
        memset(model + first, value, count);
        size_t bit = next_random(&state) % BITS;
        model[bit] = !model[bit];
        model[bit] ? bitmap_set(words, bit) : bitmap_clear(words, bit);
        CHECK(bitmap_get(words, bit) == model[bit]);
        size_t from = next_random(&state) % (BITS + 2);
        CHECK(bitmap_find_set(words, BITS, from) == model_find(true, from));
        CHECK(bitmap_find_clear(words, BITS, from) == model_find(false, from));
        size_t run = 1 + next_random(&state) % 70;
        CHECK(bitmap_find_clear_range(words, BITS, from, run) == model_find_run(from, run));
        size_t set = 0;
        for (size_t i = 0; i < BITS; i++) {
            set += model[i];
        }
        CHECK(bitmap_count(words, BITS) == set);
    }
    CHECK(bitmap_find_clear_range(words, BITS, 0, SIZE_MAX) == BITS);
    CHECK(words[BITMAP_WORDS(BITS)] == 0x5555);
    CHECK(words[BITMAP_WORDS(BITS) - 1] >> (BITS % 64) == UINT64_MAX >> (BITS % 64));
    CHECK(bitmap_find_set(words, 0, 0) == 0 && bitmap_count(words, 0) == 0);
    return check_result();
}
