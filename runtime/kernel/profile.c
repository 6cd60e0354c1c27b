// SPDX-License-Identifier: MIT OR Apache-2.0
// runtime/kernel/profile.c: the packages of the profile are loaded at boot, from the root, in an
// order in which each finds what it needs. One that cannot be is left out, and the log says why.
#include "profile.h"
#include "private.h"
#include "resolve.h"

#include <core/log.h>
#include <core/sched.h>
#include <core/thread.h>
#include <lib/format.h>
#include <lib/string.h>
#include <memory/heap.h>
#include <runtime/boot.h>
#include <runtime/modules.h>
#include <vfs/file.h>
#include <vfs/vfs.h>

#define FOLDER "/lib/helix/"

static struct thread later; // loads the deferred ones

static void leave_out(const char *name, enum hx_status status,
                      const struct package_refusal *refusal) {
    log_error("module %s is left out: %s (%s)", name, refusal->text, hx_status_name(status));
}

// Up to `capacity` bytes of a file.
static enum hx_status read_all(struct file *file, void *to, size_t capacity, size_t *out_size) {
    size_t done = 0;
    size_t moved;
    enum hx_status status;
    do {
        struct io_buffer buffer;
        io_buffer_kernel(&buffer, (char *)to + done, capacity - done);
        status = file_read_at(file, &buffer, done, &moved);
        done += status == HX_OK ? moved : 0;
    } while (status == HX_OK && moved != 0 && done < capacity);
    *out_size = done;
    return status;
}

// `room` has a byte more than a package may have.
static struct hx_env *open_one(const struct lookup *root, const struct profile_package *package,
                               void *room) {
    const char *name = package->name;
    char path[64];
    struct file *file;
    size_t size = 0;
    struct hx_env *env = NULL;
    struct package_refusal refusal = { "expected it in the root as " FOLDER "NAME.hxm" };
    (void)format_string(path, sizeof(path), FOLDER "%s.hxm", name);
    enum hx_status status = file_open(root, path, FILE_READ, 0, &file);
    if (status == HX_OK) {
        status = read_all(file, room, PACKAGE_BYTES_MAX + 1, &size);
        file_put(file);
    }
    if (status == HX_OK) {
        status = module_open(room, size, package->placement, &env, &refusal);
    }
    if (status == HX_OK && strcmp(env->name, name) != 0) {
        status = package_refuse(&refusal, HX_ERR_INVALID, "expected a module named %s, found %s",
                                name, env->name);
        module_discard(env);
    }
    if (status != HX_OK) {
        leave_out(name, status, &refusal);
        return NULL;
    }
    return env;
}

// Those of a phase.
struct loading {
    struct hx_env *envs[RESOLVE_MOST];
    const struct hx_module *modules[RESOLVE_MOST];
    struct resolve resolve;
};

static void open_all(const struct lookup *root, enum hx_phase phase, struct loading *loading) {
    void *room = kernel_map_alloc(PACKAGE_BYTES_MAX + 1);
    if (room == NULL) {
        log_error("no memory to read the packages of the profile: %u KiB",
                  (unsigned)(PACKAGE_BYTES_MAX / 1024));
    }
    for (uint32_t i = 0; profile_packages[i].name != NULL && room != NULL; i++) {
        struct hx_env *env =
            profile_packages[i].phase == phase ? open_one(root, &profile_packages[i], room) : NULL;
        if (env != NULL && loading->resolve.count < RESOLVE_MOST) {
            loading->modules[loading->resolve.count] = env->module;
            loading->envs[loading->resolve.count++] = env;
        }
    }
    if (room != NULL) {
        kernel_map_free(room, PACKAGE_BYTES_MAX + 1);
    }
}

static void begin_all(const struct loading *loading) {
    struct package_refusal refusal;
    const struct resolve *resolve = &loading->resolve;
    for (uint32_t i = 0; i < resolve->ordered; i++) {
        struct hx_env *env = loading->envs[resolve->order[i]];
        const char *name = env->name;
        enum hx_status status = module_begin(env, &refusal);
        if (status != HX_OK) {
            leave_out(name, status, &refusal);
        }
    }
}

// Before others are begun, which may end theirs: their manifests are what the reasons are made of.
static void leave_out_others(struct loading *loading) {
    struct package_refusal refusal;
    bool is_in[RESOLVE_MOST] = { false };
    for (uint32_t i = 0; i < loading->resolve.ordered; i++) {
        is_in[loading->resolve.order[i]] = true;
    }
    for (uint32_t i = 0; i < loading->resolve.count; i++) {
        if (!is_in[i]) {
            enum hx_status status = resolve_why(&loading->resolve, i, &refusal);
            leave_out(loading->envs[i]->name, status, &refusal);
        }
    }
    for (uint32_t i = 0; i < loading->resolve.count; i++) {
        if (!is_in[i]) {
            module_discard(loading->envs[i]);
        }
    }
}

static void load_phase(struct fs_context *root, enum hx_phase phase) {
    const struct lookup lookup = { .context = root, .flags = LOOKUP_FOLLOW };
    struct loading *loading = heap_alloc_zero(sizeof(*loading), MEMORY_SLEEP);
    if (loading == NULL) {
        log_error("no memory for the packages of the profile");
        return;
    }
    loading->resolve.modules = loading->modules;
    loading->resolve.is_met = modules_provide;
    open_all(&lookup, phase, loading);
    resolve_order(&loading->resolve);
    leave_out_others(loading);
    begin_all(loading);
    heap_free(loading);
}

// `sched=fair`: the scheduling policy, whose module may have come just now.
static void check_policy(void) {
    const char *wanted = cmdline_get(kernel_boot()->cmdline, "sched");
    struct sched_policy policy;
    if (wanted == NULL || strcmp(wanted, sched_policy_name()) == 0) {
        return;
    }
    log_warning("command line: sched=%s is no scheduling policy that can be had; these are:",
                wanted);
    for (uint32_t i = 0; sched_policy_at(i, &policy); i++) {
        log_warning("command line: sched=%s", policy.name);
    }
}

static bool is_safe(void) {
    return cmdline_get(kernel_boot()->cmdline, "helix.safe") != NULL;
}

void profile_load(struct fs_context *root) {
    if (is_safe()) {
        log_warning("helix.safe: the packages of the profile are left out");
    } else {
        load_phase(root, HX_PHASE_NORMAL);
        check_policy();
    }
}

static void load_later(void *argument) {
    load_phase(argument, HX_PHASE_DEFERRED);
    thread_exit();
}

void profile_load_later(struct fs_context *root) {
    void *stack = is_safe() ? NULL : kernel_stack_alloc(THREAD_STACK_BYTES);
    if (stack != NULL) { // for good, as the thread
        thread_init(&later, "modules", stack, THREAD_STACK_BYTES, load_later, root);
        thread_start(&later);
    }
}
