// SPDX-License-Identifier: MIT OR Apache-2.0
// blk_hang_stop.c: works, but never comes back from its stop.
#include "blk.h"

static enum hx_status stop(void *self) {
    static volatile uint32_t turns;
    while (blk_stop(self) == HX_OK) {
        turns++;
    }
    return HX_OK;
}

BLK(11, blk_init, .stop = stop);
