// SPDX-License-Identifier: MIT OR Apache-2.0
// bad_fault.c: faults in its init.
#include <helix/env.h>

static enum hx_status start(struct hx_env *env, void **out_self) {
    (void)out_self;
    void **volatile nowhere = NULL;
    *nowhere = env; // NOLINT(clang-analyzer-core.NullDereference): so
    return HX_OK;
}

static const struct hx_module_ops operations = { .init = start };
HX_MODULE(bad_fault, .name = "bad_fault", .phase = HX_PHASE_NORMAL, .ops = &operations);
