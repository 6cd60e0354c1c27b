// SPDX-License-Identifier: MIT OR Apache-2.0
// core/capability.c: derivation trees and revocation.
//
// Entering costs a thread no fence: it stores what it acts under, then looks at the rights. Who
// revokes clears the rights, interrupts every processor, then looks at what threads act under; the
// interrupt stands for the fence of both sides. So either the thread finds no rights, or it is
// seen. Leaving is the same once more: the thread clears its word, then looks at its attention; the
// revoker has set THREAD_REVOKE and interrupted every processor before it looks at the word again.
//
// A tree may be large, so it is killed a few nodes at a time, with its lock free in between. A node
// whose subtree is dead goes out of its parent's list, and nothing is derived below what is dead:
// what is in the lists only becomes less, whoever else walks there, drops nodes or revokes.
#include "core_private.h"

#include <core/capability.h>
#include <core/lock.h>
#include <core/log.h>
#include <core/sched.h>
#include <core/trace.h>

#define TREE_LOCKS 16u // trees share locks by the address of their object
#define BATCH      16u // threads told at a time

#ifndef KILL_BATCH     // proofs have smaller trees
#define KILL_BATCH 64u // steps in a tree under its lock, and as many more as it is deep
#endif

static const struct lock_class tree_class = { "capabilities", LOCK_RANK_LEAF, false };
static struct spinlock tree_locks[TREE_LOCKS] = {
    [0 ... TREE_LOCKS - 1] = SPINLOCK_INIT(&tree_class),
};
static struct waitable left; // pulsed when a thread leaves what was revoked under it

static struct spinlock *tree_lock(const struct object *object) {
    return &tree_locks[((uintptr_t)object >> 6) % TREE_LOCKS];
}

static struct capability_derived *derived_of(struct list *link) {
    return LIST_ENTRY(link, struct capability_derived, sibling);
}

void capability_init(void) {
    waitable_init(&left, 0);
}

static void capability_setup(struct capability *capability, struct object *object,
                             struct object *counted, uint32_t rights) {
    capability->object = object;
    capability->counted = counted;
    capability->parent = NULL;
    capability->depth = 0;
    atomic_init(&capability->rights, rights | CAPABILITY_LIVE);
    list_init(&capability->children);
}

void capability_init_root(struct capability *root, struct object *object, rights_t rights) {
    capability_setup(root, object, object, (uint32_t)rights);
}

// After a grace period: revocation may still have been looking at it.
static void derived_reclaim(struct epoch_item *item) {
    struct capability_derived *derived = CONTAINER_OF(item, struct capability_derived, retired);
    struct capability *capability = &derived->capability;
    struct spinlock *lock = tree_lock(capability->object);
    const struct object_type *type = capability->object->type;
    ASSERT(list_is_empty(&capability->children)); // each keeps its parent
    if (type->dropped != NULL) {
        type->dropped(capability->object, capability);
    }
    spin_lock(lock);
    list_remove(&derived->sibling);
    spin_unlock(lock);
    capability_put(capability->parent);
    object_put(capability->object);
    derived->release(derived);
}

static void derived_destroy(struct object *object) {
    struct capability_derived *derived = CONTAINER_OF(object, struct capability_derived, own);
    epoch_retire(&derived->retired, derived_reclaim);
}

static const struct object_type derived_type = {
    .kind = OBJECT_CAPABILITY,
    .name = "capability",
    .destroy = derived_destroy,
};

// Whether it was revoked, or is about to be together with one above it. The tree is locked.
static bool is_dying(const struct capability *capability) {
    while (capability != NULL && capability_is_live(capability)) {
        capability = capability->parent;
    }
    return capability != NULL;
}

enum hx_status capability_derive(struct capability *parent, rights_t rights,
                                 struct capability_derived *derived,
                                 void (*release)(struct capability_derived *derived)) {
    struct capability *capability = &derived->capability;
    struct spinlock *lock = tree_lock(parent->object);
    if (parent->depth == CAPABILITY_DEPTH_MAX) {
        return HX_ERR_LIMIT;
    }
    object_init(&derived->own, &derived_type);
    derived->release = release;
    // Under the lock: a revocation above comes before, and is seen, or finds the child.
    spin_lock(lock);
    if (is_dying(parent)) {
        spin_unlock(lock);
        return HX_ERR_REVOKED;
    }
    const uint32_t had = atomic_load_explicit(&parent->rights, memory_order_relaxed);
    capability_setup(capability, parent->object, &derived->own, had & (uint32_t)rights);
    capability->parent = capability_get(parent);
    capability->depth = parent->depth + 1;
    list_push_back(&parent->children, &derived->sibling);
    spin_unlock(lock);
    object_get(capability->object);
    return HX_OK;
}

// One step of the way through the tree below `top`: kills, and goes down; or goes up, when all
// below is dead. NULL: all is. The tree is locked.
static struct capability *kill_step(struct capability *at, const struct capability *top) {
    atomic_store_explicit(&at->rights, 0, memory_order_relaxed);
    if (!list_is_empty(&at->children)) {
        return &derived_of(at->children.next)->capability;
    }
    if (at == top) {
        return NULL;
    }
    list_remove(&CONTAINER_OF(at, struct capability_derived, capability)->sibling);
    return at->parent;
}

// Some steps, the last one upward: who was just below still keeps what it returns, which another
// leaf may lack, as it may be on its way out already. NULL: all is dead. The tree is locked.
static struct capability *kill_some(struct capability *at, const struct capability *top) {
    bool goes_up = false;
    for (uint32_t steps = 0; at != NULL && (steps < KILL_BATCH || !goes_up); steps++) {
        const uint32_t depth = at->depth;
        at = kill_step(at, top);
        goes_up = at != NULL && at->depth < depth;
    }
    return at;
}

// Clears the rights of all of a subtree, depth first.
static void kill_subtree(struct capability *top) {
    struct spinlock *lock = tree_lock(top->object);
    struct capability *at = capability_get(top);
    while (at != NULL) {
        struct capability *before = at;
        spin_lock(lock);
        at = kill_some(at, top);
        if (at != NULL) {
            capability_get(at);
        }
        spin_unlock(lock);
        capability_put(before);
    }
}

// Acquire: what a thread did under a capability that it has left is seen.
static bool acts_under_dead(const struct thread *thread) {
    for (uint32_t i = 0; i < THREAD_UNDER_MAX; i++) {
        const struct capability *capability =
            atomic_load_explicit(&thread->under[i], memory_order_acquire);
        if (capability != NULL && !capability_is_live(capability)) {
            return true;
        }
    }
    return false;
}

// Stops at the first.
static bool find_visit(struct thread *thread, void *context) {
    *(bool *)context = thread != thread_current() && acts_under_dead(thread);
    return !*(bool *)context;
}

// But the one that asks.
static bool anyone_acts_under_dead(void) {
    bool found = false;
    epoch_enter();
    thread_for_each(find_visit, &found);
    epoch_leave();
    return found;
}

struct batch {
    struct thread *threads[BATCH]; // keeps
    uint32_t count;
    bool any; // some thread acts under a dead capability, told or not
};

// Epoch: what a thread acts under is not freed while it is looked at.
static bool batch_visit(struct thread *thread, void *context) {
    struct batch *batch = context;
    if (thread == thread_current() || !acts_under_dead(thread)) {
        return true;
    }
    batch->any = true;
    if ((thread_attention(thread) & THREAD_REVOKE) == 0 && object_try_get(&thread->object)) {
        batch->threads[batch->count++] = thread;
    }
    return batch->count < BATCH;
}

static bool batch_collect(struct batch *batch) {
    batch->count = 0;
    batch->any = false;
    epoch_enter();
    thread_for_each(batch_visit, batch);
    epoch_leave();
    return batch->any;
}

// Tells all threads that act under something dead. Whether there are any.
static bool tell_threads(void) {
    struct batch batch;
    do {
        if (!batch_collect(&batch)) {
            return false;
        }
        for (uint32_t i = 0; i < batch.count; i++) {
            thread_notify(batch.threads[i], THREAD_REVOKE);
            object_put(&batch.threads[i]->object);
        }
    } while (batch.count != 0);
    return true;
}

// Until no other thread acts under something dead.
static enum hx_status wait_until_left(void) {
    for (;;) {
        const uint32_t sequence = waitable_sequence(&left);
        cpu_barrier();
        if (!tell_threads()) {
            return HX_OK;
        }
        cpu_barrier(); // see the top: now a thread that leaves sees that it was told
        if (!anyone_acts_under_dead()) {
            return HX_OK;
        }
        if (wait_change(&left, sequence, TIME_NEVER, WAIT_KILLABLE) != HX_OK) {
            return HX_ERR_CANCELED;
        }
    }
}

// Who waits for the object without acting under a capability looks again, and what was made under
// one is undone.
static void object_tell(struct object *object) {
    const struct object_type *type = object->type;
    struct waitable *waitable = type->waitable != NULL ? type->waitable(object) : NULL;
    if (waitable != NULL) {
        waitable_pulse(waitable);
    }
    if (type->revoked != NULL) {
        type->revoked(object);
    }
}

enum hx_status capability_revoke(struct capability *capability) {
    ASSERT(thread_current()->under_count == 0);
    if (capability->parent == NULL) {
        return HX_ERR_NOT_PERMITTED;
    }
    kill_subtree(capability);
    const enum hx_status status = wait_until_left();
    object_tell(capability->object);
    return status;
}

enum hx_status capability_refusal(const struct capability *capability) {
    const enum hx_status status =
        capability_is_live(capability) ? HX_ERR_ACCESS_DENIED : HX_ERR_REVOKED;
    trace(TRACE_REFUSAL, (uint64_t)(-(int64_t)status), capability->object->type->kind);
    return status;
}

// The thread does not act under it any more; see the top.
static void under_clear(struct thread *thread, _Atomic(struct capability *) *under) {
    atomic_store_explicit(under, NULL, memory_order_release); // behind all that the use did
    atomic_signal_fence(memory_order_seq_cst);
    if ((thread_attention(thread) & THREAD_REVOKE) != 0) {
        thread_attention_clear(thread, THREAD_REVOKE);
        waitable_pulse(&left);
    }
}

bool capability_enter_derived(struct capability *capability, rights_t need) {
    struct thread *thread = thread_current();
    ASSERT(thread->under_count < THREAD_UNDER_MAX);
    _Atomic(struct capability *) *under = &thread->under[thread->under_count];
    atomic_store_explicit(under, capability, memory_order_release); // behind the use before
    atomic_signal_fence(memory_order_seq_cst);                      // see the top
    if (capability_allows(capability, need)) {
        thread->under_count++;
        return true;
    }
    under_clear(thread, under);
    // A revoker may have seen it, after it had told all that it knew of, and sleeps now. Nobody
    // else may be left to wake it: whoever it found told already may have left before that.
    waitable_pulse(&left);
    return false;
}

void capability_leave_derived(struct capability *capability) {
    struct thread *thread = thread_current();
    ASSERT(thread->under_count != 0);
    _Atomic(struct capability *) *under = &thread->under[--thread->under_count];
    ASSERT(atomic_load_explicit(under, memory_order_relaxed) == capability);
    under_clear(thread, under);
}

bool capability_lost(void) {
    struct thread *thread = thread_current();
    if ((thread_attention(thread) & THREAD_REVOKE) == 0) {
        return false;
    }
    if (acts_under_dead(thread)) {
        return true;
    }
    // It came too late for what it meant. Cleared before the second look: either a revoker finds it
    // cleared, and sets it again, or its kill is seen.
    thread_attention_clear(thread, THREAD_REVOKE);
    atomic_thread_fence(memory_order_seq_cst);
    if (!acts_under_dead(thread)) {
        return false;
    }
    // That revoker may have found it set, and waits: this thread tells it when it leaves.
    atomic_fetch_or_explicit(&thread->attention, THREAD_REVOKE, memory_order_relaxed);
    return true;
}
