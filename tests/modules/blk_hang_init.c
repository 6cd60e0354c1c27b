// SPDX-License-Identifier: MIT OR Apache-2.0
// blk_hang_init.c: has its devices, provides its ports, and then never comes back from its init.
#include "blk.h"

static enum hx_status init(struct hx_env *env, void **out_self) {
    static volatile bool for_ever = true;
    enum hx_status status = blk_init(env, out_self);
    while (for_ever) {
    }
    return status;
}

BLK(8, init, .stop = blk_stop);
