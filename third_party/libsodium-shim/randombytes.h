// SPDX-License-Identifier: MIT OR Apache-2.0
// randombytes.h: in the place of libsodium's. Nothing that is used here draws random bytes: who
// makes a key brings the seed.
#pragma once

#include <stddef.h>

static inline void randombytes_buf(void *bytes, size_t size) {
    (void)bytes;
    (void)size;
    __builtin_trap();
}
