// SPDX-License-Identifier: MIT OR Apache-2.0
// bad_loop.c: never comes back from its init.
#include <helix/env.h>

static enum hx_status init(struct hx_env *env, void **out_self) {
    static volatile bool for_ever = true;
    *out_self = env;
    while (for_ever) {
    }
    return HX_OK;
}

static const struct hx_module_ops operations = { .init = init };
HX_MODULE(bad_loop, .name = "bad_loop", .phase = HX_PHASE_NORMAL, .ops = &operations);
