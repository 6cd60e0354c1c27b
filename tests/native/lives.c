// SPDX-License-Identifier: MIT OR Apache-2.0
// tests/native/lives.c: modules from packages die, live again, are swapped and are unloaded, one
// beside the other. Each case begins with a crumb that was just loaded.
#include "failing.h"
#include "packages.h"

#include <sched.h>

static void load_crumb(void) {
    struct hx_module_info info;
    if (find("crumb", &info)) {
        SAME(unload("crumb"), HX_OK);
    }
    NEED(load("crumb") == HX_OK);
}

static int open_crumb(void) {
    const int file = open("/dev/crumb", O_RDWR);
    NEED(file >= 0);
    return file;
}

static long count_at(int file) {
    char line[32] = "";
    NEED(pread(file, line, sizeof line - 1, 0) > 0);
    return atol(line);
}

static unsigned minor_version(void) {
    struct hx_module_info info;
    NEED(find("crumb", &info));
    return info.version[1];
}

// Who was inside is told; who has it open goes on with a new life, whose memory and data are new.
static void lives_again(void) {
    char byte;
    load_crumb();
    const int file = open_crumb();
    SAME(write(file, "123", 3), 3);
    SAME(count_at(file), 10);
    strike("kill crumb null 1");
    REFUSED(pread(file, &byte, 1, 0), EIO);
    SAME(count_at(file), 7);
    SAME(write(file, "123", 3), 3);
    SAME(count_at(file), 10);
    const struct life life = await_life("crumb", 1, "runs");
    SAME(life.deaths, 1);
    SAME(life.restarts, 1);
    SAME(unload("crumb"), HX_ERR_BUSY);
    close(file);
    SAME(unload("crumb"), HX_OK);
}

static void row_goes_with_it(void) {
    struct life life;
    char byte;
    load_crumb();
    const int file = open_crumb();
    strike("kill crumb undefined 1");
    REFUSED(pread(file, &byte, 1, 0), EIO);
    close(file);
    (void)await_life("crumb", 1, "runs");
    SAME(unload("crumb"), HX_OK);
    CHECK(!life_of("crumb", &life));
    NEED(load("crumb") == HX_OK);
    NEED(life_of("crumb", &life));
    CHECK(life.deaths == 0 && life.restarts == 0 && strcmp(life.state, "runs") == 0);
    NEED(load("bad_start") == HX_ERR_NO_SPACE);
    CHECK(!life_of("bad_start", &life));
}

// One that does not start any more is given up, and can be unloaded, and loaded again.
static void given_up(void) {
    char byte;
    load_crumb();
    const int file = open_crumb();
    strike("doom crumb null 1");
    REFUSED(pread(file, &byte, 1, 0), EIO);
    REFUSED(pread(file, &byte, 1, 0), EIO); // waited until it was given up
    strike("kill crumb null 0");
    SAME(await_life("crumb", 10, "gone").restarts, 0);
    SAME(unload("crumb"), HX_ERR_BUSY);
    close(file);
    SAME(unload("crumb"), HX_OK);
    NEED(load("crumb") == HX_OK);
    const int again = open_crumb();
    SAME(count_at(again), 7);
    close(again);
}

static void swapped(void) {
    load_crumb();
    const int file = open_crumb();
    SAME(swap("crumb", "crumb_next"), HX_OK);
    SAME(minor_version(), 3);
    SAME(count_at(file), 9);
    SAME(write(file, "1", 1), 1);
    SAME(count_at(file), 10);
    SAME(swap("crumb", NULL), HX_OK);
    SAME(count_at(file), 9);
    SAME(swap("crumb", "crumb"), HX_OK);
    SAME(count_at(file), 7);
    SAME(await_life("crumb", 0, "runs").swaps, 3); // the probation is over
    close(file);
    SAME(unload("crumb"), HX_OK);
}

static void rolled_back(void) {
    load_crumb();
    const int file = open_crumb();
    SAME(swap("crumb", "crumb_dies"), HX_OK);
    SAME(minor_version(), 4);
    SAME(count_at(file), 7);
    REFUSED(write(file, "1", 1), EIO);
    SAME(write(file, "1", 1), 1);
    SAME(count_at(file), 8);
    SAME(minor_version(), 2);
    SAME(await_life("crumb", 1, "runs").rollbacks, 1);
    // Other nodes are another device: its clients could not go on.
    SAME(swap("crumb", "crumb_other"), HX_ERR_INVALID);
    CHECK(says("expected that it starts"));
    SAME(minor_version(), 2);
    SAME(count_at(file), 7);
    SAME(swap("crumb", "crumb_user"), HX_ERR_INVALID);
    CHECK(says("expected a module named crumb, found crumb_user"));
    close(file);
    SAME(unload("crumb"), HX_OK);
}

// What a module says is not believed when it cannot be.
static void says_too_much(void) {
    char text[16];
    SAME(load("crumb_many"), HX_ERR_IO); // as each count that has no room
    SAME(load("crumb_endless"), HX_ERR_INVALID);
    REFUSED(open("/dev/crumb", O_RDWR), ENOENT);
    load_crumb();
    SAME(swap("crumb", "crumb_many"), HX_ERR_INVALID);
    SAME(swap("crumb", "crumb_endless"), HX_ERR_INVALID);
    const int file = open_crumb();
    SAME(count_at(file), 7);
    SAME(swap("crumb", "crumb_more"), HX_OK);
    REFUSED(pread(file, text, sizeof text, 0), EIO);
    REFUSED(write(file, "1", 1), EIO);
    SAME(swap("crumb", "crumb"), HX_OK);
    SAME(count_at(file), 7);
    close(file);
    SAME(unload("crumb"), HX_OK);
}

// Both versions go, the one that would come back, too.
static void unloaded_on_probation(void) {
    struct hx_module_info info;
    load_crumb();
    SAME(swap("crumb", "crumb_next"), HX_OK);
    SAME(unload("crumb"), HX_OK);
    CHECK(!find("crumb", &info));
    NEED(load("crumb_next") == HX_OK);
    SAME(minor_version(), 3);
    SAME(unload("crumb"), HX_OK);
}

// Those that come and go
// ------------------------------------------------------------------------------------------------

static void for_2_seconds(void (*once)(unsigned round)) {
    const time_ns_t end = native_after_ms(2000);
    for (unsigned round = 0; native_after_ms(0) < end; round++) {
        once(round);
    }
}

static void kill_once(unsigned round) {
    static const char *const kinds[] = { "null", "jump", "copy", "undefined", "divide", "assert" };
    char words[64];
    snprintf(words, sizeof words, "kill crumb %s %u", kinds[round % 6], 1 + round % 7);
    const int file = open("/proc/helix/health", O_WRONLY);
    NEED(file >= 0);
    const ssize_t done = write(file, words, strlen(words));
    const int error = errno;
    CHECK(done > 0 || error == ENOENT); // or it is not loaded
    close(file);
}

static void swap_once(unsigned round) {
    const int64_t status = swap("crumb", round % 3 == 0   ? NULL
                                         : round % 3 == 1 ? "crumb_next"
                                                          : "crumb");
    const bool is_dead =
        status == HX_ERR_NOT_SUPPORTED && (says("without a slot") || says("found one that is not"));
    CHECK(status == HX_OK || status == HX_ERR_NOT_FOUND || status == HX_ERR_PEER_DIED ||
          status == HX_ERR_BUSY || is_dead);
}

static void load_once(unsigned round) {
    const int64_t status = round % 2 == 0 ? unload("crumb") : load("crumb");
    CHECK(status == HX_OK || status == HX_ERR_BUSY || status == HX_ERR_NOT_FOUND ||
          status == HX_ERR_EXISTS || status == HX_ERR_PEER_DIED);
}

static void use_once(unsigned round) {
    char text[16] = "";
    const int file = open("/dev/crumb", O_RDWR);
    const int error = errno;
    CHECK(file >= 0 || error == ENOENT || error == ENXIO);
    if (file >= 0) {
        const ssize_t done = round % 2 == 0 ? read(file, text, sizeof text) : write(file, "1", 1);
        const int refusal = errno;
        CHECK(done > 0 || refusal == EIO);
        close(file);
    }
}

static void all_at_once(void) {
    static void (*const parts[])(unsigned round) = { kill_once, swap_once, load_once, use_once,
                                                     use_once };
    pid_t children[5];
    load_crumb();
    for (size_t i = 0; i < 5; i++) {
        CHILD(children[i]) {
            for_2_seconds(parts[i]);
        }
    }
    for (size_t i = 0; i < 5; i++) {
        EXITS(children[i], 0);
    }
    strike("kill ramfs null 0");
    struct hx_module_info info;
    if (find("crumb", &info)) {
        SAME(unload("crumb"), HX_OK); // whatever has become of it
    }
    NEED(load("crumb") == HX_OK);
    const int file = open_crumb();
    SAME(count_at(file), 7);
    close(file);
}

// Resources
// ------------------------------------------------------------------------------------------------

static int swap_and_back(void) {
    static const struct hx_module_name crumb = { "crumb" };
    const int64_t all = NATIVE(module_all);
    if (all < 0) {
        errno = ENOMEM;
        return -1;
    }
    int64_t status = NATIVE(module_swap, all, &crumb, package, package_bytes, &report);
    if (status == HX_OK) {
        status = NATIVE(module_swap, all, &crumb, package, 0, &report);
    }
    NATIVE(handle_close, all);
    errno = status == HX_ERR_NO_MEMORY ? ENOMEM : EINVAL;
    return status == HX_OK ? 0 : -1;
}

// Whatever fails, there is a crumb, and who has it open goes on.
static void without_memory(void) {
    control = open("/proc/helix/fail_nth", O_RDWR);
    NEED(control >= 0);
    load_crumb();
    const int file = open_crumb();
    read_package("crumb_next");
    exhaust("module_swap", swap_and_back);
    SAME(count_at(file), 9);
    close(file);
    SAME(unload("crumb"), HX_OK);
}

static void live_once(void) {
    char byte;
    load_crumb();
    const int file = open_crumb();
    SAME(swap("crumb", "crumb_next"), HX_OK);
    strike("kill crumb null 1");
    REFUSED(pread(file, &byte, 1, 0), EIO);
    SAME(count_at(file), 7); // rolled back
    SAME(swap("crumb", "crumb_next"), HX_OK);
    close(file);
    SAME(unload("crumb"), HX_OK);
}

#define ROUNDS       150
#define ROUNDS_LEAST 30 // what a machine does in 15 s that has others to serve

// Each round takes a dozen pages if it gives nothing back.
static void leaves_nothing(void) {
    struct hx_module_info info;
    if (find("crumb", &info)) {
        SAME(unload("crumb"), HX_OK);
    }
    for (int i = 0; i < 20; i++) {
        live_once();
    }
    const long before = meminfo_pages("MemFree:");
    const time_ns_t end = native_after_ms(15000);
    for (int i = 0; i < ROUNDS && (i < ROUNDS_LEAST || native_after_ms(0) < end); i++) {
        live_once();
    }
    const long after = meminfo_pages("MemFree:");
    if (after < before - 150) { // what caches keep
        check_fail(__FILE_NAME__, __LINE__, "%ld pages less than before", before - after);
    }
}

static const struct check_case cases[] = {
    CASE(lives_again), CASE(row_goes_with_it), CASE(given_up),

    CASE(swapped),     CASE(rolled_back),      CASE(says_too_much),  CASE(unloaded_on_probation),
    CASE(all_at_once), CASE(without_memory),   CASE(leaves_nothing),
};

CHECK_MAIN(cases)
