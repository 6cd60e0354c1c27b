// SPDX-License-Identifier: MIT OR Apache-2.0
// A driver of a device of firmware's tree comes and goes, and whoever else wants its device is
// refused: no page is mapped for any of that but the first time. Where there is no tree, each time
// is a refusal.
// DEVICE: packages
// LIMIT: 120
#include "../native/packages.h"

#define ROUNDS     200 // of 64 refusals each: a table for 512 of them would be 25
#define SOME       10
#define MOST_PAGES 3 // of tables, by what else there is

static void come_and_go(int rounds, int64_t expected, int64_t (*bring)(const char *name)) {
    for (int i = 0; i < rounds; i++) {
        SAME(bring("opener"), expected);
        if (expected == HX_OK) {
            SAME(unload("opener"), HX_OK);
        }
    }
}

static void nothing_grows(void) {
    const int64_t status = load("opener");
    const int64_t expected = status == HX_ERR_NOT_FOUND ? status : HX_OK;
    SAME(status, expected);
    SAME(expected == HX_OK ? unload("opener") : HX_OK, HX_OK);
    dprintf(1, "%s\n", expected == HX_OK ? "with a tree" : "without a tree");
    come_and_go(SOME, expected, load);
    const long before = meminfo_pages("PageTables:");
    come_and_go(ROUNDS, expected, load);
    const long more = meminfo_pages("PageTables:") - before;
    if (more > MOST_PAGES) {
        check_fail(__FILE_NAME__, __LINE__, "%ld tables more", more);
    }
    come_and_go(SOME, expected, isolate);
    come_and_go(1, expected, load);
}

static const struct check_case cases[] = { CASE(nothing_grows) };

CHECK_MAIN(cases)
