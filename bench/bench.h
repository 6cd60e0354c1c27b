// SPDX-License-Identifier: MIT OR Apache-2.0
// bench/bench.h: what the benchmark programs share.
//
// A program is a table of operations. An operation does its work `count` times, takes the time of
// just that with bench_now() and says how long it took, or BENCH_FAILED if the work was not done: a
// round whose work cannot be shown to have been done has no time. After one round that does not
// count, BENCH_ROUNDS rounds are taken, and one line is printed for each operation:
//
//     bench: NAME MIN MEDIAN P90 ROUNDS
//
// in ticks per operation. A tick is one of counter_now(), which under QEMU's -icount is one
// instruction; with `wall` as first argument it is one nanosecond of CLOCK_MONOTONIC. What the loop
// around the work costs is measured by an equal loop around nothing, and subtracted.
#pragma once

#include "counter.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

#define BENCH_FAILED UINT64_MAX
#define BENCH_ROUNDS 21

struct bench_operation {
    const char *name;
    unsigned count;                    // operations in a round
    bool (*prepare)(void);             // once before; may be NULL
    uint64_t (*round)(unsigned count); // ticks that `count` operations took, or BENCH_FAILED
    void (*clean)(void);               // once after; may be NULL
};

static bool bench_wall;

static inline uint64_t bench_now(void) {
    if (!bench_wall) {
        return counter_now();
    }
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

// The time since `start` if the work was done.
static inline uint64_t bench_took(uint64_t start, bool done) {
    uint64_t end = bench_now();
    return done ? end - start : BENCH_FAILED;
}

// What a loop of `count` turns costs, with a result that is counted, and nothing in it.
static uint64_t bench_loop(unsigned count) {
    unsigned good = 0;
    uint64_t start = bench_now();
    for (unsigned i = 0; i < count; i++) {
        int nothing = 0;
        __asm__ volatile("" : "+r"(nothing)::"memory");
        good += nothing == 0;
    }
    return bench_took(start, good == count);
}

// The least that a call costs; with what is recorded of it, too.
static inline uint64_t bench_getpid(unsigned count) {
    pid_t self = getpid();
    unsigned good = 0;
    uint64_t start = bench_now();
    for (unsigned i = 0; i < count; i++) {
        good += getpid() == self;
    }
    return bench_took(start, good == count && self > 0);
}

static inline uint64_t bench_uname(unsigned count) {
    struct utsname names;
    unsigned good = 0;
    uint64_t start = bench_now();
    for (unsigned i = 0; i < count; i++) {
        names.machine[0] = '\0';
        good += uname(&names) == 0 && names.machine[0] != '\0';
    }
    return bench_took(start, good == count);
}

static inline uint64_t bench_clock_gettime(unsigned count) {
    struct timespec first;
    struct timespec now;
    unsigned good = 0;
    clock_gettime(CLOCK_MONOTONIC, &first);
    uint64_t start = bench_now();
    for (unsigned i = 0; i < count; i++) {
        good += clock_gettime(CLOCK_MONOTONIC, &now) == 0;
    }
    bool moved = now.tv_sec > first.tv_sec || now.tv_nsec > first.tv_nsec;
    return bench_took(start, good == count && moved);
}

static int bench_compare(const void *left, const void *right) {
    uint64_t a = *(const uint64_t *)left;
    uint64_t b = *(const uint64_t *)right;
    return a < b ? -1 : a > b;
}

static bool bench_measure(const struct bench_operation *operation, uint64_t *results) {
    uint64_t empty = bench_loop(operation->count);
    for (unsigned i = 0; i < BENCH_ROUNDS + 1; i++) {
        uint64_t took = operation->round(operation->count);
        if (took == BENCH_FAILED) {
            return false;
        }
        uint64_t work = took > empty ? took - empty : 0;
        results[i == 0 ? 0 : i - 1] = (work + operation->count / 2) / operation->count;
    }
    return true;
}

static bool bench_one(const struct bench_operation *operation) {
    uint64_t results[BENCH_ROUNDS];
    bool good =
        (operation->prepare == NULL || operation->prepare()) && bench_measure(operation, results);
    if (operation->clean != NULL) {
        operation->clean();
    }
    if (!good) {
        dprintf(1, "bench: %s failed\n", operation->name);
        return false;
    }
    qsort(results, BENCH_ROUNDS, sizeof results[0], bench_compare);
    dprintf(1, "bench: %s %llu %llu %llu %u\n", operation->name, (unsigned long long)results[0],
            (unsigned long long)results[BENCH_ROUNDS / 2],
            (unsigned long long)results[BENCH_ROUNDS * 9 / 10], BENCH_ROUNDS);
    return true;
}

static void bench_wait_for_host(const char *word, const char *name) {
    char byte;
    dprintf(1, "bench: %s %s\n", word, name);
    if (read(0, &byte, 1) != 1) {
        _exit(1);
    }
}

// One short round, with a stop before and after it in which the host starts and ends to observe.
static bool bench_profile(const struct bench_operation *operation) {
    unsigned count = operation->count < 40 ? 2 : operation->count / 20;
    bool good = (operation->prepare == NULL || operation->prepare()) &&
                operation->round(operation->count) != BENCH_FAILED;
    bench_wait_for_host("before", operation->name);
    good = good && operation->round(count) != BENCH_FAILED;
    bench_wait_for_host("after", operation->name);
    dprintf(1, "bench: %s %u\n", good ? "profiled" : "failed", count);
    return good;
}

// Arguments: [wall|profile] NAME...; runs those, in the table's order.
static int bench_main(const struct bench_operation *table, size_t entries, int argc, char **argv) {
    bool (*run)(const struct bench_operation *) = bench_one;
    int failed = 0;
    bench_wall = argc > 1 && strcmp(argv[1], "wall") == 0;
    if (argc > 1 && strcmp(argv[1], "profile") == 0) {
        run = bench_profile;
    }
    for (size_t i = 0; i < entries; i++) {
        for (int j = 1; j < argc; j++) {
            if (strcmp(argv[j], table[i].name) == 0) {
                failed += run(&table[i]) ? 0 : 1;
            }
        }
    }
    return failed;
}

#define BENCH_MAIN(table)                                                                          \
    int main(int argc, char **argv) {                                                              \
        return bench_main(table, sizeof(table) / sizeof((table)[0]), argc, argv);                  \
    }
