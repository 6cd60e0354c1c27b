// SPDX-License-Identifier: MIT OR Apache-2.0
// tests/native/crowd.h: 200 threads that compute, wait, talk and sleep, and the policies under
// which they do.
#pragma once

#include "native.h"

#include <pthread.h>
#include <sched.h>
#include <sys/resource.h>

#define FILE_NAME "/proc/helix/scheduler"
#define THREADS   200
#define POLICIES  3

static const char *const policies[POLICIES] = { "rr", "fair", "predictive" };

static inline int choose(const char *name) {
    const int fd = open(FILE_NAME, O_WRONLY);
    NEED(fd >= 0);
    const ssize_t put = write(fd, name, strlen(name));
    const int error = put < 0 ? errno : 0;
    close(fd);
    return error;
}

// Packages of modules.
static uint8_t package[1 << 20];
static struct hx_module_report report;

static inline int64_t load(const char *name) {
    char path[64];
    snprintf(path, sizeof(path), "/lib/helix/%s.hxm", name);
    const int fd = open(path, O_RDONLY);
    const int64_t modules = NATIVE(module_all);
    NEED(fd >= 0 && modules > 0);
    const ssize_t size = read(fd, package, sizeof(package));
    NEED(size > 0);
    close(fd);
    return NATIVE(module_load, modules, package, size, &report);
}

static inline int64_t unload(const char *name) {
    struct hx_module_name bytes = { { 0 } };
    memcpy(bytes.bytes, name, strlen(name));
    const int64_t modules = NATIVE(module_all);
    NEED(modules > 0);
    return NATIVE(module_unload, modules, &bytes, &report);
}

// For a version from a package; NULL: for itself.
static inline int64_t swap(const char *module, const char *next) {
    char path[64];
    struct hx_module_name bytes = { { 0 } };
    const int64_t modules = NATIVE(module_all);
    ssize_t size = 0;
    memcpy(bytes.bytes, module, strlen(module));
    memset(&report, 0, sizeof(report));
    if (next != NULL) {
        snprintf(path, sizeof(path), "/lib/helix/%s.hxm", next);
        const int fd = open(path, O_RDONLY);
        NEED(fd >= 0 && (size = read(fd, package, sizeof(package))) > 0);
        close(fd);
    }
    const int64_t status = NATIVE(module_swap, modules, &bytes, package, size, &report);
    NATIVE(handle_close, modules);
    return status;
}

static inline char *slurp(void) {
    static char text[1024];
    const int fd = open(FILE_NAME, O_RDONLY);
    NEED(fd >= 0);
    const ssize_t got = read(fd, text, sizeof(text) - 1);
    NEED(got > 0);
    close(fd);
    text[got] = '\0';
    return text;
}

static inline bool is_chosen(const char *name) {
    char line[64];
    snprintf(line, sizeof(line), "policy %s chosen\n", name);
    return strstr(slurp(), line) != NULL;
}

static inline long long value(const char *key) {
    const char *at = strstr(slurp(), key);
    NEED(at != NULL);
    return atoll(at + strlen(key));
}

// Each thread works in its own way, and counts what it has done.
static _Atomic bool stop;
static _Atomic unsigned long work[THREADS];
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static unsigned long locked_sum;
static int pipes[THREADS][2];

static inline void spin(void) {
    for (volatile unsigned i = 0; i < 500; i++) {
    }
}

static inline void work_once(unsigned id) {
    char byte = 0;
    switch (id % 5) {
    case 0:
        spin();
        break;
    case 1:
        sched_yield();
        break;
    case 2: // with the next one, by turns
        NEED(write(pipes[id][1], &byte, 1) == 1);
        NEED(read(pipes[id + 1][0], &byte, 1) == 1);
        break;
    case 3:
        NEED(read(pipes[id - 1][0], &byte, 1) == 1);
        NEED(write(pipes[id][1], &byte, 1) == 1);
        break;
    default:
        pthread_mutex_lock(&lock);
        locked_sum++;
        pthread_mutex_unlock(&lock);
        usleep(1000);
    }
}

static inline void *worker(void *argument) {
    const unsigned id = (unsigned)(uintptr_t)argument;
    const int before = setpriority(PRIO_PROCESS, (id_t)syscall(SYS_gettid), (int)(id % 7));
    SAME(before, 0);
    while (!stop) {
        work_once(id);
        work[id]++;
    }
    if (id % 5 == 2 || id % 5 == 3) { // whom the other one waits for
        char byte = 0;
        NEED(write(pipes[id][1], &byte, 1) == 1);
    }
    return NULL;
}

static inline void crowd_start(pthread_t *threads) {
    stop = false;
    locked_sum = 0;
    pthread_attr_t attributes;
    pthread_attr_init(&attributes);
    pthread_attr_setstacksize(&attributes, 64 << 10);
    for (unsigned i = 0; i < THREADS; i++) {
        work[i] = 0;
        NEED(pipe(pipes[i]) == 0);
    }
    for (unsigned i = 0; i < THREADS; i++) {
        NEED(pthread_create(&threads[i], &attributes, worker, (void *)(uintptr_t)i) == 0);
    }
    pthread_attr_destroy(&attributes);
}

static inline void crowd_end(pthread_t *threads) {
    unsigned long sum = 0;
    stop = true;
    for (unsigned i = 0; i < THREADS; i++) {
        NEED(pthread_join(threads[i], NULL) == 0);
    }
    for (unsigned i = 0; i < THREADS; i++) {
        close(pipes[i][0]);
        close(pipes[i][1]);
        sum += i % 5 == 4 ? work[i] : 0;
    }
    SAME(locked_sum, sum);
}

// All go on, under whichever policy; who runs this test ends it if one does not.
static inline void wait_for_all(const unsigned long *before) {
    for (unsigned i = 0; i < THREADS; i++) {
        while (work[i] == before[i]) {
            usleep(1000);
        }
    }
}

static inline void all_go_on(void) {
    unsigned long before[THREADS];
    memcpy(before, (unsigned long *)work, sizeof before);
    wait_for_all(before);
}

static inline void await_chosen(const char *name) {
    for (int i = 0; i < 20000 && !is_chosen(name); i++) {
        usleep(1000);
    }
    CHECK(is_chosen(name));
}
