// SPDX-License-Identifier: MIT OR Apache-2.0
// runtime/kernel/private.h: what the files of this folder share.
#pragma once

#include "loader.h"

#include <helix/env.h>
#include <helix/module.h>
#include <helix/types.h>

// The world of one module in this placement.
struct hx_env {
    const struct hx_module *module;
    void *self;           // what its init gave
    struct gate *gate;    // of its own work: init, start, stop, threads
    bool runs;            // init succeeded
    struct loaded loaded; // its package; no memory: it is in the image
    struct hx_module own; // of such a one: its manifest, with a name that stays
    bool is_kept;         // its start failed, and it is there all the same
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

// Runs init and start of all built-in modules of a phase, in order of dependency as far as the
// manifests tell. A failure of a critical one is returned; others are logged.
enum hx_status registry_start(enum hx_phase phase);
// Stops all that run, the last one first, each once nobody is inside; calls of them wait from then
// on. Before the machine ends.
void registry_stop(void);
