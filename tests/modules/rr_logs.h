// SPDX-License-Identifier: MIT OR Apache-2.0
// rr_logs.h: the policy rr, which logs a line in its hundredth pick, and then does AFTERWARDS.
#pragma once

#include <helix/ports/sched_port.h>

static enum hx_status logging_pick(void *self, uint32_t cpu, uint32_t taker,
                                   struct sched_thread **out_thread);
#define RR_PICK logging_pick
#include "rr.h"

static enum hx_status logging_pick(void *self, uint32_t cpu, uint32_t taker,
                                   struct sched_thread **out_thread) {
    static _Atomic uint32_t picks;
    if (atomic_fetch_add_explicit(&picks, 1, memory_order_relaxed) == 99) {
        hx_log(rr_env, HX_LOG_INFO, "the hundredth!");
        AFTERWARDS;
    }
    return rr_ops.pick(self, cpu, taker, out_thread);
}

RR(7);
