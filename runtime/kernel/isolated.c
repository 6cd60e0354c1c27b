// SPDX-License-Identifier: MIT OR Apache-2.0
// runtime/kernel/isolated.c: a module in ring 3, as registry, swap and healing see it: operations
// like any other's, each of which is done by a worker of its process.
#include "isolated.h"

static enum hx_status life_do(struct domain *domain, enum service_life what, uint64_t argument) {
    struct work work = { .kind = SERVICE_WORK_LIFE, .number = what, .argument = argument };
    const enum hx_status status = link_do(domain, &work);
    if (status != HX_OK) {
        return status;
    }
    // A module cannot say of itself that it has died, and says nothing else than a status.
    return work.status > HX_OK || work.status == HX_ERR_PEER_DIED ? HX_ERR_CORRUPT : work.status;
}

// One that does not begin provides nothing any more when this returns: who takes its slots away
// afterwards finds all of them.
static enum hx_status begin(struct domain *domain, enum service_life what, uint64_t argument) {
    const enum hx_status status = life_do(domain, what, argument);
    if (status != HX_OK) {
        domain_stop(domain);
    }
    return status;
}

// Its process ends with the module, by isolated_end(), whatever becomes of it here.
static enum hx_status isolated_init(struct hx_env *env, void **out_self) {
    enum hx_status status = domain_create(env, &env->domain);
    *out_self = env->domain;
    return status == HX_OK ? begin(env->domain, SERVICE_INIT, env->package->image.entry) : status;
}

static enum hx_status isolated_start(void *self) {
    return begin(self, SERVICE_START, 0);
}

static enum hx_status isolated_import(void *self, uint32_t schema) {
    return begin(self, SERVICE_IMPORT, schema);
}

static enum hx_status isolated_stop(void *self) {
    return life_do(self, SERVICE_STOP, 0);
}

static void isolated_fini(void *self) {
    HX_IGNORE(life_do(self, SERVICE_FINI, 0)); // its process ends in any case
}

static enum hx_status isolated_self_test(void *self) {
    return life_do(self, SERVICE_SELF_TEST, 0);
}

const struct hx_module_ops isolated_ops = {
    .init = isolated_init,
    .start = isolated_start,
    .stop = isolated_stop,
    .fini = isolated_fini,
    .self_test = isolated_self_test,
    .import_state = isolated_import,
};

void isolated_kill(const struct hx_env *env) {
    if (env->domain != NULL) {
        domain_kill(env->domain);
    }
}

void isolated_end(struct hx_env *env) {
    struct domain *domain = env->domain;
    env->domain = NULL;
    domain_end(domain);
}
