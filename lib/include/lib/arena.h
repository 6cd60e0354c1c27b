// SPDX-License-Identifier: MIT OR Apache-2.0
// <lib/arena.h>: the durable state of a module: numbered objects with a checksum each, changed by
// updates that are committed whole or not at all.
//
// Numbers are never used twice: below is the index of a place in a table, above how often the place
// was used before. Several updates may be open at once, each of one thread, of different objects.
// Whoever dies in the middle of one leaves its old bytes in it: arena_recover() brings them back.
//
// Two arenas can be the same: arena_sync() copies what was changed since it did so last, while
// updates go on. So a successor begins with a copy, and its predecessor can have it back.
//
// The table's own state is guarded by the lock of `struct arena_memory`, which is held for a few
// steps and never while memory is asked for. Look-ups take no lock. That nobody frees an object
// that somebody else looks at is for the module's locks.
#pragma once

#include <helix/arena.h>
#include <lib/list.h>

#define ARENA_SLOT_BITS  8u // of a chunk
#define ARENA_CHUNK_BITS 9u // of a leaf
#define ARENA_LEAVES     128u
#define ARENA_SLOTS      (1u << ARENA_SLOT_BITS)
#define ARENA_CHUNKS     (1u << ARENA_CHUNK_BITS)
#define ARENA_DIRTY      (ARENA_SLOTS / 64)
#define ARENA_ROOM_BYTES 1024u

// Where memory comes from, and the lock.
struct arena_memory {
    void *(*allocate)(void *context, size_t size_bytes); // zeroed, aligned to 16; NULL: none
    void (*release)(void *context, void *memory);        // NULL is allowed
    void (*lock)(void *context);
    void (*unlock)(void *context);
    void *context;
};

struct arena_slot {
    _Atomic(struct hx_object *) object; // NULL: free
    uint32_t generation;                // of the next object; UINT32_MAX: it takes no more
    uint32_t extra; // free: the next free one, 0: none; else the object's size, beside its header
};

struct arena_chunk {
    uint64_t dirty[ARENA_DIRTY]; // bit i: slot i was changed since it was copied
    struct arena_slot slots[ARENA_SLOTS];
};

struct arena_leaf {
    _Atomic(void *) chunks[ARENA_CHUNKS]; // struct arena_chunk
};

struct arena {
    const struct arena_memory *memory;
    _Atomic(void *) leaves[ARENA_LEAVES]; // struct arena_leaf; made once, as chunks, and kept
    uint32_t used;                        // [lock] indices that ever were; index 0 is none
    uint32_t free;                        // [lock] the first free one; 0: none
    uint64_t objects;                     // [lock]
    uint64_t bytes;                       // [lock] of the module's in them
    struct list updates;                  // [lock]
};

// What an update has done to one object.
struct arena_record {
    struct arena_record *next; // done before
    struct hx_object *object;
    uint32_t bytes; // of it, rounded
    uint8_t what;
    bool is_apart;             // allocated on its own
    alignas(16) uint8_t old[]; // its bytes before
};

// The thread's that makes it. Small updates need no memory beyond their room.
struct hx_update {
    struct list link; // [lock]
    struct arena *arena;
    struct arena_record *records; // the last one first; NULL: nothing is open
    size_t used;                  // bytes of the room
    bool has_apart;               // among the records
    uint32_t number;              // its maker's
    alignas(16) uint8_t room[ARENA_ROOM_BYTES];
};

// An empty arena. Keeps `memory`.
void arena_init(struct arena *arena, const struct arena_memory *memory);
// All of it is freed: objects, updates, tables. Nobody uses it.
void arena_fini(struct arena *arena);

// The bytes of an object; NULL: there is none of that number. No lock.
static inline void *arena_at(const struct arena *arena, uint64_t number) {
    const uint32_t index = (uint32_t)number;
    const uint32_t chunk_index = index >> ARENA_SLOT_BITS;
    const uint32_t leaf_index = chunk_index >> ARENA_CHUNK_BITS;
    if (leaf_index >= ARENA_LEAVES) {
        return NULL;
    }
    // Acquire, here and below: what was published there is complete.
    const struct arena_leaf *leaf =
        atomic_load_explicit(&arena->leaves[leaf_index], memory_order_acquire);
    if (leaf == NULL) {
        return NULL;
    }
    const struct arena_chunk *chunk =
        atomic_load_explicit(&leaf->chunks[chunk_index & (ARENA_CHUNKS - 1)], memory_order_acquire);
    if (chunk == NULL) {
        return NULL;
    }
    struct hx_object *object =
        atomic_load_explicit(&chunk->slots[index & (ARENA_SLOTS - 1)].object, memory_order_acquire);
    return object != NULL && object->number == number ? object + 1 : NULL;
}

// Fills `out` with the bytes of up to `capacity` objects, those behind index `*inout_index` (at
// first 0), which moves on; gives how many. 0: no more. Nobody makes or frees objects meanwhile.
uint32_t arena_walk(const struct arena *arena, uint32_t *inout_index, void **out,
                    uint32_t capacity);

// An update in which nothing is done yet; NULL: no memory. It is used again and again, and gone
// with the arena or by arena_update_destroy(), with which what is open is rolled back.
struct hx_update *arena_update_create(struct arena *arena);
void arena_update_destroy(struct hx_update *update);

// An object with zeroed bytes, which are the update's to write until it is committed. NULL: no
// memory, or there are too many.
void *arena_new(struct hx_update *update, uint32_t type, size_t size_bytes);
// The same bytes, from now on the update's to write. NULL: no memory, or another update has it.
void *arena_change(struct hx_update *update, const void *bytes);
// The object goes when the update is committed. False: as above.
bool arena_free(struct hx_update *update, const void *bytes);
// What was done last in the update was not; as before if nothing is open.
void arena_undo(struct hx_update *update);
// What was done is done, all of it. Cannot fail.
void arena_commit(struct hx_update *update);
// Nothing was done.
void arena_roll_back(struct hx_update *update);

// Twins: a module in another address space has an arena of its own, whose objects have the same
// numbers and bytes as those of the one that lasts.
// As arena_new(), but the object has no number yet. arena_place_at() is due, and nothing else is
// done in the update until then.
void *arena_new_apart(struct hx_update *update, uint32_t type, size_t size_bytes);
// The number that the other arena gave. False: no memory, its place is taken, or it is none (0):
// the object is gone.
bool arena_place_at(struct hx_update *update, void *bytes, uint64_t number);
// Gives the bytes of what is new and of what is changed in the update, each with its object.
// The first refusal of `fill` ends it, and is returned; the update stays open.
enum hx_status arena_fill(struct hx_update *update,
                          enum hx_status (*fill)(const struct hx_object *object, void *bytes));

// The life is over, and nobody uses the arena: what is open is rolled back, and all updates are
// gone.
void arena_settle(struct arena *arena);
// Before the next one: nothing of the last life is in `local` any more, and all checksums are
// right. HX_ERR_CORRUPT: that of *out_number is not; the rest was done
enum hx_status arena_recover(struct arena *arena, uint64_t *out_number);
// Compares the checksums of all objects that are in no update, while others may go on.
// HX_ERR_CORRUPT: that of *out_number is not right
enum hx_status arena_check(struct arena *arena, uint64_t *out_number);

// Everything counts as changed.
void arena_sync_begin(struct arena *from);
// What was changed in `from` since it was copied last is copied, but for objects that are in an
// update; updates may go on. Nobody uses `to`. With nothing open, the two are the same afterwards.
// HX_ERR_NO_MEMORY: go on later, or not at all
// HX_ERR_CORRUPT: the checksum of *out_number is not right, in `from`
enum hx_status arena_sync(struct arena *from, struct arena *to, uint64_t *out_number);
