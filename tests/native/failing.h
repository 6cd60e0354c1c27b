// SPDX-License-Identifier: MIT OR Apache-2.0
// tests/native/failing.h: a call with each of its allocations failing in turn.
#pragma once

#include "native.h"

#define MOST 400 // allocations of one call

static int control = -1; // /proc/helix/fail_nth

static void fail_nth(int nth) {
    char text[16];
    int length = snprintf(text, sizeof text, "%d", nth);
    // Turning it off may itself hit the failure that was asked for; then it is over.
    while (pwrite(control, text, length, 0) != length && nth == 0) {
    }
}

static uint64_t failures(void) {
    char text[32] = { 0 };
    NEED(pread(control, text, sizeof text - 1, 0) > 0);
    return strtoull(text, NULL, 10);
}

static bool may_fail_with(int error) {
    return error == ENOMEM || error == EAGAIN || error == ENOSPC || error == EFAULT;
}

// Calls `call` with its first allocation failing, then the second, until it has no more of them.
// `call` gives 0 or -1 with errno, and leaves nothing behind.
static void __attribute__((unused)) exhaust(const char *name, int (*call)(void)) {
    SAME(call(), 0); // what is cached is cached
    int nth = 1;
    for (; nth < MOST; nth++) {
        const uint64_t before = failures();
        fail_nth(nth);
        errno = 0;
        const int result = call();
        const int error = errno;
        fail_nth(0);
        if (result != 0 && !may_fail_with(error)) {
            check_fail(__FILE_NAME__, __LINE__, "%s: allocation %d fails: errno %d %s", name, nth,
                       error, strerror(error));
        }
        if (failures() == before) {
            break;
        }
    }
    CHECK(nth < MOST);
    errno = 0;
    const int result = call();
    if (result != 0) {
        check_fail(__FILE_NAME__, __LINE__, "%s fails afterwards: %d %s", name, errno,
                   strerror(errno));
    }
}

static int __attribute__((unused)) closed(int fd) {
    if (fd < 0) {
        return -1;
    }
    close(fd);
    return 0;
}
