// SPDX-License-Identifier: MIT OR Apache-2.0
// futex_waitv: waiting at several words at once. RUN: musl glibc
#include "check.h"

#include <limits.h>
#include <linux/futex.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/mman.h>
#include <sys/time.h>

#ifndef SYS_futex_waitv
#define SYS_futex_waitv 449
#endif

#define WORDS_MAX 128
#define SIZE_32   2
#define PRIVATE   128

// struct futex_waitv, which older headers lack.
struct wait {
    uint64_t value, address;
    uint32_t flags, reserved;
};

static long waitv(const struct wait *waits, unsigned count, unsigned flags,
                  const struct timespec *limit, clockid_t clock) {
    return syscall(SYS_futex_waitv, waits, count, flags, limit, clock);
}

static long wake(_Atomic uint32_t *word, int count) {
    return syscall(SYS_futex, word, FUTEX_WAKE, count, NULL, NULL, 0);
}

static struct wait wait_at(const _Atomic uint32_t *word, uint32_t value, uint32_t flags) {
    return (struct wait){ .value = value, .address = (uintptr_t)word, .flags = flags | SIZE_32 };
}

static void refuses(void) {
    static _Atomic uint32_t words[2];
    struct wait waits[WORDS_MAX + 1];
    const struct timespec bad = { 0, 1000000000 };
    const struct timespec past = { 0, 0 };
    for (int i = 0; i <= WORDS_MAX; i++) {
        waits[i] = wait_at(words, 0, PRIVATE);
    }
    REFUSED(waitv(waits, 0, 0, NULL, 0), EINVAL);
    REFUSED(waitv(waits, WORDS_MAX + 1, 0, &past, CLOCK_MONOTONIC), EINVAL);
    REFUSED(waitv(waits, WORDS_MAX, 0, &past, CLOCK_MONOTONIC), ETIMEDOUT);
    REFUSED(waitv(NULL, 1, 0, NULL, 0), EINVAL);
    REFUSED(waitv((void *)8, 1, 0, NULL, 0), EFAULT);
    REFUSED(waitv(waits, 1, 1, NULL, 0), EINVAL);
    REFUSED(waitv(waits, 1, 0, &bad, CLOCK_MONOTONIC), EINVAL);
    REFUSED(waitv(waits, 1, 0, &past, CLOCK_BOOTTIME), EINVAL);
    REFUSED(waitv(waits, 1, 0, (void *)8, CLOCK_MONOTONIC), EFAULT);
    waits[1].reserved = 1;
    REFUSED(waitv(waits, 2, 0, &past, CLOCK_MONOTONIC), EINVAL);
    waits[1] = wait_at(words, 0, 64);
    REFUSED(waitv(waits, 2, 0, &past, CLOCK_MONOTONIC), EINVAL);
    waits[1] = (struct wait){ .address = (uintptr_t)words }; // of no size
    REFUSED(waitv(waits, 2, 0, &past, CLOCK_MONOTONIC), EINVAL);
    waits[1] = wait_at((void *)((char *)words + 1), 0, 0);
    REFUSED(waitv(waits, 2, 0, &past, CLOCK_MONOTONIC), EINVAL);
    waits[1] = wait_at((void *)8, 0, 0);
    REFUSED(waitv(waits, 2, 0, &past, CLOCK_MONOTONIC), EFAULT);
    waits[0] = waits[1];
    waits[1] =
        wait_at(words, 0, 64); // that it is wrong is told before that the first one is nowhere
    REFUSED(waitv(waits, 2, 0, &past, CLOCK_MONOTONIC), EINVAL);
    waits[0] = wait_at(words, 0, 0);
    waits[1] = wait_at(words + 1, 7, 0);
    REFUSED(waitv(waits, 2, 0, NULL, 0), EAGAIN);
}

static void time_limits(void) {
    static _Atomic uint32_t words[2];
    const struct wait waits[] = { wait_at(words, 0, PRIVATE), wait_at(words + 1, 0, 0) };
    struct timespec limit = after_ms(CLOCK_MONOTONIC, 20);
    REFUSED(waitv(waits, 2, 0, &limit, CLOCK_MONOTONIC), ETIMEDOUT);
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    CHECK(now.tv_sec > limit.tv_sec ||
          (now.tv_sec == limit.tv_sec && now.tv_nsec >= limit.tv_nsec));
    limit = after_ms(CLOCK_REALTIME, 20);
    REFUSED(waitv(waits, 2, 0, &limit, CLOCK_REALTIME), ETIMEDOUT);
    SAME(wake(words, INT_MAX), 0); // nobody stayed
}

static _Atomic uint32_t words[WORDS_MAX];

static void *waits_at_all(void *argument) {
    struct wait waits[WORDS_MAX];
    for (int i = 0; i < WORDS_MAX; i++) {
        waits[i] = wait_at(&words[i], 0, 0);
    }
    *(long *)argument = waitv(waits, WORDS_MAX, 0, NULL, 0);
    return NULL;
}

static void wakes_by_any(void) {
    static const int each[] = { 0, 77, WORDS_MAX - 1 };
    for (int i = 0; i < 3; i++) {
        pthread_t thread;
        long result;
        NEED(pthread_create(&thread, NULL, waits_at_all, &result) == 0);
        while (wake(&words[each[i]], INT_MAX) == 0) {
            sched_yield();
        }
        pthread_join(thread, NULL);
        SAME(result, each[i]);
        SAME(wake(&words[5], INT_MAX), 0); // it waits nowhere any more
    }
}

static void between_processes(void) {
    _Atomic uint32_t *shared =
        mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    pid_t child;
    NEED(shared != MAP_FAILED);
    CHILD(child) {
        const struct wait waits[] = { wait_at(&words[0], 0, PRIVATE), wait_at(shared, 0, 0) };
        SAME(waitv(waits, 2, 0, NULL, 0), 1);
    }
    while (wake(shared, 1) == 0) {
        sched_yield();
    }
    EXITS(child, 0);
}

static void handle(int number) {
    (void)number;
}

// A signal ends the wait, or starts it again.
static void signals(void) {
    for (int restarts = 0; restarts < 2; restarts++) {
        pid_t child;
        CHILD(child) {
            static _Atomic uint32_t word;
            const struct wait waits[] = { wait_at(&word, 0, 0) };
            const struct sigaction action = { .sa_handler = handle,
                                              .sa_flags = restarts ? SA_RESTART : 0 };
            const struct itimerval often = { { 0, 20000 }, { 0, 20000 } };
            const struct timespec limit = after_ms(CLOCK_MONOTONIC, 200);
            NEED(sigaction(SIGALRM, &action, NULL) == 0);
            NEED(setitimer(ITIMER_REAL, &often, NULL) == 0);
            REFUSED(waitv(waits, 1, 0, &limit, CLOCK_MONOTONIC), restarts ? ETIMEDOUT : EINTR);
        }
        EXITS(child, 0);
    }
}

static const struct check_case cases[] = {
    CASE(refuses), CASE(time_limits), CASE(wakes_by_any), CASE(between_processes), CASE(signals),
};
CHECK_MAIN(cases)
