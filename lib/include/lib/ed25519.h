// SPDX-License-Identifier: MIT OR Apache-2.0
// <lib/ed25519.h>: Ed25519 signatures (RFC 8032), libsodium's. Any context that has some KiB of
// stack. Points of small order and numbers that are not in their shortest form are refused, so that
// nobody but the signer makes a second signature out of one.
#pragma once

#include <helix/types.h>

#define ED25519_SEED_BYTES      32u // the private key
#define ED25519_KEY_BYTES       32u // the public one
#define ED25519_SIGNATURE_BYTES 64u

// Whether who has the private half of `key` signed these bytes.
bool ed25519_verify(const uint8_t key[ED25519_KEY_BYTES], const void *data, size_t size_bytes,
                    const uint8_t signature[ED25519_SIGNATURE_BYTES]);

// The public half of a private key: 32 bytes that nobody can guess.
void ed25519_public(const uint8_t seed[ED25519_SEED_BYTES], uint8_t out_key[ED25519_KEY_BYTES]);
// Signs. Its time does not depend on the key. The same bytes give the same signature.
void ed25519_sign(const uint8_t seed[ED25519_SEED_BYTES], const void *data, size_t size_bytes,
                  uint8_t out_signature[ED25519_SIGNATURE_BYTES]);
