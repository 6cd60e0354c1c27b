// SPDX-License-Identifier: MIT OR Apache-2.0
// Hashes, with the vectors of their authors.
#include "check.h"

#include <lib/hash.h>

int main(void) {
    // FNV-1a, 64 bits: test suite of Landon Curt Noll's reference code.
    CHECK(hash_bytes("", 0) == UINT64_C(0xcbf29ce484222325));
    CHECK(hash_bytes("a", 1) == UINT64_C(0xaf63dc4c8601ec8c));
    CHECK(hash_bytes("foobar", 6) == UINT64_C(0x85944171f73967e8));
    CHECK(hash_more(hash_bytes("foo", 3), "bar", 3) == hash_bytes("foobar", 6));

    // SipHash-2-4: the reference code's first vectors; key 00 01 … 0f, input 00 01 … of length n.
    static const uint64_t vectors[] = {
        UINT64_C(0x726fdb47dd0e0e31), UINT64_C(0x74f839c593dc67fd), UINT64_C(0x0d6c8009d9a94f5a),
        UINT64_C(0x85676696d7fb7e2d), UINT64_C(0xcf2794e0277187b7), UINT64_C(0x18765564cd99a68d),
        UINT64_C(0xcbc9466e58fee3ce), UINT64_C(0xab0200f58b01d137), UINT64_C(0x93f5f5799a932462),
    };
    const struct hash_key key = { UINT64_C(0x0706050403020100), UINT64_C(0x0f0e0d0c0b0a0908) };
    uint8_t input[16];
    for (uint8_t i = 0; i < sizeof(input); i++) {
        input[i] = i;
    }
    for (size_t i = 0; i < ARRAY_SIZE(vectors); i++) {
        CHECK(hash_keyed(&key, input, i) == vectors[i]);
    }
    // The paper's own example: 15 bytes (appendix A).
    CHECK(hash_keyed(&key, input, 15) == UINT64_C(0xa129ca6149be45e5));

    // CRC-32: its check value, in one piece and in two.
    CHECK(hash_crc32(0, "123456789", 9) == 0xcbf43926);
    CHECK(hash_crc32(hash_crc32(0, "1234", 4), "56789", 5) == 0xcbf43926);

    CHECK(hash_u64(0) == 0 && hash_u64(1) == UINT64_C(0xb456bcfc34c2cb2c));
    return check_result();
}
