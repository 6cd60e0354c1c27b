// SPDX-License-Identifier: MIT OR Apache-2.0
// blk_slow.c: who asks it to flush runs for 0.7 s, one after the other: so that some wait inside
// for longer than anybody may run there.
#include <helix/env.h>
#include <helix/types.h>

static enum hx_status slow_flush(void *self, uint64_t id);
#define BLK_FLUSH slow_flush
#include "blk.h"

static struct hx_mutex turn;

static enum hx_status slow_flush(void *self, uint64_t id) {
    hx_mutex_lock(&turn);
    const time_ns_t end = hx_time_now() + 700 * (time_ns_t)1000000;
    while (hx_time_now() < end) {
    }
    hx_mutex_unlock(&turn);
    return disk_flush(self, id);
}

static enum hx_status slow_init(struct hx_env *env, void **out_self) {
    hx_mutex_init(&turn, "turn");
    return blk_init(env, out_self);
}

BLK(7, slow_init, .stop = blk_stop);
