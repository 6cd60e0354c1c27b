// SPDX-License-Identifier: MIT OR Apache-2.0
// The driver of a disk is swapped again and again, for another version and for itself, while
// programs write and read: none of them gets an error or a wrong byte. Versions that are refused,
// fail, or die on probation leave the old one, and nothing is held in the end that was not before.
// DEVICE: swapped
// LIMIT: 300
#define MODULE "virtio_blk"
#include "../native/failing.h"
#include "disk_load.h"
#include "placement.h"
#include "versions.h"

#define SWAPS    24
#define WORKERS  2
#define IDLE     24 // swaps whose memory is counted
#define WARM     12 // before that: caches fill in steps
#define LEAK_KIB 64 // less than a page for each of them

static void read_once(void) {
    static unsigned char bytes[512];
    const int file = open("/dev/vda", O_RDONLY);
    NEED(file >= 0);
    SAME(pread(file, bytes, sizeof bytes, 0), sizeof bytes);
    CHECK(bytes[510] == 0x55 && bytes[511] == 0xaa);
    close(file);
}

// Under load
// ------------------------------------------------------------------------------------------------

static const char *const versions[] = { "blk_next", NULL, MODULE };

static void under_load(void) {
    const struct health before = health();
    struct load *load = load_begin(WORKERS);
    for (unsigned i = 0; i < SWAPS; i++) {
        const unsigned rounds = load->rounds;
        SAME(swap(versions[i % 3]), HX_OK);
        SAME(minor_version(), i % 3 == 2 ? 0 : 1);
        load_await(load, rounds);
    }
    load_end(load);
    const struct health after = health();
    SAME(after.swaps, before.swaps + SWAPS);
    SAME(after.rollbacks, before.rollbacks);
    SAME(after.deaths, before.deaths);
    SAME(after.held, before.held);
    CHECK(after.freeze_ns != 0 && after.worst_freeze_ns >= after.freeze_ns);
    dprintf(1, "freeze: last %llu us, worst %llu us\n", after.freeze_ns / 1000,
            after.worst_freeze_ns / 1000);
}

// Refusals, before anybody is held off
// ------------------------------------------------------------------------------------------------

static void not_begun(void) {
    const struct health before = health();
    SAME(swap("bad_import"), HX_ERR_NOT_FOUND);
    CHECK(says("expected functions of the SDK, found 'frame_alloc'"));
    SAME(swap("bad_sdk"), HX_ERR_NOT_SUPPORTED);
    SAME(swap("crumb"), HX_ERR_INVALID);
    CHECK(says("expected a module named virtio_blk, found crumb"));
    const size_t size = read_package("blk_next");
    SAME(swap_bytes(MODULE, size - 1), HX_ERR_NOT_PERMITTED);
    package[size / 2] ^= 1;
    SAME(swap_bytes(MODULE, size), HX_ERR_CORRUPT);
    SAME(swap_bytes("nobody", 0), HX_ERR_NOT_FOUND);
    SAME(swap_bytes("rr", 0), HX_OK);                   // threads go on meanwhile (decision 048)
    SAME(swap_bytes("posix", 0), HX_ERR_NOT_SUPPORTED); // has no slots
    SAME(health().swaps, before.swaps);
    SAME(health().rollbacks, before.rollbacks);
    SAME(health().worst_freeze_ns, before.worst_freeze_ns);
    read_once();
}

static int run(const char *command) {
    const int status = system(command);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static void not_allowed(void) {
    const struct hx_module_name name = { MODULE };
    const unsigned swaps = health().swaps;
    const handle_t weak = derive(modules(), HX_RIGHT_READ);
    pid_t child;
    SAME(NATIVE(module_swap, weak, &name, package, 0, &report), HX_ERR_ACCESS_DENIED);
    SAME(NATIVE(module_swap, modules(), 8, package, 0, &report), HX_ERR_BAD_ADDRESS);
    SAME(NATIVE(module_swap, modules(), &name, 8, 4096, &report), HX_ERR_BAD_ADDRESS);
    SAME(NATIVE(module_swap, modules(), &name, package, SIZE_MAX, &report), HX_ERR_TOO_BIG);
    CHILD(child) {
        NEED(setgid(65534) == 0 && setuid(65534) == 0);
        SAME(NATIVE(module_swap, modules(), &name, package, 0, &report), HX_ERR_ACCESS_DENIED);
        SAME(run("/sbin/hxmod swap " MODULE " 2>/dev/null"), 1);
    }
    EXITS(child, 0);
    SAME(health().swaps, swaps);
}

static void by_hand(void) {
    SAME(run("/sbin/hxmod swap " MODULE " " FOLDER "blk_next.hxm"), 0);
    SAME(minor_version(), 1);
    SAME(run("/sbin/hxmod swap " MODULE), 0);
    SAME(run("/sbin/hxmod health " MODULE " >health && grep -qE '^" MODULE
             " +(runs|probation) +[0-9]+ +[0-9]+ +[0-9.]+ +[0-9.]+ +[1-9][0-9]* ' health"),
         0);
    SAME(run("/sbin/hxmod swap " MODULE " " FOLDER "blk_test.hxm 2>said; "
             "test $? = 1 && grep -q 'found that self_test refuses' said"),
         0);
    SAME(run("/sbin/hxmod swap " MODULE
             " /dev/null 2>said; test $? = 1 && grep -q 'not a file' said"),
         0);
    SAME(run("/sbin/hxmod swap 2>said; test $? = 2"), 0);
    if (placement(MODULE) == 0) { // what is no package stays
        SAME(run("/sbin/hxmod unload " MODULE " 2>said; test $? = 1"), 0);
    }
    SAME(minor_version(), 1);
    SAME(swap(MODULE), HX_OK);
}

// Versions that are none
// ------------------------------------------------------------------------------------------------

static void fails(const char *next, int64_t status, const char *found) {
    const struct health before = health();
    const unsigned version = minor_version();
    SAME(swap(next), status);
    CHECK(says(found));
    const struct health after = health();
    SAME(after.swaps, before.swaps);
    SAME(after.rollbacks, before.rollbacks + 1);
    SAME(after.deaths, before.deaths);
    SAME(after.held, before.held);
    SAME(minor_version(), version);
    read_once();
}

static void bad_versions(void) {
    struct load *load = load_begin(WORKERS);
    for (int i = 0; i < 3; i++) {
        fails("blk_start", HX_ERR_NO_SPACE, "expected that it starts, found that start refuses: ");
        fails("blk_test", HX_ERR_CORRUPT, "found that self_test refuses: ");
        fails("blk_fault", HX_ERR_PEER_DIED, "found that it died in start: address at " MODULE);
        fails("blk_none", HX_ERR_NO_DEVICE, "found that it does not");
    }
    load_end(load);
}

// Those that never come back are waited for as long as a call may run. The old one's end that is
// none holds nothing up, either.
static void hang(void) {
    struct load *load = load_begin(WORKERS);
    const bool is_isolated = placement(MODULE) == HX_MODULE_ISOLATED;
    fails("blk_hang_init", HX_ERR_PEER_DIED,
          is_isolated ? "died in init: no answer" : "died in init: loop at ");
    fails("blk_hang_start", HX_ERR_PEER_DIED,
          is_isolated ? "died in start: no answer" : "died in start: loop at ");
    fails("blk_hang_test", HX_ERR_PEER_DIED,
          is_isolated ? "died in self_test: no answer" : "died in self_test: loop at ");
    const struct health before = health();
    SAME(swap("blk_hang_stop"), HX_OK);
    SAME(minor_version(), 11);
    SAME(swap(MODULE), HX_OK);
    SAME(minor_version(), 0);
    load_end(load);
    const struct health after = health();
    SAME(after.swaps, before.swaps + 2);
    SAME(after.deaths, before.deaths);
    SAME(after.held, before.held);
    CHECK(after.freeze_ns > 500000000);
}

// The one that runs does not stop, or is not left: it goes on.
static void not_left(void) {
    const struct health before = health();
    SAME(swap("blk_stays"), HX_OK);
    SAME(swap(MODULE), HX_ERR_BUSY);
    CHECK(says("expected that it stops, found: "));
    SAME(minor_version(), 6);
    read_once();
    SAME(swap("blk_slow"), HX_OK);
    pid_t children[4];
    for (int i = 0; i < 4; i++) {
        CHILD(children[i]) {
            const int file = open("/dev/vda", O_WRONLY);
            NEED(file >= 0);
            SAME(pwrite(file, package, 512, LOAD_BASE), 512);
            SAME(fsync(file), 0);
        }
    }
    int64_t status = HX_OK;
    unsigned tries = 0;
    for (; tries < 400 && status == HX_OK; tries++) { // until they are inside
        pause_ms(5);
        status = swap(NULL);
    }
    SAME(status, HX_ERR_BUSY);
    CHECK(says("expected that nobody is inside for long"));
    SAME(minor_version(), 7);
    for (int i = 0; i < 4; i++) {
        EXITS(children[i], 0);
    }
    SAME(health().deaths, before.deaths); // those who waited have not run for long
    SAME(swap(MODULE), HX_OK);
}

// Probation
// ------------------------------------------------------------------------------------------------

static void dies_on_probation(void) {
    struct load *load = load_begin(WORKERS);
    for (int i = 1; i < 6; i++) {
        const struct health before = health();
        SAME(swap("blk_next"), HX_OK);
        doom("kill", "null", 7);
        for (int j = 0; j < 20000 && health().rollbacks == before.rollbacks; j++) {
            pause_ms(1);
        }
        await_state("runs");
        const struct health after = health();
        SAME(after.rollbacks, before.rollbacks + 1);
        SAME(after.deaths, before.deaths + 1);
        SAME(after.held, before.held);
        SAME(minor_version(), 0);
        pause_ms(300); // so that the rule does not give it up
    }
    load_end(load);
}

// Whoever has come through it stays, however he dies.
static void dies_later(void) {
    SAME(swap("blk_next"), HX_OK);
    CHECK(strcmp(health().state, "probation") == 0);
    await_state("runs");
    const struct health before = health();
    doom("kill", "jump", 1);
    read_once();
    await_state("runs");
    SAME(health().deaths, before.deaths + 1);
    SAME(health().restarts, before.restarts + 1);
    SAME(health().rollbacks, before.rollbacks);
    SAME(minor_version(), 1);
    SAME(swap(MODULE), HX_OK);
}

// What is held
// ------------------------------------------------------------------------------------------------

static int slots(void) {
    char line[256];
    int count = 0;
    FILE *file = fopen("/proc/helix/slots", "r");
    NEED(file != NULL);
    while (fgets(line, sizeof line, file) != NULL) {
        count++;
    }
    fclose(file);
    return count;
}

static void all_once(void) {
    SAME(swap("blk_next"), HX_OK);
    SAME(swap("blk_start"), HX_ERR_NO_SPACE);
    SAME(swap("blk_fault"), HX_ERR_PEER_DIED);
    SAME(swap(NULL), HX_OK);
    SAME(swap(MODULE), HX_OK);
    read_once();
}

static void gives_all_back(void) {
    for (int i = 0; i < WARM; i++) {
        all_once();
    }
    await_state("runs");
    const long before_kib = free_kib();
    const int before_slots = slots();
    const unsigned long long before_held = health().held;
    for (int i = 0; i < IDLE; i++) {
        all_once();
    }
    await_state("runs");
    const long lost_kib = before_kib - free_kib();
    if (lost_kib > LEAK_KIB) {
        check_fail(__FILE_NAME__, __LINE__, "%ld KiB are gone", lost_kib);
    }
    SAME(slots(), before_slots);
    SAME(health().held, before_held);
}

// Each allocation of a swap fails in turn: it is done, or it is not, and the disk works.
static void without_memory(void) {
    const size_t size = read_package("blk_next");
    int nth = 1;
    NEED(modules() != 0); // that is made before
    for (; nth < MOST; nth++) {
        const uint64_t before = failures();
        fail_nth(nth);
        const int64_t status = swap_bytes(MODULE, nth % 2 == 0 ? 0 : size);
        fail_nth(0);
        read_once();
        if (status != HX_OK && status != HX_ERR_NO_MEMORY && status != HX_ERR_NO_DEVICE &&
            status != HX_ERR_IO) {
            check_fail(__FILE_NAME__, __LINE__, "allocation %d fails: %lld, %s", nth,
                       (long long)status, (const char *)report.text);
        }
        if (failures() == before && nth % 2 == 1) {
            break;
        }
    }
    CHECK(nth > 20 && nth < MOST);
    SAME(swap(MODULE), HX_OK);
}

static void without_memory_once(void) {
    control = open("/proc/helix/fail_nth", O_RDWR);
    NEED(control >= 0);
    without_memory();
    const unsigned deaths = health().deaths;
    await_state("runs");
    const unsigned long long held = health().held;
    without_memory();
    await_state("runs");
    SAME(health().held, held);
    SAME(health().deaths, deaths);
}

// Given up
// ------------------------------------------------------------------------------------------------

static int64_t read_status(void) {
    static unsigned char bytes[512];
    const int file = open("/dev/vda", O_RDONLY | O_DIRECT);
    NEED(file >= 0);
    const ssize_t got = pread(file, bytes, sizeof bytes, 0);
    close(file);
    return got < 0 ? -errno : got;
}

static void give_up(void) {
    doom("doom", "undefined", 3);
    for (int i = 0; i < 2000 && strcmp(health().state, "gone") != 0; i++) {
        (void)read_status();
        pause_ms(1);
    }
    doom("kill", "null", 0);
    CHECK(strcmp(health().state, "gone") == 0);
    SAME(read_status(), -EIO);
}

// One that was given up lives again as a better version, or as what it was; bad ones change
// nothing. The deaths before do not count.
static void brought_back(void) {
    const unsigned before = health().swaps;
    give_up();
    const unsigned deaths = health().deaths;
    SAME(swap("blk_start"), HX_ERR_NO_SPACE);
    SAME(swap("blk_none"), HX_ERR_NO_DEVICE);
    SAME(swap("blk_fault"), HX_ERR_PEER_DIED);
    SAME(read_status(), -EIO);
    SAME(health().swaps, before);
    CHECK(strcmp(health().state, "gone") == 0);
    SAME(swap("blk_next"), HX_OK);
    CHECK(strcmp(health().state, "runs") == 0);
    SAME(minor_version(), 1);
    read_once();
    SAME(health().swaps, before + 1);
    SAME(health().deaths, deaths);
    doom("kill", "null", 1);
    read_once();
    await_state("runs");
    SAME(health().deaths, deaths + 1);
    give_up();
    SAME(swap(NULL), HX_OK);
    read_once();
    SAME(minor_version(), 1);
    SAME(swap(MODULE), HX_OK);
    read_once();
}

static int64_t load(const char *name) {
    const size_t size = read_package(name);
    return NATIVE(module_load, modules(), package, size, &report);
}

static int64_t unload(const char *module) {
    struct hx_module_name name = { { 0 } };
    memcpy(name.bytes, module, strlen(module));
    return NATIVE(module_unload, modules(), &name, &report);
}

// What keeps nothing of its clients' for a next one is not swapped.
static void not_replaceable(void) {
    SAME(load("barefs"), HX_OK);
    SAME(swap_bytes("barefs", 0), HX_ERR_NOT_SUPPORTED);
    CHECK(says("found one that needs what this one has"));
    SAME(unload("barefs"), HX_OK);
}

static const struct check_case cases[] = {
    CASE(under_load),      CASE(not_begun),         CASE(not_allowed),
    CASE(by_hand),         CASE(bad_versions),      CASE(hang),
    CASE(not_left),        CASE(dies_on_probation), CASE(dies_later),
    CASE(not_replaceable), CASE(gives_all_back),    CASE(without_memory_once),
    CASE(brought_back),
};

CHECK_MAIN(cases)
