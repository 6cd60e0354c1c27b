// SPDX-License-Identifier: MIT OR Apache-2.0
// BY: explore
// capability_tree.c: derivation trees in any order of deriving, dropping, entering, revoking and
// grace periods, however long: rights only shrink, what is revoked takes all below it along and
// nothing else, and references balance. core/capability.c and object.c, one processor; while a
// revocation leaves the tree's lock free, another one derives, drops, or ends a grace period. What
// happens at once is revoke.c's.
#include "explore.h"

#include <core/capability.h>
#include <string.h>

#include "machine.h"

#include "flat.h"

static void put_meanwhile(struct capability *capability);

#define KILL_BATCH          1u
#define capability_put(one) put_meanwhile(one) // after it has left the lock free
#include "../../core/capability.c"
#undef capability_put
#include "../../core/lock_spin.c"

#define NODES 3u

const uint32_t explore_marks = 6;

static struct capability root;
static struct object thing;
static struct capability_derived nodes[NODES];
static bool held[NODES];  // the proof has a reference
static bool alive[NODES]; // derived and not released yet
static struct epoch_item *retired;
static struct thread *other = &threads[1]; // acts under one of them, or none
static struct capability *revoked;         // by a revocation that is on its way; NULL: none

// What capability.c calls -------------------------------------------------------------------------

void epoch_retire(struct epoch_item *item, void (*reclaim)(struct epoch_item *item)) {
    item->reclaim = reclaim;
    item->next = retired;
    retired = item;
}

void thread_for_each(bool (*visit)(struct thread *thread, void *context), void *context) {
    (void)(visit(&threads[0], context) && visit(other, context));
}

void thread_notify(struct thread *thread, uint32_t attention) {
    atomic_fetch_or_explicit(&thread->attention, attention, memory_order_seq_cst);
}

void waitable_init(struct waitable *waitable, uint32_t state) {
    atomic_init(&waitable->state, state);
}

void waitable_pulse(struct waitable *waitable) {
    atomic_fetch_add_explicit(&waitable->sequence, 1, memory_order_seq_cst);
}

uint32_t waitable_sequence(const struct waitable *waitable) {
    return atomic_load_explicit(&waitable->sequence, memory_order_seq_cst);
}

// While somebody acts under what was revoked, who was told: it leaves, or the caller is killed.
enum hx_status wait_change(struct waitable *object, uint32_t sequence, time_ns_t deadline,
                           uint32_t flags) {
    PROVE(object == &left && sequence == waitable_sequence(&left));
    PROVE(deadline == TIME_NEVER && flags == WAIT_KILLABLE);
    PROVE((thread_attention(other) & THREAD_REVOKE) != 0);
    if (explore_choose(2) == 0) {
        REACHED(0);
        return HX_ERR_CANCELED;
    }
    under_clear(other, &other->under[0]);
    PROVE(waitable_sequence(&left) != sequence);
    return HX_OK;
}

void timer_interrupt(void) {}

void irq_interrupt(uint32_t line) {
    (void)line;
}

// The proof ---------------------------------------------------------------------------------------

static void node_release(struct capability_derived *derived) {
    const uint32_t i = (uint32_t)(derived - nodes);
    PROVE(alive[i] && !held[i]);
    memset(derived, 0, sizeof(*derived));
    alive[i] = false;
}

static void end_grace_period(void) {
    struct epoch_item *item = retired;
    retired = NULL;
    while (item != NULL) {
        struct epoch_item *next = item->next;
        item->reclaim(item);
        item = next;
    }
}

static bool is_below(const struct capability *capability, const struct capability *top) {
    while (capability != NULL && capability != top) {
        capability = capability->parent;
    }
    return capability == top;
}

static void derive(struct capability *parent) {
    uint32_t to = 0;
    while (to < NODES && alive[to]) {
        to++;
    }
    if (to == NODES) {
        return;
    }
    const rights_t rights = explore_choose(2) == 0 ? HX_RIGHT_READ : HX_RIGHT_READ | HX_RIGHT_WRITE;
    const bool was_live = revoked == NULL
                              ? capability_is_live(parent)
                              : !is_below(parent, revoked) && capability_is_live(parent);
    const enum hx_status status = capability_derive(parent, rights, &nodes[to], node_release);
    PROVE(status == (was_live ? HX_OK : HX_ERR_REVOKED));
    if (status == HX_OK) {
        alive[to] = true;
        held[to] = true;
        PROVE(capability_rights(&nodes[to].capability) == (capability_rights(parent) & rights));
    } else {
        memset(&nodes[to], 0, sizeof(nodes[to]));
        REACHED(1);
    }
}

static void revoke(struct capability *top) {
    struct capability_derived before[NODES];
    memcpy(before, nodes, sizeof(nodes));
    revoked = top;
    const enum hx_status status = capability_revoke(top);
    revoked = NULL;
    for (uint32_t i = 0; i < NODES; i++) {
        const struct capability *capability = &nodes[i].capability;
        if (alive[i] && is_below(capability, top)) {
            PROVE(!capability_is_live(capability));
            if (capability->depth == NODES && capability != top) {
                REACHED(2);
            }
        } else if (capability->parent == before[i].capability.parent) {
            PROVE(capability->rights == before[i].capability.rights);
        }
    }
    if (status == HX_OK) {
        PROVE(!acts_under_dead(other));
        REACHED(3);
    }
}

static void act_under(struct capability *capability) {
    if (other->under[0] == NULL && capability_is_live(capability)) {
        other->under[0] = capability;
    } else if (other->under[0] == capability) {
        under_clear(other, &other->under[0]);
    }
}

static void put(uint32_t node) {
    if (other->under[0] != &nodes[node].capability) { // who acts under it has a reference
        held[node] = false;
        capability_put(&nodes[node].capability);
    }
}

static void put_meanwhile(struct capability *capability) {
    static bool is_within;
    if (revoked != NULL && !is_within) {
        const uint32_t node = explore_choose(NODES);
        is_within = true; // ending a grace period puts, too
        switch (explore_choose(4)) {
        case 0:
            if (held[node] && &nodes[node].capability != revoked) {
                put(node);
                REACHED(4);
            }
            break;
        case 1:
            if (retired != NULL) {
                end_grace_period();
                REACHED(5);
            }
            break;
        case 2:
            if (held[node]) {
                derive(&nodes[node].capability);
            }
            break;
        default:
            break;
        }
        is_within = false;
    }
    capability_put(capability);
}

// Its frame is gone at the point behind it: what was done does not tell states apart.
static __attribute__((noinline)) void take_step(void) {
    const uint32_t node = explore_choose(NODES + 1);
    const uint32_t step = explore_choose(5);
    if (node == NODES && step == 0) {
        derive(&root);
    } else if (node == NODES) {
        end_grace_period();
    } else if (held[node] && step == 0) {
        derive(&nodes[node].capability);
    } else if (held[node] && step == 1) {
        put(node);
    } else if (held[node] && step == 2) {
        revoke(&nodes[node].capability);
    } else if (held[node] && step == 3) {
        act_under(&nodes[node].capability);
    }
}

static uint32_t children_of(const struct capability *parent) {
    uint32_t count = 0;
    for (uint32_t i = 0; i < NODES; i++) {
        count += alive[i] && nodes[i].capability.parent == parent;
    }
    return count;
}

// A derived capability has no right that its parent lacks, and keeps its parent and the object,
// each once.
static __attribute__((noinline)) void check(void) {
    uint32_t all = 0;
    for (uint32_t i = 0; i < NODES; i++) {
        const struct capability *capability = &nodes[i].capability;
        if (alive[i]) {
            all++;
            PROVE((capability->rights & ~capability->parent->rights) == 0);
            PROVE(capability->depth == capability->parent->depth + 1);
            PROVE(nodes[i].own.references == held[i] + children_of(capability));
        }
    }
    PROVE(thing.references == 1 + all + children_of(&root));
    PROVE(threads[0].object.references == 1 && other->object.references == 1);
    PROVE(threads[0].preempt_off == 0); // no lock is held
}

static void run(void *argument) {
    (void)argument;
    PROVE(capability_revoke(&root) == HX_ERR_NOT_PERMITTED && capability_is_live(&root));
    for (;;) {
        take_step();
        check();
        explore_point("step");
    }
}

void explore_setup(void) {
    static const struct object_type type = { .kind = OBJECT_EVENT };
    flat_processor(run);
    object_init(&threads[0].object, &type);
    object_init(&other->object, &type);
    object_init(&thing, &type);
    capability_init();
    capability_init_root(&root, &thing, HX_RIGHT_READ | HX_RIGHT_WRITE);
    explore_ignore(&left.sequence, sizeof(left.sequence));
}

// It goes on for ever; from everywhere all can be dropped again.
bool explore_final(void) {
    return thing.references == 1;
}
