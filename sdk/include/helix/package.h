// SPDX-License-Identifier: MIT OR Apache-2.0
// <helix/package.h>: what a package of a module (.hxm) exports, for whoever loads it. Modules do
// not include this: sdk/package puts it beside each.
#pragma once

#include <helix/module.h>

// The manifests, one by each HX_MODULE(), and the number that guards the package's stacks, which
// the loader makes up before anything in it runs.
struct hx_package {
    const struct hx_module *const *first;
    const struct hx_module *const *end;
    uintptr_t *guard;
};
