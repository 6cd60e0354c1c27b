// SPDX-License-Identifier: MIT OR Apache-2.0
// tests/native/native.h: native calls from a program of a C library.
#pragma once

#include "../scenario/check.h"

#include <helix/native.h>

// The C library's syscall() turns -1 … -4095 into errno; a native result is read back from there.
#define NATIVE(name, ...) native_result(syscall(HX_CALL_##name, ##__VA_ARGS__))

static inline int64_t native_result(long result) {
    return result == -1 ? -(int64_t)errno : result;
}

// The monotonic clock, some milliseconds from now.
static inline time_ns_t native_after_ms(int64_t span_ms) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * 1000000000ll + now.tv_nsec + span_ms * 1000000;
}
