// SPDX-License-Identifier: MIT OR Apache-2.0
// BY: explore
// handles.c: a handle that was closed never names anything again, whoever looks it up at that
// moment, closes it too, or gets its place. subsys/execution/handles.c and core/object.c on three
// processors; the third one ends grace periods as epoch.c proves that they end.
#include "explore.h"

#include "machine.h"

#include "flat.h"

#include "../../core/lock_spin.c"
#include "../../subsys/execution/handles.c"

#define PLACES 32u // of the first block, and here there is no other
#define MINE   5u  // the one that it is about

const uint32_t explore_marks = 5;

static struct place places[PLACES];
static struct handle_table table_memory;
static struct process process;
static struct account account;
static struct capability first, second, filler;
static struct object first_object, second_object, filler_object;
static handle_t handle; // what names `first`
static volatile bool first_is_gone;
static bool is_last_generation;
static _Atomic uint32_t decided;
static _Atomic uint32_t closed; // how many closed it
static _Atomic(struct epoch_item *) retired;

// What handles.c calls ----------------------------------------------------------------------------

void *heap_alloc_zero(size_t size_bytes, enum memory_mode mode) {
    static bool has_table, has_block;
    (void)mode;
    if (!has_table && size_bytes == sizeof(table_memory)) {
        has_table = true;
        return &table_memory;
    }
    if (!has_block && size_bytes == sizeof(places)) {
        has_block = true;
        return places;
    }
    return NULL;
}

void heap_free(void *memory) {
    (void)memory;
    PROVE(!"the table stays");
}

void *kernel_map_alloc(size_t size_bytes) {
    (void)size_bytes;
    return NULL;
}

void kernel_map_free(void *memory, size_t size_bytes) {
    (void)size_bytes;
    heap_free(memory);
}

enum hx_status account_charge(struct account *charged, enum account_item item, int64_t amount) {
    atomic_fetch_add_explicit(&charged->used[item], amount, memory_order_relaxed);
    return HX_OK;
}

void account_release(struct account *charged, enum account_item item, int64_t amount) {
    atomic_fetch_sub_explicit(&charged->used[item], amount, memory_order_relaxed);
}

void epoch_retire(struct epoch_item *item, void (*reclaim)(struct epoch_item *item)) {
    item->reclaim = reclaim;
    PROVE(retired == NULL); // here is only one to be closed
    (void)atomic_exchange_explicit(&retired, item, memory_order_seq_cst);
}

enum hx_status capability_refusal(const struct capability *capability) {
    (void)capability;
    return HX_ERR_ACCESS_DENIED;
}

void timer_interrupt(void) {}

void irq_interrupt(uint32_t line) {
    (void)line;
}

// The proof ---------------------------------------------------------------------------------------

static void first_destroy(struct object *object) {
    PROVE(object == &first_object && !first_is_gone);
    first_is_gone = true;
}

// Each that was in an epoch has been seen outside since, as by an interrupt there.
static void worker_run(void *argument) {
    (void)argument;
    struct epoch_item *item;
    while ((item = atomic_load_explicit(&retired, memory_order_seq_cst)) == NULL) {
        hal_relax();
    }
    for (uint32_t i = 0; i < 2; i++) {
        while ((*(volatile uint32_t *)&threads[i].preempt_off & PREEMPT_EPOCHS) != 0) {
            hal_relax();
        }
    }
    item->reclaim(item);
}

static void look_up(void) {
    struct capability *found;
    if (handle_find(&process, handle, &found) == HX_OK) {
        PROVE(found == &first);
        explore_point("has a reference");
        PROVE(!first_is_gone);
        REACHED(0);
        capability_put(found);
    } else {
        PROVE(places[MINE].generation != handle >> HANDLE_INDEX_BITS);
        REACHED(1);
    }
}

static void close(void) {
    if (handle_close(&process, handle) == HX_OK) {
        atomic_fetch_add_explicit(&closed, 1, memory_order_seq_cst);
    } else {
        REACHED(2);
    }
}

// Closes it and gets its place as soon as that is free, if it ever is.
static void closer_run(void *argument) {
    (void)argument;
    handle_t other;
    close();
    while (handle_add(&process, &second, &other) != HX_OK) {
        hal_relax();
    }
    PROVE(other != handle && ((other ^ handle) & INDEX_MASK) == 0);
    look_up();
    close();
    REACHED(3);
}

static void finder_run(void *argument) {
    (void)argument;
    while (atomic_load_explicit(&decided, memory_order_seq_cst) == 0) {
        hal_relax();
    }
    look_up();
    if (explore_choose(2) == 0) {
        close();
    }
    look_up();
}

static void last_run(void *argument) {
    (void)argument;
    handle_t other;
    close();
    while (!first_is_gone) {
        hal_relax();
    }
    explore_point("its grace period is over");
    PROVE(handle_add(&process, &second, &other) == HX_ERR_NO_MEMORY);
    REACHED(4);
}

// The handle may be the last one of its place.
static void any_closer_run(void *argument) {
    is_last_generation = explore_choose(2) != 0;
    if (is_last_generation) {
        places[MINE].generation = GENERATION_MAX;
        handle = GENERATION_MAX << HANDLE_INDEX_BITS | MINE;
    }
    (void)atomic_exchange_explicit(&decided, 1, memory_order_seq_cst);
    (is_last_generation ? last_run : closer_run)(argument);
}

void explore_setup(void) {
    static const struct object_type first_type = { .kind = OBJECT_EVENT, .destroy = first_destroy };
    static const struct object_type other_type = { .kind = OBJECT_EVENT };
    flat_processor(any_closer_run);
    flat_processor(finder_run);
    flat_processor(worker_run);
    object_init(&account.object, &other_type);
    object_init(&first_object, &first_type);
    object_init(&second_object, &other_type);
    object_init(&filler_object, &other_type);
    first = (struct capability){ .object = &first_object, .counted = &first_object };
    second = (struct capability){ .object = &second_object, .counted = &second_object };
    filler = (struct capability){ .object = &filler_object, .counted = &filler_object };
    process.account = &account;
    for (uint32_t i = 0; i < PLACES; i++) {
        handle_t unused;
        PROVE(handle_add(&process, i == MINE ? &first : &filler, i == MINE ? &handle : &unused) ==
              HX_OK);
    }
}

bool explore_final(void) {
    return explore_rests(0) && explore_rests(1) && explore_rests(2) && closed == 1 &&
           first_is_gone && table_memory.object.references == 1 && table_memory.lock.owner == 0;
}
