// SPDX-License-Identifier: MIT OR Apache-2.0
// The file system in memory, on which everything is, moves into ring 3 and back again and again,
// while programs make, name, read and write files, hold locks and mappings: none of them gets an
// error or a wrong byte, and what was open stays so. There it dies, again and again, and is healed.
// DEVICE: packages
// LIMIT: 400
#define MODULE "ramfs"
#include "../native/failing.h"
#include "files_load.h"
#include "placement.h"
#include "versions.h"

#include <sys/mount.h>

#define MOVES       30
#define DEATHS      12
#define FILES       300
#define ALLOCATIONS 4000
#define LEAK_KIB    2048 // a process that is not given back takes as much each time

static int64_t move_to(const char *package_name, uint32_t placement) {
    struct hx_module_name name = { MODULE };
    memset(&report, 0, sizeof report);
    const size_t size = read_package(package_name);
    return NATIVE(module_move, modules(), &name, placement, package, size, &report);
}

static void need_move(bool out) {
    const int64_t status = move_to(MODULE, out ? HX_MODULE_ISOLATED : 0);
    if (status != HX_OK) {
        check_fail(__FILE_NAME__, __LINE__, "%lld: %s", (long long)status,
                   (const char *)report.text);
    }
    SAME(placement(MODULE), out ? HX_MODULE_ISOLATED : 1);
}

static void await_rounds(struct load *load, unsigned more) {
    const unsigned rounds = load->rounds;
    while (load->rounds < rounds + more && check_failures == 0) {
        pause_ms(1);
    }
}

static void under_load(void) {
    alarm(240);
    const struct health before = health();
    struct load *load = load_begin();
    for (unsigned i = 0; i < MOVES; i++) {
        need_move(i % 2 == 0);
        if (i % 5 == 0) {
            await_rounds(load, 1);
        }
    }
    load_end(load);
    const struct health after = health();
    SAME(after.swaps, before.swaps + MOVES);
    SAME(after.rollbacks, before.rollbacks);
    SAME(after.deaths, before.deaths);
    SAME(count_names("."), 0);
}

// What is open
// ------------------------------------------------------------------------------------------------

static void stays_open(void) {
    bool seen[FILES] = { false };
    char name[32], found[16];
    const struct dirent *entry;
    NEED(mkdir("dir", 0755) == 0);
    for (int i = 0; i < FILES; i++) {
        snprintf(name, sizeof name, "dir/%d", i);
        put(name, name);
    }
    DIR *stream = opendir("dir");
    for (int i = 0; i < 20; i++) {
        entry = readdir(stream);
        NEED(entry != NULL);
        seen[atoi(entry->d_name)] |= entry->d_name[0] != '.';
    }
    const int gone = open("gone", O_RDWR | O_CREAT, 0600);
    const int nameless = open(".", O_RDWR | O_TMPFILE, 0600);
    NEED(gone >= 0 && nameless >= 0 && unlink("gone") == 0);
    NEED(write(gone, "abc", 3) == 3 && write(nameless, "xyz", 3) == 3);
    char *bytes = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, gone, 0);
    NEED(bytes != MAP_FAILED && flock(gone, LOCK_EX) == 0);
    struct stat before, after;
    NEED(fstat(gone, &before) == 0);
    need_move(true);
    while ((entry = readdir(stream)) != NULL) {
        CHECK(entry->d_name[0] == '.' || !seen[atoi(entry->d_name)]);
        seen[atoi(entry->d_name)] = true;
    }
    for (int i = 0; i < FILES; i++) {
        CHECK(seen[i]);
    }
    closedir(stream);
    SAME(fstat(gone, &after), 0);
    CHECK(after.st_ino == before.st_ino && after.st_nlink == 0 && after.st_size == 3);
    bytes[1] = 'B';
    SAME(pread(gone, found, sizeof found, 0), 3);
    CHECK(memcmp(found, "aBc", 3) == 0);
    snprintf(name, sizeof name, "/proc/self/fd/%d", nameless);
    SAME(linkat(AT_FDCWD, name, AT_FDCWD, "named", AT_SYMLINK_FOLLOW), 0);
    need_move(false);
    has("named", "xyz");
    munmap(bytes, 4096);
    close(gone);
    close(nameless);
    need_move(true);
    SAME(unlink("named"), 0);
    SAME(count_names("dir"), FILES);
    for (int i = 0; i < FILES; i++) {
        snprintf(name, sizeof name, "dir/%d", i);
        has(name, name);
        SAME(unlink(name), 0);
    }
    SAME(rmdir("dir"), 0);
    need_move(false);
}

// Made here and there; more of them than a connection has.
static void mounts(void) {
    char path[32];
    NEED(mkdir("at", 0755) == 0 && mount("none", "at", "tmpfs", 0, "nr_inodes=3") == 0);
    put("at/one", "1");
    need_move(true);
    put("at/two", "2");
    REFUSED(open("at/three", O_WRONLY | O_CREAT, 0600), ENOSPC);
    SAME(unlink("at/one"), 0);
    put("at/three", "3");
    REFUSED(mount("none", "at", "tmpfs", 0, "nonsense=3"), EINVAL);
    NEED(mkdir("many", 0755) == 0);
    for (int i = 0; i < 24; i++) {
        snprintf(path, sizeof path, "many/%d", i);
        NEED(mkdir(path, 0755) == 0 && mount("none", path, "tmpfs", 0, NULL) == 0);
        strcat(path, "/it");
        put(path, path);
    }
    SAME(swap(NULL), HX_OK); // for itself, there
    SAME(placement(MODULE), HX_MODULE_ISOLATED);
    for (int i = 0; i < 24; i++) {
        if (i == 12) {
            need_move(false);
        }
        snprintf(path, sizeof path, "many/%d/it", i);
        has(path, path);
        *strrchr(path, '/') = '\0';
        SAME(umount(path), 0);
        SAME(rmdir(path), 0);
    }
    has("at/two", "2");
    SAME(umount("at"), 0);
    SAME(rmdir("at"), 0);
    SAME(rmdir("many"), 0);
}

// Programs are started from it, and their pages are its.
static void starts_programs(void) {
    need_move(true);
    for (int i = 0; i < 20; i++) {
        SAME(WEXITSTATUS(system("test -e /sbin/runner && exit 7")), 7);
    }
    need_move(false);
}

// Deaths
// ------------------------------------------------------------------------------------------------

static void heals(void) {
    alarm(240);
    SAME(move_to("rfs_often", HX_MODULE_ISOLATED), HX_OK);
    SAME(minor_version(), 7);
    while (strcmp(health().state, "probation") == 0) { // its deaths are its own
        pause_ms(10);
    }
    const struct health before = health();
    struct load *load = load_begin();
    while (health().deaths < before.deaths + DEATHS && check_failures == 0) {
        pause_ms(10);
        CHECK(strcmp(health().state, "gone") != 0);
    }
    load_end(load);
    await_state("runs");
    need_move(false);
    const struct health after = health();
    SAME(after.restarts, after.deaths);
    SAME(after.rollbacks, before.rollbacks);
    SAME(count_names("."), 0);
    SAME(swap(NULL), HX_OK); // all that lasts is right
    dprintf(1, "restart, from detection: worst %llu us\n", after.worst_ns / 1000);
}

// One that dies on probation is followed by the one before, in the kernel, with all that was made.
static void goes_back(void) {
    const struct health before = health();
    char name[32];
    int made = 0;
    SAME(move_to("rfs_dies", HX_MODULE_ISOLATED), HX_OK);
    for (; made < 20; made++) {
        snprintf(name, sizeof name, "f%d", made);
        put(name, name);
    }
    await_state("runs");
    SAME(health().rollbacks, before.rollbacks + 1);
    SAME(placement(MODULE), 1);
    for (int i = 0; i < made; i++) {
        snprintf(name, sizeof name, "f%d", i);
        has(name, name);
        SAME(unlink(name), 0);
    }
    SAME(count_names("."), 0);
}

// Versions that do not begin there leave the one in the kernel.
static void does_not_begin(void) {
    const struct health before = health();
    put("there", "there");
    SAME(move_to("rfs_import", HX_MODULE_ISOLATED), HX_ERR_CORRUPT);
    CHECK(says("expected that it starts, found that import_state refuses: "));
    SAME(placement(MODULE), 1);
    SAME(move_to("rfs_half", HX_MODULE_ISOLATED), HX_ERR_NOT_SUPPORTED);
    SAME(placement(MODULE), 1);
    SAME(health().deaths, before.deaths);
    has("there", "there");
    SAME(unlink("there"), 0);
    SAME(swap(NULL), HX_OK);
}

static void gives_all_back(void) {
    for (int i = 0; i < 8; i++) {
        need_move(i % 2 == 0);
    }
    await_state("runs");
    const long before_kib = free_kib();
    for (int i = 0; i < 16; i++) {
        need_move(i % 2 == 0);
    }
    await_state("runs");
    const long lost_kib = before_kib - free_kib();
    if (lost_kib > LEAK_KIB) {
        check_fail(__FILE_NAME__, __LINE__, "%ld KiB are gone", lost_kib);
    }
}

// Each allocation of a move fails in turn, there and back.
static void without_memory(void) {
    int nth = 1;
    put("there", "there");
    control = open("/proc/helix/fail_nth", O_RDWR);
    NEED(control >= 0 && modules() != 0);
    const size_t size = read_package(MODULE);
    const struct hx_module_name name = { MODULE };
    for (; nth < ALLOCATIONS; nth += nth < 120 ? 1 : 17) {
        const uint64_t before = failures();
        const uint32_t to = placement(MODULE) == 1 ? HX_MODULE_ISOLATED : 0;
        fail_nth(nth);
        const int64_t status = NATIVE(module_move, modules(), &name, to, package, size, &report);
        fail_nth(0);
        has("there", "there");
        if (status != HX_OK && status != HX_ERR_NO_MEMORY && status != HX_ERR_PEER_DIED) {
            check_fail(__FILE_NAME__, __LINE__, "allocation %d fails: %lld, %s", nth,
                       (long long)status, (const char *)report.text);
        }
        if (failures() == before) {
            break;
        }
    }
    CHECK(nth > 100 && nth < ALLOCATIONS);
    if (placement(MODULE) != 1) {
        need_move(false);
    }
    SAME(unlink("there"), 0);
}

static const struct check_case cases[] = {
    CASE(under_load),      CASE(stays_open),     CASE(mounts),
    CASE(starts_programs), CASE(heals),          CASE(goes_back),
    CASE(does_not_begin),  CASE(gives_all_back), CASE(without_memory),
};

CHECK_MAIN(cases)
