// SPDX-License-Identifier: MIT OR Apache-2.0
// runtime/service/arena.c: the arena of a module in ring 3: a twin of the one that the kernel has.
//
// Each step of an update is one of both. What may fail here comes first; then the kernel is asked,
// and if it refuses, the step is undone here. Only of what is new the kernel is asked first, since
// it gives the numbers. What the kernel has told nobody of is lost with this process.
#include "host.h"

#include <lib/arena.h>

#define NO_LOCK_ANALYSIS HX_ATTR(no_thread_safety_analysis)

static struct arena arena;
static struct hx_mutex lock;  // all zero: free
static struct hx_mutex pairs; // the same: places are taken and given up in both, or in none

static void *allocate(void *context, size_t size_bytes) {
    return hx_alloc(context, size_bytes);
}

static void release(void *context, void *memory) {
    hx_free(context, memory);
}

NO_LOCK_ANALYSIS static void lock_take(void *context) {
    (void)context;
    hx_mutex_lock(&lock);
}

NO_LOCK_ANALYSIS static void lock_give(void *context) {
    (void)context;
    hx_mutex_unlock(&lock);
}

static const struct arena_memory memory = { allocate, release, lock_take, lock_give, NULL };

static int64_t arena_call(enum service_arena what, uint64_t above, uint64_t b, uint64_t c) {
    return service_call(SERVICE_ARENA, above << 32 | what, b, c);
}

static int64_t update_call(const struct hx_update *update, enum service_arena what, uint64_t b,
                           uint64_t c) {
    return arena_call(what, update->number, b, c);
}

// Statuses are small; numbers of objects use all bits.
static bool is_status(int64_t result) {
    return result < 0 && result > -4096;
}

// The beginning of a life
// ------------------------------------------------------------------------------------------------

static enum hx_status object_take(struct hx_update *update, const struct service_object *object) {
    void *bytes = arena_new_apart(update, object->type, object->size_bytes);
    if (bytes == NULL || !arena_place_at(update, bytes, object->number)) {
        return HX_ERR_NO_MEMORY;
    }
    __builtin_memcpy(bytes, object + 1, object->size_bytes);
    arena_commit(update);
    return HX_OK;
}

// All that lies in the buffer; `inout_index` is that of the last one then.
static enum hx_status objects_take(struct hx_update *update, const uint8_t *at, int64_t used,
                                   uint64_t *inout_index) {
    enum hx_status status = HX_OK;
    for (const uint8_t *end = at + used; at < end && status == HX_OK;) {
        const struct service_object *object = (const struct service_object *)at;
        at += sizeof(*object) + ALIGN_UP((size_t)object->size_bytes, 8u);
        status = at <= end ? object_take(update, object) : HX_ERR_TOO_BIG;
        *inout_index = (uint32_t)object->number;
    }
    return status;
}

static enum hx_status all_take(struct hx_update *update, uint8_t *buffer) {
    enum hx_status status = HX_OK;
    uint64_t index = 0;
    while (status == HX_OK) {
        const int64_t used =
            arena_call(SERVICE_ARENA_READ, index, service_address(buffer), SERVICE_STATE_MAX);
        if (used <= 0) {
            return (enum hx_status)used;
        }
        status = objects_take(update, buffer, used, &index);
    }
    return status;
}

enum hx_status arena_begin(struct hx_env *env) {
    arena_init(&arena, &memory);
    uint8_t *buffer = hx_alloc(env, SERVICE_STATE_MAX);
    struct hx_update *update = arena_update_create(&arena);
    enum hx_status status =
        buffer != NULL && update != NULL ? all_take(update, buffer) : HX_ERR_NO_MEMORY;
    if (update != NULL) {
        arena_update_destroy(update);
    }
    hx_free(env, buffer);
    return status;
}

// Updates
// ------------------------------------------------------------------------------------------------

struct hx_update *hx_update_create(struct hx_env *env) {
    struct hx_update *update = env->module->arena_version != 0 ? arena_update_create(&arena) : NULL;
    const int64_t number = update != NULL ? arena_call(SERVICE_ARENA_MAKE, 0, 0, 0) : 0;
    if (number < 0) {
        arena_update_destroy(update);
        return NULL;
    }
    if (update != NULL) {
        update->number = (uint32_t)number;
    }
    return update;
}

void hx_update_destroy(struct hx_update *update) {
    hx_mutex_lock(&pairs);
    (void)update_call(update, SERVICE_ARENA_END, 0, 0);
    arena_update_destroy(update);
    hx_mutex_unlock(&pairs);
}

static void *new_paired(struct hx_update *update, uint64_t kind, void *bytes) {
    const int64_t number = update_call(update, SERVICE_ARENA_NEW, kind, service_address(bytes));
    if (arena_place_at(update, bytes, is_status(number) ? 0 : (uint64_t)number)) {
        return bytes;
    }
    if (!is_status(number)) {
        (void)update_call(update, SERVICE_ARENA_UNDO, 0, 0);
    }
    return NULL;
}

void *hx_arena_new(struct hx_update *update, uint32_t type, size_t size_bytes) {
    const uint64_t kind = (uint64_t)type << 32 | size_bytes;
    void *bytes =
        size_bytes <= SERVICE_OBJECT_MAX ? arena_new_apart(update, type, size_bytes) : NULL;
    if (bytes == NULL) {
        return NULL;
    }
    hx_mutex_lock(&pairs);
    bytes = new_paired(update, kind, bytes);
    hx_mutex_unlock(&pairs);
    return bytes;
}

// Whether both have done it.
static bool both(struct hx_update *update, enum service_arena what, const void *object) {
    const bool is_done =
        update_call(update, what, hx_object_number(object), service_address(object)) == HX_OK;
    if (!is_done) {
        arena_undo(update);
    }
    return is_done;
}

void *hx_arena_change(struct hx_update *update, const void *object) {
    const struct arena_record *before = update->records;
    void *bytes = arena_change(update, object);
    if (bytes == NULL || update->records == before) { // refused, or the update's already
        return bytes;
    }
    return both(update, SERVICE_ARENA_CHANGE, object) ? bytes : NULL;
}

bool hx_arena_free(struct hx_update *update, const void *object) {
    const struct arena_record *before = update->records;
    const bool is_going = arena_free(update, object);
    return is_going && update->records != before ? both(update, SERVICE_ARENA_FREE, object)
                                                 : is_going;
}

// It cannot fail; if it does, what the kernel has is without this update, and this process with it.
void hx_arena_commit(struct hx_update *update) {
    hx_mutex_lock(&pairs);
    if (update->records != NULL && update_call(update, SERVICE_ARENA_COMMIT, 0, 0) != HX_OK) {
        __builtin_trap();
    }
    arena_commit(update);
    hx_mutex_unlock(&pairs);
}

void hx_arena_abort(struct hx_update *update) {
    hx_mutex_lock(&pairs);
    (void)update_call(update, SERVICE_ARENA_ABORT, 0, 0);
    arena_roll_back(update);
    hx_mutex_unlock(&pairs);
}

// Looking
// ------------------------------------------------------------------------------------------------

void *hx_arena_at(struct hx_env *env, uint64_t number) {
    (void)env;
    return arena_at(&arena, number);
}

uint32_t hx_arena_walk(struct hx_env *env, uint32_t *inout_index, void **out_objects,
                       uint32_t capacity) {
    (void)env;
    return arena_walk(&arena, inout_index, out_objects, capacity);
}

bool hx_arena_is_foreign(struct hx_env *env) {
    (void)env;
    return true;
}
