// SPDX-License-Identifier: MIT OR Apache-2.0
// tests/native/lent.c: a disk whose driver is in ring 3: pages that are lent to it beyond a call,
// and what it may not do with them.
#include "failing.h"
#include "packages.h"

#define SECTOR 512
#define MANY   1100 // more than it has names for

static unsigned lies;

static int disk_open(void) {
    const int file = open("/dev/vda", O_RDWR);
    NEED(file >= 0);
    return file;
}

// Its first byte is `first`, and the others are of the same round.
static void disk_write(int file, char first) {
    unsigned char bytes[SECTOR];
    memset(bytes, (int)++lies, sizeof bytes);
    bytes[0] = (unsigned char)first;
    SAME(pwrite(file, bytes, sizeof bytes, 0), sizeof bytes);
}

static void disk_check(int file, int first, int other) {
    unsigned char bytes[SECTOR];
    SAME(pread(file, bytes, sizeof bytes, 0), sizeof bytes);
    SAME(bytes[0], first);
    SAME(bytes[1], other);
    SAME(bytes[SECTOR - 1], other);
}

static bool logged(const char *what) {
    char command[160];
    snprintf(command, sizeof command, "dmesg | grep -q '%s'", what);
    return WEXITSTATUS(system(command)) == 0;
}

static void serves(void) {
    unsigned char all[16 * SECTOR], seen[sizeof all];
    NEED(isolate("liar") == HX_OK);
    const int file = disk_open();
    for (size_t i = 0; i < sizeof all; i++) {
        all[i] = (unsigned char)(i / 7);
    }
    SAME(pwrite(file, all, 8 * SECTOR, 0), 8 * SECTOR);
    SAME(pwrite(file, all + (size_t)8 * SECTOR, 8 * SECTOR, 8 * SECTOR), 8 * SECTOR);
    for (int i = 0; i < 16; i++) {
        SAME(pread(file, seen + (size_t)i * SECTOR, SECTOR, (off_t)i * SECTOR), SECTOR);
    }
    CHECK(memcmp(all, seen, sizeof all) == 0);
    SAME(fsync(file), 0);
    for (int i = 0; i < MANY; i++) { // names are used again
        SAME(pread(file, seen, SECTOR, 0), SECTOR);
    }
    close(file);
    SAME(unload("liar"), HX_OK);
}

// It dies of it, and the reader hears nothing of that: its next life, whose memory is empty, has
// the same request, unless it was completed before.
static void dies_of(char letter, bool is_done, const char *why) {
    struct life life;
    NEED(isolate("liar") == HX_OK);
    const int file = disk_open();
    disk_write(file, letter);
    disk_check(file, is_done ? letter : 0, is_done ? (unsigned char)lies : 0);
    life = await_life("liar", 1, "runs");
    SAME(life.restarts, 1);
    disk_write(file, 0);
    disk_check(file, 0, (unsigned char)lies);
    if (!logged(why)) {
        check_fail(__FILE_NAME__, __LINE__, "%c: no '%s' in the log", letter, why);
    }
    close(file);
    SAME(unload("liar"), HX_OK);
}

static void lies_end(void) {
    dies_of('u', false, "in ring 3: it completed a transfer that it was not given");
    dies_of('t', true, "in ring 3: it completed a transfer that it was not given");
    dies_of('n', true, "in ring 3: a transfer that it did not accept");
    dies_of('m', false, "liar, in ring 3: .* address 0x4");
}

// It is told so, and goes on.
static void is_refused(char letter) {
    char said[64];
    NEED(isolate("liar") == HX_OK);
    const int file = disk_open();
    disk_write(file, letter);
    disk_check(file, letter, (unsigned char)lies);
    close(file);
    SAME(unload("liar"), HX_OK);
    snprintf(said, sizeof said, "liar: lie %c is refused", letter);
    if (!logged(said)) {
        check_fail(__FILE_NAME__, __LINE__, "%c", letter);
    }
}

static void pages_are_guarded(void) {
    is_refused('r');
    is_refused('e');
    is_refused('p');
    is_refused('i');
    is_refused('o');
    is_refused('s');
}

// More than there was is all that there was.
static void accepts_too_much(void) {
    NEED(isolate("liar") == HX_OK);
    const int file = disk_open();
    disk_write(file, 'a');
    disk_check(file, 'a', (unsigned char)lies);
    close(file);
    SAME(unload("liar"), HX_OK);
}

static int come_and_go(void) {
    static const struct hx_module_name name = { "liar" };
    const int64_t all = NATIVE(module_all);
    if (all < 0) {
        errno = ENOMEM;
        return -1;
    }
    int64_t status = NATIVE(module_isolate, all, package, package_bytes, &report);
    if (status == HX_OK) {
        status = NATIVE(module_unload, all, &name, &report);
    }
    NATIVE(handle_close, all);
    errno = ENOMEM;
    return status == HX_OK ? 0 : -1;
}

static void without_memory(void) {
    read_package("liar");
    control = open("/proc/helix/fail_nth", O_RDWR);
    NEED(control >= 0);
    exhaust("isolate", come_and_go);
}

static const struct check_case cases[] = {
    CASE(serves),           CASE(lies_end),       CASE(pages_are_guarded),
    CASE(accepts_too_much), CASE(without_memory),
};

CHECK_MAIN(cases)
