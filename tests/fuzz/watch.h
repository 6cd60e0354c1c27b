// SPDX-License-Identifier: MIT OR Apache-2.0
// tests/fuzz/watch.h: what a supervisor sees of the system from outside its workers.
#pragma once

#include "random.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#define LEAK_KB 4096

static int failures;

static inline void fail(const char *format, uint64_t a, int64_t b) {
    failures++;
    printf("FAILED ");
    printf(format, (unsigned long long)a, (long long)b);
    printf("\n");
    fflush(stdout);
}

static inline void show(const char *path) {
    char text[300];
    int fd = open(path, O_RDONLY);
    ssize_t length = read(fd, text, sizeof(text) - 1);
    close(fd);
    if (length > 0) {
        printf("%s: %.*s\n", path, (int)length, text);
    }
}

static inline int64_t memory_kb(void) {
    char text[2048] = { 0 };
    int fd = open("/proc/meminfo", O_RDONLY);
    (void)!read(fd, text, sizeof(text) - 1);
    close(fd);
    const char *line = strstr(text, "MemAvailable:");
    return line ? strtoll(line + 13, NULL, 10) : -1;
}

// What /proc/slabinfo counts when nothing is cached, by line.
#define CACHES_MAX  64
#define OBJECTS_OWN 4 // that the supervisor itself may need more
struct objects {
    uint32_t count;
    struct {
        char name[32];
        unsigned long long used;
    } caches[CACHES_MAX];
};

static inline void objects_read(struct objects *objects) {
    static char text[16384];
    int fd = open("/proc/sys/vm/drop_caches", O_WRONLY);
    (void)!write(fd, "2", 1);
    close(fd);
    sleep_ms(50); // what was dropped is freed when nobody can be reading it
    objects->count = 0;
    fd = open("/proc/slabinfo", O_RDONLY);
    size_t length = 0;
    ssize_t got;
    while ((got = read(fd, text + length, sizeof(text) - 1 - length)) > 0) {
        length += (size_t)got;
    }
    close(fd);
    text[length] = '\0';
    for (char *line = strtok(text, "\n"); line; line = strtok(NULL, "\n")) {
        const uint32_t i = objects->count;
        objects->count +=
            i < CACHES_MAX && sscanf(line, "%31s %llu %*u %*u", objects->caches[i].name,
                                     &objects->caches[i].used) == 2;
    }
}

// How many caches have more objects than before; says which.
static inline uint32_t more_objects(const struct objects *before, bool says) {
    static struct objects now;
    uint32_t more = 0;
    objects_read(&now);
    for (uint32_t i = 0; i < now.count && i < before->count; i++) {
        if (now.caches[i].used > before->caches[i].used + OBJECTS_OWN) {
            more++;
            if (says) {
                printf("%s: %llu objects, %llu before\n", now.caches[i].name, now.caches[i].used,
                       before->caches[i].used);
            }
        }
    }
    return more;
}

static inline bool is_process(const char *name) {
    char path[PATH_MAX];
    char text[512] = { 0 };
    snprintf(path, sizeof(path), "/proc/%s/stat", name);
    int fd = open(path, O_RDONLY);
    (void)!read(fd, text, sizeof(text) - 1);
    close(fd);
    const char *command_end = strrchr(text, ')');
    int parent = -1;
    if (!command_end || sscanf(command_end, ") %*c %d", &parent) != 1) {
        return false;
    }
    return parent != 2 && !strstr(text, "(kthreadd)"); // Linux's own threads
}

// Calls `found` for each process, if there is one to call; how many there are.
static inline int each_process(void (*found)(const char *path)) {
    DIR *folder = opendir("/proc");
    char path[PATH_MAX];
    int count = 0;
    for (struct dirent *entry; folder && (entry = readdir(folder));) {
        const char first = entry->d_name[0];
        if (first >= '1' && first <= '9' && is_process(entry->d_name)) {
            count++;
            snprintf(path, sizeof(path), "/proc/%s/status", entry->d_name);
            if (found) {
                found(path);
            }
        }
    }
    closedir(folder);
    return count;
}

static inline void remove_tree(const char *path) {
    DIR *folder = opendir(path);
    if (!folder) {
        unlink(path);
        return;
    }
    char child[PATH_MAX];
    for (struct dirent *entry; (entry = readdir(folder));) {
        if (strcmp(entry->d_name, ".") && strcmp(entry->d_name, "..")) {
            struct stat about;
            snprintf(child, sizeof(child), "%s/%s", path, entry->d_name);
            if (lstat(child, &about) == 0 && S_ISDIR(about.st_mode)) {
                remove_tree(child);
            } else {
                unlink(child);
            }
        }
    }
    closedir(folder);
    rmdir(path);
}

// What is freed with a delay gets some seconds.
static inline void check_figures(int64_t memory_before, int processes_before,
                                 const struct objects *objects_before) {
    int64_t memory = 0;
    int processes = 0;
    for (int i = 0; i < 50; i++) {
        memory = memory_kb();
        processes = each_process(NULL);
        if (memory >= memory_before - LEAK_KB && processes <= processes_before &&
            more_objects(objects_before, false) == 0) {
            break;
        }
        sleep_ms(100);
    }
    printf("memory: %lld kB available, %lld kB before; processes: %d, %d before\n",
           (long long)memory, (long long)memory_before, processes, processes_before);
    if (memory < memory_before - LEAK_KB) {
        fail("memory is lost: %llu kB of %lld", (uint64_t)(memory_before - memory), memory_before);
        show("/proc/meminfo");
    }
    const uint32_t more = more_objects(objects_before, true);
    if (more > 0) {
        fail("objects of the kernel are lost: %llu caches of %lld", more, objects_before->count);
    }
    if (processes > processes_before) {
        fail("processes are left: %llu, %lld before", (uint64_t)processes, processes_before);
        each_process(show);
    }
}
