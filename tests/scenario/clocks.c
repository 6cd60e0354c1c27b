// SPDX-License-Identifier: MIT OR Apache-2.0
// RUN: musl glibc
// Clocks and sleeping.
#include "check.h"

#include <sys/resource.h>
#include <sys/time.h>
#include <sys/times.h>

static int64_t now_ns(clockid_t clock) {
    struct timespec now;
    NEED(clock_gettime(clock, &now) == 0);
    NEED(now.tv_nsec >= 0 && now.tv_nsec < 1000000000);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

static void never_back(void) {
    int64_t before = now_ns(CLOCK_MONOTONIC);
    for (int i = 0; i < 20000; i++) {
        int64_t now = now_ns(CLOCK_MONOTONIC);
        NEED(now >= before);
        before = now;
    }
}

static void never_back_across_processes(void) {
    int there[2];
    int back[2];
    NEED(pipe(there) == 0 && pipe(back) == 0);
    pid_t pid;
    CHILD(pid) {
        close(there[1]); // so that the end of the line is seen
        int64_t value;
        while (read(there[0], &value, sizeof value) == sizeof value) {
            int64_t now = now_ns(CLOCK_MONOTONIC);
            NEED(now >= value);
            NEED(write(back[1], &now, sizeof now) == sizeof now);
        }
    }
    for (int i = 0; i < 500; i++) {
        int64_t value = now_ns(CLOCK_MONOTONIC);
        NEED(write(there[1], &value, sizeof value) == sizeof value);
        NEED(read(back[0], &value, sizeof value) == sizeof value);
        NEED(now_ns(CLOCK_MONOTONIC) >= value);
    }
    close(there[1]);
    EXITS(pid, 0);
}

static void kinds(void) {
    static const clockid_t clocks[] = { CLOCK_REALTIME,           CLOCK_MONOTONIC,
                                        CLOCK_MONOTONIC_RAW,      CLOCK_REALTIME_COARSE,
                                        CLOCK_MONOTONIC_COARSE,   CLOCK_BOOTTIME,
                                        CLOCK_PROCESS_CPUTIME_ID, CLOCK_THREAD_CPUTIME_ID };
    for (size_t i = 0; i < sizeof clocks / sizeof clocks[0]; i++) {
        struct timespec time;
        SAME(clock_gettime(clocks[i], &time), 0);
        SAME(clock_getres(clocks[i], &time), 0);
        CHECK(time.tv_sec == 0 && time.tv_nsec > 0 && time.tv_nsec <= 10000000);
    }
    struct timespec time;
    REFUSED(clock_gettime(99, &time), EINVAL);
    REFUSED(clock_getres(99, &time), EINVAL);
    REFUSED(syscall(SYS_clock_gettime, CLOCK_MONOTONIC, (void *)8), EFAULT);
}

static void real_time(void) {
    struct timeval moment;
    SAME(gettimeofday(&moment, NULL), 0);
    CHECK(moment.tv_sec > 1600000000); // later than 2020
    int64_t real = now_ns(CLOCK_REALTIME) / 1000000000;
    CHECK(real - moment.tv_sec < 100 && real >= moment.tv_sec);
    CHECK(time(NULL) - moment.tv_sec < 100);
}

static void real_time_can_be_set(void) {
    struct timespec saved;
    SAME(clock_gettime(CLOCK_REALTIME, &saved), 0);
    struct timespec set = { 2000000000, 0 };
    SAME(clock_settime(CLOCK_REALTIME, &set), 0);
    CHECK(time(NULL) >= 2000000000 && time(NULL) < 2000001000);
    SAME(clock_settime(CLOCK_REALTIME, &saved), 0);
    REFUSED(clock_settime(CLOCK_MONOTONIC, &set), EINVAL);
    pid_t pid;
    CHILD(pid) {
        NEED(setuid(1000) == 0);
        REFUSED(clock_settime(CLOCK_REALTIME, &set), EPERM);
    }
    EXITS(pid, 0);
}

static void sleeps_long_enough(void) {
    static const long spans[] = { 1, 1000, 100000, 1000000, 20000000 };
    for (size_t i = 0; i < sizeof spans / sizeof spans[0]; i++) {
        struct timespec span = { 0, spans[i] };
        int64_t before = now_ns(CLOCK_MONOTONIC);
        SAME(nanosleep(&span, NULL), 0);
        int64_t after = now_ns(CLOCK_MONOTONIC);
        CHECK(after - before >= spans[i]);
    }
    struct timespec bad = { 0, 1000000000 };
    REFUSED(nanosleep(&bad, NULL), EINVAL);
    bad = (struct timespec){ -1, 0 };
    REFUSED(nanosleep(&bad, NULL), EINVAL);
    REFUSED(syscall(SYS_nanosleep, (void *)8, NULL), EFAULT);
    struct timespec none = { 0, 0 };
    SAME(nanosleep(&none, NULL), 0);
}

static void sleeps_until(void) {
    int64_t goal = now_ns(CLOCK_MONOTONIC) + 20000000;
    struct timespec until = { goal / 1000000000, goal % 1000000000 };
    SAME(clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &until, NULL), 0);
    CHECK(now_ns(CLOCK_MONOTONIC) >= goal);
    SAME(clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &until, NULL), 0); // past: at once
    SAME(clock_nanosleep(99, 0, &until, NULL), EINVAL);
}

static void sleepers_wake_in_order(void) {
    int line[2];
    NEED(pipe(line) == 0);
    int64_t start = now_ns(CLOCK_MONOTONIC) + 300000000;
    for (int i = 0; i < 8; i++) {
        if (fork() == 0) {
            char name = (char)('a' + i);
            int64_t goal = start + (7 - i) * 100000000;
            struct timespec until = { goal / 1000000000, goal % 1000000000 };
            clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &until, NULL);
            int64_t late = now_ns(CLOCK_MONOTONIC) - goal;
            _exit(write(line[1], &name, 1) != 1 || late < 0);
        }
    }
    char order[9] = "";
    for (int i = 0; i < 8; i++) {
        SAME(read(line[0], order + i, 1), 1);
        int status = check_wait(-1);
        SAME(status, 0);
    }
    CHECK(strcmp(order, "hgfedcba") == 0);
}

static void processor_time(void) {
    int64_t before = now_ns(CLOCK_PROCESS_CPUTIME_ID);
    int64_t wall = now_ns(CLOCK_MONOTONIC);
    while (now_ns(CLOCK_MONOTONIC) - wall < 50000000) {
    }
    int64_t used = now_ns(CLOCK_PROCESS_CPUTIME_ID) - before;
    CHECK(used > 0);
    struct timespec span = { 0, 100000000 };
    before = now_ns(CLOCK_PROCESS_CPUTIME_ID);
    nanosleep(&span, NULL);
    CHECK(now_ns(CLOCK_PROCESS_CPUTIME_ID) - before < 90000000); // sleeping costs none
    struct rusage usage;
    SAME(getrusage(RUSAGE_SELF, &usage), 0);
    struct tms used_ticks;
    CHECK(times(&used_ticks) != (clock_t)-1);
    REFUSED(getrusage(99, &usage), EINVAL);
}

static const struct check_case cases[] = {
    CASE(never_back),   CASE(never_back_across_processes), CASE(kinds),
    CASE(real_time),    CASE(real_time_can_be_set),        CASE(sleeps_long_enough),
    CASE(sleeps_until), CASE(sleepers_wake_in_order),      CASE(processor_time),
};
CHECK_MAIN(cases)
