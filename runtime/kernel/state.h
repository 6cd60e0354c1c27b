// SPDX-License-Identifier: MIT OR Apache-2.0
// runtime/kernel/state.h: the arena of a module: its durable state, which outlives its lives and
// versions. It belongs to the module's world and goes with it.
//
// Thread context.
#pragma once

#include <core/lock.h>
#include <lib/arena.h>

struct state {
    struct arena arena;
    struct arena_memory memory;
    struct spinlock lock;
    uint32_t schema; // whose objects are in it: `arena_version` of a manifest
    // A life in ring 3 may have written in it, and no life in the kernel has begun with it since.
    bool is_foreign;
};

// An empty one; NULL: no memory.
struct state *state_create(uint32_t schema);
// NULL is allowed. Nobody uses it.
void state_destroy(struct state *state);
// The same as another one, while its module goes on.
// HX_ERR_NO_MEMORY; HX_ERR_CORRUPT: the checksum of *out_number is not right
enum hx_status state_copy(struct state *from, struct state **out_copy, uint64_t *out_number);
// Once more, for what has changed since. As above.
enum hx_status state_follow(struct state *from, struct state *to, uint64_t *out_number);
// Whether there is anything that a next life takes over.
static inline bool state_has_objects(const struct state *state) {
    return state != NULL && state->arena.objects != 0;
}
