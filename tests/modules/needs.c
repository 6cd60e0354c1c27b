// SPDX-License-Identifier: MIT OR Apache-2.0
// needs.c: needs helix.char, as the description that it is built with has it.
#include <helix/env.h>
#include <helix/ports/char_port.h>

static const struct hx_port_required needs[] = { CHAR_PORT_REQUIRED };
static const struct hx_module_ops operations = { .init = NULL };
HX_MODULE(needs, .name = "needs", .phase = HX_PHASE_NORMAL, .needs = needs,
          .needs_count = ARRAY_SIZE(needs), .ops = &operations);
