// SPDX-License-Identifier: MIT OR Apache-2.0
// <lib/hash.h>: hashes for tables.
//
// None of these is a cryptographic digest. Where an adversary chooses the keys (names, addresses
// from the network) use the keyed one; the others are for keys that the system makes itself.
#pragma once

#include <helix/types.h>

#define HASH_START UINT64_C(0xcbf29ce484222325) // FNV-1a's offset basis

// A secret that makes siphash unpredictable; drawn once, from the random generator.
struct hash_key {
    uint64_t low;
    uint64_t high;
};

// FNV-1a, 64 bits, of `size_bytes` bytes.
uint64_t hash_bytes(const void *bytes, size_t size_bytes);

// The same, going on from `hash`, so that the pieces of a key need not lie together; starts from
// HASH_START.
uint64_t hash_more(uint64_t hash, const void *bytes, size_t size_bytes);

// SipHash-2-4 (Aumasson and Bernstein, 2012) of `size_bytes` bytes under `key`.
uint64_t hash_keyed(const struct hash_key *key, const void *bytes, size_t size_bytes);

// CRC-32 as GPT, gzip and Ethernet have it (reflected, 0xedb88320), going on from `crc`, at first
// 0. For accidents, not against liars.
uint32_t hash_crc32(uint32_t crc, const void *bytes, size_t size_bytes);

// Mixes an integer so that all of its bits reach all of the result's: a one-to-one function (the
// finaliser of MurmurHash3).
static inline uint64_t hash_u64(uint64_t value) {
    value ^= value >> 33;
    value *= UINT64_C(0xff51afd7ed558ccd);
    value ^= value >> 33;
    value *= UINT64_C(0xc4ceb9fe1a85ec53);
    value ^= value >> 33;
    return value;
}
