// SPDX-License-Identifier: MIT OR Apache-2.0
// tests/fuzz/arguments.h: the memory and the descriptors that random calls are aimed at.
#pragma once

#include "random.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/timerfd.h>

// The arena, in pages: 8 writable, 1 read-only, 1 writable, 1 without access, 1 hole, 1 of a file,
// 1 behind the file's end, 1 hole, 1 executable, 1 hole.
#define ARENA          0x20000000ul
#define ARENA_WRITABLE 8ul
#define ARENA_PAGES    17ul

static const char *const path_words[] = {
    ".",
    "..",
    "f",
    "g",
    "dir",
    "dir/x",
    "dir/../f",
    "link",
    "loop",
    "fifo",
    "new1",
    "new2",
    "",
    "/",
    "/tmp",
    "/dev/null",
    "/dev/zero",
    "/dev/full",
    "/dev/random",
    "/dev/urandom",
    "/dev/tty",
    "/dev/console",
    "/proc/self/exe",
    "/proc/self/maps",
    "/proc/self/mem",
    "/proc/self/fd",
    "/proc/self/fd/3",
    "/proc/self/status",
    "/proc/self/stat",
    "/proc/meminfo",
    "/proc/self/environ",
    "/proc/self/cmdline",
    "/proc/self/task",
    "/proc/1/maps",
    "/proc/mounts",
    "/proc/self/oom_score_adj",
    "/proc/self/comm",
    "/proc/stat",
    "/proc/absent",
    "/proc/self/cwd",
    "/proc/thread-self/stat",
    "/bin/true",
    "/bin/busybox",
    "f/",
    "f/x",
    "dir/",
    "absent/x",
};

static inline uint64_t writable_address(struct generator *generator) {
    return ARENA + (below(generator, ARENA_WRITABLE * PAGE / 64) * 64ul);
}

static inline uint64_t hostile_address(struct generator *generator) {
    static const uint64_t edges[] = {
        0,
        1,
        8,
        0xfff,
        0x1000,
        0x00007fffffffefff,
        0x00007ffffffff000,
        0x00007fffffffffff,
        0x0000800000000000,
        0x00007ffffffffff8,
        0x8000000000000000,
        0xffff800000000000,
        0xffffffff80000000,
        0xffffffff80100000,
        0xffffffffff600000,
        0xfffffffffffff000,
        0xfffffffffffffff8,
        UINT64_MAX,
        0xffff888000000000,
        0x4141414141414141,
    };
    const uint64_t page = ARENA + below(generator, ARENA_PAGES + 1) * PAGE;
    switch (below(generator, 4)) {
    case 0:
        return ELEMENT(generator, edges);
    case 1:
        return page - below(generator, 64);
    case 2:
        return page + below(generator, PAGE);
    default:
        return one_in(generator, 2) ? (uint64_t)(uintptr_t)&page + below(generator, 512)
                                    : ELEMENT(generator, edges) - below(generator, 4096);
    }
}

static inline uint64_t any_address(struct generator *generator) {
    return one_in(generator, 4) ? hostile_address(generator) : writable_address(generator);
}

static inline uint64_t page_address(struct generator *generator) {
    if (one_in(generator, 4)) {
        return hostile_address(generator) & (one_in(generator, 2) ? ~(PAGE - 1) : UINT64_MAX);
    }
    return ARENA + below(generator, ARENA_PAGES) * PAGE;
}

static inline uint64_t draw_path(struct generator *generator) {
    char *at = (char *)writable_address(generator);
    if (one_in(generator, 10)) {
        return hostile_address(generator);
    }
    if (one_in(generator, 20)) { // long names, with and without an end
        const size_t length = one_in(generator, 2) ? 4095 : 1 + below(generator, 300);
        at = (char *)ARENA;
        memset(at, "a/."[below(generator, 3)], length);
        at[length] = 0;
        return (uint64_t)(uintptr_t)at;
    }
    if (one_in(generator, 20)) {
        fill_random(generator, at, 12);
        at[12] = 0;
    } else {
        strcpy(at, ELEMENT(generator, path_words));
    }
    return (uint64_t)(uintptr_t)at;
}

static inline uint64_t draw_descriptor(struct generator *generator) {
    static const uint64_t odd[] = { -1ull,     -100ull,    1000,       1ull << 20,
                                    INT32_MAX, 1ull << 31, 1ull << 32, UINT64_MAX };
    return one_in(generator, 12) ? ELEMENT(generator, odd) : below(generator, 48);
}

static inline uint64_t draw_number(struct generator *generator) {
    return one_in(generator, 3) ? draw_any(generator) : below(generator, 64);
}

// Eight-byte fields: small numbers, addresses, anything.
static inline uint64_t draw_structure(struct generator *generator) {
    uint64_t *fields = (uint64_t *)writable_address(generator);
    if (one_in(generator, 4)) {
        return any_address(generator);
    }
    for (uint32_t i = 0; i < 16; i++) {
        switch (below(generator, 5)) {
        case 0:
            fields[i] = draw_any(generator);
            break;
        case 1:
            fields[i] = any_address(generator);
            break;
        case 2:
            fields[i] = below(generator, 64) | (uint64_t)below(generator, 64) << 32;
            break;
        default:
            fields[i] = below(generator, 64);
        }
        if ((uintptr_t)(fields + i + 1) >= ARENA + ARENA_WRITABLE * PAGE) {
            break;
        }
    }
    return (uint64_t)(uintptr_t)fields;
}

static inline uint64_t draw_time(struct generator *generator) {
    if (one_in(generator, 5)) {
        return one_in(generator, 2) ? 0 : hostile_address(generator);
    }
    uint64_t *fields = (uint64_t *)writable_address(generator);
    fields[0] = one_in(generator, 4) ? draw_any(generator) : 0;
    fields[1] = one_in(generator, 4) ? draw_any(generator) : below(generator, 1000000);
    fields[2] = fields[0];
    fields[3] = fields[1];
    return (uint64_t)(uintptr_t)fields;
}

static inline uint64_t draw_vector(struct generator *generator, bool strings) {
    uint64_t *fields = (uint64_t *)(ARENA + below(generator, 6) * PAGE);
    if (one_in(generator, 10)) {
        return hostile_address(generator);
    }
    const uint32_t count = one_in(generator, 20) ? 512 : below(generator, 6);
    for (uint32_t i = 0; i < count; i++) {
        fields[i] = strings ? any_address(generator)
                            : (i % 2 ? draw_length(generator) : any_address(generator));
    }
    if (strings) {
        fields[count] = 0;
    }
    return (uint64_t)(uintptr_t)fields;
}

// Of oneself, of nobody, or absurd; `wide` allows groups and everybody.
static inline uint64_t draw_process(struct generator *generator, bool wide) {
    static const uint64_t odd[] = { 0x7fffffff, 0x80000000, 99999, 0xffffffff00000000, 4194304 };
    switch (below(generator, 6)) {
    case 0:
        return ELEMENT(generator, odd);
    case 1:
        return 0;
    case 2:
        return wide ? -(uint64_t)(uint32_t)getpid() : 0;
    case 3:
        return wide ? below(generator, 400) : 0;
    default:
        return (uint64_t)syscall(SYS_gettid);
    }
}

// A struct sockaddr_un of a path, an abstract name, or neither.
static inline uint64_t draw_address(struct generator *generator) {
    char *at = (char *)(ARENA + below(generator, 6) * PAGE);
    if (one_in(generator, 8)) {
        return hostile_address(generator);
    }
    memset(at, one_in(generator, 4) ? 'x' : 0, 128);
    at[0] = one_in(generator, 8) ? (char)below(generator, 12) : 1;
    at[1] = 0;
    if (one_in(generator, 2)) {
        strcpy(at + 2, one_in(generator, 2) ? "socket" : ELEMENT(generator, path_words));
    } else {
        at[3] = (char)('a' + below(generator, 3));
    }
    return (uint64_t)(uintptr_t)at;
}

// A struct msghdr with a control message of descriptors, and now and then with anything.
static inline uint64_t draw_message(struct generator *generator) {
    uint64_t *fields = (uint64_t *)(ARENA + below(generator, 6) * PAGE + 2048);
    if (one_in(generator, 8)) {
        return hostile_address(generator);
    }
    uint64_t *control = fields + 16;
    fields[0] = one_in(generator, 2) ? draw_address(generator) : 0;
    fields[1] = one_in(generator, 4) ? draw_any(generator) : below(generator, 128);
    fields[2] = draw_vector(generator, false);
    fields[3] = below(generator, 4);
    fields[4] = one_in(generator, 4) ? any_address(generator) : (uint64_t)(uintptr_t)control;
    fields[5] = one_in(generator, 8) ? draw_any(generator) : 8 * below(generator, 9);
    fields[6] = one_in(generator, 4) ? draw_any(generator) : 0;
    control[0] = one_in(generator, 8) ? draw_any(generator) : 16 + 4 * below(generator, 8);
    control[1] = 1 | (uint64_t)(1 + below(generator, 3)) << 32;
    for (uint32_t i = 2; i < 10; i++) {
        control[i] = below(generator, 48) | (uint64_t)below(generator, 48) << 32;
    }
    return (uint64_t)(uintptr_t)fields;
}

static inline uint64_t draw_argument(struct generator *generator, char kind, bool wide) {
    switch (one_in(generator, 16) ? '?' : kind) {
    case 'f':
        return draw_descriptor(generator);
    case 'p':
        return draw_path(generator);
    case 'b':
        return any_address(generator);
    case 's':
        return draw_structure(generator);
    case 'l':
        return draw_length(generator);
    case 'a':
        return page_address(generator);
    case 'P':
        return draw_process(generator, wide);
    case 'g':
        return one_in(generator, 8) ? draw_any(generator) : below(generator, 66);
    case 't':
        return draw_time(generator);
    case 'o':
        return one_in(generator, 2) ? draw_length(generator) : below(generator, 65536);
    case 'v':
        return draw_vector(generator, false);
    case 'A':
        return draw_vector(generator, true);
    case 'n':
        return draw_number(generator);
    case 'U':
        return draw_address(generator);
    case 'M':
        return draw_message(generator);
    case 'k':
        return one_in(generator, 4) ? draw_number(generator) : 1 + below(generator, 2);
    case 'm':
        return below(generator, 010000);
    case 'O':
        return one_in(generator, 2) ? (uint64_t)(O_RDWR | O_CREAT) : draw_flags(generator);
    case 'i':
        return draw_flags(generator);
    default:
        return one_in(generator, 2) ? any_address(generator) : draw_any(generator);
    }
}

static inline void arena_map(void) {
    const int flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED;
    char *arena = (char *)ARENA;
    mmap(arena, 11 * PAGE, PROT_READ | PROT_WRITE, flags, -1, 0);
    mprotect(arena + 8 * PAGE, PAGE, PROT_READ);
    mprotect(arena + 10 * PAGE, PAGE, PROT_NONE);
    munmap(arena + 11 * PAGE, PAGE);
    int fd = open("f", O_RDWR | O_CREAT, 0666);
    if (fd >= 0 && ftruncate(fd, PAGE) == 0) {
        mmap(arena + 12 * PAGE, 2 * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, fd, 0);
    }
    close(fd);
    munmap(arena + 14 * PAGE, PAGE);
    mmap(arena + 15 * PAGE, PAGE, PROT_READ | PROT_EXEC, flags, -1, 0);
    munmap(arena + 16 * PAGE, PAGE);
}

// Opens one descriptor of each kind; what cannot be opened is left out.
static inline void open_some(void) {
    static const char *const names[] = {
        "f",
        "dir",
        ".",
        "/dev/null",
        "/dev/zero",
        "/dev/full",
        "/dev/random",
        "/dev/urandom",
        "/dev/tty",
        "/proc/self/mem",
        "/proc/self/maps",
        "/proc/self/status",
        "/proc/meminfo",
        "/proc",
        "/proc/self/fd",
        "/proc/self/environ",
        "/proc/self/comm",
        "/proc/stat",
        "fifo",
    };
    for (uint32_t i = 0; i < COUNT(names); i++) {
        if (open(names[i], O_RDWR | O_NONBLOCK) < 0) {
            (void)open(names[i], O_RDONLY | O_NONBLOCK);
        }
    }
    int pair[2];
    (void)pipe(pair);
    (void)pipe2(pair, O_NONBLOCK);
    (void)socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, pair);
    (void)socketpair(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK, 0, pair);
    (void)socket(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK, 0);
    (void)open("/dev/console", O_RDONLY | O_NOCTTY | O_NONBLOCK);
    (void)open("f", O_PATH);
    (void)open("g", O_RDWR | O_CREAT | O_APPEND, 0666);
    sigset_t set;
    sigfillset(&set);
    (void)eventfd(0, 0);
    (void)timerfd_create(CLOCK_MONOTONIC, 0);
    (void)signalfd(-1, &set, SFD_NONBLOCK);
    (void)syscall(SYS_memfd_create, "memory", 0);
    (void)syscall(SYS_pidfd_open, getpid(), 0);
    int poller = epoll_create1(0);
    for (int fd = 3; fd < poller; fd++) {
        struct epoll_event event = { .events = EPOLLIN | EPOLLOUT | EPOLLET, .data.fd = fd };
        (void)epoll_ctl(poller, EPOLL_CTL_ADD, fd, &event);
    }
}
