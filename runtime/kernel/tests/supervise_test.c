// SPDX-License-Identifier: MIT OR Apache-2.0
// When a module that dies again and again is started anew, and when it is given up.
#include "../supervise.c"

#include <check.h>

#define MS ((time_ns_t)1000000)

#define AT_ONCE 4u
#define MOST    10u
#define SPAN_NS (1000 * MS)

static const struct supervise_rule rule = { SPAN_NS, AT_ONCE, MS, MOST };
static struct supervision supervision;

// The pause after a death; -1: it is given up.
static time_ns_t die(time_ns_t now) {
    time_ns_t pause = -2;
    return supervise_death(&rule, &supervision, true, now, &pause) ? pause : -1;
}

static void test_at_once(void) {
    time_ns_t now = 5000 * MS;
    supervision = (struct supervision){ 0 };
    for (uint32_t i = 0; i < AT_ONCE; i++) {
        CHECK(die(now++) == 0);
    }
    for (uint32_t i = AT_ONCE; i < MOST; i++) {
        CHECK(die(now++) == MS << (i - AT_ONCE));
    }
    CHECK(die(now) == -1 && supervision.deaths == MOST + 1);
}

// A thousand deaths, each long enough behind the others: none of them counts for long.
static void test_for_years(void) {
    supervision = (struct supervision){ 0 };
    for (uint32_t i = 0; i < 1000; i++) {
        CHECK(die(i * SPAN_NS / AT_ONCE) == 0);
    }
    CHECK(supervision.deaths == 1000);
}

// The span is the last one: what lies before it is forgotten, and not all at once.
static void test_span(void) {
    supervision = (struct supervision){ 0 };
    for (uint32_t i = 0; i < MOST; i++) {
        CHECK(die(i) >= 0);
    }
    CHECK(die(SPAN_NS + 1) == MS << (MOST - 2 - AT_ONCE));
    CHECK(die(SPAN_NS + 1) == MS << (MOST - 1 - AT_ONCE));
    CHECK(die(3 * SPAN_NS) == 0);
}

// Starts that fail, however far apart.
static void test_never_starts(void) {
    time_ns_t pause;
    time_ns_t now = 0;
    supervision = (struct supervision){ 0 };
    for (uint32_t i = 1; i < 3 * MOST; i++) { // now and then one succeeds
        now += 10 * SPAN_NS;
        CHECK(supervise_death(&rule, &supervision, i % MOST == 0, now, &pause));
    }
    CHECK(die(now += 10 * SPAN_NS) == 0);
    for (uint32_t i = 1; i < MOST; i++) {
        now += 10 * SPAN_NS;
        CHECK(supervise_death(&rule, &supervision, false, now, &pause) && pause == 0);
    }
    CHECK(!supervise_death(&rule, &supervision, false, now + 10 * SPAN_NS, &pause));
}

// Another profile's: as many as are remembered, and one alone.
static void test_other_rules(void) {
    static const struct supervise_rule many = { 10 * SPAN_NS, 0, 1, SUPERVISE_RECENT };
    static const struct supervise_rule one = { SPAN_NS, 1, MS, 1 };
    time_ns_t pause;
    supervision = (struct supervision){ 0 };
    for (uint32_t i = 0; i < SUPERVISE_RECENT; i++) {
        CHECK(supervise_death(&many, &supervision, true, SPAN_NS + i, &pause) && pause == 1LL << i);
    }
    CHECK(!supervise_death(&many, &supervision, true, 2 * SPAN_NS, &pause));
    supervision = (struct supervision){ 0 };
    CHECK(supervise_death(&one, &supervision, true, SPAN_NS, &pause) && pause == 0);
    CHECK(!supervise_death(&one, &supervision, true, SPAN_NS + 1, &pause));
}

int main(void) {
    test_other_rules();
    test_never_starts();
    test_at_once();
    test_for_years();
    test_span();
    return check_result();
}
