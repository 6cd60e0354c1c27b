// SPDX-License-Identifier: MIT OR Apache-2.0
// bad_need.c: needs a port that nobody provides.
#include <helix/env.h>

static const struct hx_port_required needs[] = {
    { "helix.nothing", { 1, 2, 0 }, { 2, 0, 0 }, UINT64_C(0x1234) },
};
static const struct hx_module_ops operations = { .init = NULL };
HX_MODULE(bad_need, .name = "bad_need", .phase = HX_PHASE_NORMAL, .needs = needs,
          .needs_count = ARRAY_SIZE(needs), .ops = &operations);
