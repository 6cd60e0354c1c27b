// SPDX-License-Identifier: MIT OR Apache-2.0
// runtime/host/state.c: the module's arena, which outlives its deaths until host_begin().
#include "private.h"

#include <lib/arena.h>

#include <stdlib.h>

static void *allocate(void *context, size_t size_bytes) {
    (void)context;
    return fails_now() ? NULL : calloc(1, size_bytes);
}

static void release(void *context, void *memory) {
    (void)context;
    free(memory);
}

static void nobody(void *context) { // one thread
    (void)context;
}

static const struct arena_memory memory = { allocate, release, nobody, nobody, NULL };
static struct arena arena;
static bool is_there;
static uint32_t arena_schema;

void state_begin(bool has_arena) {
    uint64_t number = 0;
    if (has_arena && !is_there) {
        arena_init(&arena, &memory);
        is_there = true;
    } else if (has_arena && arena_recover(&arena, &number) != HX_OK) {
        host_broken("object %lu of the arena was changed outside of an update",
                    (unsigned long)number);
    }
}

void state_end(void) {
    if (is_there) {
        arena_settle(&arena);
    }
}

uint32_t state_schema(void) {
    void *object;
    uint32_t index = 0;
    return is_there && arena_walk(&arena, &index, &object, 1) != 0 ? arena_schema : 0;
}

void state_take(uint32_t schema) {
    arena_schema = schema;
}

void state_reset(void) {
    if (is_there) {
        arena_fini(&arena);
    }
    is_there = false;
}

static bool has_arena(const struct hx_env *env) {
    return is_there && env != NULL && env->module != NULL && env->module->arena_version != 0;
}

struct hx_update *hx_update_create(struct hx_env *env) {
    may_sleep("hx_update_create()");
    return has_arena(env) ? arena_update_create(&arena) : NULL;
}

void hx_update_destroy(struct hx_update *update) {
    may_sleep("hx_update_destroy()");
    arena_update_destroy(update);
}

void *hx_arena_new(struct hx_update *update, uint32_t type, size_t size_bytes) {
    may_sleep("hx_arena_new()");
    return arena_new(update, type, size_bytes);
}

void *hx_arena_change(struct hx_update *update, const void *object) {
    may_sleep("hx_arena_change()");
    return arena_change(update, object);
}

bool hx_arena_free(struct hx_update *update, const void *object) {
    may_sleep("hx_arena_free()");
    return arena_free(update, object);
}

void hx_arena_commit(struct hx_update *update) {
    may_sleep("hx_arena_commit()");
    arena_commit(update);
}

void hx_arena_abort(struct hx_update *update) {
    may_sleep("hx_arena_abort()");
    arena_roll_back(update);
}

void *hx_arena_at(struct hx_env *env, uint64_t number) {
    return has_arena(env) ? arena_at(&arena, number) : NULL;
}

uint32_t hx_arena_walk(struct hx_env *env, uint32_t *inout_index, void **out_objects,
                       uint32_t capacity) {
    return has_arena(env) ? arena_walk(&arena, inout_index, out_objects, capacity) : 0;
}

// What a test writes there is as good as what a process does.
bool hx_arena_is_foreign(struct hx_env *env) {
    return has_arena(env);
}
