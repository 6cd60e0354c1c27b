// SPDX-License-Identifier: MIT OR Apache-2.0
// bench/trace.c: what the trace costs while it records calls and methods; on Helix alone. A call
// while it does not is `getpid` of syscall.c, with the branch in it.
#include "bench.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/syscall.h>

static bool turn(const char *parts) {
    int on = open("/proc/helix/trace/on", O_WRONLY);
    bool good = on >= 0 && write(on, parts, strlen(parts)) == (ssize_t)strlen(parts);
    close(on);
    return good;
}

static bool calls_on(void) {
    return turn("syscall");
}

static bool methods_on(void) {
    return turn("port");
}

static void off(void) {
    turn("\n");
}

// A name that is made up each time, so that each look at it is one call of a method.
static uint64_t lookup_round(unsigned count) {
    struct stat info;
    unsigned good = 0;
    uint64_t start = bench_now();
    for (unsigned i = 0; i < count; i++) {
        good += stat("/proc/uptime", &info) == 0;
    }
    return bench_took(start, good == count);
}

// A call that does nothing but record one event, which is always on.
static uint64_t unknown_round(unsigned count) {
    unsigned good = 0;
    uint64_t start = bench_now();
    for (unsigned i = 0; i < count; i++) {
        good += syscall(1023) == -1;
    }
    return bench_took(start, good == count);
}

static const struct bench_operation table[] = {
    { "getpid_traced", 1000, calls_on, bench_getpid, off },
    { "lookup_proc", 500, NULL, lookup_round, NULL },
    { "lookup_proc_traced", 500, methods_on, lookup_round, off },
    { "unknown_call", 1000, NULL, unknown_round, NULL },
};

BENCH_MAIN(table)
