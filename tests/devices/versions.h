// SPDX-License-Identifier: MIT OR Apache-2.0
// tests/devices/versions.h: swaps of one MODULE, which the test defines, for versions from
// packages.
#pragma once

#include "../native/native.h"
#include "health.h"

#define FOLDER "/lib/helix/"

static inline void await_state(const char *state) {
    for (int i = 0; i < 5000 && strcmp(health().state, state) != 0; i++) {
        pause_ms(2);
    }
    CHECK(strcmp(health().state, state) == 0);
}

// Swapping
// ------------------------------------------------------------------------------------------------

static uint8_t package[1 << 20];
static struct hx_module_report report;

// A process's own.
static inline handle_t modules(void) {
    static handle_t handle;
    static pid_t owner;
    if (owner != getpid()) {
        const int64_t found = NATIVE(module_all);
        NEED(found > 0);
        handle = (handle_t)found;
        owner = getpid();
    }
    return handle;
}

static inline size_t read_package(const char *name) {
    char path[256];
    snprintf(path, sizeof path, FOLDER "%s.hxm", name);
    const int file = open(path, O_RDONLY);
    NEED(file >= 0);
    const ssize_t size = read(file, package, sizeof package);
    NEED(size > 0);
    close(file);
    return (size_t)size;
}

static inline int64_t swap_bytes(const char *module, size_t size) {
    struct hx_module_name name = { { 0 } };
    memcpy(name.bytes, module, strlen(module));
    memset(&report, 0, sizeof report);
    return NATIVE(module_swap, modules(), &name, package, size, &report);
}

// NULL: for itself.
static inline int64_t swap(const char *next) {
    return swap_bytes(MODULE, next == NULL ? 0 : read_package(next));
}

static inline bool says(const char *part) {
    const bool found = strstr((const char *)report.text, part) != NULL;
    if (!found) {
        printf("no '%s' in: %s\n", part, (const char *)report.text);
    }
    return found;
}

static inline unsigned minor_version(void) {
    struct hx_module_info info;
    for (uint32_t i = 0; NATIVE(module_info, modules(), i, &info) == HX_OK; i++) {
        if (strcmp((const char *)info.name, MODULE) == 0) {
            return info.version[1];
        }
    }
    return 99;
}

static inline long free_kib(void) {
    char line[128];
    long kib = -1;
    FILE *file = fopen("/proc/meminfo", "r");
    NEED(file != NULL);
    while (fgets(line, sizeof line, file) != NULL && sscanf(line, "MemFree: %ld", &kib) != 1) {
    }
    fclose(file);
    return kib;
}
