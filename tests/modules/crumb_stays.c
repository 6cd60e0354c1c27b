// SPDX-License-Identifier: MIT OR Apache-2.0
// crumb_stays.c: a character device, always at its end, that refuses to stop.
#include <helix/env.h>
#include <helix/ports/char_port.h>
#include <lib/string.h>

static enum hx_status stays_describe(void *self, struct char_node *to, uint32_t capacity,
                                     uint32_t *out_count) {
    static const struct char_node node = { "crumb_stays", 246, 0, 0666, 0 };
    (void)self;
    *out_count = MIN_OF(capacity, 1u);
    memcpy(to, &node, *out_count * sizeof(node));
    return HX_OK;
}

static const struct char_ops ops = { .describe = stays_describe };

static enum hx_status stays_init(struct hx_env *env, void **out_self) {
    *out_self = env;
    return hx_port_provide(env, "helix.char", "crumb_stays", &ops, env);
}

static enum hx_status stays_stop(void *self) {
    (void)self;
    return HX_ERR_WOULD_BLOCK;
}

static const struct hx_port_provided provides[] = { CHAR_PORT_PROVIDED };
static const struct hx_module_ops operations = { .init = stays_init, .stop = stays_stop };
HX_MODULE(crumb_stays, .name = "crumb_stays", .phase = HX_PHASE_NORMAL, .provides = provides,
          .provides_count = ARRAY_SIZE(provides), .ops = &operations);
