// SPDX-License-Identifier: MIT OR Apache-2.0
// The driver of a disk dies again and again, by faults of its own code, while programs write and
// read: none of them gets an error or a wrong byte, nothing is lost, and in the end nothing is held
// that was not held before. One that dies too often is given up, and says so.
// DEVICE: dying
// LIMIT: 240
#define MODULE "virtio_blk"
#include "disk_load.h"
#include "health.h"
#include "placement.h"

#include <sched.h>

#define KILLS    18
#define WORKERS  4
#define SPAN_MS  130 // between deaths, so that the rule does not give the module up
#define IDLE     8   // deaths whose memory is counted
#define LEAK_KIB 256

static void under_load(void) {
    const struct health before = health();
    struct load *load = load_begin(WORKERS);
    for (unsigned kill = 0; kill < KILLS; kill++) {
        doom("kill", kinds[kill % KINDS], 1 + (int)(kill * 37 % 101));
        await(before.deaths + kill + 1);
        pause_ms(SPAN_MS);
    }
    load_end(load);
    const struct health after = health();
    SAME(after.deaths, before.deaths + KILLS);
    SAME(after.restarts, before.restarts + KILLS);
    SAME(after.held, before.held);
    dprintf(1, "restart, from detection: last %llu us, worst %llu us\n", after.restart_ns / 1000,
            after.worst_ns / 1000);
}

static void read_once(void) {
    static unsigned char bytes[512];
    const int file = open("/dev/vda", O_RDONLY);
    NEED(file >= 0);
    SAME(pread(file, bytes, sizeof bytes, 0), sizeof bytes);
    CHECK(bytes[510] == 0x55 && bytes[511] == 0xaa);
    close(file);
}

static long free_kib(void) {
    char line[128];
    long kib = -1;
    FILE *file = fopen("/proc/meminfo", "r");
    NEED(file != NULL);
    while (fgets(line, sizeof line, file) != NULL && sscanf(line, "MemFree: %ld", &kib) != 1) {
    }
    fclose(file);
    return kib;
}

static void die_of(const char *kind, int nth) {
    const unsigned deaths = health().deaths;
    doom("kill", kind, nth);
    for (int i = 0; i < 100 && health().deaths == deaths; i++) {
        read_once();
    }
    await(deaths + 1);
    pause_ms(SPAN_MS);
}

static void die_and_read(int nth) {
    die_of("null", nth);
}

static void gives_all_back(void) {
    die_and_read(1); // what is made once is there
    const struct health before = health();
    const long before_kib = free_kib();
    for (int i = 1; i <= IDLE; i++) {
        die_and_read(i);
    }
    const long lost_kib = before_kib - free_kib();
    if (lost_kib > LEAK_KIB) {
        check_fail(__FILE_NAME__, __LINE__, "%ld KiB are gone", lost_kib);
    }
    SAME(health().held, before.held);
}

static bool is_in_ring_3(void) {
    return placement(MODULE) == HX_MODULE_ISOLATED;
}

// The kernel has no names of functions in ring 3, and a stack that overflows there is an address.
static bool reason_is(const char *in_kernel, const char *in_ring_3) {
    return strstr(health().reason, is_in_ring_3() ? in_ring_3 : in_kernel) != NULL;
}

static void says_why(void) {
    die_and_read(3);
    CHECK(reason_is("write_null+0x", "address at host+0x"));
    die_of("overflow", 3);
    CHECK(reason_is("stack overflow at overflow+0x", "address at host+0x"));
    die_of("spin", 3);
    CHECK(reason_is("address at spin+0x", "address at host+0x"));
    const int file = open("/proc/helix/health", O_WRONLY);
    NEED(file >= 0);
    REFUSED(write(file, "kill nobody null 1", 18), ENOENT);
    REFUSED(write(file, "kill " MODULE " sleep 1", 23), ENOENT);
    REFUSED(write(file, "kiss " MODULE " null 1", 22), EINVAL);
    close(file);
}

// One that never comes back is noticed when it has run for a second, whatever it was about; nobody
// gets an error meanwhile.
static void loops(void) {
    for (int nth = 1; nth < 40; nth += 13) {
        die_of("loop", nth);
        CHECK(reason_is("loop at loop+0x", "no answer"));
        CHECK(health().detection_ns > 500000000);
    }
}

// The last: it dies whenever it begins, and the disk is no more.
static void given_up(void) {
    static unsigned char bytes[512];
    const int file = open("/dev/vda", O_RDONLY);
    NEED(file >= 0);
    for (int i = 0; i < 11; i++) {
        pause_ms(100); // the rule counts the deaths of a second: those of the cases before are over
    }
    const struct health before = health();
    doom("doom", "undefined", 3);
    REFUSED(pread(file, bytes, sizeof bytes, 0), EIO);
    const struct health after = health();
    CHECK(strcmp(after.state, "gone") == 0);
    CHECK(after.deaths > before.deaths + 5);
    SAME(after.restarts, before.restarts);
    doom("kill", "null", 0);
    REFUSED(pread(file, bytes, sizeof bytes, 0), EIO);
    close(file);
}

static const struct check_case cases[] = { CASE(under_load), CASE(gives_all_back), CASE(says_why),
                                           CASE(loops), CASE(given_up) };
CHECK_MAIN(cases)
