// SPDX-License-Identifier: MIT OR Apache-2.0
// tests/scenario/pidfd.h: what the programs about descriptors for processes, and about looking into
// others, share.
#pragma once

#include "check.h"

#include <poll.h>
#include <sys/prctl.h>

#define NOBODY 65534

static inline int pidfd_of(pid_t pid) {
    const int file = (int)syscall(SYS_pidfd_open, pid, 0);
    NEED(file >= 0);
    return file;
}

static inline long sent(int file, int number, const void *info) {
    return syscall(SYS_pidfd_send_signal, file, number, info, 0);
}

static inline long taken(int file, int fd) {
    return syscall(SYS_pidfd_getfd, file, fd, 0);
}

static inline int is_readable(int file, int timeout_ms) {
    struct pollfd item = { .fd = file, .events = POLLIN | POLLOUT | POLLRDHUP };
    const int count = poll(&item, 1, timeout_ms);
    CHECK(count == 0 || item.revents == POLLIN);
    return count;
}

// A child that sleeps until a signal ends it.
static inline pid_t sleeper(void) {
    const pid_t pid = fork();
    NEED(pid >= 0);
    if (pid == 0) {
        for (;;) {
            pause();
        }
    }
    return pid;
}

static inline void until_ended(int file) {
    SAME(is_readable(file, -1), 1);
}

// Runs as somebody without rights, into whom others may look (1), may not (0), or as it comes (-1).
static inline void become_nobody(int dumpable) {
    NEED(setresgid(NOBODY, NOBODY, NOBODY) == 0);
    NEED(setresuid(NOBODY, NOBODY, NOBODY) == 0);
    NEED(dumpable < 0 || prctl(PR_SET_DUMPABLE, dumpable) == 0);
}

static inline int opened_folder(const char *format, pid_t pid, int flags) {
    char path[64];
    snprintf(path, sizeof path, format, pid, pid);
    const int folder = open(path, flags);
    NEED(folder >= 0);
    return folder;
}
