// SPDX-License-Identifier: MIT OR Apache-2.0
// The file system in memory is swapped again and again, for another version and for itself, while
// programs make, name, read and write files, hold locks and mappings: none of them gets an error or
// a wrong byte, and what was open stays so. Versions that fail, damage what lasts, or die leave the
// old one and all files.
// DEVICE: packages
// LIMIT: 400
#define MODULE "ramfs"
#include "../native/failing.h"
#include "files_load.h"
#include "versions.h"

#include <sys/mount.h>
#include <sys/xattr.h>

#define SWAPS 200
#define IDLE  16
#define WARM  8
#define LEAK_KIB                                                                                   \
    2048 // slabs stay half full; a copy of what lasts that is not given back is 150 each time

#define ALLOCATIONS 4000

// Under load
// ------------------------------------------------------------------------------------------------

static const char *const versions[] = { "rfs_next", NULL, MODULE };

static void under_load(void) {
    alarm(240);
    const struct health before = health();
    struct load *load = load_begin();
    for (unsigned i = 0; i < SWAPS; i++) {
        const int64_t status = swap(versions[i % 3]);
        if (status != HX_OK) {
            check_fail(__FILE_NAME__, __LINE__, "%lld: %s; %ld KiB are free", (long long)status,
                       (const char *)report.text, free_kib());
        }
        SAME(minor_version(), i % 3 == 2 ? 0 : 1);
        const unsigned rounds = load->rounds;
        while (i % 10 == 0 && load->rounds == rounds && check_failures == 0) {
            pause_ms(1);
        }
    }
    load_end(load);
    SAME(swap(MODULE), HX_OK);
    const struct health after = health();
    SAME(after.swaps, before.swaps + SWAPS + 1);
    SAME(after.rollbacks, before.rollbacks);
    SAME(after.deaths, before.deaths);
    SAME(count_names("."), 0);
    dprintf(1, "freeze: last %llu us, worst %llu us\n", after.freeze_ns / 1000,
            after.worst_freeze_ns / 1000);
}

// What is open
// ------------------------------------------------------------------------------------------------

// The rest of a directory, of which some was read before: each name once, but for those that come
// once more.
static void read_rest(DIR *stream, bool *seen) {
    const struct dirent *entry;
    while ((entry = readdir(stream)) != NULL) {
        const int number = atoi(entry->d_name);
        if (entry->d_name[0] != '.') {
            CHECK(number >= 0 && number < 300 && (!seen[number] || number % 7 == 0));
            seen[number] = true;
        }
    }
}

static void stays_open(void) {
    bool seen[300] = { false };
    char name[32], found[16];
    static char attribute[40000];
    memset(attribute, 'a', sizeof attribute);
    NEED(mkdir("dir", 0755) == 0);
    for (int i = 0; i < 300; i++) {
        snprintf(name, sizeof name, "dir/%d", i);
        put(name, name);
    }
    DIR *stream = opendir("dir");
    for (int i = 0; i < 20; i++) {
        const struct dirent *entry = readdir(stream);
        NEED(entry != NULL);
        seen[atoi(entry->d_name)] |= entry->d_name[0] != '.';
    }
    const int gone = open("gone", O_RDWR | O_CREAT, 0600);
    const int nameless = open(".", O_RDWR | O_TMPFILE, 0600);
    NEED(gone >= 0 && nameless >= 0 && unlink("gone") == 0);
    struct stat before, after;
    NEED(fsetxattr(gone, "user.large", attribute, sizeof attribute, 0) == 0);
    NEED(setxattr("dir", "user.d", "small", 5, 0) == 0);
    NEED(fstat(gone, &before) == 0 && write(gone, "abc", 3) == 3 && write(nameless, "xyz", 3) == 3);
    SAME(flock(gone, LOCK_EX), 0);
    SAME(swap("rfs_next"), HX_OK);
    for (int i = 0; i < 300; i += 7) { // and back: a new name comes behind
        snprintf(name, sizeof name, "dir/%d", i);
        if (!seen[i]) {
            SAME(unlink(name), 0);
            put(name, name);
        }
    }
    read_rest(stream, seen);
    for (int i = 0; i < 300; i++) {
        CHECK(seen[i]);
    }
    closedir(stream);
    SAME(fstat(gone, &after), 0);
    SAME(fgetxattr(gone, "user.large", attribute, sizeof attribute), sizeof attribute);
    CHECK(attribute[0] == 'a' && memcmp(attribute, attribute + 1, sizeof attribute - 1) == 0);
    SAME(getxattr("dir", "user.d", found, sizeof found), 5);
    CHECK(after.st_ino == before.st_ino && after.st_nlink == 0 && after.st_size == 3);
    SAME(pread(gone, found, sizeof found, 0), 3);
    snprintf(name, sizeof name, "/proc/self/fd/%d", nameless);
    SAME(linkat(AT_FDCWD, name, AT_FDCWD, "named", AT_SYMLINK_FOLLOW), 0);
    SAME(swap(NULL), HX_OK);
    has("named", "xyz");
    SAME(unlink("named"), 0);
    close(gone);
    close(nameless);
    SAME(count_names("dir"), 300);
    for (int i = 0; i < 300; i++) {
        snprintf(name, sizeof name, "dir/%d", i);
        has(name, name);
        SAME(unlink(name), 0);
    }
    SAME(rmdir("dir"), 0);
    SAME(swap(MODULE), HX_OK);
}

// Instances with limits of their own, mounted before, between and after.
static void mounts(void) {
    NEED(mkdir("at", 0755) == 0);
    NEED(mount("none", "at", "tmpfs", 0, "nr_inodes=3") == 0);
    put("at/one", "1");
    SAME(swap("rfs_next"), HX_OK);
    put("at/two", "2");
    REFUSED(open("at/three", O_WRONLY | O_CREAT, 0600), ENOSPC);
    SAME(unlink("at/one"), 0);
    put("at/three", "3");
    SAME(mkdir("on", 0755), 0);
    SAME(mount("none", "on", "tmpfs", 0, NULL), 0);
    put("on/it", "yes");
    SAME(swap(MODULE), HX_OK);
    has("on/it", "yes");
    has("at/two", "2");
    SAME(umount("at"), 0);
    SAME(umount("on"), 0);
    SAME(swap(NULL), HX_OK);
    SAME(rmdir("at"), 0);
    SAME(rmdir("on"), 0);
}

// Versions that are none
// ------------------------------------------------------------------------------------------------

static void refused(void) {
    const struct health before = health();
    SAME(swap("rfs_none"), HX_ERR_NOT_SUPPORTED);
    CHECK(says("expected a version that takes over state of schema 2, found one for 0 to 0"));
    SAME(swap("blk_next"), HX_ERR_INVALID);
    SAME(health().swaps, before.swaps);
    SAME(health().worst_freeze_ns, before.worst_freeze_ns);
}

static void fails(const char *next, int64_t status, const char *found) {
    const struct health before = health();
    const unsigned version = minor_version();
    SAME(swap(next), status);
    CHECK(says(found));
    SAME(health().rollbacks, before.rollbacks + 1);
    SAME(health().deaths, before.deaths);
    SAME(minor_version(), version);
    SAME(swap(NULL), HX_OK); // all that lasts is right
}

static void bad_versions(void) {
    struct load *load = load_begin();
    for (int i = 0; i < 3; i++) {
        fails("rfs_import", HX_ERR_CORRUPT, "found that import_state refuses: ");
        fails("rfs_stores", HX_ERR_CORRUPT, "found that import_state refuses: ");
        fails("rfs_half", HX_ERR_NOT_SUPPORTED, "found that import_state refuses: ");
    }
    load_end(load);
}

// It damages what lasts and goes on: that is found, and the old one has its own, and what came
// since.
static void damages(void) {
    const struct health before = health();
    put("old", "old");
    SAME(swap("rfs_damage"), HX_OK);
    for (int i = 0; i < 5000 && health().rollbacks == before.rollbacks; i++) {
        pause_ms(2);
    }
    await_state("runs");
    SAME(health().rollbacks, before.rollbacks + 1);
    SAME(health().deaths, before.deaths + 1);
    SAME(minor_version(), 0);
    has("old", "old");
    SAME(swap(NULL), HX_OK);
    SAME(unlink("old"), 0);
}

// What clients have done with a version that dies on probation is there in the one that comes back,
// also what was copied for a third one, which did not come about.
static void dies_after(bool is_tried) {
    const struct health before = health();
    char name[32];
    int made = 0;
    SAME(swap("rfs_dies"), HX_OK);
    for (; made < 50; made++) {
        snprintf(name, sizeof name, "f%d", made);
        const int file = open(name, O_WRONLY | O_CREAT | O_EXCL, 0600);
        if (file < 0) {
            break;
        }
        SAME(write(file, name, strlen(name)), strlen(name));
        close(file);
        if (is_tried && made == 5) {
            SAME(swap("rfs_import"), HX_ERR_CORRUPT);
        }
    }
    SAME(made, 50); // it dies of the tenth
    await_state("runs");
    SAME(health().rollbacks, before.rollbacks + 1 + is_tried);
    SAME(health().deaths, before.deaths + 1);
    SAME(minor_version(), 0);
    for (int i = 0; i < made; i++) {
        snprintf(name, sizeof name, "f%d", i);
        has(name, name);
        SAME(unlink(name), 0);
    }
    snprintf(name, sizeof name, "f%d", made);
    REFUSED(unlink(name), ENOENT);
    SAME(count_names("."), 0);
}

static void dies(void) {
    dies_after(false);
    pause_ms(300); // so that the rule does not give it up
    dies_after(true);
}

// What is held
// ------------------------------------------------------------------------------------------------

static void all_once(void) {
    SAME(swap("rfs_next"), HX_OK);
    SAME(swap("rfs_import"), HX_ERR_CORRUPT);
    SAME(swap(NULL), HX_OK);
    SAME(swap(MODULE), HX_OK);
    SAME(count_names("."), 0);
}

static void gives_all_back(void) {
    for (int i = 0; i < WARM; i++) {
        all_once();
    }
    await_state("runs");
    const long before_kib = free_kib();
    for (int i = 0; i < IDLE; i++) {
        all_once();
    }
    await_state("runs");
    const long lost_kib = before_kib - free_kib();
    if (lost_kib > LEAK_KIB) {
        check_fail(__FILE_NAME__, __LINE__, "%ld KiB are gone", lost_kib);
    }
}

// Each allocation of a swap fails in turn: it is done, or it is not, and the files are there.
static void without_memory(void) {
    const size_t size = read_package("rfs_next");
    int nth = 1;
    put("there", "there");
    control = open("/proc/helix/fail_nth", O_RDWR);
    NEED(control >= 0 && modules() != 0);
    for (; nth < ALLOCATIONS; nth += nth < 60 ? 1 : 13) { // one for each object, and then some
        const uint64_t before = failures();
        const unsigned deaths = health().deaths;
        fail_nth(nth);
        const int64_t status = swap_bytes(MODULE, nth % 2 == 0 ? 0 : size);
        fail_nth(0);
        has("there", "there");
        SAME(health().deaths, deaths);
        if (status != HX_OK && status != HX_ERR_NO_MEMORY) {
            check_fail(__FILE_NAME__, __LINE__, "allocation %d fails: %lld, %s", nth,
                       (long long)status, (const char *)report.text);
        }
        if (failures() == before && nth % 2 == 1) {
            break;
        }
    }
    CHECK(nth > 100 && nth < ALLOCATIONS);
    SAME(swap(MODULE), HX_OK);
    SAME(unlink("there"), 0);
}

// Another schema
// ------------------------------------------------------------------------------------------------

// The last one: no other version reads that.
static void schema(void) {
    struct load *load = load_begin();
    put("kept", "kept");
    SAME(swap("rfs_schema"), HX_OK);
    SAME(minor_version(), 6);
    CHECK(strcmp(health().state, "runs") == 0); // there is no way back
    SAME(swap(NULL), HX_OK);
    SAME(swap("rfs_schema"), HX_OK);
    SAME(swap(MODULE), HX_ERR_NOT_SUPPORTED);
    CHECK(says("expected a version that takes over state of schema 3, found one for 1 to 2"));
    load_end(load);
    has("kept", "kept");
    SAME(unlink("kept"), 0);
    SAME(count_names("."), 0);
}

static const struct check_case cases[] = {
    CASE(under_load),     CASE(stays_open), CASE(mounts), CASE(refused),
    CASE(bad_versions),   CASE(damages),    CASE(dies),   CASE(gives_all_back),
    CASE(without_memory), CASE(schema),
};

CHECK_MAIN(cases)
