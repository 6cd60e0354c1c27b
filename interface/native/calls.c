// SPDX-License-Identifier: MIT OR Apache-2.0
// interface/native/calls.c: the table of native calls, and the module that registers it.
#include "native.h"

#include <helix/module.h>

static const native_call_t table[] = {
#define X(name, number) [(number) - NATIVE_CALL_FIRST] = native_##name,
    HX_NATIVE_CALLS(X)
#undef X
};

static enum hx_status native_init(struct hx_env *env, void **out_self) {
    (void)env;
    *out_self = NULL;
    native_calls_register(NATIVE_CALL_FIRST, table, ARRAY_SIZE(table));
    return HX_OK;
}

static const struct hx_module_ops native_ops = { .init = native_init };

HX_MODULE(native, .name = "native", .version = { 1, 0, 0 }, .phase = HX_PHASE_NORMAL,
          .ops = &native_ops);
