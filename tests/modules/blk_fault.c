// SPDX-License-Identifier: MIT OR Apache-2.0
// blk_fault.c: faults in its start.
#include "blk.h"

static int *volatile nowhere = (int *)64;

static enum hx_status start(void *self) {
    (void)self;
    *nowhere = 1;
    return HX_OK;
}

BLK(3, blk_init, .start = start, .stop = blk_stop);
