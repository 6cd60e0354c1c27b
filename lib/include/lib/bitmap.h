// SPDX-License-Identifier: MIT OR Apache-2.0
// <lib/bitmap.h>: sets of small integers as bits in an array of 64-bit words.
//
// Bit i is bit (i % 64) of word i / 64. The caller owns the words and guards them; nothing here is
// atomic. Indices and ranges must lie inside the array, which the caller's `bit_count` describes.
#pragma once

#include <helix/types.h>

#define BITMAP_WORD_BITS        64u
#define BITMAP_WORDS(bit_count) (((bit_count) + BITMAP_WORD_BITS - 1) / BITMAP_WORD_BITS)

// Whether bit `index` is set.
static inline bool bitmap_get(const uint64_t *words, size_t index) {
    return (words[index / BITMAP_WORD_BITS] >> (index % BITMAP_WORD_BITS)) & 1u;
}

// Sets bit `index`.
static inline void bitmap_set(uint64_t *words, size_t index) {
    words[index / BITMAP_WORD_BITS] |= (uint64_t)1 << (index % BITMAP_WORD_BITS);
}

// Clears bit `index`.
static inline void bitmap_clear(uint64_t *words, size_t index) {
    words[index / BITMAP_WORD_BITS] &= ~((uint64_t)1 << (index % BITMAP_WORD_BITS));
}

// How many bits of a word are set: sums of neighbouring pairs, fours and eights. (The compiler's
// own may be a call into its library, which a kernel does not have.)
static inline uint32_t bits_count(uint64_t word) {
    word -= (word >> 1) & 0x5555555555555555u;
    word = (word & 0x3333333333333333u) + ((word >> 2) & 0x3333333333333333u);
    word = (word + (word >> 4)) & 0x0f0f0f0f0f0f0f0fu;
    return (uint32_t)((word * 0x0101010101010101u) >> 56);
}

// Sets or clears the `count` bits from `first`; count may be 0.
void bitmap_set_range(uint64_t *words, size_t first, size_t count);
void bitmap_clear_range(uint64_t *words, size_t first, size_t count);

// The lowest set (clear) bit that is not below `from`; `bit_count` if there is none.
size_t bitmap_find_set(const uint64_t *words, size_t bit_count, size_t from);
size_t bitmap_find_clear(const uint64_t *words, size_t bit_count, size_t from);

// The start of the lowest run of `count` clear bits, at or above `from`; `bit_count` if there is
// none. `count` is at least 1.
size_t bitmap_find_clear_range(const uint64_t *words, size_t bit_count, size_t from, size_t count);

// How many of the first `bit_count` bits are set.
size_t bitmap_count(const uint64_t *words, size_t bit_count);
