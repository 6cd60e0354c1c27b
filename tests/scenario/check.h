// SPDX-License-Identifier: MIT OR Apache-2.0
// tests/scenario/check.h: what the scenario programs share.
//
// A program is a list of cases. Each runs in a process of its own, in a fresh folder, with a
// deadline, so that one that dies or hangs says so and the others still run. CHECK goes on after a
// failure, NEED does not. The exit status is the number of failed cases (at most 99).
#pragma once

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static int check_failures __attribute__((unused));

static void __attribute__((unused, format(printf, 3, 4))) check_fail(const char *file, int line,
                                                                     const char *format, ...) {
    char text[512];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    dprintf(1, "%s:%d: %s\n", file, line, text);
    check_failures++;
}

#define CHECK(condition)                                                                           \
    do {                                                                                           \
        errno = 0;                                                                                 \
        if (!(condition)) {                                                                        \
            check_fail(__FILE_NAME__, __LINE__, "%s (errno %d %s)", #condition, errno,             \
                       strerror(errno));                                                           \
        }                                                                                          \
    } while (0)

#define NEED(condition)                                                                            \
    do {                                                                                           \
        int need_before = check_failures;                                                          \
        CHECK(condition);                                                                          \
        if (check_failures != need_before) {                                                       \
            _exit(1);                                                                              \
        }                                                                                          \
    } while (0)

// Two numbers are the same.
#define SAME(value, expected)                                                                      \
    do {                                                                                           \
        errno = 0;                                                                                 \
        long long same_value = (long long)(value);                                                 \
        int same_errno = errno;                                                                    \
        long long same_expected = (long long)(expected);                                           \
        if (same_value != same_expected) {                                                         \
            check_fail(__FILE_NAME__, __LINE__, "%s is %lld, not %lld (errno %d %s)", #value,      \
                       same_value, same_expected, same_errno, strerror(same_errno));               \
        }                                                                                          \
    } while (0)

// A call is refused with just this errno.
#define REFUSED(call, expected)                                                                    \
    do {                                                                                           \
        errno = 0;                                                                                 \
        long refused_result = (long)(call);                                                        \
        int refused_errno = errno;                                                                 \
        if (refused_result != -1 || refused_errno != (expected)) {                                 \
            check_fail(__FILE_NAME__, __LINE__, "%s gives %ld, errno %d %s; expected %s", #call,   \
                       refused_result, refused_errno, strerror(refused_errno), #expected);         \
        }                                                                                          \
    } while (0)

struct check_case {
    const char *name;
    void (*run)(void);
};

#define CASE(name) { #name, name }

// Waits for one child, -1: any; its wait status.
static int __attribute__((unused)) check_wait(pid_t pid) {
    int status = -1;
    pid_t got;
    do {
        got = waitpid(pid, &status, 0);
    } while (got < 0 && errno == EINTR);
    if (pid == -1 ? got < 0 : got != pid) {
        check_fail(__FILE_NAME__, __LINE__, "waiting for %d gives %d (errno %d %s)", (int)pid,
                   (int)got, errno, strerror(errno));
    }
    return status;
}

// A child, or a failed check that says why there is none.
static pid_t __attribute__((unused)) check_fork(void) {
    const pid_t pid = fork();
    if (pid < 0) {
        check_fail(__FILE_NAME__, __LINE__, "fork: errno %d %s", errno, strerror(errno));
    }
    return pid;
}

// A child ended by itself with this code.
#define EXITS(pid, code)                                                                           \
    do {                                                                                           \
        int exits_status = check_wait(pid);                                                        \
        if (!WIFEXITED(exits_status) || WEXITSTATUS(exits_status) != (code)) {                     \
            check_fail(__FILE_NAME__, __LINE__, "the child's wait status is 0x%x, not exit %d",    \
                       exits_status, (int)(code));                                                 \
        }                                                                                          \
    } while (0)

// A child was ended by this signal.
#define KILLED(pid, number)                                                                        \
    do {                                                                                           \
        int killed_status = check_wait(pid);                                                       \
        if (!WIFSIGNALED(killed_status) || WTERMSIG(killed_status) != (number)) {                  \
            check_fail(__FILE_NAME__, __LINE__, "the child's wait status is 0x%x, not signal %d",  \
                       killed_status, (int)(number));                                              \
        }                                                                                          \
    } while (0)

// Runs a block in a child; the block's failed checks are the child's exit status. Only the parent
// stores `pid`: it may be in memory that both share.
#define CHILD(pid)                                                                                 \
    for (pid_t child_pid_ = check_fork(), child_once_ = 1;                                         \
         child_once_ && (child_pid_ == 0 || ((pid) = child_pid_, child_once_ = 0));                \
         _exit(check_failures ? 1 : 0))

// After that a case has hung: many times what any of them takes on a host that is used by others.
#define CHECK_SECONDS 120

static int __attribute__((unused)) check_one(const struct check_case *test) {
    char folder[] = "/tmp/caseXXXXXX";
    if (!mkdtemp(folder) || chdir(folder) != 0) {
        dprintf(1, "cannot make %s: %s\n", folder, strerror(errno));
        return 1;
    }
    pid_t pid = fork();
    if (pid == 0) {
        alarm(CHECK_SECONDS);
        test->run();
        _exit(check_failures ? 1 : 0);
    }
    int status = pid < 0 ? -1 : check_wait(pid);
    if (status == 0) {
        dprintf(1, "ok %s\n", test->name);
        return 0;
    }
    if (pid < 0) {
        dprintf(1, "FAILED %s: fork: %s\n", test->name, strerror(errno));
    } else if (WIFSIGNALED(status)) {
        dprintf(1, "FAILED %s: signal %d\n", test->name, WTERMSIG(status));
    } else {
        dprintf(1, "FAILED %s\n", test->name);
    }
    return 1;
}

// Until a process sleeps in a system call, or is gone: state S in its stat.
static void __attribute__((unused)) until_asleep(int pid) {
    char path[64];
    char text[256];
    snprintf(path, sizeof path, "/proc/%d/stat", pid);
    for (;;) {
        int fd = open(path, O_RDONLY);
        ssize_t length = fd < 0 ? 0 : read(fd, text, sizeof text - 1);
        close(fd);
        text[length > 0 ? length : 0] = '\0';
        char *end = strrchr(text, ')');
        if (end == NULL || end[2] == 'S') {
            return;
        }
        sched_yield();
    }
}

// A moment on a clock, so many milliseconds from now.
static struct timespec __attribute__((unused)) after_ms(clockid_t clock, long ms) {
    struct timespec time;
    clock_gettime(clock, &time);
    time.tv_nsec += ms * 1000000;
    time.tv_sec += time.tv_nsec / 1000000000;
    time.tv_nsec %= 1000000000;
    return time;
}

// main() of a program: runs all cases, or those named on the command line.
static int __attribute__((unused)) check_main(const struct check_case *cases, size_t count,
                                              int argc, char **argv) {
    int failed = 0;
    for (size_t i = 0; i < count; i++) {
        bool wanted = argc < 2;
        for (int word = 1; word < argc; word++) {
            wanted |= strcmp(argv[word], cases[i].name) == 0;
        }
        failed += wanted ? check_one(&cases[i]) : 0;
    }
    return failed > 99 ? 99 : failed;
}

#define CHECK_MAIN(cases)                                                                          \
    int main(int argc, char **argv) {                                                              \
        return check_main(cases, sizeof(cases) / sizeof((cases)[0]), argc, argv);                  \
    }
