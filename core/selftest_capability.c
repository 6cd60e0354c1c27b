// SPDX-License-Identifier: MIT OR Apache-2.0
// core/selftest_capability.c: tests of derivation and revocation.
#include "selftest.h"

#include <core/capability.h>

#define ROUNDS  100u // a stack holds that many
#define REPEATS 10u
#define WORKERS 6u
#define RW      (HX_RIGHT_READ | HX_RIGHT_WRITE)

static struct thing {
    struct object object;
    struct capability root;
} thing;
static _Atomic uint32_t released;

static void thing_destroy(struct object *object) {
    (void)object; // static
}
static const struct object_type thing_type = {
    .kind = OBJECT_EVENT,
    .name = "thing",
    .destroy = thing_destroy,
};

static void derived_release(struct capability_derived *derived) {
    (void)derived; // static
    atomic_fetch_add_explicit(&released, 1, memory_order_release);
}

static void thing_make(void) {
    object_init(&thing.object, &thing_type);
    capability_init_root(&thing.root, &thing.object, RW | HX_RIGHT_WAIT);
    atomic_store_explicit(&released, 0, memory_order_relaxed);
}

static enum hx_status derive(struct capability *parent, rights_t rights,
                             struct capability_derived *derived) {
    return capability_derive(parent, rights, derived, derived_release);
}

static enum hx_status use(struct capability *capability, rights_t need) {
    enum hx_status status = capability_enter(capability, need);
    if (status == HX_OK) {
        capability_leave(capability);
    }
    return status;
}

// Until the worker has reclaimed `count` of them; then only the root holds the object.
static bool released_all(uint32_t count) {
    while (atomic_load_explicit(&released, memory_order_acquire) < count) {
        (void)thread_sleep_until(time_now() + 1000000, 0);
    }
    CHECK(atomic_load_explicit(&thing.object.references, memory_order_acquire) == 1);
    return list_is_empty(&thing.root.children);
}

// A chain root > a > b > c with a sibling d of b; b dies, and c with it.
static bool test_tree(void) {
    static struct capability_derived a, b, c, d;
    thing_make();
    CHECK(derive(&thing.root, RW | HX_RIGHT_ADMIN, &a) == HX_OK);
    CHECK(capability_rights(&a.capability) == RW); // what the parent lacks, nobody gets
    CHECK(derive(&a.capability, HX_RIGHT_READ, &b) == HX_OK);
    CHECK(derive(&b.capability, RW, &c) == HX_OK);
    CHECK(derive(&a.capability, HX_RIGHT_WRITE, &d) == HX_OK);
    CHECK(use(&thing.root, RW | HX_RIGHT_WAIT) == HX_OK && use(&a.capability, RW) == HX_OK);
    CHECK(use(&b.capability, HX_RIGHT_READ) == HX_OK && use(&c.capability, 0) == HX_OK);
    CHECK(use(&b.capability, HX_RIGHT_WRITE) == HX_ERR_ACCESS_DENIED);
    CHECK(use(&c.capability, HX_RIGHT_WRITE) == HX_ERR_ACCESS_DENIED);
    CHECK(use(&thing.root, HX_RIGHT_ADMIN) == HX_ERR_ACCESS_DENIED);
    CHECK(capability_revoke(&thing.root) == HX_ERR_NOT_PERMITTED);
    CHECK(capability_revoke(&b.capability) == HX_OK);
    CHECK(use(&b.capability, 0) == HX_ERR_REVOKED);
    CHECK(use(&c.capability, HX_RIGHT_READ) == HX_ERR_REVOKED);
    CHECK(use(&a.capability, RW) == HX_OK && use(&d.capability, HX_RIGHT_WRITE) == HX_OK);
    static struct capability_derived late;
    CHECK(derive(&c.capability, RW, &late) == HX_ERR_REVOKED);
    CHECK(capability_revoke(&b.capability) == HX_OK); // again: nothing left to do
    capability_put(&a.capability);                    // its children keep it
    CHECK(use(&d.capability, HX_RIGHT_WRITE) == HX_OK);
    capability_put(&d.capability);
    capability_put(&b.capability);
    capability_put(&c.capability);
    return released_all(4);
}

static bool test_depth(void) {
    static struct capability_derived chain[CAPABILITY_DEPTH_MAX + 1];
    struct capability *last = &thing.root;
    thing_make();
    for (uint32_t i = 0; i < CAPABILITY_DEPTH_MAX; i++) {
        CHECK(derive(last, RW, &chain[i]) == HX_OK);
        last = &chain[i].capability;
    }
    CHECK(derive(last, RW, &chain[CAPABILITY_DEPTH_MAX]) == HX_ERR_LIMIT);
    CHECK(capability_revoke(&chain[0].capability) == HX_OK);
    CHECK(use(last, 0) == HX_ERR_REVOKED);
    for (uint32_t i = 0; i < CAPABILITY_DEPTH_MAX; i++) {
        capability_put(&chain[i].capability);
    }
    return released_all(CAPABILITY_DEPTH_MAX);
}

// Users enter and leave one capability after another while thread 0 revokes them in turn.
static struct capability_derived *offered;
_Static_assert(ROUNDS * sizeof(*offered) <= THREAD_STACK_BYTES, "they lie in a stack's memory");
static _Atomic uint32_t closed[ROUNDS]; // set once the revocation has returned
static _Atomic uint32_t errors, uses, ready;

static void offer_user(uint32_t index) {
    struct capability *capability = &offered[index].capability;
    uint32_t turns = 0;
    while (capability_enter(capability, HX_RIGHT_READ) == HX_OK) {
        // Nobody may be in here once it is closed.
        for (uint32_t i = 0; i < 20; i++) {
            if (atomic_load_explicit(&closed[index], memory_order_seq_cst) != 0) {
                atomic_fetch_add_explicit(&errors, 1, memory_order_relaxed);
            }
        }
        atomic_fetch_add_explicit(&uses, 1, memory_order_relaxed);
        capability_leave(capability);
        if (++turns % 32 == 0) {
            thread_yield(); // who revokes may have no processor of its own
        }
        hal_relax(); // others are waited for
    }
}

static void offer_revoker(uint32_t index) {
    const uint32_t before = atomic_load_explicit(&uses, memory_order_relaxed);
    while (atomic_load_explicit(&uses, memory_order_relaxed) == before) {
        thread_yield(); // the first user has come
    }
    if (capability_revoke(&offered[index].capability) != HX_OK) {
        atomic_fetch_add_explicit(&errors, 1, memory_order_relaxed);
    }
    (void)atomic_exchange_explicit(&closed[index], 1, memory_order_seq_cst);
}

static void offer_worker(void *argument) {
    for (uint32_t i = 0; i < ROUNDS; i++) {
        if (selftest_index(argument) == 0) {
            offer_revoker(i);
        } else {
            offer_user(i);
        }
    }
}

static bool revoke_busy_once(void) {
    thing_make();
    for (uint32_t i = 0; i < ROUNDS; i++) {
        atomic_store_explicit(&closed[i], 0, memory_order_relaxed);
        CHECK(derive(&thing.root, RW, &offered[i]) == HX_OK);
    }
    CHECK(core_selftest_threads(WORKERS, false, offer_worker));
    CHECK(atomic_load_explicit(&errors, memory_order_relaxed) == 0);
    for (uint32_t i = 0; i < ROUNDS; i++) {
        capability_put(&offered[i].capability);
    }
    return released_all(ROUNDS);
}

static bool test_revoke_busy(void) {
    if (offered == NULL) {
        offered = core_memory->stack_alloc(THREAD_STACK_BYTES); // kept, as the threads' stacks are
    }
    CHECK(offered != NULL);
    atomic_store_explicit(&errors, 0, memory_order_relaxed);
    for (uint32_t i = 0; i < REPEATS; i++) {
        if (!revoke_busy_once()) {
            return false;
        }
    }
    return true;
}

// Threads that wait under what is revoked, under its parent, and under nothing.
static struct waitable never;
static enum hx_status outcomes[3];
static struct capability_derived outer, inner;

static void wait_under(uintptr_t self, struct capability *capability) {
    if (capability != NULL && capability_enter(capability, HX_RIGHT_READ) != HX_OK) {
        atomic_fetch_add_explicit(&errors, 1, memory_order_relaxed);
        return;
    }
    atomic_fetch_add_explicit(&ready, 1, memory_order_release);
    outcomes[self] = wait_one(&never, WAIT_READABLE, TIME_NEVER, WAIT_INTERRUPTIBLE);
    if (capability != NULL) {
        capability_leave(capability);
    }
}

static void wait_worker(void *argument) {
    const uintptr_t self = selftest_index(argument);
    if (self != 3) {
        struct capability *const mine[] = { &inner.capability, &outer.capability, NULL };
        wait_under(self, mine[self]);
        return;
    }
    while (atomic_load_explicit(&ready, memory_order_acquire) < 3) {
        thread_yield();
    }
    if (capability_revoke(&inner.capability) != HX_OK || outcomes[0] != HX_ERR_REVOKED) {
        atomic_fetch_add_explicit(&errors, 1, memory_order_relaxed);
    }
    waitable_update(&never, 0, WAIT_READABLE); // the others wait on, for this
}

static bool test_revoke_waiting(void) {
    thing_make();
    waitable_init(&never, 0);
    atomic_store_explicit(&errors, 0, memory_order_relaxed);
    atomic_store_explicit(&ready, 0, memory_order_relaxed);
    outcomes[0] = outcomes[1] = outcomes[2] = HX_ERR_INVALID;
    CHECK(derive(&thing.root, RW, &outer) == HX_OK);
    CHECK(derive(&outer.capability, RW, &inner) == HX_OK);
    CHECK(core_selftest_threads(4, false, wait_worker));
    CHECK(atomic_load_explicit(&errors, memory_order_relaxed) == 0);
    CHECK(outcomes[1] == HX_OK && outcomes[2] == HX_OK);
    capability_put(&inner.capability);
    capability_put(&outer.capability);
    return released_all(2);
}

bool core_selftest_capability(void) {
    return test_tree() && test_depth() && test_revoke_busy() && test_revoke_waiting();
}
