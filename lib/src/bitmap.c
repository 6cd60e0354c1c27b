// SPDX-License-Identifier: MIT OR Apache-2.0
// bitmap.c: word-wise searches and ranges.
#include <lib/bitmap.h>

// The bits of word `word` that lie in [first, end).
static uint64_t range_mask(size_t word, size_t first, size_t end) {
    size_t base = word * BITMAP_WORD_BITS;
    uint64_t mask = UINT64_MAX;
    if (first > base) {
        mask <<= first - base;
    }
    if (end - base < BITMAP_WORD_BITS) {
        mask &= ~(UINT64_MAX << (end - base));
    }
    return mask;
}

void bitmap_set_range(uint64_t *words, size_t first, size_t count) {
    size_t end = first + count;
    for (size_t word = first / BITMAP_WORD_BITS; word * BITMAP_WORD_BITS < end; word++) {
        words[word] |= range_mask(word, first, end);
    }
}

void bitmap_clear_range(uint64_t *words, size_t first, size_t count) {
    size_t end = first + count;
    for (size_t word = first / BITMAP_WORD_BITS; word * BITMAP_WORD_BITS < end; word++) {
        words[word] &= ~range_mask(word, first, end);
    }
}

// The first bit at or above `from` that is set after inversion by `flip`.
static size_t find(const uint64_t *words, size_t bit_count, size_t from, uint64_t flip) {
    if (from >= bit_count) {
        return bit_count;
    }
    for (size_t word = from / BITMAP_WORD_BITS; word < BITMAP_WORDS(bit_count); word++) {
        uint64_t bits = (words[word] ^ flip) & range_mask(word, from, bit_count);
        if (bits != 0) {
            return word * BITMAP_WORD_BITS + (size_t)__builtin_ctzll(bits);
        }
    }
    return bit_count;
}

size_t bitmap_find_set(const uint64_t *words, size_t bit_count, size_t from) {
    return find(words, bit_count, from, 0);
}

size_t bitmap_find_clear(const uint64_t *words, size_t bit_count, size_t from) {
    return find(words, bit_count, from, UINT64_MAX);
}

size_t bitmap_find_clear_range(const uint64_t *words, size_t bit_count, size_t from, size_t count) {
    for (;;) {
        size_t start = bitmap_find_clear(words, bit_count, from);
        if (start == bit_count || count > bit_count - start) {
            return bit_count;
        }
        size_t next = bitmap_find_set(words, start + count, start);
        if (next == start + count) {
            return start;
        }
        from = next;
    }
}

size_t bitmap_count(const uint64_t *words, size_t bit_count) {
    size_t count = 0;
    for (size_t word = 0; word < BITMAP_WORDS(bit_count); word++) {
        count += bits_count(words[word] & range_mask(word, 0, bit_count));
    }
    return count;
}
