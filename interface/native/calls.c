// SPDX-License-Identifier: MIT OR Apache-2.0
// interface/native/calls.c: the module that registers the native calls.
#include "native.h"

#include <helix/module.h>

static enum hx_status native_init(struct hx_env *env, void **out_self) {
    (void)env;
    *out_self = NULL;
    native_numbers_init();
    native_modules_init();
    native_calls_register(&native_calls);
    return HX_OK;
}

static const struct hx_module_ops native_ops = { .init = native_init };

HX_MODULE(native, .name = "native", .version = { 1, 0, 0 }, .phase = HX_PHASE_NORMAL,
          .ops = &native_ops);
