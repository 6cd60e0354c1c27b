// SPDX-License-Identifier: MIT OR Apache-2.0
// arena.c: numbered objects with checksums, and updates of them; see <lib/arena.h>.
//
// An update keeps records, the last one first: what was made, what was there before it was changed,
// what is to go. To roll back is to go through them: the made ones vanish, changed ones get their
// old bytes, those that were to go stay. To commit is to make the checksums right and to forget the
// records. Objects are the update's (`owner`) from its first record of them until then.
#include <lib/arena.h>
#include <lib/string.h>

enum { RECORD_NEW, RECORD_CHANGE, RECORD_FREE };

#define ROUND       ((size_t)16)                 // of objects and of records
#define FACTOR      UINT64_C(0x9e3779b97f4a7c15) // odd
#define INDEX_LIMIT ((uint32_t)ARENA_LEAVES << (ARENA_CHUNK_BITS + ARENA_SLOT_BITS))

// The owner of an object that is copied or compared.
static struct list copier;
#define COPIER LIST_ENTRY(&copier, struct hx_update, link)

static void lock(const struct arena *arena) {
    arena->memory->lock(arena->memory->context);
}

static void unlock(const struct arena *arena) {
    arena->memory->unlock(arena->memory->context);
}

static void *allocate(const struct arena *arena, size_t size_bytes) {
    return arena->memory->allocate(arena->memory->context, size_bytes);
}

static void release(const struct arena *arena, void *memory) {
    arena->memory->release(arena->memory->context, memory);
}

static size_t rounded(size_t size_bytes) {
    return ALIGN_UP(size_bytes, ROUND);
}

// Each word takes part in a step that is one-to-one, so that one that is another one changes it for
// certain, more of them most likely. For accidents, not liars. What is there behind the bytes, up
// to ROUND, are zeroes.
static uint64_t checksum_of(const struct hx_object *object, size_t size_bytes) {
    const uint64_t *at = (const uint64_t *)(object + 1);
    const uint64_t *end = at + size_bytes / sizeof(*at);
    uint64_t sum = object->number ^ (uint64_t)object->type << 32 ^ object->size_bytes;
    for (; at < end; at += 2) {
        sum = (sum ^ at[0]) * FACTOR;
        sum = (sum ^ at[1]) * FACTOR;
        sum = sum << 32 | sum >> 32;
    }
    return sum;
}

// The table
// ------------------------------------------------------------------------------------------------

static struct arena_chunk *chunk_of(const struct arena *arena, uint32_t index) {
    const uint32_t number = index >> ARENA_SLOT_BITS;
    // Acquire, twice: it is complete.
    const struct arena_leaf *leaf =
        atomic_load_explicit(&arena->leaves[number >> ARENA_CHUNK_BITS], memory_order_acquire);
    return leaf == NULL ? NULL
                        : atomic_load_explicit(&leaf->chunks[number & (ARENA_CHUNKS - 1)],
                                               memory_order_acquire);
}

// There are chunks for every index below `used`.
static struct arena_slot *slot_of(const struct arena *arena, uint32_t index) {
    return &chunk_of(arena, index)->slots[index & (ARENA_SLOTS - 1)];
}

static void dirty_set_locked(struct arena *arena, uint32_t index) {
    const uint32_t bit = index & (ARENA_SLOTS - 1);
    chunk_of(arena, index)->dirty[bit / 64] |= UINT64_C(1) << (bit % 64);
}

static struct hx_object *object_in(const struct arena_slot *slot) {
    // Relaxed: who changes it has the lock, or is alone.
    return atomic_load_explicit(&slot->object, memory_order_relaxed);
}

static void object_put(struct arena_slot *slot, struct hx_object *object) {
    // Release: who finds it by its number finds it complete.
    atomic_store_explicit(&slot->object, object, memory_order_release);
}

// A leaf or a chunk, which is made if it is not there; another thread may be faster. NULL: no
// memory.
static void *table_make(struct arena *arena, _Atomic(void *) *place, size_t size_bytes) {
    void *there = atomic_load_explicit(place, memory_order_acquire);
    void *fresh = there == NULL ? allocate(arena, size_bytes) : NULL;
    if (fresh == NULL) {
        return there;
    }
    lock(arena);
    there = atomic_load_explicit(place, memory_order_relaxed);
    if (there == NULL) {
        atomic_store_explicit(place, fresh, memory_order_release);
    }
    unlock(arena);
    release(arena, there != NULL ? fresh : NULL);
    return there != NULL ? there : fresh;
}

// Makes the chunk that holds an index. False: no memory.
static bool chunk_make(struct arena *arena, uint32_t index) {
    const uint32_t number = index >> ARENA_SLOT_BITS;
    struct arena_leaf *leaf =
        table_make(arena, &arena->leaves[number >> ARENA_CHUNK_BITS], sizeof(*leaf));
    return leaf != NULL && table_make(arena, &leaf->chunks[number & (ARENA_CHUNKS - 1)],
                                      sizeof(struct arena_chunk)) != NULL;
}

static uint32_t used_of(const struct arena *arena) {
    lock(arena);
    const uint32_t used = arena->used;
    unlock(arena);
    return used;
}

// An object that has its number comes into its place.
static void put_locked(struct arena *arena, struct arena_slot *slot, struct hx_object *object) {
    slot->extra = object->size_bytes;
    object_put(slot, object);
    arena->objects++;
    arena->bytes += object->size_bytes;
    dirty_set_locked(arena, (uint32_t)object->number);
}

// Gives an object a place and a number, with the lock. False: there has to be a chunk first.
static bool place_locked(struct arena *arena, struct hx_object *object) {
    uint32_t index = arena->free;
    if (index == 0) {
        index = arena->used;
        if (index >= INDEX_LIMIT || chunk_of(arena, index) == NULL) {
            return false;
        }
        arena->used++;
    } else {
        arena->free = slot_of(arena, index)->extra;
    }
    struct arena_slot *slot = slot_of(arena, index);
    object->number = (uint64_t)slot->generation << 32 | index;
    put_locked(arena, slot, object);
    return true;
}

static bool place(struct arena *arena, struct hx_object *object) {
    for (;;) {
        lock(arena);
        const bool is_placed = place_locked(arena, object);
        const uint32_t wanted = arena->used;
        unlock(arena);
        if (is_placed || wanted >= INDEX_LIMIT || !chunk_make(arena, wanted)) {
            return is_placed;
        }
    }
}

// Takes an object out of its place, for good; its memory is the caller's.
static void displace_locked(struct arena *arena, const struct hx_object *object) {
    const uint32_t index = (uint32_t)object->number;
    struct arena_slot *slot = slot_of(arena, index);
    object_put(slot, NULL);
    arena->objects--;
    arena->bytes -= slot->extra;
    if (++slot->generation != UINT32_MAX) {
        slot->extra = arena->free;
        arena->free = index;
    }
    dirty_set_locked(arena, index);
}

void arena_init(struct arena *arena, const struct arena_memory *memory) {
    memset(arena, 0, sizeof(*arena));
    arena->memory = memory;
    arena->used = 1;
    list_init(&arena->updates);
}

static void chunk_free(const struct arena *arena, struct arena_chunk *chunk) {
    for (uint32_t i = 0; chunk != NULL && i < ARENA_SLOTS; i++) {
        release(arena, object_in(&chunk->slots[i]));
    }
    release(arena, chunk);
}

static void records_free(struct hx_update *update);

void arena_fini(struct arena *arena) {
    struct list *link;
    while ((link = list_pop_front(&arena->updates)) != NULL) {
        struct hx_update *update = LIST_ENTRY(link, struct hx_update, link);
        records_free(update);
        release(arena, update);
    }
    for (uint32_t i = 0; i < ARENA_LEAVES; i++) {
        struct arena_leaf *leaf = atomic_load_explicit(&arena->leaves[i], memory_order_relaxed);
        for (uint32_t j = 0; leaf != NULL && j < ARENA_CHUNKS; j++) {
            chunk_free(arena, atomic_load_explicit(&leaf->chunks[j], memory_order_relaxed));
        }
        release(arena, leaf);
    }
    arena_init(arena, arena->memory);
}

uint32_t arena_walk(const struct arena *arena, uint32_t *inout_index, void **out,
                    uint32_t capacity) {
    uint32_t count = 0;
    uint32_t index = *inout_index + 1;
    while (index < arena->used && count < capacity) {
        const struct arena_slot *slot = slot_of(arena, index);
        const uint32_t in_chunk = ARENA_SLOTS - (index & (ARENA_SLOTS - 1));
        const uint32_t wanted = MIN_OF(in_chunk, arena->used - index);
        const struct arena_slot *end = slot + MIN_OF(wanted, capacity - count);
        index += (uint32_t)(end - slot);
        for (; slot < end; slot++) {
            struct hx_object *object = object_in(slot);
            if (object != NULL) {
                out[count++] = object + 1;
            }
        }
    }
    *inout_index = index - 1;
    return count;
}

// Updates
// ------------------------------------------------------------------------------------------------

struct hx_update *arena_update_create(struct arena *arena) {
    struct hx_update *update = allocate(arena, sizeof(*update));
    if (update != NULL) {
        update->arena = arena;
        lock(arena);
        list_push_back(&arena->updates, &update->link);
        unlock(arena);
    }
    return update;
}

void arena_update_destroy(struct hx_update *update) {
    struct arena *arena = update->arena;
    arena_roll_back(update);
    lock(arena);
    list_remove(&update->link);
    unlock(arena);
    release(arena, update);
}

// Its records are used up.
static void records_free(struct hx_update *update) {
    struct arena_record *record = update->has_apart ? update->records : NULL;
    while (record != NULL) {
        struct arena_record *next = record->next;
        release(update->arena, record->is_apart ? record : NULL);
        record = next;
    }
    update->has_apart = false;
    update->records = NULL;
    update->used = 0;
}

static size_t record_size(uint32_t what, size_t bytes) {
    return rounded(sizeof(struct arena_record)) + (what == RECORD_CHANGE ? bytes : 0);
}

// A record that stands nowhere yet, of so many bytes of an object; NULL: no memory.
static struct arena_record *record_create(struct hx_update *update, struct hx_object *object,
                                          uint32_t what, size_t bytes) {
    const size_t size = record_size(what, bytes);
    struct arena_record *record;
    const bool is_apart = size > sizeof(update->room) - update->used;
    if (is_apart) {
        record = allocate(update->arena, size);
    } else {
        record = (struct arena_record *)&update->room[update->used];
    }
    if (record != NULL) {
        *record = (struct arena_record){
            NULL, object, (uint32_t)bytes, (uint8_t)what, is_apart,
        };
    }
    return record;
}

// From here on it is undone with the update.
static void record_add(struct hx_update *update, struct arena_record *record) {
    if (!record->is_apart) {
        update->used += record_size(record->what, record->bytes);
    } else {
        update->has_apart = true;
    }
    record->next = update->records;
    update->records = record;
}

// An object that stands nowhere yet, with a record of it.
static struct arena_record *object_create(struct hx_update *update, uint32_t type,
                                          size_t size_bytes) {
    struct arena *arena = update->arena;
    struct hx_object *object = size_bytes <= UINT32_MAX - sizeof(*object)
                                   ? allocate(arena, sizeof(*object) + rounded(size_bytes))
                                   : NULL;
    struct arena_record *record =
        object != NULL ? record_create(update, object, RECORD_NEW, rounded(size_bytes)) : NULL;
    if (record == NULL) {
        release(arena, object);
        return NULL;
    }
    object->type = type;
    object->size_bytes = (uint32_t)size_bytes;
    atomic_store_explicit(&object->owner, update, memory_order_relaxed); // nobody sees it yet
    return record;
}

// It has found its place, or it goes.
static void *object_add(struct hx_update *update, struct arena_record *record, bool is_placed) {
    struct hx_object *object = record->object;
    if (!is_placed) {
        release(update->arena, record->is_apart ? record : NULL);
        release(update->arena, object);
        return NULL;
    }
    record_add(update, record);
    return object + 1;
}

void *arena_new(struct hx_update *update, uint32_t type, size_t size_bytes) {
    struct arena_record *record = object_create(update, type, size_bytes);
    return record != NULL ? object_add(update, record, place(update->arena, record->object)) : NULL;
}

// With chunks for all places below, which others may be making, too.
static bool place_at(struct arena *arena, struct hx_object *object, uint64_t number) {
    const uint32_t index = (uint32_t)number;
    if (index == 0 || index >= INDEX_LIMIT) {
        return false;
    }
    for (uint32_t at = used_of(arena) & ~(ARENA_SLOTS - 1); at <= index; at += ARENA_SLOTS) {
        if (chunk_of(arena, at) == NULL && !chunk_make(arena, at)) {
            return false;
        }
    }
    object->number = number;
    lock(arena);
    struct arena_slot *slot = slot_of(arena, index);
    const bool is_free = object_in(slot) == NULL;
    if (is_free) {
        arena->used = MAX_OF(arena->used, index + 1);
        slot->generation = (uint32_t)(number >> 32);
        put_locked(arena, slot, object);
    }
    unlock(arena);
    return is_free;
}

void *arena_new_apart(struct hx_update *update, uint32_t type, size_t size_bytes) {
    struct arena_record *record = object_create(update, type, size_bytes);
    if (record == NULL) {
        return NULL;
    }
    record->object->local = record;
    return record->object + 1;
}

bool arena_place_at(struct hx_update *update, void *bytes, uint64_t number) {
    struct hx_object *object = hx_object_of(bytes);
    struct arena_record *record = object->local;
    object->local = NULL;
    return object_add(update, record, place_at(update->arena, object, number)) != NULL;
}

static struct hx_update *owner_of(const struct hx_object *object) {
    // Relaxed: who is the owner knows it, and nobody else acts on the bytes because of it.
    return atomic_load_explicit(&object->owner, memory_order_relaxed);
}

// Whether nobody had the object, which is the caller's from now on.
static bool take(struct hx_object *object, struct hx_update *update) {
    struct hx_update *before = NULL;
    // Acquire: what the one before did to the bytes was done.
    return atomic_compare_exchange_strong_explicit(&object->owner, &before, update,
                                                   memory_order_acquire, memory_order_relaxed);
}

static void give_back(struct hx_object *object) {
    atomic_store_explicit(&object->owner, NULL, memory_order_release);
}

// From now on the update has the object, unless another one has. Who copies it has it only while he
// has the lock.
static bool own(struct hx_update *update, struct hx_object *object) {
    bool is_taken = owner_of(object) == update || take(object, update);
    if (!is_taken) {
        lock(update->arena);
        is_taken = take(object, update);
        unlock(update->arena);
    }
    return is_taken;
}

void *arena_change(struct hx_update *update, const void *bytes) {
    struct hx_object *object = hx_object_of(bytes);
    const size_t size = rounded(object->size_bytes);
    if (owner_of(object) == update) {
        return object + 1;
    }
    struct arena_record *record = record_create(update, object, RECORD_CHANGE, size);
    if (record == NULL || !own(update, object)) {
        release(update->arena, record != NULL && record->is_apart ? record : NULL);
        return NULL;
    }
    memcpy(record->old, object + 1, size);
    record_add(update, record);
    return object + 1;
}

static bool is_going(const struct hx_update *update, const struct hx_object *object) {
    const struct arena_record *record = owner_of(object) == update ? update->records : NULL;
    while (record != NULL && (record->object != object || record->what != RECORD_FREE)) {
        record = record->next;
    }
    return record != NULL;
}

bool arena_free(struct hx_update *update, const void *bytes) {
    struct hx_object *object = hx_object_of(bytes);
    if (is_going(update, object)) {
        return true;
    }
    struct arena_record *record = record_create(update, object, RECORD_FREE, 0);
    if (record == NULL || !own(update, object)) {
        release(update->arena, record != NULL && record->is_apart ? record : NULL);
        return false;
    }
    record_add(update, record);
    return true;
}

// With the lock: what was changed counts as dirty, what was freed has no place any more.
static void publish_locked(struct arena *arena, const struct arena_record *record) {
    for (; record != NULL; record = record->next) {
        if (record->what == RECORD_FREE) {
            displace_locked(arena, record->object);
        } else if (record->what == RECORD_CHANGE) {
            dirty_set_locked(arena, (uint32_t)record->object->number);
        }
        give_back(record->object);
    }
}

void arena_commit(struct hx_update *update) {
    struct arena *arena = update->arena;
    const struct arena_record *record = update->records;
    for (; record != NULL; record = record->next) { // nobody else looks at what is the update's
        if (record->what != RECORD_FREE) {
            record->object->checksum = checksum_of(record->object, record->bytes);
        }
    }
    lock(arena);
    publish_locked(arena, update->records);
    unlock(arena);
    for (record = update->records; record != NULL; record = record->next) {
        if (record->what == RECORD_FREE) {
            release(arena, record->object);
        }
    }
    records_free(update);
}

// What was done last was not. Its record, which goes on being the update's.
static void record_undo(struct arena *arena, const struct arena_record *record) {
    struct hx_object *object = record->object;
    if (record->what == RECORD_CHANGE) {
        memcpy(object + 1, record->old, record->bytes);
    }
    lock(arena);
    give_back(object);
    if (record->what == RECORD_NEW) {
        displace_locked(arena, object);
    }
    unlock(arena);
    release(arena, record->what == RECORD_NEW ? object : NULL);
}

void arena_roll_back(struct hx_update *update) {
    for (const struct arena_record *record = update->records; record != NULL;
         record = record->next) {
        record_undo(update->arena, record);
    }
    records_free(update);
}

static bool is_of(const struct arena_record *records, const struct hx_object *object) {
    while (records != NULL && records->object != object) {
        records = records->next;
    }
    return records != NULL;
}

// What goes is the update's, still, if that had made or changed it before.
void arena_undo(struct hx_update *update) {
    struct arena_record *record = update->records;
    if (record == NULL) {
        return;
    }
    struct hx_object *object = record->object;
    const bool stays = record->what == RECORD_FREE && is_of(record->next, object);
    update->records = record->next;
    if (!stays) {
        record_undo(update->arena, record);
    }
    if (record->is_apart) {
        release(update->arena, record);
    } else {
        update->used -= record_size(record->what, record->bytes);
    }
}

enum hx_status arena_fill(struct hx_update *update,
                          enum hx_status (*fill)(const struct hx_object *object, void *bytes)) {
    enum hx_status status = HX_OK;
    const struct arena_record *record = update->records;
    for (; record != NULL && status == HX_OK; record = record->next) {
        if (record->what != RECORD_FREE) {
            status = fill(record->object, record->object + 1);
        }
    }
    return status;
}

// Checking
// ------------------------------------------------------------------------------------------------

static bool is_right(const struct arena_slot *slot, const struct hx_object *object,
                     uint32_t index) {
    return object->number == ((uint64_t)slot->generation << 32 | index) &&
           object->size_bytes == slot->extra &&
           checksum_of(object, rounded(slot->extra)) == object->checksum;
}

void arena_settle(struct arena *arena) {
    while (!list_is_empty(&arena->updates)) {
        arena_update_destroy(LIST_ENTRY(arena->updates.next, struct hx_update, link));
    }
}

enum hx_status arena_recover(struct arena *arena, uint64_t *out_number) {
    enum hx_status status = HX_OK;
    for (uint32_t index = 1; index < arena->used; index++) {
        const struct arena_slot *slot = slot_of(arena, index);
        struct hx_object *object = object_in(slot);
        if (object != NULL && is_right(slot, object, index)) {
            object->local = NULL;
        } else if (object != NULL) {
            *out_number = index;
            status = HX_ERR_CORRUPT;
        }
    }
    return status;
}

enum hx_status arena_check(struct arena *arena, uint64_t *out_number) {
    const uint32_t used = used_of(arena);
    for (uint32_t index = 1; index < used; index++) {
        lock(arena);
        const struct arena_slot *slot = slot_of(arena, index);
        struct hx_object *object = object_in(slot);
        const bool is_ours = object != NULL && take(object, COPIER);
        const bool is_bad = is_ours && !is_right(slot, object, index);
        if (is_ours) {
            give_back(object);
        }
        unlock(arena);
        if (is_bad) {
            *out_number = index;
            return HX_ERR_CORRUPT;
        }
    }
    return HX_OK;
}

// Copies
// ------------------------------------------------------------------------------------------------

void arena_sync_begin(struct arena *from) {
    lock(from);
    for (uint32_t index = 0; index < from->used; index += ARENA_SLOTS) {
        struct arena_chunk *chunk = chunk_of(from, index);
        if (chunk != NULL) { // the first one may be missing
            memset(chunk->dirty, 0xff, sizeof(chunk->dirty));
        }
    }
    unlock(from);
}

// How one slot is copied: 0 or more attempts, since the object may change while memory is found.
struct copy {
    struct arena *from, *to;
    uint32_t index;
    struct hx_object *fresh; // NULL: none was needed so far
    size_t fresh_bytes;
};

// In the copy, which nobody uses: `object` in place of what is there.
static void replace(const struct copy *it, struct hx_object *object) {
    struct arena_slot *slot = slot_of(it->to, it->index);
    struct hx_object *old = object_in(slot);
    it->to->objects -= old != NULL;
    it->to->bytes -= old != NULL ? old->size_bytes : 0;
    it->to->objects += object != NULL;
    it->to->bytes += object != NULL ? object->size_bytes : 0;
    object_put(slot, object);
}

// Whether the copy has room for an object of that size at this place.
static struct hx_object *room_for(const struct copy *it, const struct hx_object *object) {
    struct hx_object *there = object_in(slot_of(it->to, it->index));
    if (it->fresh != NULL) {
        return it->fresh_bytes == object->size_bytes ? it->fresh : NULL;
    }
    return there != NULL && there->size_bytes == object->size_bytes ? there : NULL;
}

// With the lock of `from`, and the object. HX_ERR_WOULD_BLOCK: it needs an
// object of `*out_bytes` first.
static enum hx_status copy_locked(struct copy *it, size_t *out_bytes, struct hx_object **out_old) {
    struct arena_slot *from = slot_of(it->from, it->index);
    struct arena_slot *to = slot_of(it->to, it->index);
    struct hx_object *object = object_in(from);
    const uint32_t bit = it->index & (ARENA_SLOTS - 1);
    struct hx_object *room = NULL;
    if (object != NULL) {
        if (!is_right(from, object, it->index)) {
            return HX_ERR_CORRUPT;
        }
        room = room_for(it, object);
        if (room == NULL) {
            *out_bytes = object->size_bytes;
            return HX_ERR_WOULD_BLOCK;
        }
        memcpy(room, object, sizeof(*object) + rounded(object->size_bytes));
        room->local = NULL;
        give_back(room);
    }
    if (object_in(to) != room) {
        *out_old = object_in(to);
        replace(it, room);
        it->fresh = room == it->fresh ? NULL : it->fresh;
    }
    to->generation = from->generation;
    to->extra = from->extra;
    chunk_of(it->from, it->index)->dirty[bit / 64] &= ~(UINT64_C(1) << (bit % 64));
    return HX_OK;
}

static enum hx_status slot_sync(struct arena *from, struct arena *to, uint32_t index) {
    struct copy it = { .from = from, .to = to, .index = index };
    struct hx_object *old = NULL;
    size_t bytes = 0;
    enum hx_status status;
    for (;;) {
        lock(from);
        struct hx_object *object = object_in(slot_of(from, index));
        status = HX_OK; // what an update has is dirty when that ends
        if (object == NULL) {
            status = copy_locked(&it, &bytes, &old);
        } else if (take(object, COPIER)) {
            status = copy_locked(&it, &bytes, &old);
            give_back(object);
        }
        unlock(from);
        if (status != HX_ERR_WOULD_BLOCK) {
            break;
        }
        release(to, it.fresh);
        it.fresh_bytes = bytes;
        it.fresh = allocate(to, sizeof(struct hx_object) + rounded(bytes));
        if (it.fresh == NULL) {
            return HX_ERR_NO_MEMORY;
        }
    }
    release(to, it.fresh);
    release(to, old);
    return status;
}

// Of 64 slots from `index` on, those that are dirty.
static enum hx_status slots_sync(struct arena *from, struct arena *to, uint32_t index,
                                 uint64_t dirty, uint64_t *out_number) {
    for (; dirty != 0; dirty &= dirty - 1) {
        const uint32_t at = index + (uint32_t)__builtin_ctzll(dirty);
        enum hx_status status = at != 0 ? slot_sync(from, to, at) : HX_OK;
        if (status != HX_OK) {
            *out_number = at;
            return status;
        }
    }
    return HX_OK;
}

static enum hx_status chunk_sync(struct arena *from, struct arena *to, uint32_t index,
                                 uint64_t *out_number) {
    const struct arena_chunk *chunk = chunk_of(from, index);
    uint64_t dirty[ARENA_DIRTY];
    if (chunk == NULL) { // the first one may be missing
        return HX_OK;
    }
    enum hx_status status = chunk_make(to, index) ? HX_OK : HX_ERR_NO_MEMORY;
    lock(from);
    memcpy(dirty, chunk->dirty, sizeof(dirty));
    unlock(from);
    for (uint32_t i = 0; i < ARENA_DIRTY && status == HX_OK; i++) {
        status = slots_sync(from, to, index + i * 64, dirty[i], out_number);
    }
    return status;
}

enum hx_status arena_sync(struct arena *from, struct arena *to, uint64_t *out_number) {
    const uint32_t used = used_of(from);
    enum hx_status status = HX_OK;
    for (uint32_t index = 0; index < used && status == HX_OK; index += ARENA_SLOTS) {
        status = chunk_sync(from, to, index, out_number);
    }
    if (status != HX_OK) {
        return status;
    }
    lock(from);
    to->used = from->used;
    to->free = from->free;
    unlock(from);
    return HX_OK;
}
