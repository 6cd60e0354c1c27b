// SPDX-License-Identifier: MIT OR Apache-2.0
// tests/fuzz/random.h: numbers that depend on the seed alone, and values that calls dislike.
#pragma once

#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#define PAGE         4096ul
#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

struct generator {
    uint64_t state;
};

// splitmix64 (Steele, Lea, Flood: Fast Splittable Pseudorandom Number Generators).
static inline uint64_t draw(struct generator *generator) {
    uint64_t z = generator->state += 0x9e3779b97f4a7c15ull;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ull;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebull;
    return z ^ (z >> 31);
}

static inline uint32_t below(struct generator *generator, uint32_t limit) {
    return (uint32_t)(draw(generator) >> 32) % limit;
}

static inline bool one_in(struct generator *generator, uint32_t times) {
    return below(generator, times) == 0;
}

// A generator of its own for each worker, thread and round.
static inline struct generator generator_of(uint64_t seed, uint64_t index) {
    struct generator generator = { seed * 0x2545f4914f6cdd1dull ^ index };
    (void)draw(&generator);
    return generator;
}

static inline int64_t now_ms(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static inline void sleep_ms(long ms) {
    struct timespec time = { ms / 1000, ms % 1000 * 1000000 };
    nanosleep(&time, NULL);
}

static inline void fill_random(struct generator *generator, void *bytes, size_t size) {
    for (size_t i = 0; i < size; i++) {
        ((uint8_t *)bytes)[i] = (uint8_t)draw(generator);
    }
}

#define ELEMENT(generator, array) ((array)[below(generator, COUNT(array))])

static inline uint64_t draw_length(struct generator *generator) {
    static const uint64_t small[] = { 0,  1,  2,  4,  7,   8,   12,  16,  24,   32,   48,
                                      56, 64, 88, 96, 112, 128, 144, 256, 1024, 4096, 8192 };
    static const uint64_t odd[] = { 4095,       4097,       65536,         1ull << 20,
                                    INT32_MAX,  1ull << 31, UINT32_MAX,    1ull << 32,
                                    1ull << 47, INT64_MAX,  1ull << 63,    UINT64_MAX,
                                    -4096ull,   -4095ull,   0x7ffff000ull, 0xffffffffffff0000ull };
    return one_in(generator, 4) ? ELEMENT(generator, odd) : ELEMENT(generator, small);
}

static inline uint64_t draw_flags(struct generator *generator) {
    switch (below(generator, 6)) {
    case 0:
        return 0;
    case 1:
        return below(generator, 16);
    case 2:
        return 1ull << below(generator, 64);
    case 3:
        return (1ull << below(generator, 32)) | (1ull << below(generator, 32));
    case 4:
        return draw(generator) & draw(generator) & draw(generator) & UINT32_MAX;
    default:
        return draw(generator);
    }
}

static inline uint64_t draw_any(struct generator *generator) {
    static const uint64_t values[] = { 0,          1,           UINT64_MAX, UINT32_MAX, INT32_MAX,
                                       1ull << 31, 1ull << 63,  INT64_MAX,  -2ull,      -100ull,
                                       4096,       0x100000000, 64,         1024,       3 };
    return one_in(generator, 3) ? draw(generator) : ELEMENT(generator, values);
}
