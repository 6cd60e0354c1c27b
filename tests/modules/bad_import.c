// SPDX-License-Identifier: MIT OR Apache-2.0
// bad_import.c: calls a function of the kernel that is not in the SDK.
#include <helix/env.h>

void *frame_alloc(uint32_t how);

static enum hx_status start(struct hx_env *env, void **out_self) {
    (void)env;
    *out_self = frame_alloc(0);
    return HX_OK;
}

static const struct hx_module_ops operations = { .init = start };
HX_MODULE(bad_import, .name = "bad_import", .phase = HX_PHASE_NORMAL, .ops = &operations);
