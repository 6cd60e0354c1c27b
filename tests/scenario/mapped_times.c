// SPDX-License-Identifier: MIT OR Apache-2.0
// RUN: musl glibc
// tests/scenario/mapped_times.c: the times of files that are mapped (mmap(2)): mapping is an
// access, a store into a shared mapping a modification. On Linux's tmpfs, a store is noticed when
// it is the first thing that happens to a page of a mapping.
#include "check.h"

#define PAGE     4096
#define LONG_AGO 2000

static int fresh(int flags) {
    int fd = open("f", O_RDWR | O_CREAT | O_TRUNC, 0600);
    NEED(fd >= 0);
    SAME(ftruncate(fd, 2 * PAGE), 0);
    close(fd);
    fd = open("f", O_RDWR | flags);
    NEED(fd >= 0);
    return fd;
}

static void make_old(int fd) {
    const struct timespec old[2] = { { LONG_AGO, 0 }, { LONG_AGO, 0 } };
    SAME(futimens(fd, old), 0);
}

static struct stat look(int fd) {
    struct stat info;
    NEED(fstat(fd, &info) == 0);
    return info;
}

static volatile char *map(int fd, int flags) {
    volatile char *at = mmap(NULL, 2 * PAGE, PROT_READ | PROT_WRITE, flags, fd, 0);
    NEED(at != MAP_FAILED);
    return at;
}

static void unmap(volatile char *at) {
    SAME(munmap((void *)at, 2 * PAGE), 0);
}

static void mapping_is_an_access(void) {
    int fd = fresh(0);
    const int kinds[] = { MAP_SHARED, MAP_PRIVATE };
    for (int i = 0; i < 2; i++) {
        make_old(fd);
        SAME(look(fd).st_atim.tv_sec, LONG_AGO);
        unmap(map(fd, kinds[i]));
        CHECK(look(fd).st_atim.tv_sec > LONG_AGO);
        SAME(look(fd).st_mtim.tv_sec, LONG_AGO);
    }
}

static void mapping_is_none_without_atime(void) {
    int fd = fresh(O_NOATIME);
    make_old(fd);
    unmap(map(fd, MAP_SHARED));
    SAME(look(fd).st_atim.tv_sec, LONG_AGO);
}

static void store_modifies(void) {
    int fd = fresh(0);
    make_old(fd);
    volatile char *at = map(fd, MAP_SHARED);
    (void)at[0];
    SAME(look(fd).st_mtim.tv_sec, LONG_AGO);
    at[PAGE] = 1;
    struct stat info = look(fd);
    CHECK(info.st_mtim.tv_sec > LONG_AGO);
    SAME(info.st_ctim.tv_sec, info.st_mtim.tv_sec);
    SAME(info.st_ctim.tv_nsec, info.st_mtim.tv_nsec);
    unmap(at);
}

static void store_into_private_does_not(void) {
    int fd = fresh(0);
    make_old(fd);
    volatile char *at = map(fd, MAP_PRIVATE);
    at[0] = 1;
    SAME(look(fd).st_mtim.tv_sec, LONG_AGO);
    unmap(at);
}

static void kernel_stores_too(void) {
    int fd = fresh(0);
    int ends[2];
    NEED(pipe(ends) == 0);
    make_old(fd);
    volatile char *at = map(fd, MAP_SHARED);
    SAME(write(ends[1], "x", 1), 1);
    SAME(read(ends[0], (void *)at, 1), 1);
    CHECK(look(fd).st_mtim.tv_sec > LONG_AGO);
    unmap(at);
}

static void child_stores(void) {
    int fd = fresh(0);
    make_old(fd);
    volatile char *at = map(fd, MAP_SHARED);
    pid_t child = fork();
    if (child == 0) {
        at[0] = 1;
        _exit(0);
    }
    SAME(waitpid(child, NULL, 0), child);
    CHECK(look(fd).st_mtim.tv_sec > LONG_AGO);
    unmap(at);
}

// What is set after the store stays, also when nobody looked in between.
static void later_times_stay(void) {
    int fd = fresh(0);
    make_old(fd);
    volatile char *at = map(fd, MAP_SHARED);
    at[0] = 1;
    make_old(fd);
    SAME(look(fd).st_mtim.tv_sec, LONG_AGO);
    SAME(look(fd).st_mtim.tv_sec, LONG_AGO);
    at[PAGE] = 1;
    SAME(fchmod(fd, 0640), 0);
    CHECK(look(fd).st_mtim.tv_sec > LONG_AGO);
    unmap(at);
}

// The next read is an access, as the file is newer than its last one.
static void read_after_store_is_an_access(void) {
    int fd = fresh(0);
    volatile char *at = map(fd, MAP_SHARED);
    make_old(fd);
    char byte;
    SAME(read(fd, &byte, 1), 1);
    at[0] = 1;
    SAME(read(fd, &byte, 1), 1);
    struct stat after = look(fd);
    CHECK(after.st_atim.tv_sec > after.st_mtim.tv_sec ||
          (after.st_atim.tv_sec == after.st_mtim.tv_sec &&
           after.st_atim.tv_nsec >= after.st_mtim.tv_nsec));
    CHECK(after.st_mtim.tv_sec > LONG_AGO);
    unmap(at);
}

// What others left in memory is no time of a file that nobody mapped.
static void times_are_its_own(void) {
    const size_t bytes = 8 << 20;
    const int flags = MAP_PRIVATE | MAP_ANONYMOUS;
    int files[200];
    const time_t before = time(NULL);
    char *at = mmap(NULL, bytes, PROT_READ | PROT_WRITE, flags, -1, 0);
    NEED(at != MAP_FAILED);
    memset(at, 0x35, bytes);
    NEED(munmap(at, bytes) == 0);
    for (int i = 0; i < 200; i++) {
        files[i] = (int)syscall(SYS_memfd_create, "", 0);
        NEED(files[i] >= 0);
        const time_t modified = look(files[i]).st_mtim.tv_sec;
        CHECK(modified >= before - 1 && modified <= time(NULL));
    }
    for (int i = 0; i < 200; i++) {
        close(files[i]);
    }
}

static const struct check_case cases[] = {
    CASE(mapping_is_an_access), CASE(mapping_is_none_without_atime),
    CASE(store_modifies),       CASE(store_into_private_does_not),
    CASE(kernel_stores_too),    CASE(child_stores),
    CASE(later_times_stay),     CASE(read_after_store_is_an_access),
    CASE(times_are_its_own),
};
CHECK_MAIN(cases)
