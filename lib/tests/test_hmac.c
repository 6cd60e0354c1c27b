// SPDX-License-Identifier: MIT OR Apache-2.0
// HMAC-SHA256 with the vectors of RFC 4231, and the comparison of codes.
#include "check.h"

#include <lib/hmac.h>
#include <lib/string.h>

static uint8_t digit(char letter) {
    return (uint8_t)(letter <= '9' ? letter - '0' : letter - 'a' + 10);
}

static size_t from_hex(const char *text, uint8_t *out_bytes) {
    const size_t count = strlen(text) / 2;
    for (size_t i = 0; i < count; i++) {
        out_bytes[i] = (uint8_t)(digit(text[2 * i]) << 4 | digit(text[2 * i + 1]));
    }
    return count;
}

static size_t repeated(uint8_t byte, size_t count, uint8_t *out_bytes) {
    memset(out_bytes, byte, count);
    return count;
}

static void check(const uint8_t *key, size_t key_bytes, const void *data, size_t size_bytes,
                  const char *expected) {
    uint8_t code[HMAC_SHA256_BYTES], wanted[HMAC_SHA256_BYTES];
    const size_t wanted_bytes = from_hex(expected, wanted); // section 4.6 gives 128 bits alone
    hmac_sha256(key, key_bytes, data, size_bytes, code);
    CHECK(memcmp(code, wanted, wanted_bytes) == 0);
}

static void test_vectors(void) {
    uint8_t key[131], data[200];
    check(key, repeated(0x0b, 20, key), "Hi There", 8, // section 4.2
          "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7");
    check((const uint8_t *)"Jefe", 4, "what do ya want for nothing?", 28, // 4.3
          "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
    check(key, repeated(0xaa, 20, key), data, repeated(0xdd, 50, data), // 4.4
          "773ea91e36800e46854db8ebd09181a72959098b3ef8c122d9635514ced565fe");
    check(key, from_hex("0102030405060708090a0b0c0d0e0f10111213141516171819", key), // 4.5
          data, repeated(0xcd, 50, data),
          "82558a389a443c0ea4cc819899f2083a85f0faa3e578f8077a2e3ff46729665b");
    check(key, repeated(0x0c, 20, key), "Test With Truncation", 20, // 4.6
          "a3b6167473100ee06e0c796c2955552b");
    check(key, repeated(0xaa, 131, key), // 4.7
          "Test Using Larger Than Block-Size Key - Hash Key First", 54,
          "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54");
    static const char large[] =
        "This is a test using a larger than block-size key and a larger than block-size data. "
        "The key needs to be hashed before being used by the HMAC algorithm.";
    check(key, repeated(0xaa, 131, key), large, sizeof(large) - 1, // 4.8
          "9b09ffa71b942fcb27635fbcd5b0e944bfdc63644f0713938a7f51535c3a35e2");
}

static void test_comparison(void) {
    uint8_t a[HMAC_SHA256_BYTES], b[HMAC_SHA256_BYTES];
    repeated(0x5a, sizeof(a), a);
    memcpy(b, a, sizeof(b));
    CHECK(hmac_is_equal(a, b));
    for (uint32_t bit = 0; bit < 8 * HMAC_SHA256_BYTES; bit++) {
        b[bit / 8] ^= (uint8_t)(1u << bit % 8);
        CHECK(!hmac_is_equal(a, b));
        b[bit / 8] ^= (uint8_t)(1u << bit % 8);
    }
}

int main(void) {
    test_vectors();
    test_comparison();
    return check_result();
}
