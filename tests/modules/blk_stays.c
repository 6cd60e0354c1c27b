// SPDX-License-Identifier: MIT OR Apache-2.0
// blk_stays.c: does not stop when it is asked for the first time.
#include "blk.h"

static enum hx_status stop(void *self) {
    static bool was_asked;
    const bool stops = was_asked;
    was_asked = true;
    return stops ? blk_stop(self) : HX_ERR_WOULD_BLOCK;
}

BLK(6, blk_init, .stop = stop);
