// SPDX-License-Identifier: MIT OR Apache-2.0
// rr_full.c: starts, and takes no processor.
#include <helix/env.h>

static enum hx_status full_cpu_add(void *self, uint32_t cpu);
#define RR_CPU_ADD full_cpu_add
#include "rr.h"

static enum hx_status full_cpu_add(void *self, uint32_t cpu) {
    (void)self;
    (void)cpu;
    return HX_ERR_LIMIT;
}

RR(8);
