// SPDX-License-Identifier: MIT OR Apache-2.0
// tests/devices/files_load.h: programs that make, name, read and write files and hold locks and
// mappings, each of which finds what it has to, while something happens to the file system.
#pragma once

#include "../scenario/check.h"

#include <dirent.h>
#include <sys/file.h>
#include <sys/xattr.h>

#define WORKERS 4
#define NAMES   12
#define LINES   200

static void put(const char *path, const char *text) {
    const int file = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0644);
    NEED(file >= 0);
    SAME(write(file, text, strlen(text)), strlen(text));
    SAME(close(file), 0);
}

static void has(const char *path, const char *text) {
    char found[256] = "";
    const int file = open(path, O_RDONLY);
    if (file < 0) {
        check_fail(__FILE_NAME__, __LINE__, "%s: %s", path, strerror(errno));
        return;
    }
    SAME(read(file, found, sizeof found - 1), strlen(text));
    CHECK(strcmp(found, text) == 0);
    close(file);
}

// An attribute of so many bytes, each the number of its worker.
static void attribute_set(const char *path, int worker, size_t size) {
    char value[40000];
    memset(value, worker, size);
    SAME(setxattr(path, "trusted.load", value, size, XATTR_CREATE), 0);
}

static void has_attribute(const char *path, int worker, size_t size) {
    char value[40000], found[40000];
    memset(value, worker, size);
    SAME(getxattr(path, "trusted.load", found, sizeof found), size);
    CHECK(memcmp(found, value, size) == 0);
}

static int count_names(const char *path) {
    int count = 0;
    DIR *stream = opendir(path);
    NEED(stream != NULL);
    while (readdir(stream) != NULL) {
        count++;
    }
    closedir(stream);
    return count - 2;
}

// Names: made, linked, moved, exchanged, removed, each as it has to be; and attributes.
static void names(int worker) {
    char text[64], from[64], to[64];
    snprintf(text, sizeof text, "w%d", worker);
    NEED(mkdir(text, 0755) == 0 && chdir(text) == 0 && mkdir("d", 0755) == 0);
    attribute_set("d", worker, 40000);
    for (int i = 0; i < NAMES; i++) {
        snprintf(from, sizeof from, "n%d", i);
        snprintf(to, sizeof to, "d/n%d", i);
        put(from, from);
        attribute_set(from, worker, (size_t)i);
        SAME(link(from, to), 0);
        SAME(unlink(from), 0);
        SAME(symlink(to, from), 0);
        has(from, from);
    }
    SAME(count_names("d"), NAMES);
    SAME(count_names("."), NAMES + 1);
    REFUSED(rmdir("d"), ENOTEMPTY);
    REFUSED(mkdir("d", 0755), EEXIST);
    SAME(rename("d", "e"), 0);
    for (int i = 0; i < NAMES; i++) {
        snprintf(from, sizeof from, "n%d", i);
        snprintf(to, sizeof to, "e/n%d", i);
        has(to, from);
        has_attribute(to, worker, (size_t)i);
        SAME(unlink(from), 0);
        SAME(unlink(to), 0);
        REFUSED(unlink(to), ENOENT);
    }
    has_attribute("e", worker, 40000);
    SAME(removexattr("e", "trusted.load"), 0);
    SAME(rmdir("e"), 0);
    NEED(chdir("..") == 0 && rmdir(text) == 0);
}

// A writer and a reader in the middle of the same file, one line behind the other.
static void stream(int worker) {
    char path[64], line[64], seen[64];
    snprintf(path, sizeof path, "s%d", worker);
    const int writer = open(path, O_WRONLY | O_CREAT | O_APPEND, 0600);
    const int reader = open(path, O_RDONLY);
    NEED(writer >= 0 && reader >= 0);
    for (int i = 0; i < LINES; i++) {
        const int length = snprintf(line, sizeof line, "line %d of %d\n", i, worker);
        SAME(write(writer, line, (size_t)length), length);
        SAME(read(reader, seen, (size_t)length), length);
        CHECK(memcmp(line, seen, (size_t)length) == 0);
    }
    SAME(unlink(path), 0);
    close(writer);
    close(reader);
}

static void mapped(int worker) {
    char path[64];
    snprintf(path, sizeof path, "m%d", worker);
    const int file = open(path, O_RDWR | O_CREAT, 0600);
    NEED(file >= 0 && ftruncate(file, 8192) == 0);
    char *bytes = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
    NEED(bytes != MAP_FAILED);
    for (int i = 0; i < 50; i++) {
        char found = 0;
        bytes[4096 + i] = (char)i;
        SAME(pread(file, &found, 1, 4096 + i), 1);
        SAME(found, i);
        SAME(flock(file, LOCK_EX), 0);
        SAME(flock(file, LOCK_UN), 0);
    }
    SAME(ftruncate(file, 100), 0);
    munmap(bytes, 8192);
    SAME(unlink(path), 0);
    close(file);
}

struct load {
    _Atomic bool ends;
    _Atomic unsigned rounds;
};
static pid_t pids[WORKERS];

static struct load *load_begin(void) {
    struct load *load =
        mmap(NULL, sizeof *load, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    NEED(load != MAP_FAILED);
    for (int worker = 0; worker < WORKERS; worker++) {
        CHILD(pids[worker]) {
            while (!load->ends && check_failures == 0) {
                (worker % 2 == 0 ? names : worker == 1 ? stream : mapped)(worker);
                load->rounds++;
            }
        }
    }
    return load;
}

static void load_end(struct load *load) {
    load->ends = true;
    for (int worker = 0; worker < WORKERS; worker++) {
        EXITS(pids[worker], 0);
    }
    munmap(load, sizeof *load);
}
