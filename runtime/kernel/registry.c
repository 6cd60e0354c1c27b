// SPDX-License-Identifier: MIT OR Apache-2.0
// runtime/kernel/registry.c: the modules that are linked into the image.
//
// HX_MODULE() puts a pointer to each manifest into section helix_modules; the linker names its
// ends, as it does for every section whose name is an identifier.
#include "private.h"

#include <core/gate.h>
#include <core/log.h>
#include <core/time.h>
#include <core/trace.h>
#include <lib/string.h>
#include <memory/heap.h>

typedef const struct hx_module *const module_pointer_t;

// NOLINTBEGIN(bugprone-reserved-identifier,readability-identifier-naming): the linker chose the
// names
extern module_pointer_t __start_helix_modules[];
extern module_pointer_t __stop_helix_modules[];
// NOLINTEND(bugprone-reserved-identifier,readability-identifier-naming)

#define MODULES_MAX 64u

#define STOP_NS 1000000000 // for who is inside

static struct hx_env *envs[MODULES_MAX];  // in the order of the section
static struct hx_env *order[MODULES_MAX]; // those that run, as they were started
static uint32_t started;

static uint32_t module_count(void) {
    return (uint32_t)(__stop_helix_modules - __start_helix_modules);
}

static const struct hx_module *module_at(uint32_t index) {
    return __start_helix_modules[index];
}

static int version_compare(struct hx_version a, struct hx_version b) {
    if (a.major != b.major) {
        return a.major < b.major ? -1 : 1;
    }
    if (a.minor != b.minor) {
        return a.minor < b.minor ? -1 : 1;
    }
    return a.patch == b.patch ? 0 : a.patch < b.patch ? -1 : 1;
}

static bool provides(const struct hx_module *module, const struct hx_port_required *wanted) {
    for (uint32_t i = 0; i < module->provides_count; i++) {
        const struct hx_port_provided *port = &module->provides[i];
        if (strcmp(port->port, wanted->port) == 0 && port->abi == wanted->abi &&
            version_compare(port->version, wanted->least) >= 0 &&
            version_compare(port->version, wanted->below) < 0) {
            return true;
        }
    }
    return false;
}

static bool requirement_met(const struct hx_port_required *wanted) {
    for (uint32_t i = 0; i < module_count(); i++) {
        if (envs[i] != NULL && envs[i]->runs && provides(envs[i]->module, wanted)) {
            return true;
        }
    }
    return false;
}

// Whether all that it requires runs; otherwise the first port that is missing.
static bool is_startable(const struct hx_module *module, const char **out_missing) {
    for (uint32_t i = 0; i < module->requires_count; i++) {
        if (!requirement_met(&module->requires[i])) {
            *out_missing = module->
                               requires[
                                       i]
                                   .port;
            return false;
        }
    }
    return true;
}

// Inside the module's own gate: one that faults here does not run, and that is all.
static int64_t start_inside(void *argument) {
    struct hx_env *env = argument;
    const struct hx_module_ops *ops = env->module->ops;
    enum hx_status status = HX_OK;
    if (ops->init != NULL) {
        status = ops->init(env, &env->self);
    }
    if (status == HX_OK && ops->start != NULL) {
        status = ops->start(env->self);
        if (status != HX_OK && ops->fini != NULL) {
            ops->fini(env->self);
        }
    }
    return status;
}

static enum hx_status module_start(struct hx_env *env) {
    const struct hx_module *module = env->module;
    ASSERT(module->ops != NULL);
    if (module->sdk_abi != HX_SDK_ABI) {
        log_error("module %s: built for SDK %u, this is %u", module->name, module->sdk_abi,
                  HX_SDK_ABI);
        return HX_ERR_NOT_SUPPORTED;
    }
    enum hx_status status = gate_create(module->name, NULL, module->name, &env->gate);
    if (status == HX_OK) {
        status = gate_call(env->gate, start_inside, env);
    }
    env->runs = status == HX_OK;
    if (env->runs) {
        order[started++] = env;
        log_info("module %s %u.%u.%u", module->name, module->version.major, module->version.minor,
                 module->version.patch);
    }
    trace(TRACE_MODULE, (uintptr_t)module & UINT32_MAX, (uint64_t)(int64_t)status);
    return status;
}

// Starts each module of the phase that can be and was not tried. Whether there was one.
static bool start_round(enum hx_phase phase, enum hx_status *out_worst) {
    bool progress = false;
    for (uint32_t i = 0; i < module_count(); i++) {
        const struct hx_module *module = module_at(i);
        const char *missing;
        if (module->phase != phase || envs[i] != NULL || !is_startable(module, &missing)) {
            continue;
        }
        progress = true;
        envs[i] = heap_alloc_zero(sizeof(*envs[i]), MEMORY_SLEEP);
        if (envs[i] == NULL) {
            *out_worst = HX_ERR_NO_MEMORY;
            return false;
        }
        envs[i]->module = module;
        enum hx_status status = module_start(envs[i]);
        if (status != HX_OK) {
            log_error("module %s: %s", module->name, hx_status_name(status));
            *out_worst = status;
        }
    }
    return progress;
}

enum hx_status registry_start(enum hx_phase phase) {
    if (module_count() > MODULES_MAX) {
        log_error("more than %u modules in the image", MODULES_MAX);
        return HX_ERR_LIMIT;
    }
    enum hx_status worst = HX_OK;
    while (start_round(phase, &worst)) {
    }
    for (uint32_t i = 0; i < module_count(); i++) {
        const char *missing;
        if (module_at(i)->phase == phase && envs[i] == NULL &&
            !is_startable(module_at(i), &missing)) {
            log_error("module %s: nobody provides %s", module_at(i)->name, missing);
            worst = HX_ERR_NOT_FOUND;
        }
    }
    return worst;
}

// Stopping
// -----------------------------------------------------------------------------------------

static int64_t stop_inside(void *argument) {
    struct hx_env *env = argument;
    return env->module->ops->stop(env->self);
}

// A module that somebody does not leave in time is not stopped: it is in the middle of something.
static void module_stop(struct hx_env *env) {
    const char *name = env->module->name;
    enum hx_status status = HX_OK;
    for (uint32_t i = 0; status == HX_OK && i < GATES_MAX; i++) {
        struct gate *gate = gate_at(i);
        if (gate != NULL && gate->module == name && gate != env->gate) {
            status = gate_close(gate, time_now() + STOP_NS);
        }
    }
    if (status == HX_OK && env->module->ops->stop != NULL) {
        status = gate_call(env->gate, stop_inside, env);
    }
    if (status != HX_OK) {
        log_warning("module %s does not stop: %s", name, hx_status_name(status));
    }
}

void registry_stop(void) {
    for (uint32_t i = started; i > 0; i--) {
        module_stop(order[i - 1]);
    }
}
