// SPDX-License-Identifier: MIT OR Apache-2.0
// user/hxmod/main.c: loads, swaps, unloads and shows modules of the kernel, and how they are.
// WITH: watch.c
#include "hxmod.h"

#include <libhelix/calls.h>

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

struct bytes {
    const void *at;
    uint64_t size;
};

int refused(const char *what, enum hx_status status, const char *why) {
    (void)fprintf(stderr, "hxmod: %s: %s%s%s\n", what, hx_status_name(status),
                  why[0] != '\0' ? ": " : "", why);
    return EXIT_REFUSED;
}

// Where packages lie, if nobody says otherwise.
#define FOLDER "/lib/helix/"

// A word that is no file may be the name of a package in FOLDER.
static int open_package(const char *word) {
    char standard[PATH_MAX];
    const int file = open(word, O_RDONLY | O_CLOEXEC);
    if (file >= 0 || errno != ENOENT || strchr(word, '/') != NULL ||
        (size_t)snprintf(standard, sizeof(standard), FOLDER "%s.hxm", word) >= sizeof(standard)) {
        return file;
    }
    return open(standard, O_RDONLY | O_CLOEXEC);
}

// NULL: a package may be in it.
static const char *no_package(const struct stat *found) {
    return S_ISDIR(found->st_mode)    ? "expected a package, found a folder"
           : !S_ISREG(found->st_mode) ? "expected a package, found what is not a file"
           : found->st_size == 0      ? "expected a package, found an empty file"
                                      : NULL;
}

// Mapped for reading. False, and says why: it cannot be read.
static bool open_file(const char *word, struct bytes *out_bytes) {
    struct stat found;
    void *at = MAP_FAILED;
    const char *why = NULL;
    const int file = open_package(word);
    if (file >= 0 && fstat(file, &found) == 0) {
        why = no_package(&found);
        if (why == NULL) {
            at = mmap(NULL, (size_t)found.st_size, PROT_READ, MAP_PRIVATE, file, 0);
        }
    }
    if (at == MAP_FAILED && why == NULL) {
        why = strerror(errno);
    }
    if (file >= 0) {
        close(file);
    } else if (errno == ENOENT && strchr(word, '/') == NULL) {
        why = "there is no such file, and no such package in " FOLDER;
    }
    if (why != NULL) {
        (void)fprintf(stderr, "hxmod: %s: %s\n", word, why);
        return false;
    }
    *out_bytes = (struct bytes){ at, (uint64_t)found.st_size };
    return true;
}

static int load(handle_t modules, const char *path, bool isolated) {
    struct hx_module_report report = { 0 };
    struct bytes package;
    if (!open_file(path, &package)) {
        return EXIT_REFUSED;
    }
    const uint64_t at = (uint64_t)(uintptr_t)package.at;
    enum hx_status status = isolated ? hx_module_isolate(modules, at, package.size, &report)
                                     : hx_module_load(modules, at, package.size, &report);
    return status == HX_OK ? 0 : refused(path, status, (const char *)report.text);
}

static enum hx_status name_make(const char *text, struct hx_module_name *out_name) {
    if (strlen(text) >= sizeof(out_name->bytes)) {
        return HX_ERR_NAME_TOO_LONG;
    }
    memcpy(out_name->bytes, text, strlen(text));
    return HX_OK;
}

static int unload(handle_t modules, const char *text) {
    struct hx_module_report report = { 0 };
    struct hx_module_name name = { 0 };
    enum hx_status status = name_make(text, &name);
    status = status == HX_OK ? hx_module_unload(modules, &name, &report) : status;
    return status == HX_OK ? 0 : refused(text, status, (const char *)report.text);
}

// `path` NULL: for itself.
static int swap(handle_t modules, const char *text, const char *path) {
    struct hx_module_report report = { 0 };
    struct hx_module_name name = { 0 };
    struct bytes package = { NULL, 0 };
    if (path != NULL && !open_file(path, &package)) {
        return EXIT_REFUSED;
    }
    enum hx_status status = name_make(text, &name);
    status = status == HX_OK ? hx_module_swap(modules, &name, (uint64_t)(uintptr_t)package.at,
                                              package.size, &report)
                             : status;
    return status == HX_OK ? 0 : refused(text, status, (const char *)report.text);
}

// `path` NULL: the package of that name in FOLDER.
static int move(handle_t modules, const char *text, const char *where, const char *path) {
    struct hx_module_report report = { 0 };
    struct hx_module_name name = { 0 };
    char standard[sizeof(FOLDER) + sizeof(name.bytes) + sizeof(".hxm")];
    struct bytes package;
    const bool isolated = strcmp(where, "isolated") == 0;
    if (!isolated && strcmp(where, "kernel") != 0) {
        (void)fprintf(stderr, "hxmod: expected kernel or isolated, found %s\n", where);
        return EXIT_WORDS;
    }
    enum hx_status status = name_make(text, &name);
    if (status != HX_OK) {
        return refused(text, status, "");
    }
    (void)snprintf(standard, sizeof(standard), FOLDER "%s.hxm", text);
    if (!open_file(path != NULL ? path : standard, &package)) {
        return EXIT_REFUSED;
    }
    status = hx_module_move(modules, &name, isolated ? HX_MODULE_ISOLATED : 0,
                            (uint64_t)(uintptr_t)package.at, package.size, &report);
    return status == HX_OK ? 0 : refused(text, status, (const char *)report.text);
}

static const char *placement(const struct hx_module_info *info) {
    return info->loaded == HX_MODULE_ISOLATED ? "ring 3" : "kernel";
}

static const char *origin(const struct hx_module_info *info) {
    return info->loaded ? "package" : "image";
}

static const char *life(const struct hx_module_info *info) {
    return info->runs ? "running" : "not running";
}

static void show(const struct hx_module_info *info) {
    printf("name %s\nversion %u.%u.%u\nstate %s\nplaced %s\nfrom %s\nmemory %llu\ncapabilities "
           "0x%x\n%s",
           info->name, info->version[0], info->version[1], info->version[2], life(info),
           placement(info), origin(info), (unsigned long long)info->memory, info->capabilities,
           info->ports);
}

// Whether there is one of that name.
static bool find(handle_t modules, const char *name, struct hx_module_info *out_info) {
    for (uint32_t i = 0; hx_module_info(modules, i, out_info) == HX_OK; i++) {
        if (strcmp((const char *)out_info->name, name) == 0) {
            return true;
        }
    }
    return false;
}

static int show_one(handle_t modules, const char *name) {
    struct hx_module_report report = { 0 };
    struct hx_module_info info = { 0 };
    struct bytes package;
    if (strchr(name, '/') == NULL && find(modules, name, &info)) {
        show(&info);
        return 0;
    }
    if (!open_file(name, &package)) {
        return EXIT_REFUSED;
    }
    enum hx_status status =
        hx_module_check(modules, (uint64_t)(uintptr_t)package.at, package.size, &info, &report);
    if (status != HX_OK) {
        return refused(name, status, (const char *)report.text);
    }
    show(&info);
    return 0;
}

static int list(handle_t modules) {
    struct hx_module_info info = { 0 };
    char version[sizeof("4294967295.4294967295.4294967295")];
    printf("%-16s %-8s %-11s %-7s %s\n", "module", "version", "state", "placed", "from");
    for (uint32_t i = 0; hx_module_info(modules, i, &info) == HX_OK; i++) {
        (void)snprintf(version, sizeof(version), "%u.%u.%u", info.version[0], info.version[1],
                       info.version[2]);
        printf("%-16s %-8s %-11s %-7s %s\n", info.name, version, life(&info), placement(&info),
               origin(&info));
    }
    return 0;
}

// ---- how they are

#define HEALTH "/proc/helix/health"

struct health {
    char name[32], state[16], death[128]; // the last one, or "-"
    unsigned deaths, restarts, swaps, rollbacks;
    unsigned long long restart_ns, worst_restart_ns, held, freeze_ns, worst_freeze_ns, detection_ns;
};

// A line of HEALTH.
static bool read_health(FILE *file, struct health *out) {
    return fscanf(file, "%31s %15s %u %u %llu %llu %llu %u %u %llu %llu %llu %127[^\n]", out->name,
                  out->state, &out->deaths, &out->restarts, &out->restart_ns,
                  &out->worst_restart_ns, &out->held, &out->swaps, &out->rollbacks, &out->freeze_ns,
                  &out->worst_freeze_ns, &out->detection_ns, out->death) == 13;
}

static double ms(unsigned long long ns) {
    return (double)ns / 1e6;
}

static void show_health(const struct health *at) {
    printf("%-15s %-9s %6u %8u %8.2f %8.2f %5u %5u %8.2f %8.2f %6llu  %s\n", at->name, at->state,
           at->deaths, at->restarts, ms(at->restart_ns), ms(at->worst_restart_ns), at->swaps,
           at->rollbacks, ms(at->freeze_ns), ms(at->worst_freeze_ns), at->held, at->death);
}

// Of one, or of all with NULL.
static int health(const char *name) {
    struct health at;
    uint32_t shown = 0;
    FILE *file = fopen(HEALTH, "re");
    if (file == NULL) {
        (void)fprintf(stderr, "hxmod: %s: %s\n", HEALTH, strerror(errno));
        return EXIT_REFUSED;
    }
    while (read_health(file, &at)) {
        if (name != NULL && strcmp(name, at.name) != 0) {
            continue;
        }
        if (shown++ == 0) {
            printf("%-15s %-9s %6s %8s %8s %8s %5s %5s %8s %8s %6s  %s\n", "module", "state",
                   "deaths", "restarts", "last ms", "most ms", "swaps", "back", "held ms",
                   "most ms", "blocks", "last death");
        }
        show_health(&at);
    }
    (void)fclose(file);
    return shown != 0 ? 0
                      : refused(name != NULL ? name : HEALTH, HX_ERR_NOT_FOUND,
                                name != NULL ? "there is no module of that name"
                                             : "no module was started");
}

static int do_words(handle_t modules, int count, char **words) {
    if (count == 3 && strcmp(words[1], "load") == 0 && words[2][0] != '-') {
        return load(modules, words[2], false);
    }
    if (count == 4 && strcmp(words[1], "load") == 0 && strcmp(words[2], "--isolated") == 0) {
        return load(modules, words[3], true);
    }
    if (count == 3 && strcmp(words[1], "unload") == 0) {
        return unload(modules, words[2]);
    }
    if ((count == 3 || count == 4) && strcmp(words[1], "swap") == 0) {
        return swap(modules, words[2], words[3]); // words[count] is NULL
    }
    if ((count == 4 || count == 5) && strcmp(words[1], "move") == 0) {
        return move(modules, words[2], words[3], words[4]);
    }
    if (count == 3 && strcmp(words[1], "info") == 0) {
        return show_one(modules, words[2]);
    }
    if (count == 2 && strcmp(words[1], "list") == 0) {
        return list(modules);
    }
    if ((count == 2 || count == 3) && strcmp(words[1], "health") == 0) {
        return health(words[2]);
    }
    if (count == 2 && strcmp(words[1], "watch") == 0) {
        return watch(modules);
    }
    if (count == 2 && strcmp(words[1], "publish") == 0) {
        return publish(modules);
    }
    if (count == 4 && strcmp(words[1], "load") == 0) {
        (void)fprintf(stderr, "hxmod: expected --isolated in front of the file, found %s\n",
                      words[2]);
    }
    (void)fputs("usage: hxmod load [--isolated] FILE|NAME | unload NAME | swap NAME [FILE] | "
                "move NAME kernel|isolated [FILE] | list | "
                "info NAME|FILE | health [NAME] | watch | publish\n",
                stderr);
    return EXIT_WORDS;
}

int main(int count, char **words) {
    handle_t modules = 0;
    enum hx_status status = hx_module_all(&modules);
    if (status != HX_OK) {
        return refused("the modules", status, "");
    }
    return do_words(modules, count, words);
}
