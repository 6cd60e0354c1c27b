// SPDX-License-Identifier: MIT OR Apache-2.0
// <core/random.h>: the kernel's random generator (DESIGN section 11): ChaCha20 with fast key
// erasure, seeded from the processor's random instruction through core/input.
//
// Without hardware entropy the seed is the counter alone, and the generator counts as weak, until a
// driver brings some (random_strengthen()).
#pragma once

#include <helix/types.h>

// Fills `to` with random bytes. Any context, after core_init_early().
void random_bytes(void *to, size_t size_bytes);
// A random number below `bound`, which is at least 1; each is equally likely.
uint64_t random_number(uint64_t bound);
// Mixes in bytes of any quality (devices, saved seeds); does not make a weak generator strong.
void random_mix(const void *bytes, size_t size_bytes);
// Mixes in bytes of a source of true randomness. Once RANDOM_STRONG_BYTES of them came in all, the
// generator is not weak any more. Any context.
#define RANDOM_STRONG_BYTES 64u
void random_strengthen(const void *bytes, size_t size_bytes);
// Zeroes what is random, or was made of it, and is not needed any more. Any context.
void random_wipe(void *bytes, size_t size_bytes);
// Was there too little entropy to seed from, so far?
bool random_is_weak(void);
