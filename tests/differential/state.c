// SPDX-License-Identifier: MIT OR Apache-2.0
// What there is when a program ends: its files, descriptors and process.
#include "program.h"

#include <dirent.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/xattr.h>

#define MOST_NAMES 128
#define DEEPEST    12

static int compare(const void *first, const void *second) {
    return strcmp(*(char *const *)first, *(char *const *)second);
}

static void tell_content(const char *path, const struct stat *stat) {
    static char data[200000];
    const int file = S_ISREG(stat->st_mode) ? open(path, O_RDONLY | O_NONBLOCK) : -1;
    if (file < 0) {
        return;
    }
    const long length = read(file, data, sizeof data);
    close(file);
    say("     content");
    say_bytes(data, length > 0 ? (size_t)length : 0);
    say("\n");
}

static void tell_attributes(const char *path) {
    char names[1000];
    const long length = llistxattr(path, names, sizeof names);
    if (length > 0) {
        say("     attributes");
        for (long at = 0; at < length; at += (long)strlen(names + at) + 1) {
            say(" %s(%ld)", names + at, (long)lgetxattr(path, names + at, NULL, 0));
        }
        say("\n");
    }
}

static void tell_tree(const char *path, int depth);

static void tell_one(const char *path, const char *shown, int depth) {
    struct stat stat;
    const int result = lstat(path, &stat);
    say("  file");
    say_path(shown);
    say_stat("", result, &stat);
    if (result != 0) {
        return;
    }
    tell_content(path, &stat);
    tell_attributes(path);
    if (S_ISLNK(stat.st_mode)) {
        char target[300] = "";
        (void)!readlink(path, target, sizeof target - 1);
        say("     to");
        say_path(target);
        say("\n");
    }
    if (S_ISDIR(stat.st_mode) && depth < DEEPEST) {
        tell_tree(path, depth + 1);
    }
}

static void tell_tree(const char *path, int depth) {
    DIR *folder = opendir(path);
    if (folder == NULL) {
        say("  closed %s\n", path);
        return;
    }
    char *names[MOST_NAMES];
    size_t count = 0;
    for (struct dirent *entry; count < MOST_NAMES && (entry = readdir(folder)) != NULL;) {
        if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0) {
            names[count++] = strdup(entry->d_name);
        }
    }
    closedir(folder);
    qsort(names, count, sizeof names[0], compare);
    for (size_t i = 0; i < count; i++) {
        char whole[6000];
        snprintf(whole, sizeof whole, "%s/%s", path, names[i]);
        tell_one(whole, whole + strlen(PROGRAM_TOP), depth);
        free(names[i]);
    }
}

void state_tell_descriptors(void) {
    for (int i = 0; i < DESCRIPTORS; i++) {
        const int flags = fcntl(i, F_GETFD);
        if (flags < 0) {
            continue;
        }
        struct stat stat;
        int waiting = -1;
        struct pollfd item = { .fd = i, .events = POLLIN | POLLOUT | POLLPRI | POLLRDHUP };
        poll(&item, 1, 0);
        say("  descriptor %d%s", i, (flags & FD_CLOEXEC) != 0 ? " cloexec" : "");
        say_flags((unsigned)fcntl(i, F_GETFL));
        say(" ready %x", item.revents);
        if (ioctl(i, FIONREAD, &waiting) == 0) {
            say(" waiting %d", waiting);
        }
        if (fstat(i, &stat) == 0 && (S_ISREG(stat.st_mode) || S_ISDIR(stat.st_mode))) {
            say(" at %ld", (long)lseek(i, 0, SEEK_CUR));
        }
        say_stat("", fstat(i, &stat), &stat);
    }
}

// What a process hands on.
void state_tell_process(void) {
    sigset_t blocked;
    sigset_t pending;
    sigprocmask(SIG_BLOCK, NULL, &blocked);
    sigpending(&pending);
    say("  signals");
    for (int number = 1; number < 65; number++) {
        struct sigaction action;
        const bool is_known = sigaction(number, NULL, &action) == 0;
        const char *is = !is_known || action.sa_handler == SIG_DFL ? ""
                         : action.sa_handler == SIG_IGN            ? "ignored"
                                                                   : "handled";
        const char *held = sigismember(&blocked, number) == 1 ? " blocked" : "";
        const char *waits = sigismember(&pending, number) == 1 ? " pending" : "";
        if (is[0] != '\0' || held[0] != '\0' || waits[0] != '\0') {
            say(" %d:%s%s%s", number, is, held, waits);
        }
    }
    say("\n  users %d %d groups %d %d nice %d no-new-privileges %d dumpable %d\n", (int)getuid(),
        (int)geteuid(), (int)getgid(), (int)getegid(), getpriority(PRIO_PROCESS, 0),
        prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0), prctl(PR_GET_DUMPABLE, 0, 0, 0, 0));
}

void state_tell(void) {
    say("state\n");
    state_tell_process();
    state_tell_descriptors();
    char folder[5000];
    say("  in");
    say_path(getcwd(folder, sizeof folder) != NULL ? folder : "nowhere");
    say(" umask %o\n", umask(0));
    for (int i = 0; i < DESCRIPTORS; i++) {
        close(i);
    }
    const struct rlimit many = { DESCRIPTORS * 4, DESCRIPTORS * 4 };
    setrlimit(RLIMIT_NOFILE, &many);
    tell_tree(PROGRAM_TOP, 0);
}
