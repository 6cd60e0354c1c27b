// SPDX-License-Identifier: MIT OR Apache-2.0
// bench/file.c: names and files on a tmpfs, mounted on /tmp by init.
#include "bench.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>

#define CONTENT_BYTES 4096
#define ENTRIES       1000

static const char plain[] = "/tmp/file";
static const char deep[] = "/tmp/a/b/c/d/file"; // five names below the mount
static const char fresh[] = "/tmp/fresh";
static const char folder[] = "/tmp/many";

static bool make_file(const char *path) {
    int file = open(path, O_WRONLY | O_CREAT, 0600);
    return file >= 0 && write(file, "12345", 5) == 5 && close(file) == 0;
}

static bool plain_prepare(void) {
    return make_file(plain);
}

static bool deep_prepare(void) {
    return mkdir("/tmp/a", 0700) == 0 && mkdir("/tmp/a/b", 0700) == 0 &&
           mkdir("/tmp/a/b/c", 0700) == 0 && mkdir("/tmp/a/b/c/d", 0700) == 0 && make_file(deep);
}

static void deep_clean(void) {
    unlink(deep);
    rmdir("/tmp/a/b/c/d");
    rmdir("/tmp/a/b/c");
    rmdir("/tmp/a/b");
    rmdir("/tmp/a");
}

static void plain_clean(void) {
    unlink(plain);
}

static uint64_t open_close_round(unsigned count) {
    unsigned good = 0;
    uint64_t start = bench_now();
    for (unsigned i = 0; i < count; i++) {
        int file = open(plain, O_RDONLY);
        good += file >= 0 && close(file) == 0;
    }
    return bench_took(start, good == count);
}

static uint64_t stat_path(const char *path, unsigned count) {
    struct stat status;
    unsigned good = 0;
    uint64_t start = bench_now();
    for (unsigned i = 0; i < count; i++) {
        status.st_size = 0;
        good += stat(path, &status) == 0 && status.st_size == 5;
    }
    return bench_took(start, good == count);
}

static uint64_t stat_round(unsigned count) {
    return stat_path(plain, count);
}

static uint64_t stat_deep_round(unsigned count) {
    return stat_path(deep, count);
}

static uint64_t create_round(unsigned count) {
    static char content[CONTENT_BYTES];
    unsigned good = 0;
    uint64_t start = bench_now();
    for (unsigned i = 0; i < count; i++) {
        int file = open(fresh, O_WRONLY | O_CREAT | O_EXCL, 0600);
        good += write(file, content, sizeof content) == (ssize_t)sizeof content &&
                close(file) == 0 && unlink(fresh) == 0;
    }
    return bench_took(start, good == count);
}

static void entry_name(char *name, size_t bytes, unsigned number) {
    snprintf(name, bytes, "%s/entry-%u", folder, number);
}

static bool readdir_prepare(void) {
    char name[64];
    bool good = mkdir(folder, 0700) == 0;
    for (unsigned i = 0; good && i < ENTRIES; i++) {
        entry_name(name, sizeof name, i);
        good = make_file(name);
    }
    return good;
}

static void readdir_clean(void) {
    char name[64];
    for (unsigned i = 0; i < ENTRIES; i++) {
        entry_name(name, sizeof name, i);
        unlink(name);
    }
    rmdir(folder);
}

static unsigned count_entries(void) {
    unsigned entries = 0;
    DIR *stream = opendir(folder);
    if (stream == NULL) {
        return 0;
    }
    while (readdir(stream) != NULL) {
        entries++;
    }
    closedir(stream);
    return entries;
}

// Opening, reading all of a folder, closing; through the C library, as ls does it.
static uint64_t readdir_round(unsigned count) {
    unsigned good = 0;
    uint64_t start = bench_now();
    for (unsigned i = 0; i < count; i++) {
        good += count_entries() == ENTRIES + 2; // with . and ..
    }
    return bench_took(start, good == count);
}

static const struct bench_operation table[] = {
    { "open_close", 20, plain_prepare, open_close_round, plain_clean },
    { "stat", 500, plain_prepare, stat_round, plain_clean },
    { "stat_5_deep", 500, deep_prepare, stat_deep_round, deep_clean },
    { "create_unlink_4k", 5, NULL, create_round, NULL },
    { "readdir_1000", 5, readdir_prepare, readdir_round, readdir_clean },
};

BENCH_MAIN(table)
