// SPDX-License-Identifier: MIT OR Apache-2.0
// The random generator: RFC 8439's vectors for its cipher, and what a generator must keep.
#include "check.h"

#include <lib/random.h>

#include <string.h>

// RFC 8439, section 2.3.2.
static void test_block(void) {
    static const uint8_t expected[64] = {
        0x10, 0xf1, 0xe7, 0xe4, 0xd1, 0x3b, 0x59, 0x15, 0x50, 0x0f, 0xdd, 0x1f, 0xa3,
        0x20, 0x71, 0xc4, 0xc7, 0xd1, 0xf4, 0xc7, 0x33, 0xc0, 0x68, 0x03, 0x04, 0x22,
        0xaa, 0x9a, 0xc3, 0xd4, 0x6c, 0x4e, 0xd2, 0x82, 0x64, 0x46, 0x07, 0x9f, 0xaa,
        0x09, 0x14, 0xc2, 0xd7, 0x05, 0xd9, 0x8b, 0x02, 0xa2, 0xb5, 0x12, 0x9c, 0xd1,
        0xde, 0x16, 0x4e, 0xb9, 0xcb, 0xd0, 0x83, 0xe8, 0xa2, 0x50, 0x3c, 0x4e,
    };
    uint32_t key[8];
    for (uint32_t i = 0; i < 8; i++) {
        key[i] = 0x03020100 + 0x04040404 * i;
    }
    const uint32_t nonce[3] = { 0x09000000, 0x4a000000, 0 };
    uint8_t block[64];
    chacha20_block(key, 1, nonce, block);
    CHECK(memcmp(block, expected, sizeof(block)) == 0);
}

// RFC 8439, appendix A.1, test vectors 1 and 2: key and nonce zero, counters 0 and 1. A generator
// with seed zero puts out the second half of the first and then all of the second.
static void test_fill(void) {
    static const uint8_t half[32] = {
        0xda, 0x41, 0x59, 0x7c, 0x51, 0x57, 0x48, 0x8d, 0x77, 0x24, 0xe0,
        0x3f, 0xb8, 0xd8, 0x4a, 0x37, 0x6a, 0x43, 0xb8, 0xf4, 0x15, 0x18,
        0xa1, 0x1c, 0xc3, 0x87, 0xb6, 0x69, 0xb2, 0xee, 0x65, 0x86,
    };
    static const uint8_t second[16] = {
        0x9f, 0x07, 0xe7, 0xbe, 0x55, 0x51, 0x38, 0x7a,
        0x98, 0xba, 0x97, 0x7c, 0x73, 0x2d, 0x08, 0x0d,
    };
    const uint8_t seed[RANDOM_SEED_BYTES] = { 0 };
    struct random_state state;
    random_init(&state, seed);
    uint8_t out[48];
    random_fill(&state, out, sizeof(out));
    CHECK(memcmp(out, half, 32) == 0 && memcmp(out + 32, second, 16) == 0);
    // The first half became the key.
    CHECK(state.key[0] == 0xade0b876 && state.key[1] == 0x903df1a0);
}

static void test_generator(void) {
    const uint8_t seed[RANDOM_SEED_BYTES] = { 1, 2, 3 };
    struct random_state a;
    struct random_state b;
    random_init(&a, seed);
    random_init(&b, seed);
    uint8_t x[300];
    uint8_t y[300];
    random_fill(&a, x, 300);
    random_fill(&b, y, 300);
    CHECK(memcmp(x, y, 300) == 0); // the same seed, the same bytes
    random_fill(&a, x, 300);
    CHECK(memcmp(x, y, 300) != 0);
    random_fill(&b, y, 300);
    random_add(&a, "x", 1);
    random_fill(&a, x, 32);
    random_fill(&b, y, 32);
    CHECK(memcmp(x, y, 32) != 0); // one bit more of input, other bytes
    random_add(&a, x, 100);
    memset(y, 0xee, sizeof(y));
    random_fill(&a, y, 0);
    random_fill(&a, y + 1, 31);
    CHECK(y[0] == 0xee && y[32] == 0xee);
    static uint8_t large[(1 << 20) + 77];
    random_fill(&a, large, sizeof(large));
    size_t counts[256] = { 0 };
    for (size_t i = 0; i < sizeof(large); i++) {
        counts[large[i]]++;
    }
    for (size_t i = 0; i < 256; i++) { // expected 4096, standard deviation 64
        CHECK(counts[i] > 3600 && counts[i] < 4600);
    }
}

static void test_below(void) {
    const uint8_t seed[RANDOM_SEED_BYTES] = { 9 };
    struct random_state state;
    random_init(&state, seed);
    unsigned counts[3] = { 0 };
    for (int i = 0; i < 3000; i++) {
        uint64_t value = random_below(&state, 3);
        CHECK(value < 3);
        counts[value % 3]++;
    }
    CHECK(counts[0] > 800 && counts[1] > 800 && counts[2] > 800);
    CHECK(random_below(&state, 1) == 0);
    CHECK(random_below(&state, UINT64_MAX) < UINT64_MAX);
    CHECK(random_below(&state, ((uint64_t)1 << 63) + 1) <= (uint64_t)1 << 63);
}

int main(void) {
    test_block();
    test_fill();
    test_generator();
    test_below();
    return check_result();
}
