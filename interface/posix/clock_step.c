// SPDX-License-Identifier: MIT OR Apache-2.0
// interface/posix/clock_step.c: setting the real-time clock.
//
// Who waits for a moment on that clock waits for the same moment by the new time
// (clock_settime(2)), so it has to look again: sleepers watch `steps`, timers are moved one process
// after another. Each timer knows the offset that its deadline was made with, so it does not matter
// which of two steps reaches it first.
#include "pids.h"
#include "times.h"

#include <core/wait.h>

static struct waitable steps; // its sequence counts how often the clock was set

void clock_step_init(void) {
    waitable_init(&steps, 0);
}

bool clock_is_real(int32_t clock) {
    return clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_ALARM || clock == CLOCK_TAI;
}

enum hx_status clock_step(time_ns_t real_now) {
    if (real_now < time_now()) {
        return HX_ERR_INVALID;
    }
    time_real_set(real_now);
    waitable_pulse(&steps);
    struct posix_process *process;
    int32_t pid = 0;
    while ((process = posix_process_next(pid)) != NULL) {
        pid = process->pid;
        process_timers_step(process);
        process_put(process->process);
    }
    return HX_OK;
}

enum hx_status clock_wait(int32_t clock, time_ns_t moment) {
    for (;;) {
        // In this order: a step after it changes the sequence.
        const uint32_t sequence = waitable_sequence(&steps);
        time_ns_t deadline;
        enum hx_status status = clock_to_monotonic(clock, moment, &deadline);
        if (status == HX_OK) {
            status = clock_is_real(clock)
                         ? wait_change(&steps, sequence, deadline, WAIT_INTERRUPTIBLE)
                         : wait_for(NULL, 0, deadline, WAIT_INTERRUPTIBLE, NULL);
        }
        if (status != HX_OK) {
            return status;
        }
    }
}
