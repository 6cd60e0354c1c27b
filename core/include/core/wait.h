// SPDX-License-Identifier: MIT OR Apache-2.0
// <core/wait.h>: the one primitive under every blocking call.
//
// A waitable has a state mask (levels) and a sequence number (edges), and observers that are told
// of each change. wait_for() blocks until one of its items is ready: a level in its mask is set, or
// the sequence differs from the one that the caller saw. So there is no lost wake: read the
// sequence, look at the condition, then wait with that sequence.
#pragma once

#include <core/lock.h>
#include <helix/types.h>
#include <lib/list.h>

#define WAIT_READABLE  (1u << 0)
#define WAIT_WRITABLE  (1u << 1)
#define WAIT_ERROR     (1u << 2)
#define WAIT_HANGUP    (1u << 3) // both directions are closed
#define WAIT_PEER_SHUT (1u << 4) // the peer will send no more
#define WAIT_PRIORITY  (1u << 5)
#define WAIT_SIGNALED  (1u << 6)  // one-shot events
#define WAIT_SELF_SHUT (1u << 16) // nothing more can be sent; above those that programs name

struct waitable {
    struct spinlock lock;
    _Atomic uint32_t state;
    _Atomic uint32_t sequence;
    _Atomic uint32_t watchers; // [lock for writing] how many observers
    struct list observers;     // [lock] struct observer.link
};

// Told of each change of a waitable, under its lock: any context, interrupts off; must not sleep,
// must not call back into the same waitable, may wake threads.
struct observer {
    struct list link;
    struct waitable *object; // NULL while not observing
    void (*notify)(struct observer *observer, uint32_t state);
};

void waitable_init(struct waitable *waitable, uint32_t state);
// Clears, then sets levels and advances the sequence; observers are told. Any context.
void waitable_update(struct waitable *waitable, uint32_t clear, uint32_t set);
// Only advances the sequence.
void waitable_pulse(struct waitable *waitable);
uint32_t waitable_state(const struct waitable *waitable);
uint32_t waitable_sequence(const struct waitable *waitable);

// Borrows both until observer_detach(), after which notify is not running and never runs again.
void observer_attach(struct observer *observer, struct waitable *waitable);
void observer_detach(struct observer *observer);

struct wait_item {
    struct waitable *object; // NULL: never ready
    uint32_t mask;           // levels that make it ready
    bool use_sequence;       // also ready when the sequence is not `sequence`
    uint32_t sequence;
    uint32_t out_state; // the levels seen at the end
};

#define WAIT_INTERRUPTIBLE (1u << 0) // signals end it
#define WAIT_KILLABLE      (1u << 1) // only a kill ends it
#define WAIT_ITEMS_INLINE  8u

// Blocks until an item is ready, the deadline (monotonic, absolute; TIME_NEVER) passes, or the
// thread is told to stop. Thread context, no spin lock held. Looks at the items first; with a
// deadline in the past it only looks. More than WAIT_ITEMS_INLINE items need caller's storage for
// `observers` (count of them), else it may be NULL.
// Returns HX_OK (at least one item is ready; out_state of all is filled), HX_ERR_TIMED_OUT,
//         HX_ERR_INTERRUPTED, HX_ERR_CANCELED (the thread is being killed)
struct wait_observer;
enum hx_status wait_for(struct wait_item *items, uint32_t count, time_ns_t deadline, uint32_t flags,
                        struct wait_observer *observers);
struct wait_observer {
    struct observer observer;
    struct thread *thread;
    const struct wait_item *item;
};

// Waits for one item as wait_for() does, but first tells another object and hands the processor to
// the thread that waits there.
struct wait_hand {
    struct waitable *to; // waitable_update(to, 0, set)
    uint32_t set;
    bool (*look)(const void *context); // see below; interrupts off
    const void *context;
};
// If a thread was asleep at hand->to for one of the levels, all that it had written is visible to
// look(), which says whether the caller must look for itself instead of waiting (HX_OK, at once).
// If not, that thread runs on this processor as soon as the caller sleeps, unless others wait for
// it. HX_ERR_WOULD_BLOCK: nobody was asleep there; the object was told, and nothing waited for.
// Else as wait_for().
enum hx_status wait_handing(const struct wait_hand *hand, struct wait_item *item,
                            time_ns_t deadline, uint32_t flags);

// Short form: one object, levels.
enum hx_status wait_one(struct waitable *object, uint32_t mask, time_ns_t deadline, uint32_t flags);
// Short form: one object, until the sequence is not `sequence`.
enum hx_status wait_change(struct waitable *object, uint32_t sequence, time_ns_t deadline,
                           uint32_t flags);
