// SPDX-License-Identifier: MIT OR Apache-2.0
// BY: explore
// accounts.c: charging, refusing and releasing around a reservation and a limit, by two processors
// at once, leave the accounts as they were. subsys/memory/src/account.c on two processors; a third
// one charges the account above.
#include "explore.h"

#include "machine.h"

#include "flat.h"

#include "../../core/lock_spin.c"
#include "../../subsys/memory/src/account.c"

#define RESERVED 2
#define LIMIT    3 // of the one above: whoever is alone may have one beyond the reservation
#define ROUNDS   2u

const uint32_t explore_marks = 4;

static struct account above, below;

// What account.c calls elsewhere ------------------------------------------------------------------

struct heap_cache *heap_cache_create(const char *name, size_t size_bytes, size_t align) {
    (void)name, (void)size_bytes, (void)align;
    return NULL;
}

void *heap_cache_alloc(struct heap_cache *cache, enum memory_mode mode) {
    (void)cache, (void)mode;
    return NULL;
}

void heap_cache_free(struct heap_cache *cache, void *memory) {
    (void)cache, (void)memory;
}

struct aspace *aspace_current(void) {
    return NULL;
}

void capability_init_root(struct capability *root, struct object *object, rights_t rights) {
    (void)root, (void)object, (void)rights;
}

void timer_interrupt(void) {}

void irq_interrupt(uint32_t line) {
    (void)line;
}

// The proof ---------------------------------------------------------------------------------------

static void below_run(void *argument) {
    (void)argument;
    for (uint32_t round = 0; round < ROUNDS; round++) {
        const int64_t amount = 1 + explore_choose(LIMIT);
        if (account_charge(&below, ACCOUNT_HANDLES, amount) == HX_OK) {
            REACHED(0);
            account_release(&below, ACCOUNT_HANDLES, amount);
        } else {
            REACHED(1);
        }
    }
}

static void above_run(void *argument) {
    (void)argument;
    if (account_charge(&above, ACCOUNT_HANDLES, 1) == HX_OK) {
        REACHED(2);
        account_release(&above, ACCOUNT_HANDLES, 1);
    } else {
        REACHED(3);
    }
}

void explore_setup(void) {
    flat_processor(below_run);
    flat_processor(below_run);
    flat_processor(above_run);
    above.limit[ACCOUNT_HANDLES] = LIMIT;
    above.used[ACCOUNT_HANDLES] = RESERVED;
    below.limit[ACCOUNT_HANDLES] = INT64_MAX;
    below.above[ACCOUNT_HANDLES] = &above;
    below.reserved[ACCOUNT_HANDLES] = RESERVED;
}

bool explore_final(void) {
    return explore_rests(0) && explore_rests(1) && explore_rests(2) &&
           below.used[ACCOUNT_HANDLES] == 0 && above.used[ACCOUNT_HANDLES] == RESERVED;
}
