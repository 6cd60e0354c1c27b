// SPDX-License-Identifier: MIT OR Apache-2.0
// bad_port.c: provides a port as it was described otherwise.
#include <helix/env.h>
#include <helix/ports/char_port.h>

static const struct char_ops ops = { .describe = NULL };

static enum hx_status start(struct hx_env *env, void **out_self) {
    *out_self = env;
    return hx_port_provide(env, "helix.char", "bad_port", &ops, env);
}

static const struct hx_port_provided provides[] = {
    { "helix.char", { 1, 0, 0 }, CHAR_PORT_ABI ^ 1 },
};
static const struct hx_module_ops operations = { .init = start };
HX_MODULE(bad_port, .name = "bad_port", .phase = HX_PHASE_NORMAL, .provides = provides,
          .provides_count = ARRAY_SIZE(provides), .ops = &operations);
