// SPDX-License-Identifier: MIT OR Apache-2.0
// tests/native/packages.h: packages of modules, and what the kernel says of them.
#pragma once

#include "native.h"

#define FOLDER     "/lib/helix/"
#define MOST_BYTES (1 << 20)

static uint8_t package[MOST_BYTES + 4096];
static size_t package_bytes;
static struct hx_module_report report;

static void read_package(const char *name) {
    char path[256];
    snprintf(path, sizeof path, FOLDER "%s.hxm", name);
    const int file = open(path, O_RDONLY);
    NEED(file >= 0);
    const ssize_t size = read(file, package, sizeof package);
    NEED(size > 0 && size < MOST_BYTES);
    package_bytes = (size_t)size;
    close(file);
}

static handle_t modules(void) {
    const int64_t handle = NATIVE(module_all);
    NEED(handle > 0);
    return (handle_t)handle;
}

static int64_t __attribute__((unused)) load_bytes(size_t size) {
    memset(&report, 0, sizeof report);
    return NATIVE(module_load, modules(), package, size, &report);
}

static int64_t __attribute__((unused)) load(const char *name) {
    read_package(name);
    return load_bytes(package_bytes);
}

// The package that was read last comes and goes, for exhaust(): 0, or ENOMEM where memory was
// refused.
static int __attribute__((unused)) load_and_unload(const char *name) {
    struct hx_module_name bytes = { { 0 } };
    const int64_t all = NATIVE(module_all);
    memcpy(bytes.bytes, name, strlen(name));
    if (all < 0) {
        errno = ENOMEM;
        return -1;
    }
    int64_t status = NATIVE(module_load, all, package, package_bytes, &report);
    if (status == HX_OK) {
        status = NATIVE(module_unload, all, &bytes, &report);
    }
    NATIVE(handle_close, all);
    errno = status == HX_ERR_NO_MEMORY ? ENOMEM : EINVAL;
    return status == HX_OK ? 0 : -1;
}

// The same in ring 3.
static int64_t __attribute__((unused)) isolate_bytes(void) {
    memset(&report, 0, sizeof report);
    return NATIVE(module_isolate, modules(), package, package_bytes, &report);
}

static int64_t __attribute__((unused)) isolate(const char *name) {
    read_package(name);
    return isolate_bytes();
}

// To where `placement` says, as the package that was read last.
static int64_t __attribute__((unused)) move_bytes(const char *name, uint32_t placement) {
    struct hx_module_name bytes = { { 0 } };
    memset(&report, 0, sizeof report);
    memcpy(bytes.bytes, name, strlen(name));
    return NATIVE(module_move, modules(), &bytes, placement, package, package_bytes, &report);
}

static bool __attribute__((unused)) says(const char *part) {
    const bool found = strstr((const char *)report.text, part) != NULL;
    if (!found) {
        printf("no '%s' in: %s\n", part, (const char *)report.text);
    }
    return found;
}

static bool __attribute__((unused)) find(const char *name, struct hx_module_info *out_info) {
    const handle_t all = modules();
    for (uint32_t i = 0; NATIVE(module_info, all, i, out_info) == HX_OK; i++) {
        if (strcmp((const char *)out_info->name, name) == 0) {
            return true;
        }
    }
    return false;
}

static uint32_t __attribute__((unused)) placement_of(const char *name) {
    struct hx_module_info info;
    NEED(find(name, &info));
    CHECK(info.runs == 1);
    return info.loaded;
}

static int64_t unload(const char *name) {
    struct hx_module_name bytes = { { 0 } };
    memset(&report, 0, sizeof report);
    memcpy(bytes.bytes, name, strlen(name));
    return NATIVE(module_unload, modules(), &bytes, &report);
}

// What /proc/helix/health has of a module.
struct life {
    char state[16];
    unsigned deaths, restarts, swaps, rollbacks;
};

// False: it is not listed.
static bool __attribute__((unused)) life_of(const char *name, struct life *out_life) {
    char line[512], known[32];
    bool found = false;
    FILE *file = fopen("/proc/helix/health", "r");
    NEED(file != NULL);
    while (!found && fgets(line, sizeof line, file) != NULL) {
        found = sscanf(line, "%31s %15s %u %u %*u %*u %*u %u %u", known, out_life->state,
                       &out_life->deaths, &out_life->restarts, &out_life->swaps,
                       &out_life->rollbacks) == 6 &&
                strcmp(known, name) == 0;
    }
    fclose(file);
    return found;
}

// Until it has died so often and is in that state.
static struct life __attribute__((unused)) await_life(const char *name, unsigned deaths,
                                                      const char *state) {
    struct life life = { 0 };
    const time_ns_t end = native_after_ms(20000);
    do {
        NEED(life_of(name, &life));
        if (life.deaths >= deaths && strcmp(life.state, state) == 0) {
            return life;
        }
    } while (native_after_ms(0) < end);
    check_fail(__FILE_NAME__, __LINE__, "%s: %u deaths, not %u: %s, not %s", name, life.deaths,
               deaths, life.state, state);
    return life;
}

// "kill NAME KIND NTH" or "doom …": that call of the SDK faults, or each such.
static void __attribute__((unused)) strike(const char *words) {
    const int file = open("/proc/helix/health", O_WRONLY);
    const ssize_t length = (ssize_t)strlen(words);
    NEED(file >= 0 && write(file, words, (size_t)length) == length);
    close(file);
}

// NULL: for itself.
static int64_t __attribute__((unused)) swap(const char *module, const char *next) {
    struct hx_module_name name = { { 0 } };
    memcpy(name.bytes, module, strlen(module));
    memset(&report, 0, sizeof report);
    package_bytes = 0;
    if (next != NULL) {
        read_package(next);
    }
    return NATIVE(module_swap, modules(), &name, package, package_bytes, &report);
}

// Of /proc/meminfo: "MemFree:", for example.
static long __attribute__((unused)) meminfo_pages(const char *what) {
    char text[2048] = "";
    const int file = open("/proc/meminfo", O_RDONLY);
    NEED(file >= 0 && read(file, text, sizeof text - 1) > 0);
    close(file);
    const char *at = strstr(text, what);
    NEED(at != NULL);
    return atol(at + strlen(what)) / 4;
}
