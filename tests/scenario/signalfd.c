// SPDX-License-Identifier: MIT OR Apache-2.0
// RUN: musl glibc
// Signals that are read from a file: whose they are, what is told of them, and who is woken.
#include "check.h"

#include <poll.h>
#include <pthread.h>
#include <sys/epoll.h>
#include <sys/select.h>
#include <sys/signalfd.h>
#include <sys/time.h>
#include <time.h>

#define RECORD sizeof(struct signalfd_siginfo)

static sigset_t set_of(int first, int second) {
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, first);
    if (second != 0) {
        sigaddset(&set, second);
    }
    return set;
}

// A file for two signals, which are blocked.
static int opened(int first, int second, int flags) {
    const sigset_t set = set_of(first, second);
    NEED(sigprocmask(SIG_BLOCK, &set, NULL) == 0);
    const int file = signalfd(-1, &set, flags);
    NEED(file >= 0);
    return file;
}

static struct signalfd_siginfo taken(int file) {
    struct signalfd_siginfo record;
    memset(&record, 0x55, sizeof record);
    SAME(read(file, &record, sizeof record), RECORD);
    return record;
}

static int is_readable(int file, int timeout_ms) {
    struct pollfd item = { .fd = file, .events = POLLIN | POLLOUT };
    const int count = poll(&item, 1, timeout_ms);
    CHECK(count == 0 || item.revents == POLLIN);
    return count;
}

static void reads_what_was_sent(void) {
    const int file = opened(SIGUSR1, SIGUSR2, SFD_NONBLOCK);
    struct signalfd_siginfo record;
    REFUSED(read(file, &record, sizeof record), EAGAIN);
    SAME(is_readable(file, 0), 0);
    SAME(kill(getpid(), SIGUSR2), 0);
    SAME(is_readable(file, 0), 1);
    record = taken(file);
    SAME(record.ssi_signo, SIGUSR2);
    SAME(record.ssi_code, SI_USER);
    SAME(record.ssi_errno, 0);
    SAME(record.ssi_pid, getpid());
    SAME(record.ssi_uid, getuid());
    SAME(record.ssi_ptr, 0);
    SAME(record.ssi_int, 0);
    for (size_t i = 0; i < sizeof record.__pad; i++) {
        SAME(record.__pad[i], 0);
    }
    SAME(is_readable(file, 0), 0);
    REFUSED(read(file, &record, sizeof record), EAGAIN);
    sigset_t pending;
    sigpending(&pending);
    SAME(sigismember(&pending, SIGUSR2), 0);
}

// In the order in which they would be delivered, as many as have room.
static void reads_many(void) {
    const int file = opened(SIGRTMIN, SIGUSR1, 0);
    struct signalfd_siginfo records[5];
    for (int i = 0; i < 3; i++) {
        SAME(sigqueue(getpid(), SIGRTMIN, (union sigval){ .sival_int = 7 + i }), 0);
    }
    raise(SIGUSR1);
    SAME(read(file, records, 3 * RECORD + RECORD / 2), 3 * RECORD);
    SAME(records[0].ssi_signo, SIGUSR1);
    SAME(records[0].ssi_code, SI_TKILL);
    SAME(records[0].ssi_pid, getpid());
    for (int i = 1; i < 3; i++) {
        SAME(records[i].ssi_signo, SIGRTMIN);
        SAME(records[i].ssi_code, SI_QUEUE);
        SAME(records[i].ssi_int, 6 + i);
        SAME((int)records[i].ssi_ptr, 6 + i);
    }
    SAME(read(file, records, sizeof records), RECORD); // and does not wait for more
    SAME(records[0].ssi_int, 9);
}

static void what_a_child_was(void) {
    const int file = opened(SIGCHLD, 0, 0);
    const pid_t child = fork();
    if (child == 0) {
        _exit(42);
    }
    const struct signalfd_siginfo record = taken(file); // waits
    SAME(record.ssi_signo, SIGCHLD);
    SAME(record.ssi_code, CLD_EXITED);
    SAME(record.ssi_pid, child);
    SAME(record.ssi_status, 42);
    EXITS(child, 42);
}

static void what_a_timer_was(void) {
    const int file = opened(SIGRTMIN + 1, 0, 0);
    struct sigevent event = { .sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGRTMIN + 1 };
    event.sigev_value.sival_int = 77;
    timer_t timer;
    NEED(timer_create(CLOCK_MONOTONIC, &event, &timer) == 0);
    const struct itimerspec soon = { { 0, 0 }, { 0, 1000000 } };
    NEED(timer_settime(timer, 0, &soon, NULL) == 0);
    const struct signalfd_siginfo record = taken(file);
    SAME(record.ssi_code, SI_TIMER);
    SAME(record.ssi_int, 77);
    SAME(record.ssi_overrun, 0);
    SAME(record.ssi_pid, 0);
    SAME(record.ssi_uid, 0);
    NEED(timer_delete(timer) == 0);
}

static void on_signal(int number) {
    (void)number;
}

// An alarm that comes again and again, into a file: each is one, and comes again when it was read.
static void an_interval_goes_on(void) {
    const int file = opened(SIGALRM, 0, 0);
    const struct itimerval often = { { 0, 2000 }, { 0, 2000 } }, never = { { 0, 0 }, { 0, 0 } };
    NEED(setitimer(ITIMER_REAL, &often, NULL) == 0);
    for (int i = 0; i < 5; i++) {
        SAME(taken(file).ssi_signo, SIGALRM);
    }
    NEED(setitimer(ITIMER_REAL, &never, NULL) == 0);
}

static void another_signal_interrupts(void) {
    const int file = opened(SIGUSR1, 0, 0);
    struct sigaction action = { .sa_handler = on_signal };
    struct signalfd_siginfo record;
    sigaction(SIGALRM, &action, NULL);
    ualarm(20000, 20000);
    REFUSED(read(file, &record, sizeof record), EINTR);
    ualarm(0, 0);
}

// ---- who looks

static void *writes_to_it(void *argument) {
    pthread_kill(*(pthread_t *)argument, SIGUSR1);
    return NULL;
}

static void *finds_nothing(void *argument) {
    SAME(is_readable(*(int *)argument, 0), 0);
    return NULL;
}

// What a thread got, no other one sees; what the process got, all do.
static void threads_have_their_own(void) {
    const int file = opened(SIGUSR1, 0, SFD_NONBLOCK);
    pthread_t self = pthread_self(), other;
    NEED(pthread_create(&other, NULL, writes_to_it, &self) == 0 && pthread_join(other, NULL) == 0);
    int copy = file;
    NEED(pthread_create(&other, NULL, finds_nothing, &copy) == 0 && pthread_join(other, NULL) == 0);
    SAME(is_readable(file, 0), 1);
    SAME(taken(file).ssi_code, SI_TKILL);
    SAME(is_readable(file, 0), 0);
}

// A child looks at its own signals through the file that it inherited, and so does who waits for
// it.
static void children_have_their_own(void) {
    const int file = opened(SIGUSR1, 0, 0);
    int ready[2];
    char byte;
    NEED(pipe(ready) == 0);
    raise(SIGUSR1);
    const pid_t child = fork();
    if (child == 0) {
        const int none = is_readable(file, 0);
        if (none != 0 || write(ready[1], "x", 1) != 1) {
            _exit(1);
        }
        const int count = is_readable(file, 20000);
        struct signalfd_siginfo record;
        const bool is_right = count == 1 && read(file, &record, RECORD) == (ssize_t)RECORD &&
                              record.ssi_pid == (unsigned)getppid();
        _exit(is_right ? 0 : 2);
    }
    SAME(read(ready[0], &byte, 1), 1);
    SAME(is_readable(file, 0), 1); // though the child found nothing
    SAME(kill(child, SIGUSR1), 0);
    EXITS(child, 0);
    SAME(taken(file).ssi_pid, getpid());
    SAME(is_readable(file, 0), 0);
}

// It waits for its own signal while others get theirs, and look.
static void who_waits_is_woken(void) {
    const int file = opened(SIGUSR1, 0, 0);
    pid_t children[4];
    for (int i = 0; i < 4; i++) {
        if ((children[i] = fork()) == 0) {
            for (int j = 0; j < 50; j++) {
                struct signalfd_siginfo record;
                struct pollfd item = { .fd = file, .events = POLLIN };
                while (poll(&item, 1, -1) != 1) {
                }
                if (read(file, &record, RECORD) != (ssize_t)RECORD || record.ssi_code != SI_QUEUE ||
                    record.ssi_int != j) {
                    _exit(1);
                }
                if (kill(getppid(), SIGUSR2) != 0) {
                    _exit(2);
                }
            }
            _exit(0);
        }
    }
    const sigset_t answers = set_of(SIGUSR2, 0);
    NEED(sigprocmask(SIG_BLOCK, &answers, NULL) == 0);
    for (int j = 0; j < 50; j++) {
        for (int i = 0; i < 4; i++) {
            int number;
            NEED(sigqueue(children[i], SIGUSR1, (union sigval){ .sival_int = j }) == 0);
            NEED(sigwait(&answers, &number) == 0);
        }
    }
    for (int i = 0; i < 4; i++) {
        EXITS(children[i], 0);
    }
}

static void select_finds_it(void) {
    const int file = opened(SIGUSR1, 0, 0);
    fd_set set;
    FD_ZERO(&set);
    FD_SET(file, &set);
    struct timeval none = { 0, 0 };
    SAME(select(file + 1, &set, NULL, NULL, &none), 0);
    raise(SIGUSR1);
    FD_SET(file, &set);
    SAME(select(file + 1, &set, NULL, NULL, NULL), 1);
}

static void epoll_finds_it(void) {
    const int file = opened(SIGUSR1, SIGUSR2, SFD_NONBLOCK);
    const int events = epoll_create1(0);
    struct epoll_event event = { .events = EPOLLIN, .data.u32 = 5 }, found;
    NEED(epoll_ctl(events, EPOLL_CTL_ADD, file, &event) == 0);
    SAME(epoll_wait(events, &found, 1, 0), 0);
    raise(SIGUSR1);
    SAME(epoll_wait(events, &found, 1, -1), 1);
    SAME(found.data.u32, 5);
    SAME(epoll_wait(events, &found, 1, 0), 1); // still
    (void)taken(file);
    SAME(epoll_wait(events, &found, 1, 0), 0);
    const pid_t child = fork();
    if (child == 0) {
        until_asleep(getppid());
        _exit(kill(getppid(), SIGUSR2));
    }
    SAME(epoll_wait(events, &found, 1, 20000), 1); // who sleeps is woken
    SAME(taken(file).ssi_pid, child);
    EXITS(child, 0);
    event.events = EPOLLIN | EPOLLET;
    NEED(epoll_ctl(events, EPOLL_CTL_MOD, file, &event) == 0);
    raise(SIGUSR1);
    SAME(epoll_wait(events, &found, 1, 0), 1);
    SAME(epoll_wait(events, &found, 1, 0), 0); // once for each edge
    raise(SIGUSR2);
    SAME(epoll_wait(events, &found, 1, 0), 1);
}

// A file that others have outlives those who watched it, and they it.
static void comes_and_goes(void) {
    const int file = opened(SIGUSR1, 0, SFD_NONBLOCK);
    for (int i = 0; i < 20; i++) {
        const pid_t child = fork();
        if (child == 0) {
            raise(SIGUSR1);
            _exit(is_readable(file, 0) == 1 && taken(file).ssi_pid == (unsigned)getpid() ? 0 : 1);
        }
        EXITS(child, 0);
        const int other = signalfd(-1, &(sigset_t){ 0 }, 0);
        SAME(is_readable(other, 0), 0);
        close(other);
        raise(SIGUSR1);
        SAME(taken(file).ssi_signo, SIGUSR1);
    }
}

// ---- sets, and refusals

static void changes_its_set(void) {
    const int file = opened(SIGUSR1, SIGUSR2, SFD_NONBLOCK);
    const sigset_t other = set_of(SIGUSR2, 0);
    raise(SIGUSR1);
    SAME(signalfd(file, &other, 0), file);
    SAME(is_readable(file, 0), 0);
    raise(SIGUSR2);
    SAME(taken(file).ssi_signo, SIGUSR2);
    const sigset_t first = set_of(SIGUSR1, 0);
    SAME(signalfd(file, &first, 0), file);
    SAME(taken(file).ssi_signo, SIGUSR1);
}

// SIGKILL and SIGSTOP are no part of any set; nor is a signal that is not blocked kept for it.
static void only_what_is_blocked(void) {
    const sigset_t set = set_of(SIGKILL, SIGWINCH);
    const int file = signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
    SAME(fcntl(file, F_GETFD), FD_CLOEXEC);
    SAME(fcntl(file, F_GETFL) & O_NONBLOCK, O_NONBLOCK);
    raise(SIGWINCH); // ignored
    SAME(is_readable(file, 0), 0);
}

static void refuses(void) {
    const sigset_t set = set_of(SIGUSR1, 0);
    const int file = opened(SIGUSR1, 0, SFD_NONBLOCK);
    int ends[2];
    char bytes[RECORD];
    NEED(pipe(ends) == 0);
    REFUSED(signalfd(-1, &set, 1), EINVAL);
    REFUSED(signalfd(ends[0], &set, 0), EINVAL);
    REFUSED(signalfd(99, &set, 0), EBADF);
    REFUSED(signalfd(-2, &set, 0), EBADF);
    REFUSED(syscall(SYS_signalfd4, -1, &set, 4, 0), EINVAL);
    REFUSED(syscall(SYS_signalfd4, -1, (void *)8, 8, 0), EFAULT);
    REFUSED(read(file, bytes, RECORD - 1), EINVAL);
    REFUSED(write(file, bytes, RECORD), EINVAL);
    raise(SIGUSR1);
    REFUSED(read(file, (void *)8, RECORD), EFAULT);
}

static const struct check_case cases[] = {
    CASE(reads_what_was_sent),
    CASE(reads_many),
    CASE(what_a_child_was),
    CASE(what_a_timer_was),
    CASE(an_interval_goes_on),
    CASE(another_signal_interrupts),
    CASE(threads_have_their_own),
    CASE(children_have_their_own),
    CASE(who_waits_is_woken),
    CASE(select_finds_it),
    CASE(epoll_finds_it),
    CASE(comes_and_goes),
    CASE(changes_its_set),
    CASE(only_what_is_blocked),
    CASE(refuses),
};
CHECK_MAIN(cases)
