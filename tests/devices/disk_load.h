// SPDX-License-Identifier: MIT OR Apache-2.0
// tests/devices/disk_load.h: programs that write /dev/vda and read it back, over and over, while
// something happens to its driver: none of them gets an error or a wrong byte.
#pragma once

#include "../scenario/check.h"

#define LOAD_MOST   4         // workers
#define LOAD_REGION (1 << 20) // of each
#define LOAD_BASE   (8 << 20)

struct load {
    _Atomic bool ends;
    _Atomic unsigned rounds; // of all of them
    int workers;
    pid_t pids[LOAD_MOST];
};

static unsigned char *buffer(size_t size) {
    unsigned char *bytes =
        mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    NEED(bytes != MAP_FAILED);
    return bytes;
}

static void fill(unsigned char *bytes, size_t size, uint32_t seed) {
    for (size_t i = 0; i < size; i++) {
        seed = seed * 1664525 + 1013904223;
        bytes[i] = (unsigned char)(seed >> 24);
    }
}

// Its region in pieces of many sizes: through the kernel's pages, or from and to its own.
static void work(int worker, struct load *load) {
    const int file = open("/dev/vda", O_RDWR | (worker % 2 == 0 ? O_DIRECT : 0));
    unsigned char *mine = buffer(LOAD_REGION), *seen = buffer(LOAD_REGION);
    const off_t base = LOAD_BASE + (off_t)worker * LOAD_REGION;
    uint32_t round = 0;
    NEED(file >= 0);
    do {
        const size_t step = round % 3 == 0 ? LOAD_REGION : round % 3 == 1 ? 65536 : 4096;
        const size_t size = step == 4096 ? (size_t)32 * step : LOAD_REGION;
        fill(mine, size, round * 131 + (uint32_t)worker);
        for (size_t at = 0; at < size; at += step) {
            SAME(pwrite(file, mine + at, step, base + (off_t)at), step);
        }
        if (round % 4 == 0) {
            SAME(fsync(file), 0);
        }
        for (size_t at = 0; at < size; at += step) {
            SAME(pread(file, seen + at, step, base + (off_t)at), step);
        }
        CHECK(memcmp(mine, seen, size) == 0);
        load->rounds++;
        round++;
    } while (!load->ends && check_failures == 0);
    close(file);
}

static struct load *load_begin(int workers) {
    struct load *load =
        mmap(NULL, sizeof *load, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    NEED(load != MAP_FAILED && workers <= LOAD_MOST);
    load->workers = workers;
    for (int worker = 0; worker < workers; worker++) {
        CHILD(load->pids[worker]) {
            work(worker, load);
        }
    }
    return load;
}

static void load_end(struct load *load) {
    load->ends = true;
    for (int worker = 0; worker < load->workers; worker++) {
        EXITS(load->pids[worker], 0);
    }
    munmap(load, sizeof *load);
}

// Until one of them has written and read once more.
static void __attribute__((unused)) load_await(const struct load *load, unsigned rounds) {
    while (load->rounds == rounds && check_failures == 0) {
        usleep(1000);
    }
}
