// SPDX-License-Identifier: MIT OR Apache-2.0
// utils.h: what Ed25519 and SHA-512 need of libsodium's utilities, in the place of its own file,
// which wants an operating system.
#pragma once

#include <stddef.h>
#include <string.h>

// The compiler does not leave the stores out, though nobody reads what was there.
static inline void sodium_memzero(void *bytes, size_t size) {
    memset(bytes, 0, size);
    __asm__ volatile("" : : "r"(bytes) : "memory");
}

// 0 if the two are the same, else -1; the time does not depend on where they differ.
static inline int sodium_memcmp(const void *a, const void *b, size_t size) {
    const volatile unsigned char *left = a;
    const volatile unsigned char *right = b;
    unsigned char difference = 0;
    for (size_t i = 0; i < size; i++) {
        difference |= left[i] ^ right[i];
    }
    return difference == 0 ? 0 : -1;
}

static inline int sodium_is_zero(const unsigned char *bytes, size_t size) {
    const volatile unsigned char *all = bytes;
    unsigned char found = 0;
    for (size_t i = 0; i < size; i++) {
        found |= all[i];
    }
    return found == 0;
}
