// SPDX-License-Identifier: MIT OR Apache-2.0
// blk_start.c: has its devices, provides its ports, and then does not start.
#include "blk.h"

static enum hx_status start(void *self) {
    (void)self;
    return HX_ERR_NO_SPACE;
}

BLK(2, blk_init, .start = start, .stop = blk_stop);
