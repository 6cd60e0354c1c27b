// SPDX-License-Identifier: MIT OR Apache-2.0
// tests/native/shims.c: modules that were built against an older or a newer minor version of a port
// than the kernel, which has helix.char 1.1, in both placements; and what does not fit together.
#include "failing.h"
#include "packages.h"

static bool logged(const char *what) {
    char said[160];
    snprintf(said, sizeof said, "dmesg | grep -qF '%s'", what);
    return WEXITSTATUS(system(said)) == 0;
}

// Other tests of this boot may have left it.
static int64_t begin(const char *name) {
    const int64_t status = unload("crumb");
    NEED(status == HX_OK || status == HX_ERR_NOT_FOUND);
    return load(name);
}

static long count_of(int file) {
    char line[32] = "";
    NEED(pread(file, line, sizeof line - 1, 0) > 0);
    return atol(line);
}

static int crumb_open(void) {
    const int file = open("/dev/crumb", O_RDWR);
    NEED(file >= 0);
    return file;
}

static void ports_are(const char *ports) {
    struct hx_module_info info;
    NEED(find("crumb", &info));
    CHECK(info.runs == 1 && strcmp((const char *)info.ports, ports) == 0);
}

// What 1.1 added is absent in it, and the rest works.
static void serves_as_1_0(int64_t status) {
    SAME(status, HX_OK);
    ports_are("provides helix.char 1.0\nprovides helix.crumb 1.0\n");
    const int file = crumb_open();
    const long before = count_of(file);
    SAME(write(file, "12345", 5), 5);
    REFUSED(fsync(file), EINVAL);
    REFUSED(fdatasync(file), EINVAL);
    SAME(count_of(file), before + 5);
    close(file);
    SAME(unload("crumb"), HX_OK);
}

static void older(void) {
    serves_as_1_0(begin("crumb_1_0"));
    CHECK(logged("port helix.char: expected 1.1, goes on with 1.0"));
}

static void older_in_ring_3(void) {
    serves_as_1_0(isolate("crumb_1_0"));
}

// The kernel uses what it knows of it.
static void serves_as_1_1(int64_t status, long synced) {
    SAME(status, HX_OK);
    const int file = crumb_open();
    const long before = count_of(file);
    SAME(write(file, "123", 3), 3);
    SAME(fsync(file), 0);
    SAME(count_of(file), before + 3 + synced);
    close(file);
    SAME(unload("crumb"), HX_OK);
}

static void same(void) {
    serves_as_1_1(begin("crumb_1_1"), 1000);
    serves_as_1_1(isolate("crumb_1_1"), 1000);
}

static void newer(void) {
    SAME(begin("crumb_1_2"), HX_OK);
    ports_are("provides helix.char 1.2\nprovides helix.char 1.1\nprovides helix.char 1.0\n"
              "provides helix.crumb 1.0\n");
    SAME(unload("crumb"), HX_OK);
    serves_as_1_1(load("crumb_1_2"), 2000);
}

static void newer_in_ring_3(void) {
    serves_as_1_1(isolate("crumb_1_2"), 2000);
}

// A version with less is not one that others can go on with.
static void is_no_successor(const char *next) {
    SAME(swap("crumb", next), HX_ERR_NOT_SUPPORTED);
    CHECK(says("expected that it provides helix.char 1."));
}

// Files that are open stay so, while what they may ask for grows, and moves.
static void swaps(void) {
    SAME(begin("crumb_1_0"), HX_OK);
    const int file = crumb_open();
    REFUSED(fsync(file), EINVAL);
    SAME(swap("crumb", "crumb_1_1"), HX_OK);
    long count = count_of(file);
    SAME(fsync(file), 0);
    SAME(count_of(file), count + 1000);
    is_no_successor("crumb_1_0");
    SAME(fsync(file), 0);
    SAME(swap("crumb", "crumb_1_2"), HX_OK);
    is_no_successor("crumb_1_1");
    is_no_successor("crumb_differs");
    count = count_of(file);
    SAME(fsync(file), 0);
    SAME(count_of(file), count + 2000);
    close(file);
    SAME(unload("crumb"), HX_OK);
}

static void moves(void) {
    SAME(begin("crumb_1_0"), HX_OK);
    const int file = crumb_open();
    SAME(write(file, "1", 1), 1);
    for (int round = 0; round < 3; round++) {
        SAME(move_bytes("crumb", HX_MODULE_ISOLATED), HX_OK);
        REFUSED(fsync(file), EINVAL);
        SAME(write(file, "1", 1), 1);
        SAME(move_bytes("crumb", 0), HX_OK);
        REFUSED(fsync(file), EINVAL);
        SAME(write(file, "1", 1), 1);
    }
    close(file);
    SAME(unload("crumb"), HX_OK);
}

// Its next life is what it was.
static void dies(void) {
    SAME(begin("crumb_1_0"), HX_OK);
    strike("kill crumb null 1");
    const int file = crumb_open();
    char line[8];
    REFUSED(read(file, line, sizeof line), EIO);
    SAME(await_life("crumb", 1, "runs").restarts, 1);
    REFUSED(fsync(file), EINVAL);
    SAME(write(file, "12", 2), 2);
    close(file);
    SAME(unload("crumb"), HX_OK);
}

// Its 1.1 says that its 1.0 is another one than the kernel's, so it has none of the kernel's.
static void differs(void) {
    struct hx_module_info info;
    SAME(begin("crumb_differs"), HX_ERR_BAD_IMAGE);
    CHECK(logged("port helix.char: expected 1.1 with ABI "));
    CHECK(!find("crumb", &info));
    SAME(isolate("crumb_differs"), HX_ERR_BAD_IMAGE);
    CHECK(!find("crumb", &info));
    REFUSED(open("/dev/crumb", O_RDONLY), ENOENT);
}

// Who needs a version has who provides a later one, too.
static void needs(void) {
    SAME(load("needs_1_0"), HX_OK);
    SAME(unload("needs"), HX_OK);
    SAME(load("needs_1_2"), HX_ERR_NOT_SUPPORTED);
    CHECK(says("expected helix.char from 1.2 on, below 2.0, found "));
    CHECK(says(" with 1.1"));
    SAME(load("needs_other"), HX_ERR_BAD_IMAGE);
    CHECK(says("expected helix.char with ABI "));
    CHECK(says(", found mem with ABI "));
}

// mem was built with the kernel, and keeps nothing.
static void nothing_to_sync(void) {
    const int file = open("/dev/null", O_RDWR);
    NEED(file >= 0);
    REFUSED(fsync(file), EINVAL);
    close(file);
}

static int once(void) {
    return load_and_unload("crumb");
}

// Each allocation fails in turn, and it can be loaded after that.
static void without_memory(void) {
    control = open("/proc/helix/fail_nth", O_RDWR);
    NEED(control >= 0);
    SAME(begin("crumb_1_0"), HX_OK);
    SAME(unload("crumb"), HX_OK);
    exhaust("module_load", once);
}

static const struct check_case cases[] = {
    CASE(older),           CASE(older_in_ring_3), CASE(same), CASE(newer),   CASE(newer_in_ring_3),
    CASE(swaps),           CASE(moves),           CASE(dies), CASE(differs), CASE(needs),
    CASE(nothing_to_sync), CASE(without_memory),
};

CHECK_MAIN(cases)
