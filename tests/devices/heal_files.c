// SPDX-License-Identifier: MIT OR Apache-2.0
// The file system in memory dies again and again, by faults of its own code, while programs make,
// name, read and write files: none of them gets an error, nothing is lost, nothing is done twice.
// One that dies too often is given up, and then they are told, until
// it is swapped for a version that works.
// DEVICE: packages
// LIMIT: 400
#define MODULE "ramfs"
#include "files_load.h"
#include "versions.h"

#define KILLS   27
#define SPAN_MS 130 // between deaths, so that the rule does not give the module up

static void under_load(void) {
    alarm(240);
    const struct health before = health();
    struct load *load = load_begin();
    for (unsigned kill = 0; kill < KILLS; kill++) {
        doom("kill", kinds[kill % KINDS], 1 + (int)(kill * 37 % 101));
        await(before.deaths + kill + 1);
        pause_ms(SPAN_MS);
    }
    load_end(load);
    const struct health after = health();
    SAME(after.deaths, before.deaths + KILLS);
    SAME(after.restarts, before.restarts + KILLS);
    SAME(count_names("."), 0);
    dprintf(1, "restart, from detection: last %llu us, worst %llu us\n", after.restart_ns / 1000,
            after.worst_ns / 1000);
}

// One operation with a death at each of its calls of the SDK
// ------------------------------------------------------------------------------------------------

static void make(void) {
    const int file = open("b", O_RDWR | O_CREAT | O_EXCL, 0600);
    CHECK(file >= 0);
    REFUSED(open("b", O_RDWR | O_CREAT | O_EXCL, 0600), EEXIST);
    close(file);
    SAME(unlink("b"), 0);
}

static void make_directory(void) {
    SAME(mkdir("b", 0700), 0);
    REFUSED(mkdir("b", 0700), EEXIST);
    SAME(rmdir("b"), 0);
    REFUSED(rmdir("b"), ENOENT);
}

static void make_links(void) {
    struct stat found;
    SAME(link("a", "b"), 0);
    SAME(stat("a", &found), 0);
    SAME(found.st_nlink, 2);
    SAME(symlink("a", "c"), 0);
    has("c", "a");
    SAME(unlink("c"), 0);
    SAME(unlink("b"), 0);
    REFUSED(unlink("b"), ENOENT);
    SAME(stat("a", &found), 0);
    SAME(found.st_nlink, 1);
}

static void move(void) {
    SAME(rename("a", "d/a"), 0);
    REFUSED(rename("a", "d/a"), ENOENT);
    has("d/a", "a");
    SAME(rename("d/a", "a"), 0);
}

static void move_over(void) {
    put("b", "b");
    SAME(rename("b", "a"), 0);
    has("a", "b");
    put("a", "a");
}

static void exchange(void) {
    put("b", "b");
    SAME(syscall(SYS_renameat2, AT_FDCWD, "a", AT_FDCWD, "b", 2), 0); // RENAME_EXCHANGE
    has("a", "b");
    has("b", "a");
    SAME(rename("b", "a"), 0);
}

static void attributes(void) {
    struct stat found;
    SAME(chmod("a", 0640), 0);
    SAME(truncate("a", 100), 0);
    SAME(stat("a", &found), 0);
    CHECK(found.st_size == 100 && found.st_mode == (S_IFREG | 0640));
    SAME(truncate("a", 1), 0);
}

static void nameless(void) {
    char path[32];
    const int file = open(".", O_RDWR | O_TMPFILE, 0600);
    NEED(file >= 0);
    SAME(write(file, "n", 1), 1);
    snprintf(path, sizeof path, "/proc/self/fd/%d", file);
    SAME(linkat(AT_FDCWD, path, AT_FDCWD, "b", AT_SYMLINK_FOLLOW), 0);
    close(file);
    has("b", "n");
    SAME(unlink("b"), 0);
}

// With a death at the n-th call. Whether there was one.
static bool dies_at(void (*operation)(void), int nth) {
    const unsigned deaths = health().deaths;
    doom("kill", "null", nth);
    operation();
    doom("kill", "null", 0);
    const bool died = health().deaths != deaths;
    if (died) {
        await(deaths + 1);
        pause_ms(SPAN_MS);
    }
    has("a", "a");
    SAME(count_names("."), 2);
    SAME(count_names("d"), 0);
    return died;
}

static void everywhere(void) {
    static void (*const operations[])(void) = { make,      make_directory, make_links, move,
                                                move_over, exchange,       attributes, nameless };
    alarm(240);
    put("a", "a");
    NEED(mkdir("d", 0700) == 0);
    for (unsigned i = 0; i < sizeof operations / sizeof *operations; i++) {
        int nth = 1;
        const unsigned deaths = health().deaths;
        while (nth < 1000 && dies_at(operations[i], nth)) {
            nth++;
        }
        CHECK(nth > 4 && nth < 1000);
        SAME(health().deaths, deaths + (unsigned)nth - 1);
        dprintf(1, "operation %u: %d deaths\n", i, nth - 1);
    }
    SAME(unlink("a"), 0);
    SAME(rmdir("d"), 0);
}

// There is no file system any more; what was open has its contents. Another version brings all of
// it back.
static void given_up(void) {
    char found[4] = "";
    const int file = open("open", O_RDWR | O_CREAT, 0600);
    const size_t size = read_package("rfs_next");
    NEED(file >= 0 && modules() != 0);
    SAME(write(file, "abc", 3), 3);
    put("kept", "kept");
    doom("doom", "undefined", 1);
    REFUSED(open("never", O_RDWR | O_CREAT, 0600), EIO);
    doom("kill", "null", 0);
    REFUSED(mkdir("never", 0700), EIO);
    CHECK(strcmp(health().state, "gone") == 0);
    SAME(pread(file, found, sizeof found, 0), 3);
    CHECK(strcmp(found, "abc") == 0);
    SAME(swap_bytes(MODULE, size), HX_OK);
    has("open", "abc");
    has("kept", "kept");
    SAME(count_names("."), 2);
    SAME(unlink("kept"), 0);
    SAME(mkdir("never", 0700), 0);
    doom("kill", "null", 1);
    SAME(rmdir("never"), 0);
    SAME(swap("rfs_import"), HX_ERR_CORRUPT);
    SAME(unlink("open"), 0);
    SAME(swap(MODULE), HX_OK);
    SAME(count_names("."), 0);
}

static const struct check_case cases[] = { CASE(under_load), CASE(everywhere), CASE(given_up) };

CHECK_MAIN(cases)
