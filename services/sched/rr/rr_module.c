// SPDX-License-Identifier: MIT OR Apache-2.0
// services/sched/rr/rr_module.c: the manifest, and the memory that the policy needs.
#include "rr.h"

#include <helix/env.h>

static enum hx_status rr_init(struct hx_env *env, void **out_self) {
    struct rr *rr = hx_alloc(env, sizeof(*rr));
    if (rr == NULL) {
        return HX_ERR_NO_MEMORY;
    }
    rr->cpu_count = hx_cpu_count();
    rr->cpus = hx_alloc(env, rr->cpu_count * sizeof(*rr->cpus));
    if (rr->cpus == NULL) {
        hx_free(env, rr);
        return HX_ERR_NO_MEMORY;
    }
    enum hx_status status = hx_port_provide(env, "helix.sched", "sched", &rr_ops, rr);
    if (status != HX_OK) {
        hx_free(env, rr->cpus);
        hx_free(env, rr);
        return status;
    }
    *out_self = rr;
    return HX_OK;
}

static const struct hx_port_provided rr_provides[] = { SCHED_PORT_PROVIDED };
static const struct hx_module_ops rr_module_ops = { .init = rr_init };

HX_MODULE(rr, .name = "rr", .version = { 1, 0, 0 }, .phase = HX_PHASE_NORMAL,
          .flags = HX_MODULE_ATOMIC, .provides = rr_provides,
          .provides_count = ARRAY_SIZE(rr_provides), .ops = &rr_module_ops);
