// SPDX-License-Identifier: MIT OR Apache-2.0
// tests/stepped/keep.c: a client of /dev/keep, whose module faults at one instruction after another
// (tools/helix/suite_stepped.py): each of its calls is done whole or not at all, whichever it dies
// at, and the next one finds it alive. Ends when it has not died for long. LIMIT: 600
#define MODULE "keep"
#include "../devices/health.h"

#define PAUSE_MS 130 // after a death, so that the rule does not give the module up
#define QUIET    3   // calls of each kind without a death: all that they run was there

struct kept {
    unsigned long count, sum;
};

static unsigned died;

// The module is dead for a moment after each call that it died of.
static void survive(void) {
    died++;
    alarm(40); // from death to death
    await(died);
    pause_ms(PAUSE_MS);
}

static struct kept look(void) {
    char line[64];
    struct kept kept;
    for (;;) {
        const int file = open("/dev/keep", O_RDONLY);
        NEED(file >= 0);
        const ssize_t length = read(file, line, sizeof line - 1);
        const int error = errno;
        close(file);
        if (length > 0) {
            line[length] = '\0';
            NEED(sscanf(line, "%lu %lu", &kept.count, &kept.sum) == 2);
            return kept;
        }
        NEED(length < 0 && error == EIO);
        survive();
    }
}

static bool write_once(const char *text) {
    const int file = open("/dev/keep", O_WRONLY);
    NEED(file >= 0);
    const ssize_t length = write(file, text, strlen(text));
    const int error = errno;
    close(file);
    NEED(length == (ssize_t)strlen(text) || (length < 0 && error == EIO));
    return length > 0;
}

static bool are_same(struct kept a, struct kept b) {
    return a.count == b.count && a.sum == b.sum;
}

// What there was or what there should be; a call that ends well has done it.
static void step(const char *text, struct kept before, struct kept done) {
    while (!are_same(before, done)) {
        const bool is_done = write_once(text);
        if (!is_done) {
            survive();
        }
        const struct kept now = look();
        CHECK(are_same(now, done) || (!is_done && are_same(now, before)));
        if (!are_same(now, done) && !are_same(now, before)) {
            check_fail(__FILE_NAME__, __LINE__, "%s of %lu %lu leaves %lu %lu", text, before.count,
                       before.sum, now.count, now.sum);
            _exit(1);
        }
        before = now;
    }
}

static void dies_everywhere(void) {
    const struct health first = health();
    died = first.deaths;
    if (!write_once("+0")) { // both methods are known early: who steps is slow until then
        survive();
    }
    SAME(look().count, 0);
    step("+2", (struct kept){ 0, 0 }, (struct kept){ 2, 3 });
    for (unsigned quiet = 0, before; quiet < QUIET; quiet = died == before ? quiet + 1 : 0) {
        before = died;
        step("+1", (struct kept){ 2, 3 }, (struct kept){ 3, 6 });
        step("=1", (struct kept){ 3, 6 }, (struct kept){ 3, 9 });
        step("-1", (struct kept){ 3, 9 }, (struct kept){ 2, 5 });
        step("-2", (struct kept){ 2, 5 }, (struct kept){ 0, 0 });
        step("+2", (struct kept){ 0, 0 }, (struct kept){ 2, 3 });
    }
    const struct health last = health();
    SAME(last.deaths, died);
    SAME(last.restarts - first.restarts, last.deaths - first.deaths);
    dprintf(1, "deaths: %u\n", last.deaths - first.deaths);
}

static const struct check_case cases[] = { CASE(dies_everywhere) };
CHECK_MAIN(cases)
