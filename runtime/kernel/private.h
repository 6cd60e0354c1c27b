// SPDX-License-Identifier: MIT OR Apache-2.0
// runtime/kernel/private.h: what the files of this folder share.
#pragma once

#include "ledger.h"
#include "loader.h"
#include "supervise.h"

#include <helix/env.h>
#include <helix/module.h>
#include <helix/types.h>
#include <runtime/health.h>

// The world of one module in this placement.
struct hx_env {
    const struct hx_module *module;
    void *self;           // what its init gave
    struct gate *gate;    // of its own work: init, start, stop, threads
    bool runs;            // init succeeded
    struct loaded loaded; // its package; no memory: it is in the image
    struct hx_module own; // of such a one: its manifest, with a name that stays
    bool is_kept;         // its start failed, and it is there all the same
    struct ledger ledger;
    struct supervision supervision; // the orchestrator's
    struct module_health health;    // [the orchestrator's lock] but for what it is asked for
};

// Who hears a line.
struct io_device;
struct line_user {
    struct hx_env *env;             // NULL: the kernel itself
    const struct io_device *device; // NULL: none of the list
    void (*handler)(void *context);
    void *context;
};

// Calls the handler in a thread of the line's each time that it is pulled, inside the gate of its
// module. A shared line is one of PCI's: all of its users are called. Copies `user`. Thread
// context. HX_ERR_BUSY (somebody does not share it), HX_ERR_NO_DEVICE, HX_ERR_NO_MEMORY
enum hx_status line_register(uint32_t line, const struct line_user *user, bool is_shared);

// The same name for good, for what a package brought; NULL: no memory. Thread context.
const char *name_keep(const char *name);

// Lets a module go that was loaded: it is stopped, its slots are empty, its memory is free. Nobody
// needs it. Called with the registry's lock. What modules_unload() refuses with.
enum hx_status module_let_go(struct hx_env *env, struct package_refusal *refusal);

// What the module heard of is not called any more, until it registers again. Its gate is dead, and
// nobody is inside. Thread context.
void lines_silence(const struct hx_env *env);

// Starts the thread that looks after modules. Boot context, once, before them.
enum hx_status orchestrator_init(void);
// The module was started: from now on its deaths are followed by a new life, or by the end of its
// slots. HX_ERR_LIMIT; HX_ERR_PEER_DIED: it has died already
enum hx_status orchestrator_watch(struct hx_env *env);
// The module's first start failed: its slots refuse for good, and what it held is given back.
// Thread context, not inside.
void orchestrator_bury(struct hx_env *env);
// A module that is watched.
bool module_find(const char *name, struct hx_env **out_env);

// A module calls the SDK: see module_doom().
extern _Atomic uint64_t doom_left;
void doom_pass_slow(void);
static inline void doom_pass(void) {
    if (__builtin_expect(atomic_load_explicit(&doom_left, memory_order_relaxed) != 0, 0)) {
        doom_pass_slow();
    }
}

// Its init and start, inside its gate, which is open. What these refuse with; HX_ERR_PEER_DIED
enum hx_status module_run(struct hx_env *env);
// Runs init and start of all built-in modules of a phase, in order of dependency as far as the
// manifests tell. A failure of a critical one is returned; others are logged.
enum hx_status registry_start(enum hx_phase phase);
// Stops all that run, the last one first, each once nobody is inside; calls of them wait from then
// on. Before the machine ends.
void registry_stop(void);
