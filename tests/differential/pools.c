// SPDX-License-Identifier: MIT OR Apache-2.0
// What calls are given: few names, few descriptors, few numbers, so that steps meet.
#include "program.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#define LONGEST 6000u

static unsigned short kinds[DESCRIPTORS]; // a hint: another process may have closed it

const char *name_of(struct generator *random) {
    static const char *const names[] = { "a", "b", "c", "d", "e" };
    return ELEMENT(random, names);
}

static void add(char *path, const char *more) {
    const size_t length = strlen(path);
    snprintf(path + length, LONGEST - length, "%s", more);
}

static void add_long(char *path, size_t length) {
    const size_t before = strlen(path);
    memset(path + before, 'x', length);
    path[before + length] = '\0';
}

// What few paths have.
static void add_odd(struct generator *random, char *path) {
    static const size_t lengths[] = { 254, 255, 256 };
    switch (below(random, 8)) {
    case 0:
        add_long(path, ELEMENT(random, lengths));
        break;
    case 1:
        add(path, "../");
        add(path, name_of(random));
        break;
    case 2:
        add(path, "./");
        add(path, name_of(random));
        break;
    case 3:
        add(path, "..");
        break;
    case 4:
        add(path, ".");
        break;
    case 5:
        add(path, path[0] == '\0' ? "e/" : "/");
        break;
    case 6:
        add(path, name_of(random));
        add(path, "/.");
        break;
    default:
        break; // perhaps empty
    }
}

const char *path_of(struct generator *random) {
    static char paths[4][LONGEST];
    static unsigned next;
    char *path = paths[next++ % COUNT(paths)];
    path[0] = '\0';
    if (one_in(random, 40)) {
        add(path, PROGRAM_FOLDER "/");
    }
    const unsigned parts = 1 + one_in(random, 3) + one_in(random, 6);
    for (unsigned i = 0; i + 1 < parts; i++) {
        add(path, name_of(random));
        add(path, "/");
    }
    if (one_in(random, 14)) {
        add_odd(random, path);
    } else {
        add(path, name_of(random));
        add(path, one_in(random, 20) ? "/" : "");
    }
    return path;
}

unsigned mode_of(struct generator *random) {
    static const unsigned modes[] = { 0644, 0755,  0777,  0700,  0600,  0444,  0,    0711,
                                      0666, 04755, 02755, 01777, 02775, 06711, 0070, 02644 };
    return ELEMENT(random, modes);
}

static int is_open(int descriptor) {
    return fcntl(descriptor, F_GETFD) >= 0;
}

int descriptor_of(struct generator *random, unsigned wanted) {
    static const int wrong[] = { -1, DESCRIPTORS, 21, 100000, AT_FDCWD };
    const uint32_t which = below(random, 1000);
    if (one_in(random, 40)) {
        return ELEMENT(random, wrong);
    }
    if (one_in(random, 12)) {
        wanted = KIND_ANY;
    }
    int fit[DESCRIPTORS];
    unsigned count = 0;
    for (int i = 0; i < DESCRIPTORS; i++) {
        if ((kinds[i] & wanted) != 0 && is_open(i)) {
            fit[count++] = i;
        }
    }
    return count == 0 ? (int)(which % 8) : fit[which % count];
}

int inode_of(struct generator *random) {
    const int descriptor = descriptor_of(random, KIND_FILE | KIND_FOLDER | KIND_PATH);
    struct stat stat;
    if (fstat(descriptor, &stat) != 0) {
        return descriptor;
    }
    const int is_file = S_ISREG(stat.st_mode) || S_ISDIR(stat.st_mode);
    const int is_nameless = (stat.st_mode & S_IFMT) == 0;
    const int is_drawn = is_file || (is_nameless ? WITH_ANONYMOUS_INODES : WITH_PIPE_OWNERS);
    return is_drawn ? descriptor : -1;
}

int folder_of(struct generator *random) {
    const int other = descriptor_of(random, KIND_FOLDER | KIND_PATH);
    return one_in(random, 4) ? other : AT_FDCWD;
}

void descriptor_is(int descriptor, enum kind kind) {
    if (descriptor >= 0 && descriptor < DESCRIPTORS) {
        kinds[descriptor] = (unsigned short)kind;
    }
}

void descriptor_copied(int from, int to) {
    if (from >= 0 && from < DESCRIPTORS) {
        descriptor_is(to, kinds[from]);
    }
}

void descriptor_note(int descriptor) {
    struct stat stat;
    if (descriptor < 0 || fstat(descriptor, &stat) != 0) {
        return;
    }
    enum kind kind = KIND_OTHER;
    if ((fcntl(descriptor, F_GETFL) & O_PATH) != 0) {
        kind = KIND_PATH;
    } else if (S_ISREG(stat.st_mode)) {
        kind = KIND_FILE;
    } else if (S_ISDIR(stat.st_mode)) {
        kind = KIND_FOLDER;
    } else if (S_ISFIFO(stat.st_mode)) {
        kind = KIND_PIPE;
    } else if (S_ISSOCK(stat.st_mode)) {
        kind = KIND_SOCKET;
    }
    descriptor_is(descriptor, kind);
}

size_t length_of(struct generator *random) {
    static const size_t lengths[] = { 0,   1,    2,    7,    8,    10,   16,   100,   100,
                                      500, 1000, 4095, 4096, 4097, 5000, 8192, 10000, 20000 };
    return ELEMENT(random, lengths);
}

long offset_of(struct generator *random) {
    static const long offsets[] = { 0,    0,    0,    1,    5,     100,   100,   1000,   4095, 4096,
                                    4097, 8192, 8192, 9000, 12288, 16384, 40000, 100000, -1 };
    return ELEMENT(random, offsets);
}

unsigned some_of(struct generator *random, const unsigned *bits, size_t count) {
    unsigned chosen = 0;
    while (one_in(random, 2)) {
        chosen |= bits[below(random, (uint32_t)count)];
    }
    return chosen;
}

const char *data_of(struct generator *random, size_t length) {
    static char data[32768];
    memset(data, (int)('A' + below(random, 26)), length < sizeof data ? length : sizeof data);
    return data;
}
