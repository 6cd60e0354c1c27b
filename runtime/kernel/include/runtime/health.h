// SPDX-License-Identifier: MIT OR Apache-2.0
// <runtime/health.h>: how the modules are, and how one is made to die on purpose. Thread context.
#pragma once

#include <core/gate.h>
#include <helix/types.h>

enum module_state {
    MODULE_RUNS,
    MODULE_PROBATION, // it runs since a swap; if it dies, the version before is back
    MODULE_DEAD,      // what it held is being given back
    MODULE_PAUSES,    // before it is started anew
    MODULE_GONE,      // it will not be
};

struct module_health {
    const char *name;
    enum module_state state;
    uint32_t deaths;
    uint32_t restarts;
    struct gate_death death; // the last one
    time_ns_t restart_ns;    // from the last death to the open slots, without the rule's pause
    time_ns_t worst_ns;      // the longest of these
    uint64_t held;           // blocks of memory and of pages
    uint32_t swaps;          // for another version, or for itself
    uint32_t rollbacks;      // of these, and of attempts, that ended with the old version
    time_ns_t freeze_ns;     // how long its clients were held off by the last one
    time_ns_t worst_freeze_ns;
    time_ns_t
        detection_ns; // from a fault on purpose (module_doom) to where the last death is noted
};

// Number `index` of the modules that were started; false: no more.
bool module_health_at(uint32_t index, struct module_health *out_health);

// The n-th time from now (1: the next) that a module of that name calls the SDK, in thread context
// and without a spin lock, its code faults there, and, `again`, each n-th time from then on; 0: it
// does not. One module at a time. The kinds:
// "null" and "copy" (in a function of lib) store where nothing is, "jump", "undefined", "divide",
// "loop", "spin" (null under a spin lock), "overflow", "assert"; the hosted machine has the last
// one alone. In ring 3 each call of the kernel's is one of the SDK, and the worker faults when it
// has come back from it. HX_ERR_NOT_FOUND: no such module or kind
enum hx_status module_doom(const char *name, const char *kind, uint64_t nth, bool again);
