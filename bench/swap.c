// SPDX-License-Identifier: MIT OR Apache-2.0
// bench/swap.c: what a swap of a module costs who waits for it; on Helix alone.
//
// freeze: how long a processor stood still, as the kernel counts it, in ns, which are instructions
// under -icount: the longest of three swaps, through all scheduling policies. The threads want to
// run, but wait for this one, which is more important.
#include "bench.h"

#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <string.h>
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

static const struct bench_operation table[] = {
    { "sched_freeze_10", 1, ten, freeze_round, end },
    { "sched_freeze_200", 1, two_hundred, freeze_round, end },
};

BENCH_MAIN(table)
