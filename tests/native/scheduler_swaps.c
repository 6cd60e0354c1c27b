// SPDX-License-Identifier: MIT OR Apache-2.0
// tests/native/scheduler_swaps.c: the module of the chosen scheduling policy is swapped while 200
// threads run under it: for itself, for the next version, and for versions that cannot take over,
// after which the old one is there and chosen. No thread is lost and none starves.
#define MODULE "rr"
#include "../devices/health.h"
#include "crowd.h"

#define ROUNDS 20

static unsigned minor_version(void) {
    struct hx_module_info info;
    const int64_t modules = NATIVE(module_all);
    unsigned minor = 99;
    for (uint32_t i = 0; NATIVE(module_info, modules, i, &info) == HX_OK; i++) {
        if (strcmp((const char *)info.name, MODULE) == 0) {
            minor = info.version[1];
        }
    }
    NATIVE(handle_close, modules);
    return minor;
}

static void for_itself(void) {
    static pthread_t threads[THREADS];
    const struct health before = health();
    alarm(160); // a crowd on one processor, on whatever host: not a measure
    SAME(choose(MODULE), 0);
    crowd_start(threads);
    for (unsigned i = 0; i < ROUNDS; i++) {
        SAME(swap(MODULE, i % 3 == 0 ? NULL : i % 3 == 1 ? "rr_next" : MODULE), HX_OK);
        await_chosen(MODULE);
        SAME(minor_version(), i % 3 == 1);
        if (i % 4 == 0) {
            all_go_on();
        }
    }
    crowd_end(threads);
    const struct health after = health();
    SAME(after.swaps, before.swaps + ROUNDS);
    SAME(after.deaths, before.deaths);
    SAME(after.held, before.held);
    CHECK(strstr(slurp(), "failed") == NULL);
}

static void fails(const char *version, int64_t status, const char *found) {
    const struct health before = health();
    SAME(swap(MODULE, version), status);
    CHECK(strstr((const char *)report.text, found) != NULL);
    await_chosen(MODULE);
    const struct health after = health();
    SAME(after.rollbacks, before.rollbacks + 1);
    SAME(after.swaps, before.swaps);
    SAME(after.deaths, before.deaths);
    SAME(minor_version(), 0);
}

static void bad_versions(void) {
    static pthread_t threads[THREADS];
    SAME(swap(MODULE, MODULE), HX_OK);
    crowd_start(threads);
    fails("rr_start", HX_ERR_NO_SPACE, "found that start refuses: ");
    all_go_on();
    fails("rr_test", HX_ERR_CORRUPT, "found that self_test refuses: ");
    all_go_on();
    fails("rr_fault", HX_ERR_PEER_DIED, "found that it died in start: ");
    all_go_on();
    crowd_end(threads);
}

// It dies of a second of its own running time, of which 200 threads would leave it little.
static void hangs(void) {
    fails("rr_hang", HX_ERR_PEER_DIED, "found that it died in start: loop at ");
}

static void dies_on_probation(void) {
    static pthread_t threads[THREADS];
    crowd_start(threads);
    for (unsigned i = 0; i < 3; i++) {
        const struct health before = health();
        SAME(swap(MODULE, "rr_dies"), HX_OK);
        for (unsigned j = 0; j < 20000 && health().rollbacks == before.rollbacks; j++) {
            pause_ms(1);
        }
        await_chosen(MODULE);
        all_go_on();
        SAME(health().rollbacks, before.rollbacks + 1);
        SAME(health().deaths, before.deaths + 1);
        SAME(minor_version(), 0);
        pause_ms(300); // so that the rule does not give it up
    }
    crowd_end(threads);
    CHECK(strstr(slurp(), "failed") == NULL);
}

// It lives, and is not taken up again: there is core's own order until another version is chosen.
static void takes_nobody(void) {
    static pthread_t threads[THREADS];
    crowd_start(threads);
    SAME(swap(MODULE, "rr_full"), HX_OK);
    CHECK(!is_chosen(MODULE));
    all_go_on();
    SAME(choose(MODULE), EAGAIN);
    SAME(swap(MODULE, MODULE), HX_OK);
    SAME(minor_version(), 0);
    SAME(choose(MODULE), 0);
    await_chosen(MODULE);
    all_go_on();
    crowd_end(threads);
}

static const struct check_case cases[] = { CASE(for_itself), CASE(bad_versions), CASE(hangs),
                                           CASE(dies_on_probation), CASE(takes_nobody) };
CHECK_MAIN(cases)
