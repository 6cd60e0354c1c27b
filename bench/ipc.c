// SPDX-License-Identifier: MIT OR Apache-2.0
// bench/ipc.c: messages between processes and threads, and waiting for many descriptors.
#include "bench.h"

#include <fcntl.h>
#include <linux/futex.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/select.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#define BULK_BYTES  65536u
#define DESCRIPTORS 100

static int to_peer[2];
static int from_peer[2];
static pid_t peer;

// A peer process that answers every byte with the next number.
static void answer(int in, int out) {
    unsigned char byte;
    while (read(in, &byte, 1) == 1) {
        byte++;
        if (write(out, &byte, 1) != 1) {
            _exit(1);
        }
    }
    _exit(0);
}

static bool pipe_prepare(void) {
    if (pipe(to_peer) != 0 || pipe(from_peer) != 0) {
        return false;
    }
    peer = fork();
    if (peer == 0) {
        close(to_peer[1]);
        close(from_peer[0]);
        answer(to_peer[0], from_peer[1]);
    }
    close(to_peer[0]);
    close(from_peer[1]);
    return peer > 0;
}

// The same over one socket each: descriptor 1 of `to_peer` and 0 of `from_peer` are ours.
static bool socket_prepare(int type) {
    if (socketpair(AF_UNIX, type, 0, to_peer) != 0) {
        return false;
    }
    peer = fork();
    if (peer == 0) {
        close(to_peer[1]);
        answer(to_peer[0], to_peer[0]);
    }
    close(to_peer[0]);
    from_peer[0] = dup(to_peer[1]);
    return peer > 0;
}

static bool stream_prepare(void) {
    return socket_prepare(SOCK_STREAM);
}

static bool datagram_prepare(void) {
    return socket_prepare(SOCK_DGRAM);
}

static void pipe_clean(void) {
    close(to_peer[1]);
    close(from_peer[0]);
    waitpid(peer, NULL, 0);
}

static void socket_clean(void) {
    kill(peer, SIGKILL); // datagrams have no end that it would see
    pipe_clean();
}

static uint64_t pipe_round(unsigned count) {
    unsigned good = 0;
    uint64_t start = bench_now();
    for (unsigned i = 0; i < count; i++) {
        unsigned char byte = (unsigned char)i;
        good += write(to_peer[1], &byte, 1) == 1 && read(from_peer[0], &byte, 1) == 1 &&
                byte == (unsigned char)(i + 1);
    }
    return bench_took(start, good == count);
}

// Two threads of one process that answer each other, by eventfd or by futex.

static int events[2];
static pthread_t partner;
static _Atomic unsigned turn; // even: ours, odd: the partner's
static _Atomic bool stop;

static void *eventfd_partner(void *unused) {
    uint64_t value;
    while (read(events[0], &value, sizeof value) == sizeof value && !stop) {
        value++;
        if (write(events[1], &value, sizeof value) != sizeof value) {
            break;
        }
    }
    return unused;
}

static bool eventfd_prepare(void) {
    stop = false;
    events[0] = eventfd(0, 0);
    events[1] = eventfd(0, 0);
    return events[0] >= 0 && events[1] >= 0 &&
           pthread_create(&partner, NULL, eventfd_partner, NULL) == 0;
}

static void eventfd_clean(void) {
    uint64_t value = 1;
    stop = true;
    if (write(events[0], &value, sizeof value) == sizeof value) {
        pthread_join(partner, NULL);
    }
    close(events[0]);
    close(events[1]);
}

static uint64_t eventfd_round(unsigned count) {
    unsigned good = 0;
    uint64_t start = bench_now();
    for (unsigned i = 0; i < count; i++) {
        uint64_t value = i + 1;
        good += write(events[0], &value, sizeof value) == sizeof value &&
                read(events[1], &value, sizeof value) == sizeof value && value == i + 2;
    }
    return bench_took(start, good == count);
}

static long futex(int operation, unsigned value) {
    return syscall(SYS_futex, &turn, operation | FUTEX_PRIVATE_FLAG, value, NULL, NULL, 0);
}

static void take_turn(unsigned parity) {
    unsigned seen;
    while (((seen = turn) & 1) != parity) {
        futex(FUTEX_WAIT, seen);
    }
}

static void give_turn(void) {
    turn++;
    futex(FUTEX_WAKE, 1);
}

static void *futex_partner(void *unused) {
    for (;;) {
        take_turn(1);
        if (stop) {
            return unused;
        }
        give_turn();
    }
}

static bool futex_prepare(void) {
    stop = false;
    turn = 0;
    return pthread_create(&partner, NULL, futex_partner, NULL) == 0;
}

static void futex_clean(void) {
    stop = true;
    give_turn();
    pthread_join(partner, NULL);
}

static uint64_t futex_round(unsigned count) {
    unsigned before = turn;
    uint64_t start = bench_now();
    for (unsigned i = 0; i < count; i++) {
        give_turn();
        take_turn(0);
    }
    return bench_took(start, turn - before == 2 * count);
}

// A stream of 64 KiB pieces from a child; the sum shows that the bytes came.

static unsigned char buffer[BULK_BYTES];

static void send_forever(int out) {
    memset(buffer, 1, sizeof buffer);
    while (write(out, buffer, sizeof buffer) == (ssize_t)sizeof buffer) {
    }
    _exit(0);
}

static bool bulk_prepare(void) {
    signal(SIGPIPE, SIG_IGN);
    if (pipe(from_peer) != 0) {
        return false;
    }
    peer = fork();
    if (peer == 0) {
        close(from_peer[0]);
        send_forever(from_peer[1]);
    }
    close(from_peer[1]);
    return peer > 0;
}

static void bulk_clean(void) {
    close(from_peer[0]);
    waitpid(peer, NULL, 0);
}

static bool receive_piece(void) {
    size_t got = 0;
    while (got < BULK_BYTES) {
        ssize_t part = read(from_peer[0], buffer + got, BULK_BYTES - got);
        if (part <= 0) {
            return false;
        }
        got += (size_t)part;
    }
    return true;
}

static uint64_t bulk_round(unsigned count) {
    unsigned good = 0;
    memset(buffer, 0, sizeof buffer);
    uint64_t start = bench_now();
    for (unsigned i = 0; i < count; i++) {
        good += receive_piece();
    }
    return bench_took(start, good == count && memchr(buffer, 0, sizeof buffer) == NULL);
}

// Waiting, with a timeout of 0, for the one of 100 pipes that has something to read.

static int pipes[DESCRIPTORS][2];
static struct pollfd polled[DESCRIPTORS];
static fd_set selected;
static int highest;
static int epoll_descriptor = -1;

static bool watch_pipe(int index) {
    struct epoll_event event = { .events = EPOLLIN, .data.fd = index };
    if (pipe(pipes[index]) != 0) {
        return false;
    }
    int in = pipes[index][0];
    polled[index] = (struct pollfd){ .fd = in, .events = POLLIN };
    FD_SET(in, &selected);
    highest = in > highest ? in : highest;
    return epoll_ctl(epoll_descriptor, EPOLL_CTL_ADD, in, &event) == 0;
}

static bool many_prepare(void) {
    epoll_descriptor = epoll_create1(0);
    FD_ZERO(&selected);
    for (int i = 0; i < DESCRIPTORS; i++) {
        if (!watch_pipe(i)) {
            return false;
        }
    }
    return write(pipes[DESCRIPTORS - 1][1], "x", 1) == 1;
}

static void many_clean(void) {
    for (int i = 0; i < DESCRIPTORS; i++) {
        close(pipes[i][0]);
        close(pipes[i][1]);
    }
    close(epoll_descriptor);
}

static uint64_t select_round(unsigned count) {
    unsigned good = 0;
    uint64_t start = bench_now();
    for (unsigned i = 0; i < count; i++) {
        fd_set ready = selected;
        struct timeval now = { 0 };
        good += select(highest + 1, &ready, NULL, NULL, &now) == 1;
    }
    return bench_took(start, good == count);
}

static uint64_t poll_round(unsigned count) {
    unsigned good = 0;
    uint64_t start = bench_now();
    for (unsigned i = 0; i < count; i++) {
        good += poll(polled, DESCRIPTORS, 0) == 1;
    }
    return bench_took(start, good == count && polled[DESCRIPTORS - 1].revents == POLLIN);
}

static uint64_t epoll_round(unsigned count) {
    struct epoll_event ready[4];
    unsigned good = 0;
    uint64_t start = bench_now();
    for (unsigned i = 0; i < count; i++) {
        good += epoll_wait(epoll_descriptor, ready, 4, 0) == 1;
    }
    return bench_took(start, good == count && ready[0].data.fd == DESCRIPTORS - 1);
}

static const struct bench_operation table[] = {
    { "pipe_pingpong", 300, pipe_prepare, pipe_round, pipe_clean },
    { "futex_pingpong", 300, futex_prepare, futex_round, futex_clean },
    { "eventfd_pingpong", 300, eventfd_prepare, eventfd_round, eventfd_clean },
    { "unix_pingpong", 300, stream_prepare, pipe_round, socket_clean },
    { "unix_dgram_pingpong", 300, datagram_prepare, pipe_round, socket_clean },
    { "pipe_bulk_64k", 50, bulk_prepare, bulk_round, bulk_clean },
    { "select_100", 100, many_prepare, select_round, many_clean },
    { "poll_100", 100, many_prepare, poll_round, many_clean },
    { "epoll_100", 500, many_prepare, epoll_round, many_clean },
};

BENCH_MAIN(table)
