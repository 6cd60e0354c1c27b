// SPDX-License-Identifier: MIT OR Apache-2.0
// bench/syscall.c: calls that do little: what entering the kernel and finding the object cost.
#include "bench.h"

#include <fcntl.h>
#include <sys/random.h>

#define RANDOM_BYTES 16

static int device = -1;

static bool open_zero(void) {
    device = open("/dev/zero", O_RDONLY);
    return device >= 0;
}

static bool open_null(void) {
    device = open("/dev/null", O_WRONLY);
    return device >= 0;
}

static void close_device(void) {
    close(device);
}

static uint64_t read_zero_round(unsigned count) {
    unsigned good = 0;
    uint64_t start = bench_now();
    for (unsigned i = 0; i < count; i++) {
        char byte = 1;
        good += read(device, &byte, 1) == 1 && byte == 0;
    }
    return bench_took(start, good == count);
}

static uint64_t write_null_round(unsigned count) {
    unsigned good = 0;
    char byte = 1;
    uint64_t start = bench_now();
    for (unsigned i = 0; i < count; i++) {
        good += write(device, &byte, 1) == 1;
    }
    return bench_took(start, good == count);
}

static uint64_t getrandom_round(unsigned count) {
    uint64_t bytes[RANDOM_BYTES / 8] = { 0 };
    uint64_t last = 0;
    unsigned good = 0;
    uint64_t start = bench_now();
    for (unsigned i = 0; i < count; i++) {
        good += getrandom(bytes, sizeof bytes, 0) == sizeof bytes && bytes[0] != last;
        last = bytes[0];
    }
    return bench_took(start, good == count);
}

static const struct bench_operation table[] = {
    { "getpid", 1000, NULL, bench_getpid, NULL },
    { "uname", 1000, NULL, bench_uname, NULL },
    { "clock_gettime", 1000, NULL, bench_clock_gettime, NULL },
    { "read_zero", 1000, open_zero, read_zero_round, close_device },
    { "write_null", 1000, open_null, write_null_round, close_device },
    { "getrandom_16", 500, NULL, getrandom_round, NULL },
};

BENCH_MAIN(table)
