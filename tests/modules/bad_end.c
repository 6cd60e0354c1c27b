// SPDX-License-Identifier: MIT OR Apache-2.0
// bad_end.c: starts and stops, and then never comes back from its fini.
#include <helix/env.h>

static enum hx_status init(struct hx_env *env, void **out_self) {
    *out_self = env;
    return HX_OK;
}

static void fini(void *self) {
    static volatile bool for_ever = true;
    (void)self;
    while (for_ever) {
    }
}

static const struct hx_module_ops operations = { .init = init, .fini = fini };
HX_MODULE(bad_end, .name = "bad_end", .phase = HX_PHASE_NORMAL, .ops = &operations);
