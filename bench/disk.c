// SPDX-License-Identifier: MIT OR Apache-2.0
// bench/disk.c: /dev/vda, a disk of 64 MiB, past every cache: 4 KiB anywhere and 1 MiB, by one
// thread and by 32 at a time. Each block of 4 KiB begins with its number, or with what was written
// there last, which is looked at once for each round.
#include "bench.h"

#include <fcntl.h>
#include <pthread.h>
#include <sys/mman.h>

#define DISK_BYTES  (64u << 20)
#define BLOCK_BYTES 4096u
#define LARGE_BYTES (1u << 20)
#define DEPTH_MAX   32u

static struct {
    int file;
    bool is_write;
    unsigned depth, each; // transfers of each thread
    size_t bytes;
    uint64_t mark; // of what is written in this round
    pthread_barrier_t start, end;
    pthread_t threads[DEPTH_MAX];
    unsigned char *buffers[DEPTH_MAX];
    unsigned good[DEPTH_MAX];
    uint64_t place[DEPTH_MAX]; // of its last transfer
    bool is_over;
} work;

static uint32_t next_random(uint32_t *state) {
    *state = *state * 1664525 + 1013904223;
    return *state >> 8;
}

static bool is_right(const unsigned char *buffer, uint64_t place) {
    uint64_t first;
    memcpy(&first, buffer, sizeof first);
    return first == place / BLOCK_BYTES || first >> 32 != 0;
}

static bool transfer(unsigned thread, uint64_t place) {
    unsigned char *buffer = work.buffers[thread];
    if (work.is_write) {
        memcpy(buffer, &work.mark, sizeof work.mark);
        return pwrite(work.file, buffer, work.bytes, (off_t)place) == (ssize_t)work.bytes;
    }
    return pread(work.file, buffer, work.bytes, (off_t)place) == (ssize_t)work.bytes &&
           is_right(buffer, place);
}

// Each thread has a part of the disk of its own.
static void transfers(unsigned thread, uint32_t *state) {
    const uint64_t part = DISK_BYTES / work.depth;
    work.good[thread] = 0;
    for (unsigned i = 0; i < work.each; i++) {
        const uint64_t place =
            thread * part + next_random(state) % (part / work.bytes) * work.bytes;
        work.good[thread] += transfer(thread, place);
        work.place[thread] = place;
    }
}

static void *run(void *argument) {
    const unsigned thread = (unsigned)(uintptr_t)argument;
    uint32_t state = thread + 1;
    for (;;) {
        pthread_barrier_wait(&work.start);
        if (work.is_over) {
            return NULL;
        }
        transfers(thread, &state);
        pthread_barrier_wait(&work.end);
    }
}

static bool prepare(bool is_write, size_t bytes, unsigned depth) {
    work.file = open("/dev/vda", O_RDWR | O_DIRECT);
    work.is_write = is_write;
    work.bytes = bytes;
    work.depth = depth;
    bool good = work.file >= 0 && pthread_barrier_init(&work.start, NULL, depth + 1) == 0 &&
                pthread_barrier_init(&work.end, NULL, depth + 1) == 0;
    for (unsigned i = 0; i < depth && good; i++) {
        work.buffers[i] = mmap(NULL, bytes, PROT_READ | PROT_WRITE,
                               MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
        good = work.buffers[i] != MAP_FAILED &&
               pthread_create(&work.threads[i], NULL, run, (void *)(uintptr_t)i) == 0;
    }
    return good;
}

// What the threads wrote last is there, unless it was written over since.
static bool is_written(void) {
    unsigned char *buffer = work.buffers[0];
    uint64_t first;
    bool good = pread(work.file, buffer, BLOCK_BYTES, (off_t)work.place[0]) == BLOCK_BYTES;
    memcpy(&first, buffer, sizeof first);
    return good && first == work.mark;
}

static uint64_t round_of(unsigned count) {
    unsigned good = 0;
    work.each = count / work.depth;
    work.mark += UINT64_C(1) << 32;
    uint64_t start = bench_now();
    pthread_barrier_wait(&work.start);
    pthread_barrier_wait(&work.end);
    uint64_t took = bench_took(start, true);
    for (unsigned i = 0; i < work.depth; i++) {
        good += work.good[i];
    }
    return good == count && (!work.is_write || is_written()) ? took : BENCH_FAILED;
}

static void clean(void) {
    work.is_over = true;
    pthread_barrier_wait(&work.start);
    for (unsigned i = 0; i < work.depth; i++) {
        pthread_join(work.threads[i], NULL);
    }
    close(work.file);
}

static bool read_4k(void) {
    return prepare(false, BLOCK_BYTES, 1);
}

static bool read_4k_32(void) {
    return prepare(false, BLOCK_BYTES, DEPTH_MAX);
}

static bool write_4k(void) {
    return prepare(true, BLOCK_BYTES, 1);
}

static bool write_4k_32(void) {
    return prepare(true, BLOCK_BYTES, DEPTH_MAX);
}

static bool read_1m(void) {
    return prepare(false, LARGE_BYTES, 1);
}

static bool read_1m_32(void) {
    return prepare(false, LARGE_BYTES, DEPTH_MAX);
}

static bool write_1m(void) {
    return prepare(true, LARGE_BYTES, 1);
}

static bool write_1m_32(void) {
    return prepare(true, LARGE_BYTES, DEPTH_MAX);
}

static const struct bench_operation table[] = {
    { "disk_read_4k", 100, read_4k, round_of, clean },
    { "disk_read_4k_32", 320, read_4k_32, round_of, clean },
    { "disk_write_4k", 100, write_4k, round_of, clean },
    { "disk_write_4k_32", 320, write_4k_32, round_of, clean },
    { "disk_read_1m", 10, read_1m, round_of, clean },
    { "disk_read_1m_32", 64, read_1m_32, round_of, clean },
    { "disk_write_1m", 10, write_1m, round_of, clean },
    { "disk_write_1m_32", 64, write_1m_32, round_of, clean },
};

BENCH_MAIN(table)
