// SPDX-License-Identifier: MIT OR Apache-2.0
// "fuzz.h": what libFuzzer calls, and an assertion that it reports with the input. A target copies
// nothing: the fuzzer's input has exactly its size, so the sanitizer sees each byte too many.
#pragma once

#include <helix/types.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define FUZZ_ASSERT(condition) ((condition) ? (void)0 : __builtin_trap())

// Reads every byte, so that a range that was promised and is not there is seen.
static inline void fuzz_touch(const void *bytes, size_t size) {
    volatile uint8_t sum = 0;
    for (size_t i = 0; i < size; i++) {
        sum = (uint8_t)(sum + ((const uint8_t *)bytes)[i]);
    }
}
