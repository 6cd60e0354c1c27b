// SPDX-License-Identifier: MIT OR Apache-2.0
// crumb_user.c: needs what crumb alone provides.
#include <helix/env.h>

static const struct hx_port_required needs[] = {
    { "helix.crumb", { 1, 0, 0 }, { 2, 0, 0 }, UINT64_C(0x6372756d62) },
};
static const struct hx_module_ops operations = { .init = NULL };
HX_MODULE(crumb_user, .name = "crumb_user", .phase = HX_PHASE_NORMAL, .needs = needs,
          .needs_count = ARRAY_SIZE(needs), .ops = &operations);
