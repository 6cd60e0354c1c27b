// SPDX-License-Identifier: MIT OR Apache-2.0
// runtime/host/life.c: the module of this program: its manifest, its life, and what it provides.
#include "private.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PROVIDED_MAX 8u

struct provided {
    const char *port;
    const char *slot;
    const void *operations;
    void *self;
};

struct host host = { .cpu_count = 1, .dma_left = UINT32_MAX };

static struct hx_env env;
static struct provided provided[PROVIDED_MAX];
static uint32_t provided_count;

// Made by the linker, if the program has manifests.
// NOLINTBEGIN(bugprone-reserved-identifier,readability-identifier-naming): the linker chose the
// names
extern const struct hx_module *const __start_helix_modules[] __attribute__((weak));
extern const struct hx_module *const __stop_helix_modules[] __attribute__((weak));
// NOLINTEND(bugprone-reserved-identifier,readability-identifier-naming)

void host_broken(const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    (void)fputs("host: ", stderr);
    (void)vfprintf(stderr, format, arguments);
    (void)fputc('\n', stderr);
    va_end(arguments);
    abort();
}

bool env_is_granted(const struct hx_env *of, uint32_t capability) {
    return of == NULL || of->module == NULL || (of->module->capabilities & capability) != 0;
}

bool env_may_open(const struct hx_env *of, const char *device) {
    bool is_named = of == NULL || of->module == NULL;
    for (uint32_t i = 0; !is_named && i < of->module->devices_count; i++) {
        is_named = strcmp(of->module->devices[i], device) == 0;
    }
    return is_named && env_is_granted(of, HX_CAPABILITY_DEVICES);
}

bool env_may_use(const struct hx_env *of, uint16_t port) {
    bool is_named = of == NULL || of->module == NULL;
    for (uint32_t i = 0; !is_named && i < of->module->io_ports_count; i++) {
        const struct hx_io_ports *ports = &of->module->io_ports[i];
        is_named = port >= ports->first && port - ports->first < ports->count;
    }
    return is_named && env_is_granted(of, HX_CAPABILITY_IO_PORTS);
}

static const struct hx_module *manifest_of(const char *name) {
    const struct hx_module *found = NULL;
    for (const struct hx_module *const *at = __start_helix_modules; at != __stop_helix_modules;
         at++) {
        if (name == NULL || strcmp((*at)->name, name) == 0) {
            if (found != NULL) {
                host_broken("more than one module%s%s", name != NULL ? " called " : "",
                            name != NULL ? name : "");
            }
            found = *at;
        }
    }
    if (found == NULL || found->sdk_abi != HX_SDK_ABI) {
        host_broken("no module%s%s of this SDK", name != NULL ? " called " : "",
                    name != NULL ? name : "");
    }
    return found;
}

// As the kernel does it.
static void run(void *context) {
    const struct hx_module_ops *ops = env.module->ops;
    enum hx_status *status = context;
    const uint32_t schema = state_schema(); // before init makes any objects
    if (ops->init != NULL) {
        *status = ops->init(&env, &env.self);
    }
    if (*status == HX_OK && schema != 0) {
        *status =
            ops->import_state != NULL ? ops->import_state(env.self, schema) : HX_ERR_NOT_SUPPORTED;
    }
    if (*status == HX_OK && env.module->arena_version != 0) {
        state_take(env.module->arena_version);
    }
    if (*status == HX_OK && ops->start != NULL) {
        *status = ops->start(env.self);
        if (*status != HX_OK && ops->fini != NULL) {
            ops->fini(env.self);
        }
    }
}

static void forget(void) {
    env = (struct hx_env){ 0 };
    provided_count = 0;
    state_end();
    devices_close();
}

enum hx_status host_load_named(const char *name) {
    enum hx_status status = HX_OK;
    if (env.module != NULL) {
        host_broken("there is a module already");
    }
    forget();
    env.module = manifest_of(name);
    state_begin(env.module->arena_version != 0);
    module_call(run, &status);
    if (status != HX_OK) {
        forget();
    }
    return status;
}

enum hx_status host_load(void) {
    return host_load_named(NULL);
}

static void end(void *context) {
    const struct hx_module_ops *ops = env.module->ops;
    enum hx_status *status = context;
    if (ops->stop != NULL) {
        *status = ops->stop(env.self);
    }
    if (*status == HX_OK && ops->fini != NULL) {
        ops->fini(env.self);
    }
}

static void need_module(void) {
    if (env.module == NULL) {
        host_broken("there is no module");
    }
}

enum hx_status host_unload(void) {
    enum hx_status status = HX_OK;
    need_module();
    module_call(end, &status);
    if (status == HX_OK) {
        forget();
    }
    return status;
}

void host_die(void) {
    need_module();
    forget();
    dma_reset();
    ledger_release();
    locks_reset();
}

static void self_test(void *context) {
    *(enum hx_status *)context = env.module->ops->self_test(env.self);
}

static void health(void *context) {
    *(enum hx_status *)context = env.module->ops->health(env.self);
}

enum hx_status host_self_test(void) {
    enum hx_status status = HX_OK;
    need_module();
    if (env.module->ops->self_test != NULL) {
        module_call(self_test, &status);
    }
    return status;
}

enum hx_status host_health(void) {
    enum hx_status status = HX_OK;
    need_module();
    if (env.module->ops->health != NULL) {
        module_call(health, &status);
    }
    return status;
}

void *host_self(void) {
    return env.self;
}

struct hx_env *host_env(void) {
    return &env;
}

void life_reset(void) {
    forget();
}

uint64_t host_load_failing(const char *name, void (*prepare)(void), bool forgives) {
    for (uint64_t nth = 1;; nth++) {
        host_begin();
        if (prepare != NULL) {
            prepare();
        }
        host_fail_nth(nth);
        enum hx_status status = host_load_named(name);
        const bool has_failed = host.failed;
        if (has_failed && !forgives && status != HX_ERR_NO_MEMORY) {
            host_broken("call %lu for memory fails, and the module says %s", (unsigned long)nth,
                        hx_status_name(status));
        }
        host_fail_nth(0);
        if (status == HX_OK) {
            status = host_unload();
        } else if (has_failed) {
            status = HX_OK;
        }
        if (status != HX_OK || host.blocks != 0 || host.lent_pages != 0) {
            host_broken("call %lu for memory fails: %s, %u blocks and %u lent pages are left",
                        (unsigned long)nth, hx_status_name(status), host.blocks, host.lent_pages);
        }
        if (!has_failed) {
            return nth - 1;
        }
    }
}

// Ports
// ------------------------------------------------------------------------------------------------

static struct provided *find(const char *port, const char *slot) {
    for (uint32_t i = 0; i < provided_count; i++) {
        if (strcmp(provided[i].port, port) == 0 && strcmp(provided[i].slot, slot) == 0) {
            return &provided[i];
        }
    }
    return NULL;
}

static bool is_declared(const struct hx_module *module, const char *port) {
    for (uint32_t i = 0; module != NULL && i < module->provides_count; i++) {
        if (strcmp(module->provides[i].port, port) == 0) {
            return true;
        }
    }
    return module == NULL; // a test called init itself
}

enum hx_status hx_port_provide(struct hx_env *of, const char *port, const char *slot,
                               const void *operations, void *self) {
    may_sleep("hx_port_provide()");
    if (!is_declared(of != NULL ? of->module : NULL, port)) {
        return HX_ERR_INVALID;
    }
    if (find(port, slot) != NULL) {
        return HX_ERR_EXISTS;
    }
    if (fails_now()) {
        return HX_ERR_NO_MEMORY;
    }
    if (provided_count == PROVIDED_MAX || operations == NULL) {
        host_broken("%s: more than %u ports, or one without operations", port, PROVIDED_MAX);
    }
    provided[provided_count++] = (struct provided){ port, slot, operations, self };
    return HX_OK;
}

static const struct provided *need(const char *port, const char *slot) {
    const struct provided *found = find(port, slot);
    if (found == NULL) {
        host_broken("nobody provides %s in the slot %s", port, slot);
    }
    return found;
}

const void *host_operations(const char *port, const char *slot) {
    return need(port, slot)->operations;
}

void *host_instance(const char *port, const char *slot) {
    return need(port, slot)->self;
}

uint32_t host_provided(void) {
    return provided_count;
}
