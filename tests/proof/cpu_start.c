// SPDX-License-Identifier: MIT OR Apache-2.0
// BY: explore
// cpu_start.c: who starts a processor waits for it, and gives up in the end. A processor that is
// told to have come runs, and what either did before is there for the other; one that was given up
// does not run: hal/include/hal/cpu_start.h.
#include "explore.h"

#include "../../hal/include/hal/cpu_start.h"

const uint32_t explore_marks = 3;

static _Atomic uint32_t state;
static uint32_t given, made; // what the starter and the processor did before
static uint32_t threads[2];  // stand for those that run
static uint64_t looks;
static bool waited, came, runs, stopped;

uint64_t hal_counter_read(void) {
    return looks++;
}

uint64_t hal_counter_hz(void) {
    return 1000000;
}

static void starter(void *argument) {
    (void)argument;
    given = 1;
    explore_interrupt_send(1, 0); // the wake, which orders
    came = cpu_start_wait(&state, 1, true);
    PROVE(!came || made == 1);
    waited = true;
    if (came) {
        REACHED(0);
    }
}

static void processor(void *argument) {
    (void)argument;
    explore_point("on the way");
    made = 1;
    runs = cpu_start_decide(&state, CPU_START_REACHED);
    PROVE(!runs || given == 1);
    stopped = !runs;
    if (stopped) {
        REACHED(1);
    }
}

void explore_interrupt(uint32_t kind) {
    (void)kind;
    processor(NULL);
    REACHED(2);
}

static void sleeps(void *argument) {
    (void)argument;
}

void explore_setup(void) {
    explore_processor(&threads[0], starter, NULL);
    explore_processor(&threads[1], sleeps, NULL);
}

bool explore_final(void) {
    return waited && came == runs && stopped != runs;
}
