// SPDX-License-Identifier: MIT OR Apache-2.0
// runtime/service/arena.c: there is no arena in ring 3 yet: the kernel loads no module there that
// has one, and who asks all the same gets none.
#include "host.h"

struct hx_update *hx_update_create(struct hx_env *env) {
    (void)env;
    return NULL;
}

void hx_update_destroy(struct hx_update *update) {
    (void)update;
}

// Nobody has an update to call these with.

void *hx_arena_new(struct hx_update *update, uint32_t type, size_t size_bytes) {
    (void)update;
    (void)type;
    (void)size_bytes;
    return NULL;
}

void *hx_arena_change(struct hx_update *update, const void *object) {
    (void)update;
    (void)object;
    return NULL;
}

bool hx_arena_free(struct hx_update *update, const void *object) {
    (void)update;
    (void)object;
    return false;
}

void hx_arena_commit(struct hx_update *update) {
    (void)update;
}

void hx_arena_abort(struct hx_update *update) {
    (void)update;
}

void *hx_arena_at(struct hx_env *env, uint64_t number) {
    (void)env;
    (void)number;
    return NULL;
}

// NOLINTNEXTLINE(readability-non-const-parameter): <helix/env.h> says so
uint32_t hx_arena_walk(struct hx_env *env, uint32_t *inout_index, void **out_objects,
                       uint32_t capacity) {
    (void)env;
    (void)inout_index;
    (void)out_objects;
    (void)capacity;
    return 0;
}
