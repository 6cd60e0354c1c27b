// SPDX-License-Identifier: MIT OR Apache-2.0
// RUN: musl glibc
// tests/scenario/clock_steps.c: what waits for a moment on the real-time clock, when that is set
// (clock_settime(2)).
#include "check.h"

#define HOUR    3600
#define WAIT_MS 400

// Moves the clock; each case moves it back in the end.
static void step(long seconds) {
    struct timespec now;
    NEED(clock_gettime(CLOCK_REALTIME, &now) == 0);
    now.tv_sec += seconds;
    NEED(clock_settime(CLOCK_REALTIME, &now) == 0);
}

static struct timespec in(long seconds) {
    struct timespec moment;
    NEED(clock_gettime(CLOCK_REALTIME, &moment) == 0);
    moment.tv_sec += seconds;
    return moment;
}

static void wait_until_asleep(pid_t pid) {
    char name[32];
    char text[128];
    snprintf(name, sizeof name, "/proc/%d/stat", (int)pid);
    do {
        int fd = open(name, O_RDONLY);
        ssize_t length = read(fd, text, sizeof text - 1);
        NEED(length > 0);
        text[length] = 0;
        close(fd);
    } while (strstr(text, ") S ") == NULL);
}

static pid_t sleeper(clockid_t clock, struct timespec until) {
    pid_t pid = fork();
    if (pid == 0) {
        _exit(clock_nanosleep(clock, TIMER_ABSTIME, &until, NULL));
    }
    wait_until_asleep(pid);
    return pid;
}

static void sleeper_follows(void) {
    pid_t pid = sleeper(CLOCK_REALTIME, in(HOUR));
    step(HOUR + 1);
    SAME(check_wait(pid), 0);
    step(-HOUR - 1);
}

static void sleeper_waits_longer(void) {
    pid_t pid = sleeper(CLOCK_REALTIME, in(1));
    step(-HOUR);
    const struct timespec more = { 2, 0 };
    nanosleep(&more, NULL);
    SAME(waitpid(pid, NULL, WNOHANG), 0);
    step(HOUR);
    SAME(check_wait(pid), 0);
}

static void others_do_not(void) {
    struct timespec until;
    NEED(clock_gettime(CLOCK_MONOTONIC, &until) == 0);
    until.tv_sec += HOUR;
    pid_t pid = sleeper(CLOCK_MONOTONIC, until);
    step(2 * HOUR);
    const struct timespec more = { 0, WAIT_MS * 1000000 };
    nanosleep(&more, NULL);
    SAME(waitpid(pid, NULL, WNOHANG), 0);
    step(-2 * HOUR);
    SAME(kill(pid, SIGKILL), 0);
    SAME(waitpid(pid, NULL, 0), pid);
}

// The kernel's own calls: the C libraries' timer_t differ.
static int timer_new(int notify) {
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGUSR1);
    NEED(sigprocmask(SIG_BLOCK, &set, NULL) == 0);
    struct sigevent event = { .sigev_notify = notify, .sigev_signo = SIGUSR1 };
    int id = -1;
    NEED(syscall(SYS_timer_create, CLOCK_REALTIME, &event, &id) == 0);
    return id;
}

static void timer_set(int id, int flags, struct timespec value, long interval) {
    const struct itimerspec to = { { interval, 0 }, value };
    NEED(syscall(SYS_timer_settime, id, flags, &to, NULL) == 0);
}

static long left(int id) {
    struct itimerspec now = { { 0, 0 }, { 0, 0 } };
    SAME(syscall(SYS_timer_gettime, id, &now), 0);
    return now.it_value.tv_sec;
}

// Waits for a second at most; the overrun, or -9.
static int take(void) {
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGUSR1);
    const struct timespec limit = { 1, 0 };
    siginfo_t info;
    return sigtimedwait(&set, &info, &limit) == SIGUSR1 ? info.si_overrun : -9;
}

static void timer_follows(void) {
    const int id = timer_new(SIGEV_SIGNAL);
    timer_set(id, TIMER_ABSTIME, in(2 * HOUR), 0);
    step(HOUR);
    CHECK(left(id) > HOUR - 100 && left(id) <= HOUR);
    step(HOUR + 1);
    SAME(take(), 0);
    SAME(left(id), 0);
    step(-2 * HOUR - 1);
}

static void timer_waits_longer(void) {
    const int id = timer_new(SIGEV_SIGNAL);
    timer_set(id, TIMER_ABSTIME, in(1), 0);
    step(-HOUR);
    SAME(take(), -9);
    SAME(take(), -9);
    CHECK(left(id) > HOUR - 100);
    step(HOUR);
    SAME(take(), 0);
}

static void silent_timer_follows(void) {
    const int id = timer_new(SIGEV_NONE);
    timer_set(id, TIMER_ABSTIME, in(2 * HOUR), 0);
    step(HOUR);
    CHECK(left(id) > HOUR - 100 && left(id) <= HOUR);
    step(-HOUR);
    CHECK(left(id) > 2 * HOUR - 100 && left(id) <= 2 * HOUR);
}

// What it skipped is the overrun of the one signal.
static void repeating_timer_follows(void) {
    const int id = timer_new(SIGEV_SIGNAL);
    timer_set(id, TIMER_ABSTIME, in(100), 100);
    step(650);
    SAME(take(), 5);
    CHECK(left(id) > 0 && left(id) <= 50);
    step(-650);
    CHECK(left(id) > 600 && left(id) <= 700);
}

// Its signal is still on its way when the clock goes back.
static void expired_timer_waits(void) {
    const int id = timer_new(SIGEV_SIGNAL);
    timer_set(id, TIMER_ABSTIME, in(HOUR), HOUR);
    step(HOUR + 1);
    sigset_t pending;
    do {
        NEED(sigpending(&pending) == 0);
    } while (!sigismember(&pending, SIGUSR1));
    step(-HOUR - 1);
    CHECK(take() <= 0);
    CHECK(left(id) > HOUR - 100 && left(id) <= HOUR);
}

static void relative_timer_does_not(void) {
    const int id = timer_new(SIGEV_SIGNAL);
    timer_set(id, 0, (struct timespec){ HOUR, 0 }, 0);
    step(2 * HOUR);
    SAME(take(), -9);
    CHECK(left(id) > HOUR - 100 && left(id) <= HOUR);
    step(-2 * HOUR);
    CHECK(left(id) > HOUR - 100 && left(id) <= HOUR);
}

static void behind_the_monotonic_clock(void) {
    const struct timespec first = { 0, 0 };
    REFUSED(clock_settime(CLOCK_REALTIME, &first), EINVAL);
    const struct timeval early = { 0, 0 };
    REFUSED(syscall(SYS_settimeofday, &early, NULL), EINVAL);
}

static const struct check_case cases[] = {
    CASE(sleeper_follows),         CASE(sleeper_waits_longer),
    CASE(others_do_not),           CASE(timer_follows),
    CASE(timer_waits_longer),      CASE(silent_timer_follows),
    CASE(repeating_timer_follows), CASE(expired_timer_waits),
    CASE(relative_timer_does_not), CASE(behind_the_monotonic_clock),
};
CHECK_MAIN(cases)
