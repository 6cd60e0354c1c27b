// SPDX-License-Identifier: MIT OR Apache-2.0
// random.c: ChaCha20 (RFC 8439, section 2.3) as a generator. Each request runs the cipher under the
// current key; the first half block becomes the next key at once, so the old one is gone before the
// caller sees a byte (D. J. Bernstein, "Fast-key-erasure random-number generators", 2017).
#include "bytes.h"

#include <lib/random.h>
#include <lib/string.h>

static uint32_t rotate(uint32_t value, unsigned count) {
    return value << count | value >> (32 - count);
}

static void quarter_round(uint32_t *a, uint32_t *b, uint32_t *c, uint32_t *d) {
    *a += *b;
    *d = rotate(*d ^ *a, 16);
    *c += *d;
    *b = rotate(*b ^ *c, 12);
    *a += *b;
    *d = rotate(*d ^ *a, 8);
    *c += *d;
    *b = rotate(*b ^ *c, 7);
}

// The compiler may not drop this, though nobody reads the memory again.
static void wipe(void *memory, size_t size_bytes) {
    memset(memory, 0, size_bytes);
    __asm__ volatile("" : : "r"(memory) : "memory");
}

void chacha20_block(const uint32_t key[8], uint32_t counter, const uint32_t nonce[3],
                    uint8_t out_block[CHACHA20_BLOCK_BYTES]) {
    uint32_t start[16] = { 0x61707865, 0x3320646e, 0x79622d32, 0x6b206574 };
    memcpy(start + 4, key, 8 * sizeof(uint32_t));
    start[12] = counter;
    memcpy(start + 13, nonce, 3 * sizeof(uint32_t));
    uint32_t x[16];
    memcpy(x, start, sizeof(x));
    for (int i = 0; i < 10; i++) {
        quarter_round(&x[0], &x[4], &x[8], &x[12]);
        quarter_round(&x[1], &x[5], &x[9], &x[13]);
        quarter_round(&x[2], &x[6], &x[10], &x[14]);
        quarter_round(&x[3], &x[7], &x[11], &x[15]);
        quarter_round(&x[0], &x[5], &x[10], &x[15]);
        quarter_round(&x[1], &x[6], &x[11], &x[12]);
        quarter_round(&x[2], &x[7], &x[8], &x[13]);
        quarter_round(&x[3], &x[4], &x[9], &x[14]);
    }
    for (size_t i = 0; i < 16; i++) {
        write_u32(out_block + 4 * i, x[i] + start[i]);
    }
    wipe(start, sizeof(start));
    wipe(x, sizeof(x));
}

static void take_key(struct random_state *state, const uint8_t bytes[RANDOM_SEED_BYTES]) {
    for (size_t i = 0; i < 8; i++) {
        state->key[i] = read_u32(bytes + 4 * i);
    }
}

void random_init(struct random_state *state, const uint8_t seed[RANDOM_SEED_BYTES]) {
    take_key(state, seed);
}

// Up to one block's second half, or whole blocks after it, under one key.
static void fill_some(struct random_state *state, uint8_t *to, size_t size_bytes) {
    static const uint32_t nonce[3] = { 0 };
    uint8_t block[CHACHA20_BLOCK_BYTES];
    uint32_t old[8];
    memcpy(old, state->key, sizeof(old));
    chacha20_block(old, 0, nonce, block);
    take_key(state, block);
    size_t part = MIN_OF(size_bytes, (size_t)(CHACHA20_BLOCK_BYTES - RANDOM_SEED_BYTES));
    memcpy(to, block + RANDOM_SEED_BYTES, part);
    uint32_t counter = 0;
    for (size_t done = part; done < size_bytes; done += part) {
        chacha20_block(old, ++counter, nonce, block);
        part = MIN_OF(size_bytes - done, (size_t)CHACHA20_BLOCK_BYTES);
        memcpy(to + done, block, part);
    }
    wipe(block, sizeof(block));
    wipe(old, sizeof(old));
}

void random_fill(struct random_state *state, void *to, size_t size_bytes) {
    uint8_t *out = to;
    const size_t most = (size_t)1 << 20; // far below where the block counter would wrap
    while (size_bytes != 0) {
        size_t part = MIN_OF(size_bytes, most);
        fill_some(state, out, part);
        out += part;
        size_bytes -= part;
    }
}

void random_add(struct random_state *state, const void *bytes, size_t size_bytes) {
    const uint8_t *in = bytes;
    while (size_bytes != 0) {
        size_t part = MIN_OF(size_bytes, (size_t)RANDOM_SEED_BYTES);
        for (size_t i = 0; i < part; i++) {
            state->key[i / 4] ^= (uint32_t)in[i] << (8 * (i % 4));
        }
        // One way: the new key tells neither the old one nor the input.
        uint8_t unused;
        fill_some(state, &unused, 1);
        wipe(&unused, 1);
        in += part;
        size_bytes -= part;
    }
}

uint64_t random_below(struct random_state *state, uint64_t bound) {
    // Values below 2^64 mod bound would favour small results; they are drawn again.
    uint64_t surplus = (0 - bound) % bound;
    uint64_t value;
    do {
        random_fill(state, &value, sizeof(value));
    } while (value < surplus);
    return value % bound;
}
