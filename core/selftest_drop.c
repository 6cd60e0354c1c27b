// SPDX-License-Identifier: MIT OR Apache-2.0
// core/selftest_drop.c: freeing chains: each thread its own, without recursion, in pieces.
#include "selftest.h"

#include <core/drop.h>
#include <core/wait.h>

#define CHAIN (3 * DROPS_MAX)

struct link {
    struct epoch_item item;
    struct link *inside; // what goes with it
};

static struct link chain[CHAIN], slow, quick;
static struct waitable freed, go_on;
static _Atomic uint32_t freed_elsewhere;
static struct thread *dropping;             // who drops the chain
static uint32_t freed_here, depth, deepest; // its own: how many, and how many on its stack
static bool quick_is_freed, was_at_once;

static void link_free(struct epoch_item *item) {
    const struct link *link = CONTAINER_OF(item, struct link, item);
    if (thread_current() == dropping) {
        depth++;
        deepest = MAX_OF(deepest, depth);
        freed_here++;
    } else {
        atomic_fetch_add_explicit(&freed_elsewhere, 1, memory_order_relaxed);
    }
    if (link->inside != NULL) {
        drop(&link->inside->item, link_free);
    }
    if (thread_current() == dropping) {
        depth--;
    }
    waitable_pulse(&freed);
}

static bool chain_is_freed(void) {
    dropping = thread_current();
    for (uint32_t i = 0; i < CHAIN; i++) {
        chain[i].inside = i + 1 < CHAIN ? &chain[i + 1] : NULL;
    }
    drop(&chain[0].item, link_free);
    CHECK(freed_here == DROPS_MAX && deepest == 1);
    for (;;) {
        const uint32_t sequence = waitable_sequence(&freed);
        if (atomic_load_explicit(&freed_elsewhere, memory_order_relaxed) == CHAIN - DROPS_MAX) {
            return true;
        }
        CHECK(wait_change(&freed, sequence, time_now() + 60 * 1000000000ll, 0) == HX_OK);
    }
}

// Does not end before it is told so.
static void slow_free(struct epoch_item *item) {
    (void)item;
    waitable_update(&freed, 0, WAIT_READABLE);
    HX_IGNORE(wait_one(&go_on, WAIT_READABLE, TIME_NEVER, 0)); // cannot fail without flags
}

static void quick_free(struct epoch_item *item) {
    (void)item;
    quick_is_freed = true;
}

// Drops while another thread is in the middle of that.
static void one_of_two(void *index) {
    if (selftest_index(index) == 0) {
        drop(&slow.item, slow_free);
        return;
    }
    HX_IGNORE(wait_one(&freed, WAIT_READABLE, TIME_NEVER, 0)); // the same
    drop(&quick.item, quick_free);
    was_at_once = quick_is_freed;
    waitable_update(&go_on, 0, WAIT_READABLE);
}

bool core_selftest_drop(void) {
    waitable_init(&freed, 0);
    waitable_init(&go_on, 0);
    freed_here = depth = deepest = 0;
    atomic_store_explicit(&freed_elsewhere, 0, memory_order_relaxed);
    quick_is_freed = was_at_once = false;
    CHECK(chain_is_freed());
    CHECK(core_selftest_threads(2, false, one_of_two));
    CHECK(was_at_once); // by who dropped it
    return true;
}
