// SPDX-License-Identifier: MIT OR Apache-2.0
// BY: cbmc --unwind 34 --object-bits 10
// handles_values.c: of subsys/execution/handles.c: each of the 65,536 numbers of a table has a
// place of its own; whatever 32 bits a program calls a handle name at most the place whose
// generation they have; and a place that was closed, in any of its generations, is never named by
// the same handle again. What several processors make of it together is handles.c's.
#include "values.h"

#include "../../subsys/execution/handles.c"

#define PLACES 32u // of the first block, and here there is no other

static struct place places[PLACES];
static struct handle_table table;
static struct process process;
static struct thread thread;
static struct capability named;
static struct object counted;
static struct epoch_item *retired;
static uint32_t put; // references that were given back

// What handles.c calls ----------------------------------------------------------------------------

void *explore_current(void) {
    return &thread;
}

void preempt_slow(void) {}

void spin_lock(struct spinlock *lock) {
    (void)lock;
}

void spin_unlock(struct spinlock *lock) {
    (void)lock;
}

struct object *object_get(struct object *object) {
    return object;
}

void object_put(struct object *object) {
    put += object == &counted;
}

void account_release(struct account *account, enum account_item item, int64_t amount) {
    (void)account;
    PROVE(item == ACCOUNT_HANDLES && amount == 1);
}

void epoch_retire(struct epoch_item *item, void (*reclaim)(struct epoch_item *item)) {
    PROVE(retired == NULL && reclaim == place_reclaim);
    retired = item;
}

// The proof ---------------------------------------------------------------------------------------

static void prove_places(void) {
    const uint32_t index = any_below(HANDLES_MAX);
    const uint32_t block = block_of(index);
    PROVE(block < BLOCKS);
    PROVE(block_start(block) <= index && index - block_start(block) < block_places(block));
    PROVE(block_start(block) + block_places(block) ==
          (block + 1 == BLOCKS ? HANDLES_MAX : block_start(block + 1)));
    if (index == HANDLES_MAX - 1) {
        REACHED(0);
    }
}

// A table with a block, of which one place is in any state that the rules allow.
static struct place *any_place(uint32_t index) {
    for (uint32_t i = 0; i < PLACES; i++) {
        places[i].generation = 1;
        places[i].index = i;
    }
    table.blocks[0] = places;
    table.block_count = 1;
    table.first_free = NO_PLACE;
    process.handles = &table;
    named.counted = &counted;
    places[index].generation = 1 + any_below(GENERATION_MAX);
    return &places[index];
}

// Any handle at all, against a place that names something.
static void prove_look(uint32_t index) {
    struct place *place = any_place(index);
    const handle_t handle = nondet_u32();
    __CPROVER_assume((handle & INDEX_MASK) == place->index || (handle & INDEX_MASK) >= PLACES);
    place->capability = nondet_bool() ? &named : NULL;
    const struct capability *found = look(&process, handle);
    PROVE(found ==
          ((handle & INDEX_MASK) == place->index && handle >> HANDLE_INDEX_BITS == place->generation
               ? place->capability
               : NULL));
    PROVE(handle != HANDLE_NONE || found == NULL);
    if (found != NULL) {
        REACHED(1);
    }
}

// What was closed names nothing, and does not do so when its place is used again; if it is.
static void prove_close(uint32_t index) {
    struct place *place = any_place(index);
    struct capability *next = &named;
    uint32_t block;
    place->capability = &named;
    const uint32_t generation = place->generation;
    const handle_t handle = generation << HANDLE_INDEX_BITS | place->index;
    PROVE(look(&process, handle) == &named);
    const uint32_t other = nondet_u32();
    __CPROVER_assume(other != generation);
    PROVE(!close_place(&table, place, other)); // not by an older one, nor by a guess
    PROVE(close_place(&table, place, generation) && !close_place(&table, place, generation));
    PROVE(look(&process, handle) == NULL && put == 0);
    place_reclaim(retired);
    PROVE(put == 1); // the reference goes, once
    const handle_t again = use_place(&table, next, &block);
    PROVE((again == HANDLE_NONE) == (generation == GENERATION_MAX));
    PROVE(look(&process, handle) == NULL);
    if (again != HANDLE_NONE) {
        PROVE(again != handle && (again & INDEX_MASK) == place->index &&
              look(&process, again) == next);
        REACHED(2);
    } else {
        PROVE(block == 1); // a place has to be added
        REACHED(3);
    }
}

int main(void) {
    switch (any_below(4)) {
    case 0:
        prove_places();
        break;
    case 1:
        prove_look(0);
        break;
    case 2:
        prove_look(PLACES - 1);
        break;
    default:
        prove_close(PLACES - 1);
    }
    return 0;
}
