// SPDX-License-Identifier: MIT OR Apache-2.0
// RUN: musl glibc
// poll, ppoll, select, pselect.
#include "check.h"

#include <poll.h>
#include <pthread.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <sys/select.h>

static int64_t now_ns(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

static void time_limits(void) {
    int line[2];
    NEED(pipe(line) == 0);
    struct pollfd polled = { .fd = line[0], .events = POLLIN };
    int64_t before = now_ns();
    SAME(poll(&polled, 1, 30), 0);
    CHECK(now_ns() - before >= 30000000);
    SAME(polled.revents, 0);
    SAME(poll(NULL, 0, 10), 0);
    struct timespec limit = { 0, 20000000 };
    before = now_ns();
    SAME(ppoll(&polled, 1, &limit, NULL), 0);
    CHECK(now_ns() - before >= 20000000);
    struct timeval short_limit = { 0, 20000 };
    fd_set set;
    FD_ZERO(&set);
    FD_SET(line[0], &set);
    before = now_ns();
    SAME(select(line[0] + 1, &set, NULL, NULL, &short_limit), 0);
    CHECK(now_ns() - before >= 20000000);
    SAME(FD_ISSET(line[0], &set), 0);
}

static void wakes(void) {
    int line[2];
    NEED(pipe(line) == 0);
    pid_t pid = fork();
    if (pid == 0) {
        struct timespec moment = { 0, 30000000 };
        nanosleep(&moment, NULL);
        _exit(write(line[1], "x", 1) != 1);
    }
    struct pollfd polled = { .fd = line[0], .events = POLLIN };
    SAME(poll(&polled, 1, -1), 1);
    SAME(polled.revents, POLLIN);
    EXITS(pid, 0);
}

static void wakes_on_close(void) {
    int line[2];
    NEED(pipe(line) == 0);
    pid_t pid = fork();
    if (pid == 0) {
        close(line[0]);
        struct timespec moment = { 0, 30000000 };
        nanosleep(&moment, NULL);
        _exit(0);
    }
    close(line[1]);
    struct pollfd polled = { .fd = line[0], .events = POLLIN };
    SAME(poll(&polled, 1, -1), 1);
    SAME(polled.revents, POLLHUP);
    EXITS(pid, 0);
}

static void many(void) {
    enum { COUNT = 60 };
    int lines[COUNT][2];
    struct pollfd polled[COUNT];
    for (int i = 0; i < COUNT; i++) {
        NEED(pipe(lines[i]) == 0);
        polled[i] = (struct pollfd){ .fd = lines[i][0], .events = POLLIN };
    }
    pid_t pid = fork();
    if (pid == 0) {
        _exit(write(lines[37][1], "x", 1) != 1 || write(lines[11][1], "x", 1) != 1);
    }
    EXITS(pid, 0);
    SAME(poll(polled, COUNT, -1), 2);
    for (int i = 0; i < COUNT; i++) {
        SAME(polled[i].revents, i == 37 || i == 11 ? POLLIN : 0);
    }
    fd_set set;
    FD_ZERO(&set);
    for (int i = 0; i < COUNT; i++) {
        FD_SET(lines[i][0], &set);
    }
    SAME(select(lines[COUNT - 1][1] + 1, &set, NULL, NULL, NULL), 2);
    CHECK(FD_ISSET(lines[37][0], &set) && FD_ISSET(lines[11][0], &set));
}

static void odd_descriptors(void) {
    struct pollfd polled[] = { { .fd = -1, .events = POLLIN, .revents = 77 },
                               { .fd = 99, .events = POLLIN } };
    SAME(poll(polled, 2, 0), 1);
    SAME(polled[0].revents, 0); // negative numbers are passed over
    SAME(polled[1].revents, POLLNVAL);
    fd_set set;
    FD_ZERO(&set);
    FD_SET(40, &set);
    struct timeval none = { 0, 0 };
    REFUSED(select(100, &set, NULL, NULL, &none), EBADF);
    REFUSED(select(-1, NULL, NULL, NULL, &none), EINVAL);
    struct timeval bad = { -1, 0 };
    REFUSED(select(0, NULL, NULL, NULL, &bad), EINVAL);
    REFUSED(syscall(SYS_ppoll, (void *)8, 1, NULL, NULL, 8), EFAULT);
    REFUSED(poll(polled, (nfds_t)1 << 30, 0), EINVAL);
    struct timespec wrong = { 0, 2000000000 };
    REFUSED(ppoll(polled, 1, &wrong, NULL), EINVAL);
}

static void files_are_ready(void) {
    int fd = open("f", O_CREAT | O_RDWR, 0600);
    struct pollfd polled = { .fd = fd, .events = POLLIN | POLLOUT };
    SAME(poll(&polled, 1, 0), 1);
    SAME(polled.revents, POLLIN | POLLOUT);
}

static volatile int seen;
static void on_signal(int number) {
    (void)number;
    seen++;
}

static void signals_interrupt(void) {
    struct sigaction action = { .sa_handler = on_signal, .sa_flags = SA_RESTART };
    sigaction(SIGALRM, &action, NULL);
    ualarm(20000, 20000);              // the first one may come before the wait
    REFUSED(poll(NULL, 0, -1), EINTR); // never restarted
    const int seen_by_poll = seen;
    CHECK(seen_by_poll >= 1);
    REFUSED(select(0, NULL, NULL, NULL, NULL), EINTR);
    CHECK(seen > seen_by_poll);
}

static void mask_for_the_wait(void) {
    struct sigaction action = { .sa_handler = on_signal };
    sigaction(SIGUSR1, &action, NULL);
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGUSR1);
    sigprocmask(SIG_BLOCK, &set, NULL);
    raise(SIGUSR1);
    SAME(seen, 0);
    sigemptyset(&set);
    struct timespec limit = { 30, 0 };
    REFUSED(ppoll(NULL, 0, &limit, &set), EINTR);
    SAME(seen, 1);
    raise(SIGUSR1);
    REFUSED(pselect(0, NULL, NULL, NULL, &limit, &set), EINTR);
    SAME(seen, 2);
    sigset_t now;
    sigprocmask(SIG_BLOCK, NULL, &now);
    SAME(sigismember(&now, SIGUSR1), 1);
}

// An epoll begins to watch another one while its events come and are waited for.
static int storm_epoll;
static int storm_event;
static _Atomic bool storm_over;

static void *storm_tells(void *argument) {
    const uint64_t one = 1;
    while (!storm_over) {
        CHECK(write(storm_event, &one, sizeof one) == sizeof one);
    }
    return argument;
}

static void *storm_waits(void *argument) {
    struct epoll_event event;
    while (!storm_over) {
        epoll_wait(storm_epoll, &event, 1, 0);
    }
    return argument;
}

static void epoll_of_epoll_under_load(void) {
    struct epoll_event event = { .events = EPOLLIN };
    for (int round = 0; round < 100; round++) {
        const int watched = epoll_create1(0);
        pthread_t threads[2];
        storm_epoll = epoll_create1(0);
        storm_event = eventfd(0, 0);
        storm_over = false;
        NEED(epoll_ctl(storm_epoll, EPOLL_CTL_ADD, storm_event, &event) == 0);
        NEED(pthread_create(&threads[0], NULL, storm_tells, NULL) == 0);
        NEED(pthread_create(&threads[1], NULL, storm_waits, NULL) == 0);
        usleep(500);
        SAME(epoll_ctl(storm_epoll, EPOLL_CTL_ADD, watched, &event), 0);
        SAME(epoll_ctl(watched, EPOLL_CTL_ADD, storm_event, &event), 0);
        usleep(500);
        storm_over = true;
        pthread_join(threads[0], NULL);
        pthread_join(threads[1], NULL);
        SAME(write(storm_event, &(uint64_t){ 1 }, 8), 8);
        SAME(epoll_wait(storm_epoll, &event, 1, 1000), 1);
        close(storm_epoll);
        close(watched);
        close(storm_event);
    }
}

static const struct check_case cases[] = {
    CASE(epoll_of_epoll_under_load),
    CASE(time_limits),
    CASE(wakes),
    CASE(wakes_on_close),
    CASE(many),
    CASE(odd_descriptors),
    CASE(files_are_ready),
    CASE(signals_interrupt),
    CASE(mask_for_the_wait),
};
CHECK_MAIN(cases)
