// SPDX-License-Identifier: MIT OR Apache-2.0
// <lib/random.h>: a random generator on the ChaCha20 block function (RFC 8439, section 2.3), with
// fast key erasure: what was given out cannot be computed from the state that remains.
//
// The output is as good as the seed; whoever owns the state counts what went into it, keeps it
// secret and guards it by a lock or keeps one a processor.
#pragma once

#include <helix/types.h>

#define RANDOM_SEED_BYTES    32u
#define CHACHA20_BLOCK_BYTES 64u

struct random_state {
    uint32_t key[8];
};

// One block of key stream for a 256-bit key, a block counter and a 96-bit nonce.
void chacha20_block(const uint32_t key[8], uint32_t counter, const uint32_t nonce[3],
                    uint8_t out_block[CHACHA20_BLOCK_BYTES]);

// Starts from a seed. The caller wipes its copy.
void random_init(struct random_state *state, const uint8_t seed[RANDOM_SEED_BYTES]);

// Mixes more bytes in, of any quality: an input that is known, or chosen by an adversary, does no
// harm.
void random_add(struct random_state *state, const void *bytes, size_t size_bytes);

// Gives `size_bytes` random bytes, and forgets how.
void random_fill(struct random_state *state, void *to, size_t size_bytes);

// A random number below `bound`, each equally likely; `bound` is at least 1.
uint64_t random_below(struct random_state *state, uint64_t bound);
