// SPDX-License-Identifier: MIT OR Apache-2.0
// When a module that dies again and again is started anew, and when it is given up.
#include "../supervise.c"

#include <check.h>

#define MS ((time_ns_t)1000000)

static struct supervision supervision;

// The pause after a death; -1: it is given up.
static time_ns_t die(time_ns_t now) {
    time_ns_t pause = -2;
    return supervise_death(&supervision, true, now, &pause) ? pause : -1;
}

static void test_at_once(void) {
    time_ns_t now = 5000 * MS;
    supervision = (struct supervision){ 0 };
    for (uint32_t i = 0; i < SUPERVISE_AT_ONCE; i++) {
        CHECK(die(now++) == 0);
    }
    for (uint32_t i = SUPERVISE_AT_ONCE; i < SUPERVISE_MOST; i++) {
        CHECK(die(now++) == MS << (i - SUPERVISE_AT_ONCE));
    }
    CHECK(die(now) == -1 && supervision.deaths == SUPERVISE_MOST + 1);
}

// A thousand deaths, each long enough behind the others: none of them counts for long.
static void test_for_years(void) {
    supervision = (struct supervision){ 0 };
    for (uint32_t i = 0; i < 1000; i++) {
        CHECK(die(i * SUPERVISE_SPAN_NS / SUPERVISE_AT_ONCE) == 0);
    }
    CHECK(supervision.deaths == 1000);
}

// The span is the last one: what lies before it is forgotten, and not all at once.
static void test_span(void) {
    supervision = (struct supervision){ 0 };
    for (uint32_t i = 0; i < SUPERVISE_MOST; i++) {
        CHECK(die(i) >= 0);
    }
    CHECK(die(SUPERVISE_SPAN_NS + 1) == MS << (SUPERVISE_MOST - 2 - SUPERVISE_AT_ONCE));
    CHECK(die(SUPERVISE_SPAN_NS + 1) == MS << (SUPERVISE_MOST - 1 - SUPERVISE_AT_ONCE));
    CHECK(die(3 * SUPERVISE_SPAN_NS) == 0);
}

// Starts that fail, however far apart.
static void test_never_starts(void) {
    time_ns_t pause;
    time_ns_t now = 0;
    supervision = (struct supervision){ 0 };
    for (uint32_t i = 1; i < 3 * SUPERVISE_MOST; i++) { // now and then one succeeds
        now += 10 * SUPERVISE_SPAN_NS;
        CHECK(supervise_death(&supervision, i % SUPERVISE_MOST == 0, now, &pause));
    }
    CHECK(die(now += 10 * SUPERVISE_SPAN_NS) == 0);
    for (uint32_t i = 1; i < SUPERVISE_MOST; i++) {
        now += 10 * SUPERVISE_SPAN_NS;
        CHECK(supervise_death(&supervision, false, now, &pause) && pause == 0);
    }
    CHECK(!supervise_death(&supervision, false, now + 10 * SUPERVISE_SPAN_NS, &pause));
}

int main(void) {
    test_never_starts();
    test_at_once();
    test_for_years();
    test_span();
    return check_result();
}
