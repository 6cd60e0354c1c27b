// SPDX-License-Identifier: MIT OR Apache-2.0
// Ed25519 with vectors of RFC 8032, section 7.1, and what must not pass for a signature.
#include "check.h"

#include <lib/ed25519.h>
#include <lib/string.h>

struct vector {
    const char *seed, *key, *message, *signature;
};

static const struct vector vectors[] = {
    { "9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60", // TEST 1
      "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a", "",
      "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9"
      "b46bd25bf5f0595bbe24655141438e7a100b" },
    { "4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb", // TEST 2
      "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c", "72",
      "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d0f1"
      "1d8c387b2eaeb4302aeeb00d291612bb0c00" },
    { "c5aa8df43f9f837bedb7442f31dcb7b166d38535076f094b85ce3a2e0b4458f7", // TEST 3
      "fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025", "af82",
      "6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac18ff9b538d16f290ae67f760984d"
      "c6594a7c15e9716ed28dc027beceea1ec40a" },
    { "833fe62409237b9d62ec77587520911e9a759cec1d19755b7da901b96dca3d42", // TEST SHA(abc)
      "ec172b93ad5e563bf4932c70e1245034c35467ef2efd4d64ebf819683467e2bf",
      "ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a2192992a274fc1a836ba3c23a3fe"
      "ebbd454d4423643ce80e2a9ac94fa54ca49f",
      "dc2a4459e7369633a52b1bf277839a00201009a3efbf3ecb69bea2186c26b58909351fc9ac90b3ecfdfbc7c66431"
      "e0303dca179c138ac17ad9bef1177331a704" },
};

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

struct signed_bytes {
    uint8_t seed[ED25519_SEED_BYTES], key[ED25519_KEY_BYTES], message[64];
    uint8_t signature[ED25519_SIGNATURE_BYTES];
    size_t message_bytes;
};

static struct signed_bytes read_vector(const struct vector *vector) {
    struct signed_bytes read = { 0 };
    CHECK(from_hex(vector->seed, read.seed) == sizeof(read.seed));
    CHECK(from_hex(vector->key, read.key) == sizeof(read.key));
    CHECK(from_hex(vector->signature, read.signature) == sizeof(read.signature));
    read.message_bytes = from_hex(vector->message, read.message);
    return read;
}

static bool verifies(const struct signed_bytes *it) {
    return ed25519_verify(it->key, it->message, it->message_bytes, it->signature);
}

static void test_vectors(void) {
    for (size_t i = 0; i < ARRAY_SIZE(vectors); i++) {
        struct signed_bytes wanted = read_vector(&vectors[i]);
        uint8_t key[ED25519_KEY_BYTES], signature[ED25519_SIGNATURE_BYTES];
        ed25519_public(wanted.seed, key);
        CHECK(memcmp(key, wanted.key, sizeof(key)) == 0);
        ed25519_sign(wanted.seed, wanted.message, wanted.message_bytes, signature);
        CHECK(memcmp(signature, wanted.signature, sizeof(signature)) == 0);
        CHECK(verifies(&wanted));
    }
}

// Each bit of the signature and of the message counts; so does the key.
static void test_changed(void) {
    struct signed_bytes it = read_vector(&vectors[2]);
    for (uint32_t bit = 0; bit < sizeof(it.signature) * 8; bit++) {
        it.signature[bit / 8] ^= (uint8_t)(1u << bit % 8);
        CHECK(!verifies(&it));
        it.signature[bit / 8] ^= (uint8_t)(1u << bit % 8);
    }
    for (uint32_t bit = 0; bit < it.message_bytes * 8; bit++) {
        it.message[bit / 8] ^= (uint8_t)(1u << bit % 8);
        CHECK(!verifies(&it));
        it.message[bit / 8] ^= (uint8_t)(1u << bit % 8);
    }
    CHECK(verifies(&it));
    it.message_bytes--;
    CHECK(!verifies(&it));
    it.message_bytes++;
    ed25519_public(it.signature, it.key);
    CHECK(!verifies(&it));
}

// S plus the order of the group, which signs the same for who does not look (RFC 8032, 5.1.7); and
// a point of small order, for which anybody can make a signature.
static void test_other_forms(void) {
    struct signed_bytes it = read_vector(&vectors[1]);
    uint8_t order[32];
    CHECK(from_hex("edd3f55c1a631258d69cf7a2def9de1400000000000000000000000000000010", order) ==
          32);
    uint32_t carry = 0;
    for (uint32_t i = 0; i < sizeof(order); i++) {
        carry += (uint32_t)it.signature[32 + i] + order[i];
        it.signature[32 + i] = (uint8_t)carry;
        carry >>= 8;
    }
    CHECK(carry == 0 && !verifies(&it));
    memset(&it, 0, sizeof(it));
    it.key[0] = it.signature[0] = 1; // the neutral element
    CHECK(!verifies(&it));
}

int main(void) {
    test_vectors();
    test_changed();
    test_other_forms();
    return check_result();
}
