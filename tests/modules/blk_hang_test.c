// SPDX-License-Identifier: MIT OR Apache-2.0
// blk_hang_test.c: tests itself for ever: compares what it has with itself, in a function of lib.
#include "blk.h"

#include <lib/string.h>

static enum hx_status test(void *self) {
    static uint8_t bytes[16384];
    (void)self;
    while (memcmp(bytes, bytes, sizeof(bytes)) == 0) {
    }
    return HX_ERR_CORRUPT;
}

BLK(10, blk_init, .stop = blk_stop, .self_test = test);
