// SPDX-License-Identifier: MIT OR Apache-2.0
// runtime/kernel/registry.c: the modules that are linked into the image, and those that were loaded
// from packages since.
//
// HX_MODULE() puts a pointer to each manifest into section helix_modules; the linker names its
// ends, as it does for every section whose name is an identifier.
#include "isolated.h"
#include "resolve.h"

#include <core/code.h>
#include <core/gate.h>
#include <core/lock.h>
#include <core/log.h>
#include <core/time.h>
#include <core/trace.h>
#include <lib/format.h>
#include <lib/string.h>
#include <memory/heap.h>
#include <runtime/modules.h>

typedef const struct hx_module *const module_pointer_t;

// NOLINTBEGIN(bugprone-reserved-identifier,readability-identifier-naming): the linker chose the
// names
extern module_pointer_t __start_helix_modules[];
extern module_pointer_t __stop_helix_modules[];
// NOLINTEND(bugprone-reserved-identifier,readability-identifier-naming)

#define MODULES_MAX 64u

#define STOP_NS 1000000000 // for who is inside

// Outside everything: a module's start and stop are called under it.
static const struct lock_class registry_class = { "modules", LOCK_RANK_PROCESS_TREE - 7, false };
static struct mutex registry_lock = { .lock_class = &registry_class };

static struct hx_env *envs[MODULES_MAX]; // [registry_lock] the section's, in its order; then others
static struct hx_env *order[MODULES_MAX]; // [registry_lock] those that run, as they were started
static uint32_t started;                  // [registry_lock]

static uint32_t module_count(void) {
    return (uint32_t)(__stop_helix_modules - __start_helix_modules);
}

static const struct hx_module *module_at(uint32_t index) {
    return __start_helix_modules[index];
}

static bool requirement_met(const struct hx_port_required *wanted) {
    for (uint32_t i = 0; i < MODULES_MAX; i++) {
        if (envs[i] != NULL && envs[i]->runs && module_provides(envs[i]->module, wanted)) {
            return true;
        }
    }
    return false;
}

// The first that nobody who runs provides; NULL: it can be started.
static const struct hx_port_required *missing_of(const struct hx_module *module) {
    for (uint32_t i = 0; i < module->needs_count; i++) {
        if (!requirement_met(&module->needs[i])) {
            return &module->needs[i];
        }
    }
    return NULL;
}

static enum module_placement placement_of(const struct hx_env *env) {
    return env->package != NULL && env->package->image.bytes != NULL ? MODULE_ISOLATED
                                                                     : MODULE_IN_KERNEL;
}

// Inside the module's own gate: one that faults here does not run, and that is all.
static int64_t start_inside(void *argument) {
    struct hx_env *env = argument;
    const struct hx_module_ops *ops = env->module->ops;
    const bool is_foreign = placement_of(env) == MODULE_ISOLATED;
    const bool has_objects = state_has_objects(env->state); // before init makes any
    enum hx_status status = HX_OK;
    if (env->state != NULL && is_foreign) {
        env->state->is_foreign = true;
    }
    if (ops->init != NULL) {
        env->step = "init";
        status = ops->init(env, &env->self);
    }
    if (status == HX_OK && has_objects) {
        env->step = "import_state";
        status = ops->import_state != NULL ? ops->import_state(env->self, env->state->schema)
                                           : HX_ERR_NOT_SUPPORTED;
    }
    if (status == HX_OK && env->state != NULL) {
        env->state->schema = env->module->arena_version;
        env->state->is_foreign &= is_foreign; // it was checked
    }
    if (status == HX_OK && ops->start != NULL) {
        env->step = "start";
        status = ops->start(env->self);
        if (status != HX_OK && ops->fini != NULL) {
            ops->fini(env->self);
        }
    }
    env->step = status == HX_OK ? NULL : env->step;
    return status;
}

enum hx_status module_run(struct hx_env *env) {
    return gate_call(env->gate, start_inside, env);
}

// "1.2.3 in the kernel"
static void tell_version(const struct hx_env *env, enum module_life_kind kind) {
    const struct hx_version version = env->module->version;
    const char *where = placement_of(env) == MODULE_ISOLATED ? "in ring 3" : "in the kernel";
    life_tell(env->name, kind, "%u.%u.%u %s", version.major, version.minor, version.patch, where);
    if (kind != LIFE_STARTED) {
        log_info("module %s is swapped: %u.%u.%u %s", env->name, version.major, version.minor,
                 version.patch, where);
    }
}

// Of "expected …, found …": what was found. An event has no room for the rest.
static const char *found_of(const char *text) {
    static const char mark[] = ", found ";
    for (const char *at = text; *at != '\0'; at++) {
        if (strncmp(at, mark, sizeof(mark) - 1) == 0) {
            return at + sizeof(mark) - 1;
        }
    }
    return text;
}

// Somebody wanted that, and it was not done. What he was told, he alone would know.
static void tell_refusal(const char *name, const char *what,
                         const struct package_refusal *refusal) {
    log_warning("module %s: %s: %s", name, what, refusal->text);
    life_tell(name, LIFE_REFUSED, "%s: %s", what, found_of(refusal->text));
}

// Its first death is told behind its start.
static enum hx_status watch_and_tell(struct hx_env *env) {
    mutex_lock(&lives_lock);
    const enum hx_status status = orchestrator_watch(env);
    if (status == HX_OK) {
        tell_version(env, LIFE_STARTED);
    }
    mutex_unlock(&lives_lock);
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
    if (module->arena_version != 0) {
        env->state = state_create(module->arena_version);
        if (env->state == NULL) {
            return HX_ERR_NO_MEMORY;
        }
    }
    enum hx_status status = gate_create(env->name, NULL, env->name, &env->gate);
    if (status == HX_OK) {
        status = module_run(env);
    }
    status = status == HX_OK ? watch_and_tell(env) : status;
    if (env->gate != NULL && status != HX_OK && !env->is_loaded) { // who was goes by unload.c
        orchestrator_bury(env);
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
        if (module->phase != phase || envs[i] != NULL || missing_of(module) != NULL) {
            continue;
        }
        progress = true;
        envs[i] = heap_alloc_zero(sizeof(*envs[i]), MEMORY_SLEEP);
        if (envs[i] == NULL) {
            *out_worst = HX_ERR_NO_MEMORY;
            return false;
        }
        envs[i]->name = module->name;
        envs[i]->module = module;
        ledger_init(&envs[i]->ledger);
        enum hx_status status = module_start(envs[i]);
        if (status != HX_OK) {
            log_error("module %s: %s", module->name, hx_status_name(status));
            *out_worst = status;
        }
    }
    return progress;
}

static enum hx_status start_phase_locked(enum hx_phase phase) {
    enum hx_status worst = HX_OK;
    while (start_round(phase, &worst)) {
    }
    for (uint32_t i = 0; i < module_count(); i++) {
        const struct hx_module *module = module_at(i);
        if (module->phase == phase && envs[i] == NULL && missing_of(module) != NULL) {
            log_error("module %s: nobody provides %s", module->name, missing_of(module)->port);
            worst = HX_ERR_NOT_FOUND;
        }
    }
    return worst;
}

enum hx_status registry_start(enum hx_phase phase) {
    if (module_count() > MODULES_MAX) {
        log_error("more than %u modules in the image", MODULES_MAX);
        return HX_ERR_LIMIT;
    }
    mutex_lock(&registry_lock);
    enum hx_status worst = start_phase_locked(phase);
    mutex_unlock(&registry_lock);
    return worst;
}

// Loading
// -----------------------------------------------------------------------------------------

static struct hx_env *find_locked(const char *name) {
    for (uint32_t i = 0; i < MODULES_MAX; i++) {
        if (envs[i] != NULL && strcmp(envs[i]->name, name) == 0) {
            return envs[i];
        }
    }
    return NULL;
}

// A place behind those of the image; MODULES_MAX: there is none.
static uint32_t place_locked(void) {
    uint32_t i = module_count();
    while (i < MODULES_MAX && envs[i] != NULL) {
        i++;
    }
    return i;
}

// What it needs and nobody has: who comes nearest to it, if anybody does.
static enum hx_status refuse_missing(const struct hx_port_required *missing,
                                     struct package_refusal *refusal) {
    enum hx_status status;
    for (uint32_t i = 0; i < MODULES_MAX; i++) {
        if (envs[i] != NULL && envs[i]->runs &&
            module_refuses(envs[i]->module, missing, refusal, &status)) {
            return status;
        }
    }
    return package_refuse(refusal, HX_ERR_NOT_FOUND,
                          "expected a provider of %s %u.%u with ABI %016llx, found none",
                          missing->port, missing->least.major, missing->least.minor,
                          (unsigned long long)missing->abi);
}

// Whether it may be started beside those that run.
static enum hx_status admit_locked(const struct hx_module *module,
                                   struct package_refusal *refusal) {
    const struct hx_port_required *missing = missing_of(module);
    if (find_locked(module->name) != NULL) {
        return package_refuse(refusal, HX_ERR_EXISTS,
                              "expected a module that is not there yet, found %s", module->name);
    }
    if (missing != NULL) {
        return refuse_missing(missing, refusal);
    }
    if (place_locked() == MODULES_MAX) {
        return package_refuse(refusal, HX_ERR_LIMIT, "expected less than %u modules, found as many",
                              MODULES_MAX);
    }
    return HX_OK;
}

// A start that failed leaves nothing; but what cannot be let go is kept, dead.
static enum hx_status load_locked(struct hx_env *env, struct package_refusal *refusal) {
    struct package_refusal why;
    mutex_lock(&lives_lock); // others may be swapped meanwhile
    enum hx_status status = admit_locked(env->module, refusal);
    mutex_unlock(&lives_lock);
    if (status != HX_OK) {
        return status;
    }
    const uint32_t place = place_locked();
    envs[place] = env;
    status = module_start(env);
    if (status == HX_OK) {
        return HX_OK;
    }
    HX_IGNORE(start_refuse(env, status, refusal));
    mutex_lock(&lives_lock);
    if (env->gate == NULL || module_let_go(env, &why) == HX_OK) {
        envs[place] = NULL;
    } else {
        log_warning("module %s stays, dead: %s", env->module->name, why.text);
        orchestrator_forget(env);
        module_kill(env, "refusal", hx_status_name(status));
        module_give_up(env, NULL);
        env->is_kept = true;
    }
    mutex_unlock(&lives_lock);
    return status;
}

// Describing
// -----------------------------------------------------------------------------------------

static void port_line(struct module_description *it, const char *what, const char *port,
                      struct hx_version version) {
    const size_t length = strlen(it->ports);
    (void)format_string(it->ports + length, sizeof(it->ports) - length, "%s %s %u.%u\n", what, port,
                        version.major, version.minor);
}

static void describe(const struct hx_env *env, struct module_description *out_description) {
    const struct hx_module *module = env->module;
    *out_description = (struct module_description){
        .version = module->version,
        .capabilities = module->capabilities,
        .is_loaded = env->package != NULL,
        .is_isolated = placement_of(env) == MODULE_ISOLATED,
        .runs = env->runs && !gate_is_dead(env->gate),
        .memory_bytes = env->package != NULL ? env->package->loaded.span_bytes : 0,
    };
    (void)string_copy(out_description->name, sizeof(out_description->name), module->name);
    for (uint32_t i = 0; i < module->provides_count; i++) {
        port_line(out_description, "provides", module->provides[i].port,
                  module->provides[i].version);
    }
    for (uint32_t i = 0; i < module->needs_count; i++) {
        port_line(out_description, "needs", module->needs[i].port, module->needs[i].least);
    }
}

enum hx_status package_open(const void *bytes, size_t size_bytes, enum module_placement placement,
                            struct package **out_package, struct package_refusal *refusal) {
    struct package *package = heap_alloc_zero(sizeof(*package), MEMORY_SLEEP);
    if (package == NULL) {
        return package_refuse(refusal, HX_ERR_NO_MEMORY, "no memory");
    }
    enum hx_status status =
        loader_load(bytes, size_bytes, placement == MODULE_IN_KERNEL, &package->loaded, refusal);
    if (status == HX_OK && placement == MODULE_ISOLATED) {
        status = isolated_image(bytes, size_bytes, &package->image, refusal);
        if (status != HX_OK) {
            loader_unload(&package->loaded);
        }
    }
    if (status == HX_OK) {
        package->manifest = *package->loaded.module;
        if (placement == MODULE_ISOLATED) {
            package->manifest.ops = &isolated_ops;
        }
        package->manifest.name = name_keep(package->manifest.name);
        if (package->manifest.name == NULL) {
            loader_unload(&package->loaded);
            user_image_free(&package->image);
            status = package_refuse(refusal, HX_ERR_NO_MEMORY, "no memory for its name");
        }
    }
    if (status != HX_OK) {
        heap_free(package);
        return status;
    }
    const uint64_t code = (uint64_t)(uintptr_t)package->loaded.memory;
    mutex_lock(&lives_lock);
    code_name_add(code, code + package->loaded.span_bytes, package->manifest.name);
    mutex_unlock(&lives_lock);
    *out_package = package;
    return HX_OK;
}

void package_close(struct package *package) {
    if (package != NULL) {
        code_name_remove((uint64_t)(uintptr_t)package->loaded.memory);
        loader_unload(&package->loaded);
        user_image_free(&package->image);
        heap_free(package);
    }
}

static void env_free(struct hx_env *env) {
    isolated_end(env);
    state_destroy(env->state);
    state_destroy(env->before.state);
    package_close(env->before.package);
    package_close(env->package);
    heap_free(env);
}

enum hx_status module_open(const void *bytes, size_t size_bytes, enum module_placement placement,
                           struct hx_env **out_env, struct package_refusal *refusal) {
    struct hx_env *env = heap_alloc_zero(sizeof(*env), MEMORY_SLEEP);
    if (env == NULL) {
        return package_refuse(refusal, HX_ERR_NO_MEMORY, "no memory");
    }
    ledger_init(&env->ledger);
    env->is_loaded = true;
    enum hx_status status = package_open(bytes, size_bytes, placement, &env->package, refusal);
    if (status != HX_OK) {
        env_free(env);
        return status;
    }
    env->module = &env->package->manifest;
    env->name = env->module->name;
    *out_env = env;
    return HX_OK;
}

void module_discard(struct hx_env *env) {
    env_free(env);
}

enum hx_status module_begin(struct hx_env *env, struct package_refusal *refusal) {
    mutex_lock(&registry_lock);
    enum hx_status status = load_locked(env, refusal);
    mutex_unlock(&registry_lock);
    if (status != HX_OK && !env->is_kept) {
        env_free(env);
    }
    return status;
}

bool modules_provide(const struct hx_port_required *wanted) {
    mutex_lock(&registry_lock);
    mutex_lock(&lives_lock);
    const bool is_met = requirement_met(wanted);
    mutex_unlock(&lives_lock);
    mutex_unlock(&registry_lock);
    return is_met;
}

enum hx_status modules_load(const void *bytes, size_t size_bytes, enum module_placement placement,
                            struct package_refusal *refusal) {
    struct hx_env *env = NULL;
    enum hx_status status = module_open(bytes, size_bytes, placement, &env, refusal);
    if (env == NULL) { // whose bytes they were, nobody knows
        log_warning("a package is not loaded: %s", refusal->text);
        return status;
    }
    const char *name = env->name; // for good, unlike env
    status = module_begin(env, refusal);
    if (status != HX_OK) {
        tell_refusal(name, "load", refusal);
    }
    return status;
}

enum hx_status modules_check(const void *bytes, size_t size_bytes,
                             struct module_description *out_description,
                             struct package_refusal *refusal) {
    struct hx_env env = { 0 };
    enum hx_status status =
        package_open(bytes, size_bytes, MODULE_IN_KERNEL, &env.package, refusal);
    if (status == HX_OK) {
        env.module = &env.package->manifest;
        describe(&env, out_description);
        package_close(env.package);
    }
    return status;
}

bool modules_describe(uint32_t number, struct module_description *out_description) {
    mutex_lock(&registry_lock);
    uint32_t i = 0;
    while (i < MODULES_MAX && (envs[i] == NULL || number-- != 0)) {
        i++;
    }
    if (i < MODULES_MAX) {
        mutex_lock(&lives_lock);
        describe(envs[i], out_description);
        mutex_unlock(&lives_lock);
    }
    mutex_unlock(&registry_lock);
    return i < MODULES_MAX;
}

// Unloading
// -----------------------------------------------------------------------------------------

// Another module that runs and would miss this one; NULL: there is none.
static const struct hx_env *needer_locked(struct hx_env *env) {
    const struct hx_env *needer = NULL;
    const bool runs = env->runs;
    env->runs = false; // would all the others have what they need?
    for (uint32_t i = 0; i < MODULES_MAX && needer == NULL; i++) {
        if (envs[i] != NULL && envs[i]->runs && missing_of(envs[i]->module) != NULL) {
            needer = envs[i];
        }
    }
    env->runs = runs;
    return needer;
}

static void forget_locked(const struct hx_env *env) {
    for (uint32_t i = 0; i < MODULES_MAX; i++) {
        if (envs[i] == env) {
            envs[i] = NULL;
        }
    }
    uint32_t left = 0;
    for (uint32_t i = 0; i < started; i++) {
        if (order[i] != env) {
            order[left++] = order[i];
        }
    }
    started = left;
}

static enum hx_status unload_locked(struct hx_env *env, struct package_refusal *refusal)
    REQUIRES(lives_lock) {
    const struct hx_env *needer = env != NULL ? needer_locked(env) : NULL;
    if (env == NULL) {
        return package_refuse(refusal, HX_ERR_NOT_FOUND,
                              "expected the name of a module, found no module of that name");
    }
    if (!env->is_loaded) {
        return package_refuse(refusal, HX_ERR_NOT_PERMITTED,
                              "expected a module from a package, found one of the image");
    }
    if (needer != NULL) {
        return package_refuse(refusal, HX_ERR_BUSY, "expected that nobody needs it, found %s",
                              needer->name);
    }
    enum hx_status status = module_let_go(env, refusal);
    if (status == HX_OK) {
        forget_locked(env);
        life_tell(env->name, LIFE_UNLOADED, "by hand"); // in front of the next one of that name
    }
    return status;
}

enum hx_status modules_unload(const char *name, struct package_refusal *refusal) {
    mutex_lock(&registry_lock);
    struct hx_env *env = find_locked(name);
    mutex_lock(&lives_lock); // no death and no swap meanwhile
    enum hx_status status = unload_locked(env, refusal);
    mutex_unlock(&lives_lock);
    mutex_unlock(&registry_lock);
    if (status == HX_OK) {
        log_info("module %s is unloaded", env->name);
        env_free(env);
    }
    return status;
}

// Swapping
// -----------------------------------------------------------------------------------------

// Whether it is another version of a module that is there: what others have of that, they have of
// it, and what it needs is there.
static enum hx_status successor_check(const struct hx_module *old, const struct hx_module *next,
                                      struct package_refusal *refusal) {
    const struct hx_port_required *missing = missing_of(next);
    if (strcmp(old->name, next->name) != 0) {
        return package_refuse(refusal, HX_ERR_INVALID, "expected a module named %s, found %s",
                              old->name, next->name);
    }
    for (uint32_t i = 0; i < old->provides_count; i++) {
        const struct hx_port_provided *port = &old->provides[i];
        const struct hx_port_required wanted = {
            port->port, port->version, { UINT16_MAX, 0, 0 }, port->abi
        };
        if (!module_provides(next, &wanted)) {
            return package_refuse(refusal, HX_ERR_NOT_SUPPORTED,
                                  "expected that it provides %s %u.%u with ABI %016llx, found that "
                                  "it does not",
                                  port->port, port->version.major, port->version.minor,
                                  (unsigned long long)port->abi);
        }
    }
    return missing == NULL ? HX_OK : refuse_missing(missing, refusal);
}

// Whether it takes over what lasts of the one that is there.
static enum hx_status schema_check(const struct hx_env *env, const struct hx_module *next,
                                   struct package_refusal *refusal) {
    const uint32_t found = env->state != NULL ? env->state->schema : 0;
    const uint32_t least = next->arena_least != 0 ? next->arena_least : next->arena_version;
    if (least <= found && found <= next->arena_version) {
        return HX_OK;
    }
    return package_refuse(refusal, HX_ERR_NOT_SUPPORTED,
                          "expected a version that takes over state of schema %u, found one for "
                          "%u to %u",
                          found, least, next->arena_version);
}

// `kind`: what it is called when it is done.
static enum hx_status swap_locked(struct hx_env *env, struct package *package,
                                  enum module_life_kind kind, struct package_refusal *refusal) {
    enum hx_status status = HX_OK;
    mutex_lock(&lives_lock);
    if (env == NULL) {
        status = package_refuse(refusal, HX_ERR_NOT_FOUND,
                                "expected the name of a module, found no module of that name");
    } else if (!env->is_watched || env->is_kept) {
        status = package_refuse(refusal, HX_ERR_NOT_SUPPORTED,
                                "expected a module that is started anew when it dies, found one "
                                "that is not");
    } else if (package != NULL) {
        status = successor_check(env->module, &package->manifest, refusal);
        status = status == HX_OK ? schema_check(env, &package->manifest, refusal) : status;
    }
    if (status == HX_OK) {
        status = module_swap(env, package, refusal);
        if (status == HX_OK) {
            tell_version(env, kind);
        }
    } else {
        package_close(package);
    }
    mutex_unlock(&lives_lock);
    return status;
}

static enum hx_status exchange(const char *name, const void *bytes, size_t size_bytes,
                               const enum module_placement *wanted,
                               struct package_refusal *refusal) {
    struct package *package = NULL;
    enum hx_status status = HX_OK;
    mutex_lock(&registry_lock);
    struct hx_env *env = find_locked(name);
    if (size_bytes != 0) {
        const enum module_placement placement = wanted != NULL ? *wanted
                                                : env != NULL  ? placement_of(env)
                                                               : MODULE_IN_KERNEL;
        status = package_open(bytes, size_bytes, placement, &package, refusal);
    }
    if (status == HX_OK) {
        status = swap_locked(env, package, wanted != NULL ? LIFE_MOVED : LIFE_SWAPPED, refusal);
    }
    if (status != HX_OK && env != NULL) {
        tell_refusal(env->name, wanted != NULL ? "move" : "swap", refusal);
    }
    mutex_unlock(&registry_lock);
    return status;
}

enum hx_status modules_swap(const char *name, const void *bytes, size_t size_bytes,
                            struct package_refusal *refusal) {
    return exchange(name, bytes, size_bytes, NULL, refusal);
}

enum hx_status modules_move(const char *name, const void *bytes, size_t size_bytes,
                            enum module_placement placement, struct package_refusal *refusal) {
    return exchange(name, bytes, size_bytes, &placement, refusal);
}

// Stopping
// -----------------------------------------------------------------------------------------

static int64_t stop_inside(void *argument) {
    struct hx_env *env = argument;
    return env->module->ops->stop(env->self);
}

// A module that somebody does not leave in time is not stopped: it is in the middle of something.
static void module_stop(struct hx_env *env) {
    const char *name = env->name;
    enum hx_status status = HX_OK;
    mutex_lock(&lives_lock);
    for (uint32_t i = 0; status == HX_OK && i < GATES_MAX; i++) {
        struct gate *gate = gate_at(i);
        if (gate != NULL && gate_module(gate) == name && gate != env->gate) {
            struct patience patience = patience_until(time_now() + STOP_NS);
            status = gate_close(gate, &patience);
        }
    }
    if (status == HX_OK && env->module->ops->stop != NULL) {
        status = gate_call(env->gate, stop_inside, env);
    }
    mutex_unlock(&lives_lock);
    if (status != HX_OK) {
        log_warning("module %s does not stop: %s", name, hx_status_name(status));
    }
}

void registry_stop(void) {
    mutex_lock(&registry_lock);
    for (uint32_t i = started; i > 0; i--) {
        module_stop(order[i - 1]);
    }
    mutex_unlock(&registry_lock);
}
