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

static inline handle_t event_new(void) {
    const int64_t handle = NATIVE(event_create, 0);
    NEED(handle > 0);
    return (handle_t)handle;
}

static inline handle_t derive(handle_t from, rights_t rights) {
    const int64_t handle = NATIVE(handle_derive, from, rights);
    NEED(handle > 0);
    return (handle_t)handle;
}

// A child that runs body() with the handle that it was given.
static inline pid_t child_with(handle_t handle, void (*body)(handle_t handle)) {
    NEED(NATIVE(handle_bequeath, handle) == HX_OK);
    const pid_t pid = fork();
    NEED(pid >= 0);
    if (pid == 0) {
        const int64_t given = NATIVE(handle_given);
        NEED(given > 0);
        body((handle_t)given);
        _exit(check_failures != 0);
    }
    return pid;
}
