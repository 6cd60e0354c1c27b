// SPDX-License-Identifier: MIT OR Apache-2.0
// <core/port.h>: which part of the kernel uses which port.
//
// The user of a port (the scheduler for helix.sched, the name space for helix.fs, …) registers an
// installer before modules start; when a module provides the port, the installer gets its
// operations. Thread or boot context.
#pragma once

#include <helix/module.h>
#include <helix/types.h>

struct gate;

// Who provides a port, where, and how. Borrowed for good, but neither the struct itself nor the
// table: who uses the port binds it.
struct port_provider {
    const char *name; // the module's
    const char *slot;
    const void *operations; // of the user's version of the port
    void *self;
    struct gate *gate;           // the slot's, for good
    struct waitable *supervisor; // its gate's
};

// Takes a provider into its slot. Returns HX_OK, HX_ERR_EXISTS (the slot is taken), or its own
// reason to refuse.
typedef enum hx_status (*port_installer_t)(const struct port_provider *provider);

// How a provider leaves its slot.
enum port_leaving {
    PORT_LEAVES, // nobody comes to the slot any more; HX_ERR_BUSY: somebody is there, all is as
                 // before
    PORT_STAYS,  // the opposite, after PORT_LEAVES
    PORT_LEFT,   // it is forgotten, after PORT_LEAVES; the caller waits for who is inside first
};

// What a port's user was built against.
struct port_used {
    const struct hx_port_versions *versions;
    const char *const *method_names; // by number, as in the trace
    uint32_t methods;
    // Takes the provider that is behind a gate out of its slot. NULL: slots are for good.
    enum hx_status (*leave)(const struct gate *gate, enum port_leaving step);
    // Puts the next life of a module that died, or that is swapped, into its slot, whose clients go
    // on once the gate lives again, or is open; nobody is inside. A refusal is the end of the slot.
    // NULL: the clients cannot go on, since the module had something that they need; so it is not
    // started anew.
    port_installer_t replace;
    // The module behind a gate is dead, or stopped to be swapped: when this returns, nobody calls
    // it. NULL: all calls go through the gate.
    void (*drop)(const struct gate *gate);
    // Another life or version of a slot's module is there and its gate is open, or there never will
    // be one: its clients go on. NULL: they hear it from the gate itself (`changed`).
    void (*resume)(const struct gate *gate);
    // Clients have numbers of what the module keeps: only one with an arena has a next life.
    bool needs_arena;
};
#define PORT_USED_AS(upper, lower, leave, replace, resume)                                         \
    { &lower##_versions,                                                                           \
      lower##_method_names,                                                                        \
      upper##_METHOD_COUNT,                                                                        \
      leave,                                                                                       \
      replace,                                                                                     \
      NULL,                                                                                        \
      resume,                                                                                      \
      false }
#define PORT_USED(upper, lower)           PORT_USED_AS(upper, lower, NULL, NULL, NULL)
#define PORT_LEFT_BY(upper, lower, leave) PORT_USED_AS(upper, lower, leave, NULL, NULL)
#define PORT_REPLACED(upper, lower, replace, resume)                                               \
    PORT_USED_AS(upper, lower, NULL, replace, resume)

// Registers the only user of a port; borrows `used` for good.
// HX_ERR_EXISTS: the port has a user already; HX_ERR_LIMIT: the table is full.
enum hx_status port_installer_register(const struct port_used *used, port_installer_t installer);

// The ports that have a user, by numbers from 0; NULL: no more.
const struct port_used *port_used_at(uint32_t number);

// Whether a module that dies can have a next life in slots of that port; `has_arena`: what it keeps
// lasts.
bool port_is_replaceable(const char *port, bool has_arena);

// Nobody calls the module behind a gate any more, not even past the gate. It is dead, or stopped.
// Thread context.
void port_drop(const struct gate *gate);

// Tells the user of its port that a gate lives again after a death, or never will. Thread context.
void port_resume(const struct gate *gate);

// The version of a port in which its user and a provider talk: the newest one that both have;
// `provides` are `count` lines of the provider's manifest. An older one than the user's is logged.
// HX_ERR_NOT_FOUND: nobody uses this port. HX_ERR_BAD_IMAGE: the two were built against different
// descriptions of it, which the log shows.
enum hx_status port_agree(const char *port, const struct hx_port_provided *provides, uint32_t count,
                          const struct hx_port_versions **out_versions,
                          const struct hx_port_minor **out_minor);

// Makes the slot and hands a provider, all but its gate filled in, to the user of the port, or, if
// the slot is the same module's and vacant, puts it in its last life's place. HX_ERR_LIMIT: there
// are too many slots. HX_ERR_NOT_FOUND: nobody uses this port. Else what the installer returns.
enum hx_status port_provide(const char *port, struct port_provider *provider);

// Takes a provider out of its slot, step by step; with PORT_LEFT the gate is given back, too.
// HX_ERR_BUSY: somebody uses the slot, or slots of its port are for good. Thread context.
enum hx_status port_leave(struct gate *gate, enum port_leaving step);
