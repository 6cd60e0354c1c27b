// SPDX-License-Identifier: MIT OR Apache-2.0
// bad_name.c: has a name that is none.
#include <helix/env.h>

static const struct hx_module_ops operations = { .init = NULL };
HX_MODULE(bad_name, .name = "bad name", .phase = HX_PHASE_NORMAL, .ops = &operations);
