// SPDX-License-Identifier: MIT OR Apache-2.0
// <core/object.h>: reference counting for everything that outlives the call that made it.
//
// An object is embedded in the thing itself. The last object_put() calls the type's destroy, in the
// context of that put: types whose destroy sleeps say so, and their users put in thread context.
#pragma once

#include <helix/types.h>

enum object_kind {
    OBJECT_PROCESS = 1,
    OBJECT_THREAD,
    OBJECT_ASPACE,
    OBJECT_MEMORY,
    OBJECT_FILE,
    OBJECT_INODE,
    OBJECT_ACCOUNT,
    OBJECT_MODULE,
    OBJECT_EVENT,
    OBJECT_TIMER,
    OBJECT_CAPABILITY,
    OBJECT_TABLE,
    OBJECT_CHANNEL,
    OBJECT_SOCKET,
    OBJECT_IPC,
};

struct capability;
struct object;
struct tally;
struct waitable;

struct object_type {
    enum object_kind kind;
    const char *name;
    void (*destroy)(struct object *object); // takes the object; the count is zero
    // What changes of its state are told through; NULL, or a NULL result: it has none.
    struct waitable *(*waitable)(struct object *object);
    // A capability for it was revoked: undoes what outlives a call under it. Thread context. May be
    // NULL.
    void (*revoked)(struct object *object);
    // A derived capability for it, which nobody keeps any more, is about to be freed. Thread
    // context. May be NULL.
    void (*dropped)(struct object *object, struct capability *capability);
    // A mapping that shows it came, or went; the mapping keeps a reference meanwhile. Thread
    // context, locks of memory may be held. May be NULL.
    void (*mapped)(struct object *object, bool is_there);
    // Adds the memory that goes with it (<memory/tally.h>). Thread context. NULL: next to none.
    void (*tally)(struct object *object, struct tally *tally);
    // Calls each() for what it keeps; if it asked for that by tally_later().
    void (*tally_inside)(struct object *object,
                         void (*each)(struct tally *tally, struct object *inside),
                         struct tally *tally);
};

struct object {
    const struct object_type *type;
    _Atomic uint32_t references;
};

// One reference, the caller's.
void object_init(struct object *object, const struct object_type *type);
// Adds a reference; the caller already holds one. Any context. Returns its argument.
struct object *object_get(struct object *object);
// Adds a reference unless the count is zero already (a lookup under an epoch or a table's lock).
bool object_try_get(struct object *object);
// Drops a reference.
void object_put(struct object *object);
