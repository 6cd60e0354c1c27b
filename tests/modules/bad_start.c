// SPDX-License-Identifier: MIT OR Apache-2.0
// bad_start.c: does not start.
#include <helix/env.h>

static enum hx_status start(struct hx_env *env, void **out_self) {
    *out_self = env;
    return HX_ERR_NO_SPACE;
}

static const struct hx_module_ops operations = { .init = start };
HX_MODULE(bad_start, .name = "bad_start", .phase = HX_PHASE_NORMAL, .ops = &operations);
