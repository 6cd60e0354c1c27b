// SPDX-License-Identifier: MIT OR Apache-2.0
// ed25519.c: signatures out of libsodium.
#include <lib/ed25519.h>

#include <crypto_sign_ed25519.h>

// What libsodium calls the secret key: the seed and the public key.
#define PAIR_BYTES (ED25519_SEED_BYTES + ED25519_KEY_BYTES)

bool ed25519_verify(const uint8_t key[ED25519_KEY_BYTES], const void *data, size_t size_bytes,
                    const uint8_t signature[ED25519_SIGNATURE_BYTES]) {
    return crypto_sign_ed25519_verify_detached(signature, data, size_bytes, key) == 0;
}

void ed25519_public(const uint8_t seed[ED25519_SEED_BYTES], uint8_t out_key[ED25519_KEY_BYTES]) {
    uint8_t pair[PAIR_BYTES];
    (void)crypto_sign_ed25519_seed_keypair(out_key, pair, seed); // cannot fail
}

void ed25519_sign(const uint8_t seed[ED25519_SEED_BYTES], const void *data, size_t size_bytes,
                  uint8_t out_signature[ED25519_SIGNATURE_BYTES]) {
    uint8_t key[ED25519_KEY_BYTES];
    uint8_t pair[PAIR_BYTES];
    (void)crypto_sign_ed25519_seed_keypair(key, pair, seed);
    (void)crypto_sign_ed25519_detached(out_signature, NULL, data, size_bytes, pair); // cannot fail
}
