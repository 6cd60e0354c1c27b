// SPDX-License-Identifier: MIT OR Apache-2.0
// hmac.c: HMAC-SHA256 out of BearSSL, and the comparison.
#include <lib/hmac.h>

#include <bearssl_hmac.h>

void hmac_sha256(const void *key, size_t key_bytes, const void *data, size_t size_bytes,
                 uint8_t out_code[HMAC_SHA256_BYTES]) {
    br_hmac_key_context prepared;
    br_hmac_context context;
    br_hmac_key_init(&prepared, &br_sha256_vtable, key, key_bytes);
    br_hmac_init(&context, &prepared, HMAC_SHA256_BYTES);
    br_hmac_update(&context, data, size_bytes);
    (void)br_hmac_out(&context, out_code);
}

bool hmac_is_equal(const uint8_t a[HMAC_SHA256_BYTES], const uint8_t b[HMAC_SHA256_BYTES]) {
    uint32_t difference = 0;
    for (size_t i = 0; i < HMAC_SHA256_BYTES; i++) {
        difference |= (uint32_t)(a[i] ^ b[i]);
        __asm__ volatile("" : "+r"(difference)); // no compiler ends the loop early
    }
    return difference == 0;
}
