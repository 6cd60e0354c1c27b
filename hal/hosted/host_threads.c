// SPDX-License-Identifier: MIT OR Apache-2.0
// hal/hosted/host_threads.c: threads, time and chance as the host has them.
#define _GNU_SOURCE
#include "host.h"

#include <boot_arch/settings.h>

#include <linux/futex.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/random.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#define NS_PER_SECOND 1000000000u

struct start {
    void (*entry)(void *);
    void *argument;
};

static void *thread_main(void *argument) {
    struct start start = *(struct start *)argument;
    free(argument);
    start.entry(start.argument);
    return NULL;
}

bool host_thread_start(void (*entry)(void *), void *argument) {
    struct start *start = malloc(sizeof(*start));
    pthread_t thread;
    if (start == NULL) {
        return false;
    }
    *start = (struct start){ entry, argument };
    if (pthread_create(&thread, NULL, thread_main, start) != 0) {
        free(start);
        return false;
    }
    pthread_detach(thread);
    return true;
}

void host_wait(_Atomic uint32_t *word, uint32_t expected, uint64_t until) {
    struct timespec end = { (time_t)(until / NS_PER_SECOND), (long)(until % NS_PER_SECOND) };
    syscall(SYS_futex, word, FUTEX_WAIT_BITSET | FUTEX_PRIVATE_FLAG, expected,
            until == UINT64_MAX ? NULL : &end, NULL, FUTEX_BITSET_MATCH_ANY);
}

void host_wake(_Atomic uint32_t *word) {
    syscall(SYS_futex, word, FUTEX_WAKE | FUTEX_PRIVATE_FLAG, 1, NULL, NULL, 0);
}

void host_yield(void) {
    sched_yield();
}

void host_sleep_forever(void) {
    for (;;) {
        pause();
    }
}

uint64_t host_counter(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * NS_PER_SECOND + (uint64_t)now.tv_nsec;
}

uint64_t host_seconds(void) {
    return (uint64_t)time(NULL);
}

bool host_random(uint64_t *out_value) {
    return getrandom(out_value, sizeof(*out_value), 0) == sizeof(*out_value);
}

static void must(int error, const char *what) {
    if (error != 0) {
        (void)fprintf(stderr, "helix-hosted: %s\n", what);
        exit(2);
    }
}

static void input_main(void *argument) {
    bool (*take)(const uint8_t *bytes, size_t count) =
        *(bool (**)(const uint8_t *, size_t))argument;
    uint8_t bytes[256];
    ssize_t got;
    while ((got = read(STDIN_FILENO, bytes, sizeof(bytes))) > 0) {
        while (!take(bytes, (size_t)got)) {
            host_yield(); // the kernel has not read what came before
        }
    }
    host_sleep_forever();
}

bool host_input_start(bool (*take)(const uint8_t *bytes, size_t count)) {
    static bool (*kept)(const uint8_t *bytes, size_t count);
    kept = take;
    return host_thread_start(input_main, &kept);
}

void host_run(void (*entry)(void *), void *stack_low, size_t stack_bytes) {
    struct start *start = malloc(sizeof(*start));
    pthread_attr_t attributes;
    pthread_t thread;
    must(start == NULL, "no memory");
    *start = (struct start){ entry, NULL };
    must(pthread_attr_init(&attributes), "the boot thread");
    must(pthread_attr_setstack(&attributes, stack_low, stack_bytes), "the boot stack");
    must(pthread_create(&thread, &attributes, thread_main, start), "the boot thread");
    for (;;) {
        pthread_join(thread, NULL); // it ends the process
    }
}

void host_exit(int status) {
    _exit(status);
}
