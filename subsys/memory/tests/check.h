// SPDX-License-Identifier: MIT OR Apache-2.0
// "check.h": a check that ends the test program, and a generator of reproducible numbers.
#pragma once

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#define CHECK(condition)                                                                           \
    do {                                                                                           \
        if (!(condition)) {                                                                        \
            fprintf(stderr, "%s:%d: check failed: %s\n", __FILE__, __LINE__, #condition);          \
            exit(1);                                                                               \
        }                                                                                          \
    } while (0)

static uint64_t random_word = 88172645463325252ull;

// xorshift64 (Marsaglia, 2003): a number below `bound`.
static inline uint64_t random_number(uint64_t bound) {
    random_word ^= random_word << 13;
    random_word ^= random_word >> 7;
    random_word ^= random_word << 17;
    return random_word % bound;
}
