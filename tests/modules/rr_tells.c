// SPDX-License-Identifier: MIT OR Apache-2.0
// rr_tells.c: logs a line when it starts.
#include <helix/ports/sched_port.h>

static enum hx_status plain_pick(void *self, uint32_t cpu, uint32_t taker,
                                 struct sched_thread **out_thread);
#define RR_PICK plain_pick
#include "rr.h"

static enum hx_status plain_pick(void *self, uint32_t cpu, uint32_t taker,
                                 struct sched_thread **out_thread) {
    return rr_ops.pick(self, cpu, taker, out_thread);
}

static enum hx_status telling_start(void *self) {
    (void)self;
    hx_log(rr_env, HX_LOG_INFO, "here it is!");
    return HX_OK;
}

RR(9, .start = telling_start);
