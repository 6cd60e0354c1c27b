// SPDX-License-Identifier: MIT OR Apache-2.0
// blk_none.c: starts, and does not provide what it says.
#include "blk.h"

static enum hx_status nothing(struct hx_env *env, void **out_self) {
    *out_self = hx_alloc(env, 64);
    return HX_OK;
}

BLK(5, nothing, .self_test = NULL);
