// SPDX-License-Identifier: MIT OR Apache-2.0
// Timers of programs: what they count, very short and very long intervals, floods of signals.
#include "check.h"

#include <limits.h>
#include <poll.h>
#include <sched.h>
#include <sys/resource.h>
#include <sys/time.h>
#include <sys/timerfd.h>

#define MS      1000000ll
#define SECOND  1000000000ll
#define MANY    2000
#define FOREVER ((time_t)(INT64_MAX / SECOND + 1))

static sigset_t set_of(int number) {
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, number);
    return set;
}

static void block(int number) {
    const sigset_t set = set_of(number);
    NEED(sigprocmask(SIG_BLOCK, &set, NULL) == 0);
}

static long long now_ns(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * SECOND + now.tv_nsec;
}

static void sleep_ns(long long ns) {
    const struct timespec span = { ns / SECOND, ns % SECOND };
    nanosleep(&span, NULL);
}

// The kernel's own call: musl's sigevent and timer_t differ from glibc's in names only.
static int timer_new(int number) {
    struct sigevent event = { .sigev_notify = number != 0 ? SIGEV_SIGNAL : SIGEV_NONE,
                              .sigev_signo = number };
    int id = -1;
    return syscall(SYS_timer_create, CLOCK_MONOTONIC, &event, &id) == 0 ? id : -1;
}

static long timer_set(int id, long long value, long long interval) {
    const struct itimerspec to = { { interval / SECOND, interval % SECOND },
                                   { value / SECOND, value % SECOND } };
    return syscall(SYS_timer_settime, id, 0, &to, NULL);
}

// Takes one signal, waiting for at most a second; the overrun, or -1.
static int take(int number) {
    const sigset_t set = set_of(number);
    const struct timespec limit = { 1, 0 };
    siginfo_t info;
    return sigtimedwait(&set, &info, &limit) == number ? info.si_overrun : -1;
}

static void every_expiry_is_counted_once(void) {
    block(SIGUSR1);
    const int id = timer_new(SIGUSR1);
    NEED(id >= 0);
    const long long before = now_ns();
    SAME(timer_set(id, 10 * MS, 10 * MS), 0);
    const long long after = now_ns();
    long long count = 0;
    for (int i = 0; i < 5; i++) {
        const int overrun = take(SIGUSR1);
        NEED(overrun >= 0);
        SAME(syscall(SYS_timer_getoverrun, id), overrun);
        count += 1 + overrun;
        const long long now = now_ns();
        CHECK(count <= (now - before) / (10 * MS)); // no drift, either way
        sleep_ns(i * 13 * MS);
    }
    sleep_ns(100 * MS);
    const long long earliest = now_ns();
    count += 1 + take(SIGUSR1);
    CHECK(count >= (earliest - after) / (10 * MS));
    CHECK(count <= (now_ns() - before) / (10 * MS));
}

static void set_again_while_pending(void) {
    block(SIGUSR1);
    const int id = timer_new(SIGUSR1);
    SAME(timer_set(id, 1, 0), 0);
    sleep_ns(5 * MS);
    SAME(take(SIGUSR1), 0);
    SAME(timer_set(id, 1, 0), 0);
    sleep_ns(5 * MS);
    SAME(timer_set(id, 3600 * SECOND, 0), 0);
    CHECK(take(SIGUSR1) >= 0); // it was sent already
    struct itimerspec left;
    SAME(syscall(SYS_timer_gettime, id, &left), 0);
    CHECK(left.it_value.tv_sec >= 3500);
    SAME(syscall(SYS_timer_delete, id), 0);
}

static void without_signal(void) {
    const int id = timer_new(0);
    SAME(timer_set(id, 10 * MS, 3600 * SECOND), 0);
    sleep_ns(20 * MS);
    struct itimerspec left;
    SAME(syscall(SYS_timer_gettime, id, &left), 0);
    CHECK(left.it_value.tv_sec >= 3500 && left.it_interval.tv_sec == 3600);
    SAME(timer_set(id, 10 * MS, 0), 0);
    sleep_ns(20 * MS);
    SAME(syscall(SYS_timer_gettime, id, &left), 0);
    SAME(left.it_value.tv_sec * SECOND + left.it_value.tv_nsec, 0);
}

// Many timers that expire all the time and whose signals nobody takes leave the processors alone.
static void tiny_intervals(int number, int count) {
    const struct rlimit limit = { 2 * MANY, 2 * MANY };
    NEED(setrlimit(RLIMIT_SIGPENDING, &limit) == 0);
    int last = -1;
    for (int i = 0; i < count; i++) {
        last = timer_new(number);
        NEED(last >= 0);
        SAME(timer_set(last, 1, 1 + i % 3 * 1000), 0);
    }
    sleep_ns(20 * MS);
    pid_t pid;
    CHILD(pid) {
        for (volatile int i = 0; i < 1000000; i++) {
        }
    }
    EXITS(pid, 0);
}

static void tiny_intervals_blocked(void) {
    block(SIGUSR1);
    tiny_intervals(SIGUSR1, MANY);
    CHECK(take(SIGUSR1) > 1000);
}

static volatile sig_atomic_t handled;

static void on_signal(int number) {
    (void)number;
    handled++;
}

static void tiny_intervals_ignored(void) {
    signal(SIGUSR1, SIG_IGN);
    tiny_intervals(SIGUSR1, 20); // Linux 6.1 has no time left with many
    CHECK(handled == 0);
    signal(SIGUSR1, on_signal);
    while (handled < 10) { // they go on
        sleep_ns(MS);
    }
}

static void tiny_interval_handled(void) {
    signal(SIGUSR1, on_signal);
    const int id = timer_new(SIGUSR1);
    SAME(timer_set(id, 1, 1), 0);
    while (handled < 100) {
    }
    SAME(timer_set(id, 0, 0), 0);
}

static void tiny_alarm(void) {
    const struct itimerval tiny = { { 0, 1 }, { 0, 1 } };
    struct itimerval left;
    signal(SIGALRM, on_signal);
    block(SIGALRM);
    SAME(setitimer(ITIMER_REAL, &tiny, NULL), 0);
    sleep_ns(20 * MS);
    SAME(getitimer(ITIMER_REAL, &left), 0);
    SAME(left.it_value.tv_sec + left.it_value.tv_usec, 0); // it waits for its signal
    SAME(left.it_interval.tv_usec, 1);
    const sigset_t set = set_of(SIGALRM);
    sigprocmask(SIG_UNBLOCK, &set, NULL);
    while (handled < 100) {
    }
    SAME(setitimer(ITIMER_REAL, &(struct itimerval){ 0 }, NULL), 0);
    alarm(40);
}

static void alarm_does_not_drift(void) {
    const struct itimerval interval = { { 0, 20000 }, { 0, 20000 } };
    signal(SIGALRM, on_signal);
    block(SIGALRM);
    const long long start = now_ns();
    SAME(setitimer(ITIMER_REAL, &interval, NULL), 0);
    for (int i = 0; i < 10; i++) {
        CHECK(take(SIGALRM) >= 0);
        const long long phase = (now_ns() - start) / MS;
        sleep_ns(7 * MS);
        struct itimerval left;
        SAME(getitimer(ITIMER_REAL, &left), 0);
        // What is left ends at a multiple of the interval from the start.
        if (left.it_value.tv_usec != 0) {
            const long long end = (now_ns() - start) / 1000 + left.it_value.tv_usec;
            CHECK(end % 20000 < 15000);
        }
        CHECK(phase >= 20);
    }
}

static void longest_intervals(void) {
    block(SIGUSR1);
    const int id = timer_new(SIGUSR1);
    const struct itimerspec to = { { FOREVER, 0 }, { 0, 1 } };
    struct itimerspec left;
    SAME(syscall(SYS_timer_settime, id, 0, &to, NULL), 0);
    SAME(take(SIGUSR1), 0);
    sleep_ns(5 * MS);
    sigset_t pending;
    sigpending(&pending);
    SAME(sigismember(&pending, SIGUSR1), 0);
    SAME(syscall(SYS_timer_gettime, id, &left), 0);
    CHECK(left.it_value.tv_sec > 1000000000);
}

static void longest_interval_of_timerfd(void) {
    const int fd = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK);
    const struct itimerspec to = { { FOREVER, 0 }, { 0, 1 } };
    uint64_t count = 0;
    SAME(timerfd_settime(fd, 0, &to, NULL), 0);
    struct pollfd waiting = { fd, POLLIN, 0 };
    SAME(poll(&waiting, 1, 1000), 1);
    SAME(read(fd, &count, sizeof count), 8);
    SAME(count, 1);
    SAME(poll(&waiting, 1, 10), 0);
    REFUSED(read(fd, &count, sizeof count), EAGAIN);
    const struct itimerspec never = { { 0, 0 }, { FOREVER, 0 } };
    SAME(timerfd_settime(fd, TFD_TIMER_ABSTIME, &never, NULL), 0);
    SAME(poll(&waiting, 1, 10), 0);
}

static void tiny_interval_of_timerfd(void) {
    const int fd = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK);
    const struct itimerspec to = { { 0, 1 }, { 0, 1 } };
    uint64_t count = 0;
    SAME(timerfd_settime(fd, 0, &to, NULL), 0);
    sleep_ns(10 * MS);
    SAME(read(fd, &count, sizeof count), 8);
    CHECK(count >= 10 * (uint64_t)MS - 1);
    SAME(fcntl(fd, F_SETFL, 0), 0);
    for (int i = 0; i < 100; i++) {
        SAME(read(fd, &count, sizeof count), 8);
    }
}

static void run_on(int cpu) {
    cpu_set_t set;
    CPU_ZERO(&set);
    CPU_SET(cpu, &set);
    NEED(sched_setaffinity(0, sizeof set, &set) == 0);
}

// What was read is not told of again, whichever processor's interrupt comes when.
static void read_before_the_interrupt(void) {
    const int fd = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK);
    const struct itimerspec to = { { 0, 0 }, { 0, 300000 } };
    struct pollfd waiting = { fd, POLLIN, 0 };
    const int last = (int)sysconf(_SC_NPROCESSORS_ONLN) - 1;
    uint64_t count = 0;
    for (int i = 0; i < 200; i++) {
        run_on(last);
        NEED(timerfd_settime(fd, 0, &to, NULL) == 0);
        run_on(0);
        while (read(fd, &count, sizeof count) != 8) {
        }
        SAME(count, 1);
        SAME(poll(&waiting, 1, i % 4), 0);
    }
}

static void longest_interval_of_processor_time(void) {
    const struct itimerval to = { { FOREVER, 0 }, { 0, 1 } };
    signal(SIGPROF, on_signal);
    SAME(setitimer(ITIMER_PROF, &to, NULL), 0);
    while (handled == 0) {
    }
    for (const long long end = now_ns() + 100 * MS; now_ns() < end;) {
    }
    SAME(handled, 1);
}

static long long used_ns(void) {
    struct timespec used;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &used);
    return used.tv_sec * SECOND + used.tv_nsec;
}

// A process that sleeps uses nothing up, however near the end is; once it runs, the end comes when
// it should.
static void processor_time_after_sleep(void) {
    const struct itimerval to = { { 0, 0 }, { 0, 40 * 1000 } };
    signal(SIGPROF, on_signal);
    const long long start = used_ns();
    SAME(setitimer(ITIMER_PROF, &to, NULL), 0);
    for (int i = 0; i < 3; i++) {
        const long long end = used_ns() + 5 * MS;
        sleep_ns(60 * MS);
        // A virtual processor that stands still uses time up, too.
        CHECK(handled == 0 || used_ns() - start >= 40 * MS);
        while (used_ns() < end) {
        }
    }
    while (handled == 0 && used_ns() < start + SECOND) {
    }
    SAME(handled, 1);
    CHECK(used_ns() - start >= 40 * MS);
    CHECK(used_ns() - start <= 200 * MS); // Linux counts ticks for this timer
}

// The same of RLIMIT_CPU.
static void processor_limit_after_sleep(void) {
    const struct rlimit limit = { 1, 2 };
    signal(SIGXCPU, on_signal);
    SAME(setrlimit(RLIMIT_CPU, &limit), 0);
    while (used_ns() < SECOND - 20 * MS) {
    }
    sleep_ns(60 * MS);
    CHECK(handled == 0 || used_ns() >= SECOND);
    while (handled == 0 && used_ns() < 2 * SECOND) {
    }
    SAME(handled, 1);
    CHECK(used_ns() >= SECOND);
    CHECK(used_ns() <= SECOND + 300 * MS);
}

static void real_time_signals_have_a_limit(void) {
    const struct rlimit limit = { 16, 16 };
    const union sigval value = { 0 };
    NEED(setrlimit(RLIMIT_SIGPENDING, &limit) == 0);
    block(SIGRTMIN);
    for (int i = 0; i < 16; i++) {
        SAME(sigqueue(getpid(), SIGRTMIN, value), 0);
    }
    for (int i = 0; i < 100000; i++) {
        REFUSED(sigqueue(getpid(), SIGRTMIN, value), EAGAIN);
        SAME(kill(getpid(), SIGRTMIN), 0);
    }
    SAME(timer_new(SIGUSR1), -1);
    const sigset_t set = set_of(SIGRTMIN);
    const struct timespec at_once = { 0, 0 };
    for (int i = 0; i < 16; i++) {
        SAME(sigtimedwait(&set, NULL, &at_once), SIGRTMIN);
    }
    REFUSED(sigtimedwait(&set, NULL, &at_once), EAGAIN);
    SAME(sigqueue(getpid(), SIGRTMIN, value), 0);
}

static const struct check_case cases[] = {
    CASE(every_expiry_is_counted_once),
    CASE(set_again_while_pending),
    CASE(without_signal),
    CASE(tiny_intervals_blocked),
    CASE(tiny_intervals_ignored),
    CASE(tiny_interval_handled),
    CASE(tiny_alarm),
    CASE(alarm_does_not_drift),
    CASE(longest_intervals),
    CASE(longest_interval_of_timerfd),
    CASE(tiny_interval_of_timerfd),
    CASE(read_before_the_interrupt),
    CASE(longest_interval_of_processor_time),
    CASE(processor_time_after_sleep),
    CASE(processor_limit_after_sleep),
    CASE(real_time_signals_have_a_limit),
};

CHECK_MAIN(cases)
