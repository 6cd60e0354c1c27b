// SPDX-License-Identifier: MIT OR Apache-2.0
// services/sched/predictive/predictive_module.c: the manifest, and the memory that the policy
// needs.
#include "predictive.h"

#include <helix/env.h>

static enum hx_status predictive_init(struct hx_env *env, void **out_self) {
    struct predictive *predictive = hx_alloc(env, sizeof(*predictive));
    if (predictive == NULL) {
        return HX_ERR_NO_MEMORY;
    }
    predictive->clock = hx_time_now;
    predictive->cpu_count = hx_cpu_count();
    predictive->cpus = hx_alloc(env, predictive->cpu_count * sizeof(*predictive->cpus));
    if (predictive->cpus == NULL) {
        hx_free(env, predictive);
        return HX_ERR_NO_MEMORY;
    }
    enum hx_status status =
        hx_port_provide(env, "helix.sched", "sched", &predictive_ops, predictive);
    if (status != HX_OK) {
        hx_free(env, predictive->cpus);
        hx_free(env, predictive);
        return status;
    }
    *out_self = predictive;
    return HX_OK;
}

static const struct hx_port_provided predictive_provides[] = { SCHED_PORT_PROVIDED };
static const struct hx_module_ops predictive_module_ops = { .init = predictive_init };

HX_MODULE(predictive, .name = "predictive", .version = { 1, 0, 0 }, .phase = HX_PHASE_NORMAL,
          .flags = HX_MODULE_ATOMIC, .provides = predictive_provides,
          .provides_count = ARRAY_SIZE(predictive_provides), .ops = &predictive_module_ops);
