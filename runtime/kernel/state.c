// SPDX-License-Identifier: MIT OR Apache-2.0
// runtime/kernel/state.c: arenas of modules, with the kernel's memory and a lock of its own each.
#include "state.h"

#include "private.h"

#include <memory/heap.h>

static const struct lock_class state_class = { "arena", LOCK_RANK_LEAF, false };

static void *allocate(void *context, size_t size_bytes) {
    (void)context;
    return heap_alloc_zero(size_bytes, MEMORY_SLEEP);
}

static void release(void *context, void *memory) {
    (void)context;
    heap_free(memory);
}

NO_LOCK_ANALYSIS static void lock(void *context) {
    struct state *state = context;
    spin_lock(&state->lock);
}

NO_LOCK_ANALYSIS static void unlock(void *context) {
    struct state *state = context;
    spin_unlock(&state->lock);
}

struct state *state_create(uint32_t schema) {
    struct state *state = heap_alloc_zero(sizeof(*state), MEMORY_SLEEP);
    if (state != NULL) {
        spinlock_init(&state->lock, &state_class);
        state->memory = (struct arena_memory){ allocate, release, lock, unlock, state };
        state->schema = schema;
        arena_init(&state->arena, &state->memory);
    }
    return state;
}

void state_destroy(struct state *state) {
    if (state != NULL) {
        arena_fini(&state->arena);
        heap_free(state);
    }
}

enum hx_status state_follow(struct state *from, struct state *to, uint64_t *out_number) {
    to->is_foreign = from->is_foreign;
    return arena_sync(&from->arena, &to->arena, out_number);
}

// Twice, so that the rest is short.
enum hx_status state_copy(struct state *from, struct state **out_copy, uint64_t *out_number) {
    struct state *to = state_create(from->schema);
    enum hx_status status = to != NULL ? HX_OK : HX_ERR_NO_MEMORY;
    arena_sync_begin(&from->arena);
    for (int i = 0; i < 2 && status == HX_OK; i++) {
        status = state_follow(from, to, out_number);
    }
    if (status != HX_OK) {
        state_destroy(to);
        return status;
    }
    *out_copy = to;
    return HX_OK;
}

// The SDK's calls
// ------------------------------------------------------------------------------------------------

struct hx_update *hx_update_create(struct hx_env *env) {
    doom_pass();
    return env->state != NULL ? arena_update_create(&env->state->arena) : NULL;
}

void hx_update_destroy(struct hx_update *update) {
    arena_update_destroy(update);
}

void *hx_arena_new(struct hx_update *update, uint32_t type, size_t size_bytes) {
    doom_pass();
    return arena_new(update, type, size_bytes);
}

void *hx_arena_change(struct hx_update *update, const void *object) {
    doom_pass();
    return arena_change(update, object);
}

bool hx_arena_free(struct hx_update *update, const void *object) {
    doom_pass();
    return arena_free(update, object);
}

void hx_arena_commit(struct hx_update *update) {
    doom_pass();
    arena_commit(update);
}

void hx_arena_abort(struct hx_update *update) {
    arena_roll_back(update);
}

void *hx_arena_at(struct hx_env *env, uint64_t number) {
    return env->state != NULL ? arena_at(&env->state->arena, number) : NULL;
}

uint32_t hx_arena_walk(struct hx_env *env, uint32_t *inout_index, void **out_objects,
                       uint32_t capacity) {
    return env->state != NULL ? arena_walk(&env->state->arena, inout_index, out_objects, capacity)
                              : 0;
}

bool hx_arena_is_foreign(struct hx_env *env) {
    return env->state != NULL && env->state->is_foreign;
}
