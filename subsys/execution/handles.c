// SPDX-License-Identifier: MIT OR Apache-2.0
// subsys/execution/handles.c: tables of handles.
//
// A place is found by its index without a lock: blocks of places are added and never moved, each
// twice as large as the one before. Closing empties the place and retires it; after the grace
// period nobody looks at what it named any more, and then the reference goes and the place is free.
#include <execution/handles.h>
#include <memory/account.h>
#include <memory/heap.h>
#include <memory/tally.h>

#define BLOCK_FIRST_BITS 5u // places of the first block
#define BLOCKS           (HANDLE_INDEX_BITS - BLOCK_FIRST_BITS + 1)
#define GENERATION_MAX   ((1u << (32 - HANDLE_INDEX_BITS)) - 1)
#define MAPPED_BYTES     32768u // from this size on, blocks are mapped memory
#define INDEX_MASK       (HANDLES_MAX - 1)
#define NO_PLACE         UINT32_MAX

struct place {
    _Atomic(struct capability *) capability; // keeps; NULL: free, or on its way there
    _Atomic uint32_t generation;             // of the handle that names it now, or would next
    uint32_t index;                          // its own
    uint32_t next_free;                      // [lock] index
    struct capability *closing;              // keeps, until the grace period is over
    struct handle_table *table;              // keeps while closing
    struct epoch_item retired;
};

struct handle_table {
    struct object object;
    struct spinlock lock;
    struct account *account;                // keeps
    uint32_t first_free, last_free;         // [lock] first in, first out: generations last longer
    uint32_t block_count;                   // [lock]
    _Atomic(struct place *) blocks[BLOCKS]; // [lock for writing] never replaced
    struct epoch_item retired;
};

static const struct lock_class table_class = { "handles", LOCK_RANK_FUTEX + 1, false };

// Block 0 has places 0 … 31, block k > 0 has 32 * 2^(k - 1) of them, from that number on.
static uint32_t block_of(uint32_t index) {
    const uint32_t bits = index >> BLOCK_FIRST_BITS;
    return bits == 0 ? 0 : 32 - (uint32_t)__builtin_clz(bits);
}

static uint32_t block_start(uint32_t block) {
    return block == 0 ? 0 : 1u << (BLOCK_FIRST_BITS + block - 1);
}

static uint32_t block_places(uint32_t block) {
    return 1u << (block == 0 ? BLOCK_FIRST_BITS : BLOCK_FIRST_BITS + block - 1);
}

static size_t block_bytes(uint32_t block) {
    return block_places(block) * sizeof(struct place);
}

static struct place *block_alloc(uint32_t block) {
    const size_t size = block_bytes(block);
    return size < MAPPED_BYTES ? heap_alloc_zero(size, MEMORY_SLEEP) : kernel_map_alloc(size);
}

static void block_free(struct place *places, uint32_t block) {
    if (block_bytes(block) < MAPPED_BYTES) {
        heap_free(places);
    } else {
        kernel_map_free(places, block_bytes(block));
    }
}

static __attribute__((cold, noinline)) struct place *place_far(struct handle_table *table,
                                                               uint32_t index) {
    const uint32_t block = block_of(index);
    struct place *places = atomic_load_explicit(&table->blocks[block], memory_order_acquire);
    return places != NULL ? &places[index - block_start(block)] : NULL;
}

// NULL: the table has no such place. Most handles are in the first block, and to find another one
// takes as long as all the rest of a look-up.
static struct place *place_at(struct handle_table *table, uint32_t index) {
    if (index >= block_places(0)) {
        return place_far(table, index);
    }
    struct place *places = atomic_load_explicit(&table->blocks[0], memory_order_acquire);
    return places != NULL ? &places[index] : NULL;
}

// After a grace period: who makes a tally may just have found it.
static void table_reclaim(struct epoch_item *item) {
    struct handle_table *table = CONTAINER_OF(item, struct handle_table, retired);
    for (uint32_t block = 0; block < table->block_count; block++) {
        block_free(atomic_load_explicit(&table->blocks[block], memory_order_relaxed), block);
    }
    object_put(&table->account->object);
    heap_free(table);
}

static void table_destroy(struct object *object) {
    epoch_retire(&CONTAINER_OF(object, struct handle_table, object)->retired, table_reclaim);
}

static const struct object_type table_type = { .kind = OBJECT_TABLE,
                                               .name = "handle table",
                                               .destroy = table_destroy };

static struct handle_table *table_create(struct account *account) {
    struct handle_table *table = heap_alloc_zero(sizeof(*table), MEMORY_SLEEP);
    if (table != NULL) {
        object_init(&table->object, &table_type);
        spinlock_init(&table->lock, &table_class);
        object_get(&account->object);
        table->account = account;
        table->first_free = NO_PLACE;
    }
    return table;
}

// The process's table; made if there is none. NULL: no memory.
static struct handle_table *table_of(struct process *process) {
    struct handle_table *table = atomic_load_explicit(&process->handles, memory_order_acquire);
    if (table != NULL) {
        return table;
    }
    struct handle_table *fresh = table_create(process->account);
    // Release: who finds it sees it initialised.
    if (fresh == NULL ||
        atomic_compare_exchange_strong_explicit(&process->handles, &table, fresh,
                                                memory_order_acq_rel, memory_order_acquire)) {
        return fresh;
    }
    object_put(&fresh->object); // another thread was faster
    return table;
}

static void free_place_locked(struct handle_table *table, struct place *place)
    REQUIRES(table -> lock) {
    place->next_free = NO_PLACE;
    if (table->first_free == NO_PLACE) {
        table->first_free = place->index;
    } else {
        place_at(table, table->last_free)->next_free = place->index;
    }
    table->last_free = place->index;
}

static void add_block_locked(struct handle_table *table, struct place *places)
    REQUIRES(table -> lock) {
    const uint32_t block = table->block_count++;
    atomic_store_explicit(&table->blocks[block], places, memory_order_release);
    for (uint32_t i = 0; i < block_places(block); i++) {
        atomic_init(&places[i].generation, 1);
        places[i].index = block_start(block) + i;
        free_place_locked(table, &places[i]);
    }
}

static enum hx_status table_grow(struct handle_table *table, uint32_t block) {
    if (block == BLOCKS) {
        return HX_ERR_TABLE_FULL;
    }
    struct place *places = block_alloc(block);
    if (places == NULL) {
        return HX_ERR_NO_MEMORY;
    }
    spin_lock(&table->lock);
    const bool mine = table->block_count == block;
    if (mine) {
        add_block_locked(table, places);
    }
    spin_unlock(&table->lock);
    if (!mine) {
        block_free(places, block);
    }
    return HX_OK;
}

// Puts the capability into a free place; HANDLE_NONE: there is none, *out_block is the block to
// add.
static handle_t use_place(struct handle_table *table, struct capability *capability,
                          uint32_t *out_block) {
    handle_t handle = HANDLE_NONE;
    spin_lock(&table->lock);
    *out_block = table->block_count;
    if (table->first_free != NO_PLACE) {
        struct place *place = place_at(table, table->first_free);
        table->first_free = place->next_free;
        handle = atomic_load_explicit(&place->generation, memory_order_relaxed)
                     << HANDLE_INDEX_BITS |
                 place->index;
        // Release: who finds it sees all of it.
        atomic_store_explicit(&place->capability, capability, memory_order_release);
    }
    spin_unlock(&table->lock);
    return handle;
}

enum hx_status handle_add(struct process *process, struct capability *capability,
                          handle_t *out_handle) {
    struct handle_table *table = table_of(process);
    if (table == NULL) {
        return HX_ERR_NO_MEMORY;
    }
    enum hx_status status = account_charge(table->account, ACCOUNT_HANDLES, 1);
    if (status != HX_OK) {
        return status;
    }
    uint32_t block;
    handle_t handle;
    while ((handle = use_place(table, capability, &block)) == HANDLE_NONE) {
        status = table_grow(table, block);
        if (status != HX_OK) {
            account_release(table->account, ACCOUNT_HANDLES, 1);
            return status;
        }
    }
    *out_handle = handle;
    return HX_OK;
}

// The place that `handle` names or named; NULL: none.
static struct place *place_find(struct process *process, handle_t handle) {
    struct handle_table *table = atomic_load_explicit(&process->handles, memory_order_acquire);
    struct place *place = table != NULL ? place_at(table, handle & INDEX_MASK) : NULL;
    return place != NULL && atomic_load_explicit(&place->generation, memory_order_relaxed) ==
                                handle >> HANDLE_INDEX_BITS
               ? place
               : NULL;
}

// In an epoch: the place is not reused, and what it names keeps its reference.
static struct capability *look(struct process *process, handle_t handle) {
    struct place *place = place_find(process, handle);
    return place != NULL ? atomic_load_explicit(&place->capability, memory_order_acquire) : NULL;
}

enum hx_status handle_find(struct process *process, handle_t handle,
                           struct capability **out_capability) {
    epoch_enter();
    struct capability *capability = look(process, handle);
    if (capability != NULL) {
        *out_capability = capability_get(capability);
    }
    epoch_leave();
    return capability != NULL ? HX_OK : HX_ERR_BAD_HANDLE;
}

enum hx_status handle_look(struct process *process, handle_t handle, enum object_kind kind,
                           rights_t need, struct capability **out_capability) {
    struct capability *capability = look(process, handle);
    if (capability == NULL || capability->object->type->kind != kind) {
        return HX_ERR_BAD_HANDLE;
    }
    if (!capability_allows(capability, need)) {
        return capability_refusal(capability);
    }
    *out_capability = capability;
    return HX_OK;
}

// After the grace period. A place whose generations are used up is not free again.
static void place_reclaim(struct epoch_item *item) {
    struct place *place = CONTAINER_OF(item, struct place, retired);
    struct handle_table *table = place->table;
    capability_put(place->closing);
    spin_lock(&table->lock);
    if (atomic_load_explicit(&place->generation, memory_order_relaxed) <= GENERATION_MAX) {
        free_place_locked(table, place);
    }
    spin_unlock(&table->lock);
    object_put(&table->object);
}

// False: somebody else has closed it.
static bool close_place(struct handle_table *table, struct place *place, uint32_t generation) {
    spin_lock(&table->lock);
    struct capability *capability = atomic_load_explicit(&place->capability, memory_order_relaxed);
    const bool mine = capability != NULL &&
                      atomic_load_explicit(&place->generation, memory_order_relaxed) == generation;
    if (mine) {
        place->closing = capability;
        place->table = table;
        atomic_store_explicit(&place->generation, generation + 1, memory_order_relaxed);
        atomic_store_explicit(&place->capability, NULL, memory_order_relaxed);
    }
    spin_unlock(&table->lock);
    if (mine) {
        object_get(&table->object);
        account_release(table->account, ACCOUNT_HANDLES, 1);
        epoch_retire(&place->retired, place_reclaim);
    }
    return mine;
}

enum hx_status handle_close(struct process *process, handle_t handle) {
    struct place *place = place_find(process, handle);
    return place != NULL &&
                   close_place(atomic_load_explicit(&process->handles, memory_order_relaxed), place,
                               handle >> HANDLE_INDEX_BITS)
               ? HX_OK
               : HX_ERR_BAD_HANDLE;
}

void handles_close_all(struct process *process) {
    struct handle_table *table =
        atomic_exchange_explicit(&process->handles, NULL, memory_order_acq_rel);
    if (table == NULL) {
        return;
    }
    for (uint32_t index = 0; index < block_start(table->block_count); index++) {
        struct place *place = place_at(table, index);
        (void)close_place(table, place,
                          atomic_load_explicit(&place->generation, memory_order_relaxed));
    }
    object_put(&table->object);
}

// Puts a capability, or nothing, in the place of one that a process keeps beside its table. The
// lock is for who makes a tally: the others are the process itself.
static struct capability *replace(struct process *process, _Atomic(struct capability *) *kept,
                                  struct capability *capability) {
    if (capability == NULL && atomic_load_explicit(kept, memory_order_relaxed) == NULL) {
        return NULL;
    }
    const unsigned long irq = spin_lock_irq(&process->thread_lock);
    struct capability *before = atomic_exchange_explicit(kept, capability, memory_order_acq_rel);
    spin_unlock_irq(&process->thread_lock, irq);
    return before;
}

static void forget(struct capability *capability) {
    if (capability != NULL) {
        capability_put(capability);
    }
}

bool handles_end(struct process *process) {
    const bool any = atomic_load_explicit(&process->handles, memory_order_relaxed) != NULL;
    handles_close_all(process);
    forget(replace(process, &process->bequest, NULL));
    forget(replace(process, &process->given, NULL));
    return any;
}

void process_bequeath(struct process *process, struct capability *capability) {
    forget(replace(process, &process->bequest, capability));
}

void handles_inherit(struct process *child, struct process *parent) {
    atomic_store_explicit(&child->given, replace(parent, &parent->bequest, NULL),
                          memory_order_release);
}

void handles_give(struct process *child, struct capability *capability) {
    atomic_store_explicit(&child->given, capability, memory_order_release);
}

enum hx_status handle_take_given(struct process *process, handle_t *out_handle) {
    struct capability *given = replace(process, &process->given, NULL);
    if (given == NULL) {
        return HX_ERR_NOT_FOUND;
    }
    enum hx_status status = handle_add(process, given, out_handle);
    if (status != HX_OK) { // nobody else writes there while the process runs
        atomic_store_explicit(&process->given, given, memory_order_release);
    }
    return status;
}

enum hx_status handle_enter(struct process *process, handle_t handle, enum object_kind kind,
                            rights_t need, struct capability **out_capability) {
    struct capability *capability = NULL;
    epoch_enter();
    enum hx_status status = handle_look(process, handle, kind, need, &capability);
    if (status == HX_OK) {
        capability_get(capability);
    }
    epoch_leave();
    if (status != HX_OK) {
        return status;
    }
    status = capability_enter_allowed(capability, need);
    if (status != HX_OK) {
        capability_put(capability);
        return status;
    }
    *out_capability = capability;
    return HX_OK;
}

void handle_leave(struct capability *capability) {
    capability_leave(capability);
    capability_put(capability);
}

// ---- what a process keeps

static struct handle_table *table_get(struct process *process) {
    epoch_enter();
    struct handle_table *table = atomic_load_explicit(&process->handles, memory_order_acquire);
    const bool lives = table != NULL && object_try_get(&table->object);
    epoch_leave();
    return lives ? table : NULL;
}

// What a place names, with a reference, or NULL.
static struct capability *place_get(const struct place *place) {
    epoch_enter(); // as in handle_find()
    struct capability *capability = atomic_load_explicit(&place->capability, memory_order_acquire);
    if (capability != NULL) {
        capability_get(capability);
    }
    epoch_leave();
    return capability;
}

static struct capability *kept_get(struct process *process, _Atomic(struct capability *) *kept) {
    const unsigned long irq = spin_lock_irq(&process->thread_lock);
    struct capability *capability = atomic_load_explicit(kept, memory_order_acquire);
    if (capability != NULL) {
        capability_get(capability);
    }
    spin_unlock_irq(&process->thread_lock, irq);
    return capability;
}

static void add(struct tally *tally, struct capability *capability) {
    if (capability != NULL) {
        tally_object(tally, capability->object);
        capability_put(capability);
    }
}

void handles_tally(struct process *process, struct tally *tally) {
    struct handle_table *table = table_get(process);
    const struct place *place;
    if (table != NULL) {
        for (uint32_t index = 0; index < HANDLES_MAX && (place = place_at(table, index)) != NULL;
             index++) {
            add(tally, place_get(place));
        }
        object_put(&table->object);
    }
    add(tally, kept_get(process, &process->given));
    add(tally, kept_get(process, &process->bequest));
}
