// SPDX-License-Identifier: MIT OR Apache-2.0
// bad_two.c: has two manifests.
#include <helix/env.h>

static const struct hx_module_ops operations = { .init = NULL };
HX_MODULE(first, .name = "bad_two", .phase = HX_PHASE_NORMAL, .ops = &operations);
HX_MODULE(second, .name = "bad_too", .phase = HX_PHASE_NORMAL, .ops = &operations);
