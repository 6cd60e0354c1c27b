// SPDX-License-Identifier: MIT OR Apache-2.0
// runtime/kernel/twin.c: the arena of a module in ring 3.
//
// What lasts is the kernel's arena, the same one that the module would have in the kernel, and
// never seen by the module. In its process it has a twin: objects of the same numbers, of which the
// kernel is told what is done with them, one by one, and asked for the memory that this needs.
// Their bytes are copied out of the process with the commit. So what the kernel believes of it are
// bytes of objects whose numbers, types and sizes are its own; a life that ends leaves what is open
// to be rolled back, as in the kernel.
//
// One call at a time: who looks at an object that somebody else frees is in the module's hands
// otherwise.
#include "isolated.h"

#include <memory/frame.h>
#include <memory/usercopy.h>

#define BYTES_OF_OBJECT 128u // of tables and headers, about
#define MEMORY_PART     8u   // one of so many of the machine's; the heap takes up to twice of it

// Inside of it the module's memory is read.
static const struct lock_class twin_class = { "arena of ring 3", LOCK_RANK_ASPACE - 1, false };

void twin_init(struct twin *twin) {
    struct frame_stats stats;
    frame_stats(&stats);
    mutex_init(&twin->lock, &twin_class);
    twin->bytes_max = stats.total * PAGE_SIZE / MEMORY_PART;
}

// ---- updates

static int64_t make_locked(struct twin *twin, struct arena *arena) {
    uint32_t free = 0;
    while (free < HX_UPDATES_ISOLATED && twin->updates[free].update != NULL) {
        free++;
    }
    if (free == HX_UPDATES_ISOLATED) {
        return HX_ERR_LIMIT;
    }
    twin->updates[free] = (struct twin_update){ arena_update_create(arena), 0 };
    return twin->updates[free].update != NULL ? (int64_t)free : HX_ERR_NO_MEMORY;
}

static enum hx_status fill_from_module(const struct hx_object *object, void *bytes) {
    return copy_from_user(bytes, uaddr_make((uintptr_t)object->local), object->size_bytes);
}

// All of it, or none: then the module is told so, and goes on with what is none of ours.
static enum hx_status commit_locked(struct twin_update *row) {
    const enum hx_status status = arena_fill(row->update, fill_from_module);
    if (status == HX_OK) {
        arena_commit(row->update);
    } else {
        arena_roll_back(row->update);
    }
    row->done = 0;
    return status;
}

static int64_t end_locked(struct twin_update *row, enum service_arena what) {
    switch (what) {
    case SERVICE_ARENA_COMMIT:
        return commit_locked(row);
    case SERVICE_ARENA_ABORT:
        arena_roll_back(row->update);
        row->done = 0;
        return HX_OK;
    case SERVICE_ARENA_UNDO:
        arena_undo(row->update);
        return HX_OK;
    case SERVICE_ARENA_END:
        arena_update_destroy(row->update);
        row->update = NULL;
        return HX_OK;
    default:
        return HX_ERR_INVALID;
    }
}

// ---- objects

// Where the module has the bytes of an object that is in an update.
static void place_note(void *bytes, uint64_t address) {
    hx_object_of(bytes)->local = (void *)(uintptr_t)address; // NOLINT(performance-no-int-to-ptr)
}

static int64_t new_locked(struct twin *twin, struct twin_update *row, uint64_t kind,
                          uint64_t address) {
    const struct arena *arena = row->update->arena;
    const uint32_t size_bytes = (uint32_t)kind;
    if (size_bytes > SERVICE_OBJECT_MAX) {
        return HX_ERR_INVALID;
    }
    if (arena->bytes + (arena->objects + 1) * BYTES_OF_OBJECT + size_bytes > twin->bytes_max) {
        return HX_ERR_NO_MEMORY;
    }
    void *bytes = arena_new(row->update, (uint32_t)(kind >> 32), size_bytes);
    if (bytes == NULL) {
        return HX_ERR_NO_MEMORY;
    }
    place_note(bytes, address);
    return (int64_t)hx_object_number(bytes);
}

static int64_t change_locked(struct twin_update *row, uint64_t number, uint64_t address) {
    void *bytes = arena_at(row->update->arena, number);
    if (bytes == NULL) {
        return HX_ERR_NOT_FOUND;
    }
    if (arena_change(row->update, bytes) == NULL) {
        return HX_ERR_NO_MEMORY;
    }
    place_note(bytes, address);
    return HX_OK;
}

static int64_t free_locked(struct twin_update *row, uint64_t number) {
    const void *bytes = arena_at(row->update->arena, number);
    if (bytes == NULL) {
        return HX_ERR_NOT_FOUND;
    }
    return arena_free(row->update, bytes) ? HX_OK : HX_ERR_NO_MEMORY;
}

// Bounded, since all of them are done in one piece in the end.
static int64_t object_locked(struct twin *twin, struct twin_update *row, enum service_arena what,
                             uint64_t b, uint64_t c) {
    if (row->done == SERVICE_UPDATE_STEPS) {
        return HX_ERR_LIMIT;
    }
    row->done++;
    return what == SERVICE_ARENA_NEW      ? new_locked(twin, row, b, c)
           : what == SERVICE_ARENA_CHANGE ? change_locked(row, b, c)
                                          : free_locked(row, b);
}

// ---- the beginning of a life

// Whole objects, as many as there is room for; of the first one at least its head.
static int64_t object_out(const void *bytes, uint64_t to, uint64_t room, bool is_first) {
    const struct hx_object *object = hx_object_of(bytes);
    const struct service_object head = { object->number, object->type, object->size_bytes };
    const uint64_t size = sizeof(head) + ALIGN_UP((uint64_t)object->size_bytes, 8);
    if (size > room && !is_first) {
        return 0;
    }
    enum hx_status status = copy_to_user(uaddr_make(to), &head, sizeof(head));
    if (status == HX_OK && size <= room) {
        status = copy_to_user(uaddr_make(to + sizeof(head)), bytes, object->size_bytes);
    }
    return status != HX_OK ? (int64_t)status : (int64_t)(size <= room ? size : sizeof(head));
}

static int64_t read_locked(const struct arena *arena, uint64_t behind, uint64_t to, uint64_t room) {
    uint32_t index = (uint32_t)behind;
    void *bytes;
    int64_t used = 0;
    if (room < sizeof(struct service_object) || room > SERVICE_STATE_MAX) {
        return HX_ERR_INVALID;
    }
    while ((uint64_t)used + sizeof(struct service_object) <= room && index < arena->used &&
           arena_walk(arena, &index, &bytes, 1) != 0) {
        const int64_t more =
            object_out(bytes, to + (uint64_t)used, room - (uint64_t)used, used == 0);
        if (more <= 0) {
            return used == 0 || more < 0 ? more : used;
        }
        used += more;
    }
    return used;
}

// ---- all calls

static int64_t call_locked(struct twin *twin, struct arena *arena, uint64_t a, uint64_t b,
                           uint64_t c) {
    const enum service_arena what = (enum service_arena)(a & UINT32_MAX);
    const uint64_t number = a >> 32;
    if (what == SERVICE_ARENA_MAKE) {
        return make_locked(twin, arena);
    }
    if (what == SERVICE_ARENA_READ) {
        return read_locked(arena, number, b, c);
    }
    struct twin_update *row = number < HX_UPDATES_ISOLATED ? &twin->updates[number] : NULL;
    if (row == NULL || row->update == NULL) {
        return HX_ERR_INVALID;
    }
    return what == SERVICE_ARENA_NEW || what == SERVICE_ARENA_CHANGE || what == SERVICE_ARENA_FREE
               ? object_locked(twin, row, what, b, c)
               : end_locked(row, what);
}

int64_t twin_call(struct domain *domain, uint64_t a, uint64_t b, uint64_t c) {
    struct state *state = domain->env->state;
    if (state == NULL) {
        return HX_ERR_NOT_SUPPORTED;
    }
    mutex_lock(&domain->twin.lock);
    const int64_t result = call_locked(&domain->twin, &state->arena, a, b, c);
    mutex_unlock(&domain->twin.lock);
    return result;
}
