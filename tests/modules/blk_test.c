// SPDX-License-Identifier: MIT OR Apache-2.0
// blk_test.c: finds that it does not work.
#include "blk.h"

static enum hx_status test(void *self) {
    (void)self;
    return HX_ERR_CORRUPT;
}

BLK(4, blk_init, .stop = blk_stop, .self_test = test);
