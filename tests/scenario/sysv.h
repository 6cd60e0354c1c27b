// SPDX-License-Identifier: MIT OR Apache-2.0
// tests/scenario/sysv.h: what the programs about System V IPC share.
#pragma once

#include "check.h"

#include <grp.h>
#include <sys/ipc.h>
#include <sys/prctl.h>

#define SOMEWHO   12345 // a user who has nothing yet
#define SOMEGROUP 54321

// From now on it is somebody else, of that group alone, without capabilities.
static void __attribute__((unused)) become(uid_t uid, gid_t gid) {
    NEED(setgroups(0, NULL) == 0 && setgid(gid) == 0 && setuid(uid) == 0);
}

// What a file of /proc has, as a text.
static char *__attribute__((unused)) contents(const char *path) {
    static char text[65536];
    const int file = open(path, O_RDONLY);
    NEED(file >= 0);
    size_t length = 0;
    for (;;) {
        const ssize_t got = read(file, text + length, sizeof text - 1 - length);
        NEED(got >= 0);
        if (got == 0) {
            break;
        }
        length += (size_t)got;
    }
    close(file);
    text[length] = '\0';
    return text;
}

// The line of an id in one of /proc/sysvipc; NULL: it is not there.
static char *__attribute__((unused)) line_of(const char *path, int id) {
    char *line = strchr(contents(path), '\n');
    while (line != NULL && line[1] != '\0') {
        long key;
        long found;
        char *end = strchr(++line, '\n');
        NEED(end != NULL);
        *end = '\0';
        NEED(sscanf(line, "%ld %ld", &key, &found) == 2);
        if (found == id) {
            return line;
        }
        *end = '\n';
        line = end;
    }
    return NULL;
}

static volatile sig_atomic_t handled;

static void __attribute__((unused)) count_signal(int number) {
    (void)number;
    handled++;
}

// A handler that lets calls begin anew.
static void __attribute__((unused)) handle(int number) {
    struct sigaction action = { .sa_handler = count_signal, .sa_flags = SA_RESTART };
    NEED(sigaction(number, &action, NULL) == 0);
}
