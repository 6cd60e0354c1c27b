// SPDX-License-Identifier: MIT OR Apache-2.0
// blk_slow.c: is not left for two seconds by who asks it to flush.
#include <helix/env.h>
#include <helix/types.h>

static enum hx_status slow_flush(void *self, uint64_t id);
#define BLK_FLUSH slow_flush
#include "blk.h"

static enum hx_status slow_flush(void *self, uint64_t id) {
    const time_ns_t end = hx_time_now() + 2 * (time_ns_t)1000000000;
    while (hx_time_now() < end) {
    }
    return disk_flush(self, id);
}

BLK(7, blk_init, .stop = blk_stop);
