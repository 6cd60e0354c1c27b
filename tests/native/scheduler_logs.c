// SPDX-License-Identifier: MIT OR Apache-2.0
// tests/native/scheduler_logs.c: the chosen scheduling policy logs a line, of which the driver of
// the console dies: the policy has died of it, its old version is there again, and the log goes on.
// ON: x86_64 riscv64
#define MODULE "rr"
#include "../devices/health.h"
#include "../devices/placement.h"
#include "crowd.h"

#define CONSOLE "uart16550"

static void console_faults(void) {
    SAME(placement(CONSOLE), 0); // of other drivers there is no version that does this
    const struct health before = health();
    SAME(choose(MODULE), 0);
    SAME(swap(CONSOLE, "uart_trips"), HX_OK);
    SAME(swap(MODULE, "rr_logs"), HX_OK);
    for (unsigned i = 0; i < 20000 && health().rollbacks == before.rollbacks; i++) {
        pause_ms(1);
    }
    await_chosen(MODULE);
    SAME(health().deaths, before.deaths + 1);
    SAME(health().rollbacks, before.rollbacks + 1);
    SAME(swap(CONSOLE, CONSOLE), HX_OK);
    CHECK(strstr(slurp(), "failed") == NULL);
}

static const struct check_case cases[] = { CASE(console_faults) };
CHECK_MAIN(cases)
