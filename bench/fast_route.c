// SPDX-License-Identifier: MIT OR Apache-2.0
// bench/fast_route.c: what libposix_x (user/posix-x), which this program is built with, answers
// without entering the kernel. On Linux the same functions make the calls.
#include "bench.h"

static uint64_t gettid_round(unsigned count) {
    const pid_t self = gettid();
    unsigned good = 0;
    uint64_t start = bench_now();
    for (unsigned i = 0; i < count; i++) {
        good += gettid() == self;
    }
    return bench_took(start, good == count && self > 0);
}

static const struct bench_operation table[] = {
    { "getpid_fast", 1000, NULL, bench_getpid, NULL },
    { "gettid_fast", 1000, NULL, gettid_round, NULL },
    { "uname_fast", 1000, NULL, bench_uname, NULL },
    { "clock_gettime_fast", 1000, NULL, bench_clock_gettime, NULL },
};

BENCH_MAIN(table)
