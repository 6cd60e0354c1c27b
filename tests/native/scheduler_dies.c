// SPDX-License-Identifier: MIT OR Apache-2.0
// tests/native/scheduler_dies.c: the chosen scheduling policy dies again and again, by faults of
// its own code, while 200 threads run: the processors go on at once, its next life is chosen again,
// no thread is lost and none starves.
#define MODULE "rr"
#include "../devices/health.h"
#include "crowd.h"

#define SPAN_MS 130 // between deaths, so that the rule does not give the module up

static void dies_under_load(void) {
    static pthread_t threads[THREADS];
    const struct health before = health();
    unsigned deaths = before.deaths;
    SAME(choose(MODULE), 0);
    crowd_start(threads);
    all_go_on();
    for (unsigned i = 0; i < 2 * KINDS; i++) {
        const char *kind = kinds[i % KINDS];
        if (strcmp(kind, "loop") == 0) {
            continue; // nothing interrupts that one
        }
        doom("kill", kind, 1 + (int)(i * 37 % 101));
        await(++deaths);
        await_chosen(MODULE);
        CHECK(strstr(slurp(), "failed") == NULL);
        all_go_on();
        pause_ms(SPAN_MS);
    }
    crowd_end(threads);
    const struct health after = health();
    SAME(after.deaths, deaths);
    SAME(after.restarts - before.restarts, deaths - before.deaths);
    SAME(after.held, before.held);
    dprintf(1, "restart, from detection: last %llu us, worst %llu us\n", after.restart_ns / 1000,
            after.worst_ns / 1000);
}

// Each of its first calls.
static void dies_at_each_call(void) {
    unsigned deaths = health().deaths;
    for (int nth = 1; nth <= 12; nth++) {
        doom("kill", "null", nth);
        await(++deaths);
        await_chosen(MODULE);
        CHECK(strstr(health().reason, "write_null+0x") != NULL);
        pause_ms(SPAN_MS);
    }
}

// What it was chosen over may be chosen while it is dead or alive, and it again afterwards.
static void others_go_on(void) {
    const unsigned deaths = health().deaths;
    doom("kill", "jump", 3);
    await(deaths + 1);
    SAME(choose("fair"), 0);
    CHECK(is_chosen("fair"));
    SAME(choose(MODULE), 0);
    pause_ms(SPAN_MS);
}

static void refuses(void) {
    const int file = open("/proc/helix/health", O_WRONLY);
    NEED(file >= 0);
    REFUSED(write(file, "kill rr loop 1", 14), ENOSYS);
    REFUSED(write(file, "doom rr null 1", 14), ENOSYS);
    close(file);
}

static bool is_settled(void) {
    const struct health now = health();
    return strcmp(now.state, "runs") == 0 || strcmp(now.state, "gone") == 0;
}

// One that dies too often is given up: core's own order is there, and others can be chosen.
static void given_up(void) {
    for (int i = 0; i < 11; i++) {
        pause_ms(100); // the rule counts the deaths of a second
    }
    while (strcmp(health().state, "gone") != 0) {
        const unsigned deaths = health().deaths;
        doom("kill", "undefined", 1);
        // What is asked for of a dead module strikes in its next life, which is to be a sound one.
        for (int i = 0; i < 20000 && (health().deaths == deaths || !is_settled()); i++) {
            pause_ms(1);
        }
        NEED(health().deaths > deaths && is_settled());
    }
    CHECK(strstr(slurp(), "policy rr chosen failed") != NULL ||
          strstr(slurp(), "policy rr failed") != NULL);
    SAME(choose(MODULE), EIO);
    SAME(choose("fair"), 0);
    CHECK(is_chosen("fair"));
    SAME(swap(MODULE, NULL), HX_OK); // as a better version, or as what it was
    SAME(choose(MODULE), 0);
    CHECK(is_chosen(MODULE) && strstr(slurp(), "failed") == NULL);
}

static const struct check_case cases[] = { CASE(dies_under_load), CASE(dies_at_each_call),
                                           CASE(others_go_on), CASE(refuses), CASE(given_up) };
CHECK_MAIN(cases)
