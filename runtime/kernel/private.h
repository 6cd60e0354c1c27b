// SPDX-License-Identifier: MIT OR Apache-2.0
// runtime/kernel/private.h: what the files of this folder share.
#pragma once

#include "ledger.h"
#include "loader.h"
#include "state.h"
#include "supervise.h"

#include <core/lock.h>
#include <helix/env.h>
#include <helix/module.h>
#include <helix/types.h>
#include <runtime/health.h>
#include <runtime/modules.h>

// A package that is in memory.
struct package {
    struct loaded loaded;
    struct hx_module manifest; // with a name that stays, and for ring 3 with other operations
    struct user_image image;   // own: for ring 3; no bytes: it runs in the kernel
};

// One version of a module.
struct version {
    const struct hx_module *module; // NULL: none
    struct package *package;        // own: what it is in; NULL: the image
    struct state *state;            // own: its arena, as it was when it was stopped; NULL: none
};

// The world of one module in this placement.
struct hx_env {
    const char *name;               // for good
    const struct hx_module *module; // [lives_lock] but for the module itself
    struct package *package;        // own: [lives_lock] what that is in; NULL: the image
    void *self;                     // what its init gave
    struct gate *gate;              // of its own work: init, start, stop, threads
    const char *step;               // what of it is called to bring it to life, "init"; else NULL
    bool runs;                      // init succeeded
    bool is_loaded;                 // it came with a package: it can be unloaded
    bool is_watched;                // by the orchestrator; set once
    bool is_kept;                   // its start failed, and it is there all the same
    // [lives_lock] While it is on probation: what comes back if it dies, and until when.
    struct version before;
    time_ns_t probation_end;
    struct domain *domain; // own: where it runs, in ring 3; NULL: in the kernel, or not now
    struct ledger ledger;
    struct state *state; // own: [lives_lock] but for the module itself; NULL: it has no arena
    struct supervision supervision; // the orchestrator's
    struct module_health health;    // [the orchestrator's lock] but for what it is asked for
};

#define NO_LOCK_ANALYSIS HX_ATTR(no_thread_safety_analysis)

// Who hears a line.
struct hal_device;
struct io_device;
struct line_user {
    struct hx_env *env;             // NULL: the kernel itself
    const struct io_device *device; // NULL: none of the list
    void (*handler)(void *context);
    void *context;
    uint32_t isa; // whose line it is, if `device` is NULL; 0: nobody's there, as the timer has none
};

// Calls the handler in a thread of the line's each time that it is pulled, inside the gate of its
// module. A shared line is one of PCI's: all of its users are called. Copies `user`. Thread
// context. HX_ERR_BUSY (somebody does not share it), HX_ERR_NO_DEVICE, HX_ERR_NO_MEMORY
enum hx_status line_register(uint32_t line, const struct line_user *user, bool is_shared);

// The device of the tree is the module's, whose name is borrowed for good; its registers are mapped
// when it has the first one, and stay so for the next. HX_ERR_BUSY: somebody has it, perhaps the
// module itself; HX_ERR_NO_MEMORY. Thread context.
enum hx_status claim_take(const struct hal_device *device, const char *owner,
                          volatile void **out_registers);
// Others may take what the module has, who is gone. Thread context.
void claims_release(const char *owner);

// The same name for good, for what a package brought; NULL: no memory. Thread context.
const char *name_keep(const char *name);

// What the module heard of is not called any more, until it registers again. Its gate is dead, and
// nobody is inside. Thread context.
void lines_silence(const struct hx_env *env);
// Then, once its own gate is dead: no thread of a line looks at it any more, and other modules may
// have its lines. Thread context.
void lines_forget(const struct hx_env *env);

// Whoever brings a module to life or ends it has this, and who reads manifests of those that may be
// swapped. Inside the registry's lock, outside all others.
extern struct mutex lives_lock;

// Lets a module go that was loaded: it is stopped, its slots are empty, its devices are quiet and
// others' to have, nobody supervises it, its memory can be freed. Nobody needs it. What
// modules_unload() refuses with.
enum hx_status module_let_go(struct hx_env *env, struct package_refusal *refusal)
    REQUIRES(lives_lock);

// Number `*inout_index` and on of all gates, the next one of the module's; NULL: no more.
struct gate *module_gate(const struct hx_env *env, uint32_t *inout_index);
// Whether the clients of all its slots can go on with another life.
bool module_is_replaceable(const struct hx_env *env);
// Everything that a module holds that is dead or stopped: first nobody is inside, then its devices
// are quiet, on their lines, too, then nobody hears those, then its memory is given back. NULL, or
// why not: it is to be given up.
const char *module_put_away(struct hx_env *env) REQUIRES(lives_lock);
// For listings.
void module_state_set(struct hx_env *env, enum module_state state);
// Adds to the swaps that were done, and to those that ended with the old version.
void module_swap_note(struct hx_env *env, uint32_t swaps, uint32_t rollbacks);
// How long its clients were held off; traced, too.
void module_freeze_note(struct hx_env *env, time_ns_t freeze_ns);
// Its slots refuse for good. `why` NULL: that is nothing to tell of.
void module_give_up(struct hx_env *env, const char *why) REQUIRES(lives_lock);
// It did not die, so it is made to: the orchestrator is told.
void module_kill(const struct hx_env *env, const char *what, const char *why);
// Its next life, after module_put_away(): init and start, which provide its slots anew. The slots
// stay as they are. What these refuse with.
enum hx_status module_live(struct hx_env *env) REQUIRES(lives_lock);
// Dead slots that it provides live again; those that it does not are gone.
void module_slots_revive(const struct hx_env *env) REQUIRES(lives_lock);
// The clients of its slots, which are open, go on.
void module_slots_resume(const struct hx_env *env) REQUIRES(lives_lock);
// The module is on probation, or that has changed.
void orchestrator_look(void);

// Ends the process of a module in ring 3, if it has one; nobody is inside. Thread context.
void isolated_end(struct hx_env *env);
// Who waits for that process comes out, since it does nothing more, and goes; what it has stays
// until isolated_end(). The module is dead or stopped. Thread context.
void isolated_kill(const struct hx_env *env);

// A package in memory, verified, for that placement; nothing in it has run. Thread context. What
// loader_load() refuses with. package_close() ends it, once nobody is in it.
enum hx_status package_open(const void *bytes, size_t size_bytes, enum module_placement placement,
                            struct package **out_package, struct package_refusal *refusal);
void package_close(struct package *package);

// A module in memory, from a package; nothing in it has run. What package_open() refuses with.
enum hx_status module_open(const void *bytes, size_t size_bytes, enum module_placement placement,
                           struct hx_env **out_env, struct package_refusal *refusal);
// Takes one that has not begun; it is not there any more.
void module_discard(struct hx_env *env);
// Takes it and starts it. What modules_load() refuses with; then it is not there any more, either.
enum hx_status module_begin(struct hx_env *env, struct package_refusal *refusal);
// What happens to modules is told from now on. Once, before the first one starts.
void lives_init(void);
// Notes what has happened to a module, with a line for people. Never waits, needs no memory. Thread
// context.
void life_tell(const char *name, enum module_life_kind kind, const char *format, ...) PRINTF(3, 4);

// The version in which a module's port and its user in the kernel talk: see port_agree().
// HX_ERR_INVALID: the manifest does not provide that port. Thread context.
enum hx_status env_port_agree(const struct hx_env *env, const char *port,
                              const struct hx_port_versions **out_versions,
                              const struct hx_port_minor **out_minor);
// hx_port_provide() with a table of the kernel's own version.
enum hx_status env_port_provide(struct hx_env *env, const char *port, const char *slot,
                                const void *operations, void *self);

// Why it does not start: how it died, in which step if in one, or that one refused with `status`,
// which is returned. Before it is put away.
enum hx_status start_refuse(const struct hx_env *env, enum hx_status status,
                            struct package_refusal *refusal);

// Whether a module that runs provides a port in a version that is wanted. Thread context.
bool modules_provide(const struct hx_port_required *wanted);

// Puts another version in the place of a module that is watched: that of `package`, which is taken,
// also on failure; NULL: its own once more. What modules_swap() returns. See swap.c.
enum hx_status module_swap(struct hx_env *env, struct package *package,
                           struct package_refusal *refusal) REQUIRES(lives_lock);
// A module that is on probation has died, and is put away: the version before is back, with all
// that was changed since. NULL, or why not: it is to be given up.
const char *module_roll_back(struct hx_env *env) REQUIRES(lives_lock);
// What lasts of the last life is right, and the next one can begin with it.
bool module_state_recover(struct hx_env *env) REQUIRES(lives_lock);
// Ends a probation: what was there before is not needed any more.
void module_retire(struct hx_env *env) REQUIRES(lives_lock);

// Starts the thread that looks after modules. Boot context, once, before them.
enum hx_status orchestrator_init(void);
// The module was started: from now on its deaths are followed by a new life, or by the end of its
// slots. HX_ERR_LIMIT; HX_ERR_PEER_DIED: it has died already
enum hx_status orchestrator_watch(struct hx_env *env);
// The module's first start failed: its slots refuse for good, and what it held is given back.
// Thread context, not inside.
void orchestrator_bury(struct hx_env *env);
// The module is not supervised any more, and not listed.
void orchestrator_forget(const struct hx_env *env) REQUIRES(lives_lock);
// The name, for good, of a module that is watched; NULL: there is none of that name.
const char *module_find(const char *name);

// A module calls the SDK: see module_doom().
extern _Atomic uint64_t doom_left;
void doom_pass_slow(void);
// When a module was made to fault, since this was asked for last; 0: none was.
time_ns_t doom_struck(void);
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
