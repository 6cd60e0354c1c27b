// SPDX-License-Identifier: MIT OR Apache-2.0
// services/sched/fair/fair_module.c: the manifest, and the memory that the policy needs.
#include "fair.h"

#include <helix/env.h>

static enum hx_status fair_init(struct hx_env *env, void **out_self) {
    struct fair *fair = hx_alloc(env, sizeof(*fair));
    if (fair == NULL) {
        return HX_ERR_NO_MEMORY;
    }
    fair->cpu_count = hx_cpu_count();
    fair->cpus = hx_alloc(env, fair->cpu_count * sizeof(*fair->cpus));
    if (fair->cpus == NULL) {
        hx_free(env, fair);
        return HX_ERR_NO_MEMORY;
    }
    enum hx_status status = hx_port_provide(env, "helix.sched", "sched", &fair_ops, fair);
    if (status != HX_OK) {
        hx_free(env, fair->cpus);
        hx_free(env, fair);
        return status;
    }
    *out_self = fair;
    return HX_OK;
}

static const struct hx_port_provided fair_provides[] = { SCHED_PORT_PROVIDED };
static const struct hx_module_ops fair_module_ops = { .init = fair_init };

HX_MODULE(fair, .name = "fair", .version = { 1, 0, 0 }, .phase = HX_PHASE_NORMAL,
          .flags = HX_MODULE_ATOMIC, .provides = fair_provides,
          .provides_count = ARRAY_SIZE(fair_provides), .ops = &fair_module_ops);
