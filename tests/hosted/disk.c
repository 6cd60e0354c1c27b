// SPDX-License-Identifier: MIT OR Apache-2.0
// tests/hosted/disk.c: the disk as a file, by the driver that the other machines have.
#include "check.h"

#include <lib/string.h>

#define SECTOR     512u
#define SECTORS    1024u
#define PART_FIRST 9u
#define BUFFER     (PAD + 0x10000)
#define BACK       (PAD + 0x40000)
#define SIZE       0x20000u // of both
#define WORDS      (PAD + 0x1000)
#define WRITERS    12u
#define SHARE      0x6000u // bytes of a writer

#define BLKDISCARD   0x1277u
#define BLKGETSIZE64 0x80081272u

static uint64_t opened(const char *path, uint64_t flags) {
    const int64_t file = CALL(openat, (uint64_t)AT_FDCWD, text_at(WORDS, path), flags);
    NEED(file >= 0);
    return (uint64_t)file;
}

static void nap(uint64_t span_ns) {
    const uint64_t span[2] = { 0, span_ns };
    hosted_write(WORDS, span, sizeof(span));
    SAME(CALL(nanosleep, WORDS, 0), 0);
}

static void fault_set(const char *text) {
    const uint64_t file = opened("/proc/helix/faults", O_WRONLY);
    const size_t length = strlen(text);
    SAME(CALL(write, file, text_at(WORDS, text), length), length);
    SAME(CALL(close, file), 0);
}

// Something else for each mark.
static void fill(uint64_t at, uint64_t size, uint64_t mark) {
    for (uint64_t i = 0; i < size; i += 8) {
        hosted_store(at + i, (mark << 32 | i) * 0x9e3779b97f4a7c15u, 8);
    }
}

static void same_bytes(uint64_t first, uint64_t second, uint64_t size) {
    uint8_t one[SECTOR], other[SECTOR];
    for (uint64_t at = 0; at < size; at += SECTOR) {
        const size_t length = size - at < SECTOR ? size - at : SECTOR;
        hosted_read(one, first + at, length);
        hosted_read(other, second + at, length);
        SAME(memcmp(one, other, length), 0);
    }
}

static void file_systems(void) {
    mount_at("/proc", "proc");
    mount_at("/dev", "devtmpfs");
}

static void a_partition_is_a_part(void) {
    const uint64_t whole = opened("/dev/vda", O_RDWR), part = opened("/dev/vda1", O_RDWR);
    SAME(CALL(ioctl, whole, BLKGETSIZE64, WORDS), 0);
    SAME(hosted_load(WORDS, 8), SECTORS * SECTOR);
    SAME(CALL(ioctl, part, BLKGETSIZE64, WORDS), 0);
    SAME(hosted_load(WORDS, 8), (SECTORS - PART_FIRST) * SECTOR);
    fill(BUFFER, SIZE, 1);
    SAME(CALL(pwrite64, part, BUFFER, SIZE, 77), SIZE);
    SAME(CALL(pread64, whole, BACK, SIZE, PART_FIRST * SECTOR + 77), SIZE);
    same_bytes(BUFFER, BACK, SIZE);
    SAME(CALL(fsync, part), 0);
    SAME(CALL(pwrite64, whole, BUFFER, SIZE, SECTORS * SECTOR - 100), 100); // to the end
    SAME(CALL(pwrite64, whole, BUFFER, 1, SECTORS * SECTOR), -ENOSPC);
    SAME(CALL(pread64, whole, BUFFER, 1, SECTORS * SECTOR), 0);
}

static void direct_moves_sectors(void) {
    const uint64_t file = opened("/dev/vda", O_RDWR | O_DIRECT);
    fill(BUFFER, 8 * SECTOR, 2);
    SAME(CALL(pwrite64, file, BUFFER, SECTOR - 1, 0), -EINVAL);
    SAME(CALL(pwrite64, file, BUFFER, SECTOR, 1), -EINVAL);
    SAME(CALL(pwrite64, file, BUFFER, 8 * SECTOR, 100 * SECTOR), 8 * SECTOR);
    SAME(CALL(pread64, file, BACK, 8 * SECTOR, 100 * SECTOR), 8 * SECTOR);
    same_bytes(BUFFER, BACK, 8 * SECTOR);
}

static void discarded_sectors_are_zero(void) {
    const uint64_t file = opened("/dev/vda", O_RDWR);
    const uint64_t range[2] = { 200 * SECTOR, 150 * SECTOR }; // in several requests
    fill(BUFFER, SIZE, 3);
    SAME(CALL(pwrite64, file, BUFFER, SIZE, 199 * SECTOR), SIZE);
    hosted_write(WORDS, range, sizeof(range));
    SAME(CALL(ioctl, file, BLKDISCARD, WORDS), 0);
    for (uint64_t at = SECTOR; at < 151 * SECTOR; at += 8) {
        hosted_store(BUFFER + at, 0, 8);
    }
    SAME(CALL(pread64, file, BACK, SIZE, 199 * SECTOR), SIZE);
    same_bytes(BUFFER, BACK, SIZE);
}

// Moves all of it, in one call or several; how many.
static uint32_t move_all(uint64_t number, uint64_t file, uint64_t memory, uint64_t size,
                         uint64_t at) {
    uint32_t calls = 0;
    for (uint64_t count = 0; count < size; calls++) {
        const uint64_t arguments[6] = { file, memory + count, size - count, at + count };
        const int64_t moved = hosted_call(number, arguments);
        NEED(moved > 0 && moved <= (int64_t)(size - count));
        count += (uint64_t)moved;
    }
    return calls;
}

// A part of what was asked for is an answer, too; what is left can be had by another call.
static void short_moves_are_legal(void) {
    const uint64_t file = opened("/dev/vda", O_RDWR), size = 8 * SECTOR;
    uint32_t writes = 0, reads = 0;
    fault_set("short 2");
    for (uint64_t i = 0; i < 40; i++) {
        const uint64_t at = PART_FIRST * SECTOR + 11 * i;
        fill(BUFFER, size, 7 + i);
        writes += move_all(HOSTED_CALL_pwrite64, file, BUFFER, size, at);
        reads += move_all(HOSTED_CALL_pread64, file, BACK, size, at);
        same_bytes(BUFFER, BACK, size);
    }
    fault_set("short 0");
    NEED(writes > 40 && reads > 40);
}

// Each write goes on until it fails; beside its range nothing has changed.
static void what_fails_changes_its_range(void) {
    const uint64_t file = opened("/dev/vda", O_RDWR), at = 20 * SECTOR + 5;
    uint32_t failed = 0;
    fill(BUFFER, SIZE, 5);
    SAME(CALL(pwrite64, file, BUFFER, SIZE, at), SIZE);
    fill(BACK, SIZE, 6);
    fault_set("disk 2");
    for (uint64_t i = 0; i < 32; i++) {
        const int64_t moved = CALL(pwrite64, file, BACK, 3000, at + 10000);
        NEED(moved == -EIO || (moved > 0 && moved <= 3000));
        failed += moved != 3000;
        NEED(CALL(fsync, file) <= 0);
    }
    fault_set("disk 0");
    NEED(failed > 0);
    SAME(CALL(pread64, file, BACK, SIZE, at), SIZE);
    same_bytes(BUFFER, BACK, 10000);
    same_bytes(BUFFER + 13000, BACK + 13000, SIZE - 13000);
}

static int writes_share(uint64_t number) {
    const uint64_t file = opened("/dev/vda1", O_RDWR), at = 1 + number * SHARE;
    for (uint64_t round = 0; round < 6; round++) {
        fill(BUFFER, SHARE, number << 8 | round);
        SAME(CALL(pwrite64, file, BUFFER, SHARE, at), SHARE);
        SAME(CALL(pread64, file, BACK, SHARE, at), SHARE);
        same_bytes(BUFFER, BACK, SHARE);
    }
    return 0;
}

// More than the disk has room for; neighbours share sectors.
static void many_wait_for_room(void) {
    for (uint64_t i = 0; i < WRITERS; i++) {
        (void)child_new(writes_share, i);
    }
    for (uint64_t i = 0; i < WRITERS; i++) {
        SAME(child_wait(-1), EXITED(0));
    }
}

static int writes_for_ever(uint64_t at) {
    const uint64_t file = opened("/dev/vda", O_RDWR);
    for (;;) {
        CALL(pwrite64, file, BUFFER, 3000, at);
    }
}

// What somebody wrote who is gone does not come behind what others write then.
static void the_dead_write_nothing(void) {
    enum { KILLED_AT_ONCE = 4 };
    const uint64_t file = opened("/dev/vda", O_RDWR), at = 300 * SECTOR + 1;
    int64_t pids[KILLED_AT_ONCE];
    for (uint64_t round = 0; round < 30; round++) {
        fill(BUFFER, 3000, 100 + round);
        for (uint32_t i = 0; i < KILLED_AT_ONCE; i++) {
            pids[i] = child_new(writes_for_ever, at);
        }
        nap(500000);
        for (uint32_t i = 0; i < KILLED_AT_ONCE; i++) {
            SAME(CALL(kill, (uint64_t)pids[i], SIGKILL), 0);
        }
        for (uint32_t i = 0; i < KILLED_AT_ONCE; i++) {
            SAME(child_wait(pids[i]), KILLED(SIGKILL));
        }
        fill(BUFFER, 3000, 200 + round);
        SAME(CALL(pwrite64, file, BUFFER, 3000, at), 3000);
        nap(5000000);
        SAME(CALL(pread64, file, BACK, 3000, at), 3000);
        same_bytes(BUFFER, BACK, 3000);
    }
}

static const struct check_case cases[] = {
    CASE(file_systems),          CASE(a_partition_is_a_part),
    CASE(direct_moves_sectors),  CASE(discarded_sectors_are_zero),
    CASE(short_moves_are_legal), CASE(what_fails_changes_its_range),
    CASE(many_wait_for_room),    CASE(the_dead_write_nothing),
};
CHECK_PROGRAM(disk, cases);
