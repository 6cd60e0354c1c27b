// SPDX-License-Identifier: MIT OR Apache-2.0
// bench/swap.c: what a swap of a module costs who waits for it; on Helix alone.
//
// freeze: how long a processor stood still, as the kernel counts it, in ns, which are instructions
// under -icount: the longest of three swaps, through all scheduling policies. The threads want to
// run, but wait for this one, which is more important.
// files_freeze: how long the gates of ramfs were closed while it was swapped for itself, with that
// many files open, each another one.
#include "bench.h"

#include <fcntl.h>
#include <helix/native.h>
#include <pthread.h>
#include <sched.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#define SCHEDULER   "/proc/helix/scheduler"
#define THREADS_MAX 200u

static const char *const policies[] = { "fair", "predictive", "rr" };
static pthread_t threads[THREADS_MAX];
static unsigned running;
static _Atomic bool stop;

static void *spin(void *argument) {
    while (!stop) {
    }
    return argument;
}

static bool be_important(bool is_important) {
    const struct sched_param priority = { .sched_priority = is_important ? 1 : 0 };
    return syscall(SYS_sched_setscheduler, 0, is_important ? SCHED_FIFO : SCHED_OTHER, &priority) ==
           0;
}

// New threads are not important yet: this one is so only once all are there.
static bool spinners(unsigned count) {
    pthread_attr_t small;
    pthread_attr_init(&small);
    pthread_attr_setstacksize(&small, 32 << 10);
    stop = false;
    for (running = 0; running < count; running++) {
        if (pthread_create(&threads[running], &small, spin, NULL) != 0) {
            return false;
        }
    }
    return be_important(true);
}

static bool ten(void) {
    return spinners(10);
}

static bool two_hundred(void) {
    return spinners(THREADS_MAX);
}

static void end(void) {
    stop = true;
    be_important(false);
    while (running > 0) {
        pthread_join(threads[--running], NULL);
    }
}

static bool choose(const char *policy) {
    const int fd = open(SCHEDULER, O_WRONLY);
    const ssize_t length = (ssize_t)strlen(policy);
    const bool good = fd >= 0 && write(fd, policy, (size_t)length) == length;
    close(fd);
    return good;
}

static uint64_t last_freeze(void) {
    char text[512];
    const int fd = open(SCHEDULER, O_RDONLY);
    const ssize_t got = read(fd, text, sizeof(text) - 1);
    close(fd);
    text[got > 0 ? got : 0] = '\0';
    const char *at = strstr(text, "last_freeze_ns ");
    return at != NULL ? strtoull(at + strlen("last_freeze_ns "), NULL, 10) : 0;
}

static uint64_t freeze_round(unsigned count) {
    uint64_t longest = 0;
    bool good = count == 1;
    for (unsigned i = 0; i < sizeof(policies) / sizeof(policies[0]); i++) {
        good = good && choose(policies[i]);
        const uint64_t freeze = last_freeze();
        good = good && freeze != 0;
        longest = freeze > longest ? freeze : longest;
    }
    return good ? longest : BENCH_FAILED;
}

#define FOLDER    "/files"
#define FILES_MAX 10000u

static unsigned opened; // descriptors FIRST and on
static int first;

static bool open_files(unsigned count) {
    const struct rlimit limit = { FILES_MAX + 100, FILES_MAX + 100 };
    bool good = setrlimit(RLIMIT_NOFILE, &limit) == 0 && mkdir(FOLDER, 0755) == 0;
    for (opened = 0; good && opened < count; opened++) {
        char path[32];
        snprintf(path, sizeof(path), FOLDER "/file-%u", opened);
        const int fd = open(path, O_RDWR | O_CREAT | O_EXCL, 0644);
        first = opened == 0 ? fd : first;
        good = fd >= 0;
    }
    return good;
}

static bool files_100(void) {
    return open_files(100);
}

static bool files_10000(void) {
    return open_files(FILES_MAX);
}

static void close_files(void) {
    while (opened > 0) {
        char path[32];
        close(first + (int)--opened);
        snprintf(path, sizeof(path), FOLDER "/file-%u", opened);
        unlink(path);
    }
    rmdir(FOLDER);
}

// The tenth number of the line that begins with the module's name.
static uint64_t files_freeze(void) {
    static char text[8192];
    unsigned long long freeze = 0;
    const int fd = open("/proc/helix/health", O_RDONLY);
    const ssize_t got = read(fd, text, sizeof(text) - 1);
    close(fd);
    text[got > 0 ? got : 0] = '\0';
    const char *at = strstr(text, "ramfs ");
    return at != NULL && sscanf(at, "%*s %*s %*s %*s %*s %*s %*s %*s %*s %llu", &freeze) == 1
               ? freeze
               : 0;
}

static uint64_t files_round(unsigned count) {
    static const struct hx_module_name name = { "ramfs" };
    static struct hx_module_report report;
    const long modules = syscall(HX_CALL_module_all);
    const bool good = count == 1 && modules > 0 &&
                      syscall(HX_CALL_module_swap, modules, &name, NULL, 0, &report) == HX_OK;
    syscall(HX_CALL_handle_close, modules);
    return good ? files_freeze() : BENCH_FAILED;
}

static const struct bench_operation table[] = {
    { "sched_freeze_10", 1, ten, freeze_round, end },
    { "sched_freeze_200", 1, two_hundred, freeze_round, end },
    { "files_freeze_100", 1, files_100, files_round, close_files },
    { "files_freeze_10000", 1, files_10000, files_round, close_files },
};

BENCH_MAIN(table)
