// SPDX-License-Identifier: MIT OR Apache-2.0
// bad_sdk.c: built for an SDK that is not this one.
#include <helix/env.h>

static const struct hx_module_ops operations = { .init = NULL };
static const struct hx_module module = {
    .sdk_abi = HX_SDK_ABI + 1,
    .name = "bad_sdk",
    .phase = HX_PHASE_NORMAL,
    .ops = &operations,
};
__attribute__((used, section("helix_modules"))) static const struct hx_module *const pointer =
    &module;
