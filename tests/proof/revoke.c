// SPDX-License-Identifier: MIT OR Apache-2.0
// BY: explore
// revoke.c: when a revocation returns, nobody acts under what was revoked, and nobody will; who
// waits under it is woken. core/capability.c, wait.c, lock_spin.c and cpu_call(), on two
// processors: one revokes two capabilities, one after the other; the other one uses what lies below
// the first, twice, or inside of a use of the second, waits under it, or under the second
// thereafter, derives another one, or revokes a part or all of it, too. The tree's lock is free
// after each node.
#include "explore.h"

#include "machine.h"

#include "flat.h"

#define KILL_BATCH 1u
#include "../../core/capability.c"
#include "../../core/lock_spin.c"
#include "../../core/wait.c"

const uint32_t explore_marks = 7;

static struct object thing;
static struct capability root;
static struct capability_derived middle, branch, leaf,
    twig; // middle > branch > leaf, middle > twig
static struct capability_derived child, spare;
static struct waitable never;
static bool middle_gone, spare_gone; // a revocation has returned

// What they call; blocking is proven in handoff.c, grace periods in epoch.c
// ------------------------

void thread_block(void) {
    while (atomic_exchange_explicit(&thread_current()->wake_pending, 0, memory_order_acquire) ==
           0) {
        hal_relax();
    }
}

void thread_wake(struct thread *thread) {
    (void)atomic_exchange_explicit(&thread->wake_pending, 1, memory_order_seq_cst);
}

void thread_wake_handing(struct thread *thread) {
    thread_wake(thread);
}

// As in core/thread.c, for threads that stay in the kernel.
void thread_notify(struct thread *thread, uint32_t attention) {
    atomic_fetch_or_explicit(&thread->attention, attention, memory_order_seq_cst);
    thread_wake(thread);
}

void thread_for_each(bool (*visit)(struct thread *thread, void *context), void *context) {
    for (uint32_t i = 0; i < 2 && visit(&threads[i], context); i++) {
    }
}

void epoch_retire(struct epoch_item *item, void (*reclaim)(struct epoch_item *item)) {
    (void)item;
    (void)reclaim;
    PROVE(!"all are kept");
}

void timer_init(struct timer *timer, void (*expired)(struct timer *timer)) {
    timer->expired = expired;
}

void timer_arm(struct timer *timer, time_ns_t deadline) {
    (void)timer;
    (void)deadline;
    PROVE(!"nobody waits with a deadline");
}

bool timer_cancel(struct timer *timer) {
    return timer->armed != 0;
}

void timer_interrupt(void) {}

void irq_interrupt(uint32_t line) {
    (void)line;
}

// The proof ---------------------------------------------------------------------------------------

static void no_release(struct capability_derived *derived) {
    (void)derived;
}

static enum hx_status below(struct capability *parent, struct capability_derived *derived) {
    return capability_derive(parent, HX_RIGHT_READ, derived, no_release);
}

static void use(struct capability_derived *derived, const bool *gone, bool waits) {
    struct capability *capability = &derived->capability;
    const enum hx_status status = capability_enter(capability, HX_RIGHT_READ);
    if (status != HX_OK) {
        PROVE(status == HX_ERR_REVOKED);
        REACHED(0);
        return;
    }
    explore_point("acting");
    PROVE(!*gone);
    if (waits) {
        PROVE(wait_one(&never, WAIT_READABLE, TIME_NEVER, WAIT_INTERRUPTIBLE) == HX_ERR_REVOKED);
        PROVE(!*gone);
        REACHED(1);
    }
    capability_leave(capability);
}

// The thread goes to user mode and comes back.
static void to_user(void) {
    hal_irq_off();
    core_handlers()->user_return(NULL);
    hal_irq_on();
}

static void revoker_run(void *argument) {
    (void)argument;
    PROVE(capability_revoke(&middle.capability) == HX_OK);
    middle_gone = true;
    PROVE(capability_revoke(&spare.capability) == HX_OK);
    spare_gone = true;
}

static void derive_and_use(struct capability *parent) {
    if (below(parent, &child) == HX_OK) {
        use(&child, &middle_gone, false);
        REACHED(2);
    } else {
        if (capability_is_live(parent)) {
            REACHED(5); // its turn to be killed is yet to come
        }
        PROVE(!capability_is_live(&middle.capability));
        REACHED(3);
    }
}

// What the other one is in the middle of.
static void revoke_too(void) {
    if (!capability_is_live(&leaf.capability) && capability_is_live(&twig.capability)) {
        REACHED(6);
    }
    PROVE(capability_revoke(&middle.capability) == HX_OK);
    PROVE(!capability_is_live(&branch.capability) && !capability_is_live(&leaf.capability) &&
          !capability_is_live(&twig.capability));
}

// Inside of another use, whose turn comes later.
static void use_within(void) {
    if (capability_enter(&spare.capability, HX_RIGHT_READ) == HX_OK) {
        use(&leaf, &middle_gone, false);
        PROVE(!spare_gone);
        capability_leave(&spare.capability);
    }
}

static void other_run(void *argument) {
    (void)argument;
    switch (explore_choose(9)) {
    case 0:
        use(&leaf, &middle_gone, false);
        use(&leaf, &middle_gone, false);
        break;
    case 1:
        use(&leaf, &middle_gone, true);
        break;
    case 2:
        use(&leaf, &middle_gone, false);
        to_user();
        use(&spare, &spare_gone, false);
        break;
    case 3:
        use(&leaf, &middle_gone, false);
        use(&spare, &spare_gone, true); // told of the first one late
        break;
    case 4:
        derive_and_use(&middle.capability);
        break;
    case 5:
        use_within();
        break;
    case 6:
        PROVE(capability_revoke(&leaf.capability) == HX_OK);
        break;
    case 7:
        derive_and_use(&twig.capability);
        break;
    default:
        revoke_too();
        break;
    }
    if (spare_gone) {
        REACHED(4);
    }
}

void explore_setup(void) {
    static const struct object_type type = { .kind = OBJECT_EVENT };
    flat_processor(revoker_run);
    flat_processor(other_run);
    object_init(&threads[0].object, &type);
    object_init(&threads[1].object, &type);
    object_init(&thing, &type);
    waitable_init(&never, 0);
    capability_init();
    capability_init_root(&root, &thing, HX_RIGHT_READ);
    PROVE(below(&root, &middle) == HX_OK && below(&root, &spare) == HX_OK);
    PROVE(below(&middle.capability, &branch) == HX_OK);
    PROVE(below(&branch.capability, &leaf) == HX_OK);
    PROVE(below(&branch.capability, &twig) == HX_OK);
}

bool explore_final(void) {
    return explore_rests(0) && explore_rests(1) && capability_is_live(&root) &&
           !capability_is_live(&middle.capability) && !capability_is_live(&leaf.capability) &&
           !capability_is_live(&twig.capability) && !capability_is_live(&child.capability) &&
           threads[1].under[0] == NULL && threads[0].object.references == 1 &&
           threads[1].object.references == 1;
}
