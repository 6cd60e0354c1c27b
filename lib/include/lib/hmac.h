// SPDX-License-Identifier: MIT OR Apache-2.0
// <lib/hmac.h>: HMAC-SHA256 (RFC 2104, FIPS 180-4), BearSSL's; its time does not depend on what is
// in the key and the message.
#pragma once

#include <helix/types.h>

#define HMAC_SHA256_BYTES 32u

// The code of `size_bytes` bytes at `data` under a key.
void hmac_sha256(const void *key, size_t key_bytes, const void *data, size_t size_bytes,
                 uint8_t out_code[HMAC_SHA256_BYTES]);

// Whether two codes are the same, in a time that does not tell where they differ.
bool hmac_is_equal(const uint8_t a[HMAC_SHA256_BYTES], const uint8_t b[HMAC_SHA256_BYTES]);
