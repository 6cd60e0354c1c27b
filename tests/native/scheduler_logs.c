// SPDX-License-Identifier: MIT OR Apache-2.0
// tests/native/scheduler_logs.c: the driver of the console dies of a line of the log, whoever logs
// it: a module in a call, and the chosen scheduling policy, which go on. A policy that faults
// itself behind such a line dies, too. ON: x86_64 riscv64
#define MODULE "rr"
#include "../devices/health.h"
#include "../devices/placement.h"
#include "crowd.h"

#define CONSOLE "uart16550"

static void await_rollback(const char *module, struct health before) {
    for (unsigned i = 0; i < 20000 && health_of(module).rollbacks == before.rollbacks; i++) {
        pause_ms(1);
    }
    SAME(health_of(module).rollbacks, before.rollbacks + 1);
    SAME(health_of(module).deaths, before.deaths + 1);
}

// Of a line that a policy logs with a queue's lock held.
static void of_a_policy(void) {
    SAME(placement(CONSOLE), 0); // of other drivers there is no version that does this
    const struct health console = health_of(CONSOLE);
    SAME(choose(MODULE), 0);
    SAME(swap(CONSOLE, "uart_trips"), HX_OK);
    const struct health before = health();
    SAME(swap(MODULE, "rr_logs"), HX_OK);
    await_rollback(CONSOLE, console);
    await_chosen(MODULE);
    SAME(health().deaths, before.deaths);
    SAME(health().swaps, before.swaps + 1);
    SAME(swap(MODULE, MODULE), HX_OK);
}

// It dies behind the line, in the same call.
static void before_a_policy(void) {
    const struct health console = health_of(CONSOLE);
    const struct health policy = health();
    SAME(swap(CONSOLE, "uart_trips"), HX_OK);
    SAME(swap(MODULE, "rr_last_words"), HX_OK);
    await_rollback(CONSOLE, console);
    await_rollback(MODULE, policy);
    await_chosen(MODULE);
    CHECK(strstr(slurp(), "failed") == NULL);
}

// Of one that a module logs in a call, with no lock but the log's: the call goes on.
static void of_a_module_by(const char *version) {
    const struct health console = health_of(CONSOLE);
    const struct health before = health();
    SAME(swap(CONSOLE, version), HX_OK);
    SAME(swap(MODULE, "rr_tells"), HX_OK);
    await_rollback(CONSOLE, console);
    SAME(health().deaths, before.deaths);
    SAME(health().swaps, before.swaps + 1);
    SAME(swap(MODULE, MODULE), HX_OK);
    pause_ms(1100); // so that the rule does not give it up
}

static void of_a_module(void) {
    of_a_module_by("uart_trips");
    of_a_module_by("uart_locks"); // it takes what nobody may take there
}

static const struct check_case cases[] = { CASE(of_a_policy), CASE(before_a_policy),
                                           CASE(of_a_module) };
CHECK_MAIN(cases)
