// SPDX-License-Identifier: MIT OR Apache-2.0
// hash.c: FNV-1a and SipHash-2-4 ("SipHash: a fast short-input PRF", section 2).
#include "bytes.h"

#include <lib/hash.h>

uint64_t hash_more(uint64_t hash, const void *bytes, size_t size_bytes) {
    const uint8_t *in = bytes;
    for (size_t i = 0; i < size_bytes; i++) {
        hash = (hash ^ in[i]) * UINT64_C(0x100000001b3);
    }
    return hash;
}

uint64_t hash_bytes(const void *bytes, size_t size_bytes) {
    return hash_more(HASH_START, bytes, size_bytes);
}

static uint64_t rotate(uint64_t value, unsigned count) {
    return value << count | value >> (64 - count);
}

static void sip_round(uint64_t v[4]) {
    v[0] += v[1];
    v[2] += v[3];
    v[1] = rotate(v[1], 13) ^ v[0];
    v[3] = rotate(v[3], 16) ^ v[2];
    v[0] = rotate(v[0], 32);
    v[2] += v[1];
    v[0] += v[3];
    v[1] = rotate(v[1], 17) ^ v[2];
    v[3] = rotate(v[3], 21) ^ v[0];
    v[2] = rotate(v[2], 32);
}

static void sip_word(uint64_t v[4], uint64_t word) {
    v[3] ^= word;
    sip_round(v);
    sip_round(v);
    v[0] ^= word;
}

uint64_t hash_keyed(const struct hash_key *key, const void *bytes, size_t size_bytes) {
    uint64_t v[4] = {
        key->low ^ UINT64_C(0x736f6d6570736575),
        key->high ^ UINT64_C(0x646f72616e646f6d),
        key->low ^ UINT64_C(0x6c7967656e657261),
        key->high ^ UINT64_C(0x7465646279746573),
    };
    const uint8_t *in = bytes;
    uint64_t last = (uint64_t)size_bytes << 56;
    for (; size_bytes >= 8; size_bytes -= 8, in += 8) {
        sip_word(v, read_u64(in));
    }
    for (size_t i = 0; i < size_bytes; i++) {
        last |= (uint64_t)in[i] << (8 * i);
    }
    sip_word(v, last);
    v[2] ^= 0xff;
    for (int i = 0; i < 4; i++) {
        sip_round(v);
    }
    return v[0] ^ v[1] ^ v[2] ^ v[3];
}

uint32_t hash_crc32(uint32_t crc, const void *bytes, size_t size_bytes) {
    static const uint32_t nibbles[16] = {
        0x00000000, 0x1db71064, 0x3b6e20c8, 0x26d930ac, 0x76dc4190, 0x6b6b51f4,
        0x4db26158, 0x5005713c, 0xedb88320, 0xf00f9344, 0xd6d6a3e8, 0xcb61b38c,
        0x9b64c2b0, 0x86d3d2d4, 0xa00ae278, 0xbdbdf21c,
    };
    const uint8_t *in = bytes;
    crc = ~crc;
    for (size_t i = 0; i < size_bytes; i++) {
        crc ^= in[i];
        crc = crc >> 4 ^ nibbles[crc & 15];
        crc = crc >> 4 ^ nibbles[crc & 15];
    }
    return ~crc;
}
