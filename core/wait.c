// SPDX-License-Identifier: MIT OR Apache-2.0
// core/wait.c: waitable objects, and the one way to block on them.
//
// An update changes the state and the sequence without a lock; only if somebody watches does it
// take the lock and tell the observers. The order that makes this safe: an updater changes state
// and sequence, then looks at `watchers`; a waiter raises `watchers` (with its observer in the
// list, under the lock), then looks at state and sequence. All four are sequentially consistent, so
// one of the two sees the other.
//
// A wake may be spurious (thread_block()), so wait_for() looks again each time.
#include "core_private.h"

#include <core/capability.h>
#include <core/log.h>
#include <core/wait.h>

static const struct lock_class waitable_class = { "waitable", LOCK_RANK_WAITABLE, false };

void waitable_init(struct waitable *waitable, uint32_t state) {
    spinlock_init(&waitable->lock, &waitable_class);
    atomic_init(&waitable->state, state);
    atomic_init(&waitable->sequence, 0);
    atomic_init(&waitable->watchers, 0);
    list_init(&waitable->observers);
}

static __attribute__((noinline)) void observers_tell(struct waitable *waitable) {
    unsigned long irq = spin_lock_irq(&waitable->lock);
    uint32_t state = atomic_load_explicit(&waitable->state, memory_order_seq_cst);
    list_for_each_safe (link, &waitable->observers) {
        struct observer *observer = LIST_ENTRY(link, struct observer, link);
        observer->notify(observer, state);
    }
    spin_unlock_irq(&waitable->lock, irq);
}

void waitable_update(struct waitable *waitable, uint32_t clear, uint32_t set) {
    uint32_t state = atomic_load_explicit(&waitable->state, memory_order_relaxed);
    uint32_t next;
    do {
        next = (state & ~clear) | set;
    } while (next != state &&
             !atomic_compare_exchange_weak_explicit(&waitable->state, &state, next,
                                                    memory_order_seq_cst, memory_order_relaxed));
    waitable_pulse(waitable);
}

void waitable_pulse(struct waitable *waitable) {
    atomic_fetch_add_explicit(&waitable->sequence, 1, memory_order_seq_cst);
    if (atomic_load_explicit(&waitable->watchers, memory_order_seq_cst) != 0) {
        observers_tell(waitable);
    }
}

uint32_t waitable_state(const struct waitable *waitable) {
    return atomic_load_explicit(&waitable->state, memory_order_seq_cst);
}

uint32_t waitable_sequence(const struct waitable *waitable) {
    return atomic_load_explicit(&waitable->sequence, memory_order_seq_cst);
}

void observer_attach(struct observer *observer, struct waitable *waitable) {
    unsigned long irq = spin_lock_irq(&waitable->lock);
    observer->object = waitable;
    list_push_back(&waitable->observers, &observer->link);
    atomic_fetch_add_explicit(&waitable->watchers, 1, memory_order_seq_cst);
    spin_unlock_irq(&waitable->lock, irq);
}

void observer_detach(struct observer *observer) {
    struct waitable *waitable = observer->object;
    if (waitable == NULL) {
        return;
    }
    unsigned long irq = spin_lock_irq(&waitable->lock);
    list_remove(&observer->link);
    atomic_fetch_sub_explicit(&waitable->watchers, 1, memory_order_relaxed);
    observer->object = NULL;
    spin_unlock_irq(&waitable->lock, irq);
}

static void wait_notify(struct observer *observer, uint32_t state) {
    struct wait_observer *waiting = CONTAINER_OF(observer, struct wait_observer, observer);
    if ((state & waiting->item->mask) != 0) {
        thread_wake_handing(waiting->thread);
    } else if (waiting->item->use_sequence) {
        thread_wake(waiting->thread);
    }
}

// Whether any item is ready; fills out_state of each.
static bool items_ready(struct wait_item *items, uint32_t count) {
    bool ready = false;
    for (uint32_t i = 0; i < count; i++) {
        struct wait_item *item = &items[i];
        if (item->object == NULL) {
            item->out_state = 0;
            continue;
        }
        item->out_state = waitable_state(item->object);
        ready |= (item->out_state & item->mask) != 0 ||
                 (item->use_sequence && waitable_sequence(item->object) != item->sequence);
    }
    return ready;
}

static void items_attach(struct wait_item *items, uint32_t count, struct wait_observer *observers) {
    struct thread *thread = thread_current();
    for (uint32_t i = 0; i < count; i++) {
        observers[i].observer.object = NULL;
        observers[i].observer.notify = wait_notify;
        observers[i].thread = thread;
        observers[i].item = &items[i];
        if (items[i].object != NULL) {
            observer_attach(&observers[i].observer, items[i].object);
        }
    }
}

struct wait_timer {
    struct timer timer;
    struct thread *thread;
};

static void wait_timer_expired(struct timer *timer) {
    thread_wake(CONTAINER_OF(timer, struct wait_timer, timer)->thread);
}

// Whether the thread must leave a wait with these flags.
static enum hx_status wait_attention(uint32_t flags) {
    uint32_t attention = thread_attention(thread_current());
    if (flags != 0 && (attention & THREAD_KILL) != 0) {
        return HX_ERR_CANCELED;
    }
    if ((flags & WAIT_INTERRUPTIBLE) == 0) {
        return HX_OK;
    }
    if (capability_lost()) {
        return HX_ERR_REVOKED;
    }
    return (attention & (THREAD_SIGNAL | THREAD_STOP)) != 0 ? HX_ERR_INTERRUPTED : HX_OK;
}

static bool deadline_passed(time_ns_t deadline) {
    // No look at the clock for the two common cases.
    return deadline != TIME_NEVER && (deadline <= 0 || deadline <= time_now());
}

// Blocks with the observers attached until there is a reason to return.
static enum hx_status wait_loop(struct wait_item *items, uint32_t count, time_ns_t deadline,
                                uint32_t flags) {
    for (;;) {
        if (items_ready(items, count)) {
            return HX_OK;
        }
        enum hx_status status = wait_attention(flags);
        if (status != HX_OK) {
            return status;
        }
        if (deadline_passed(deadline)) {
            return HX_ERR_TIMED_OUT;
        }
        thread_block();
    }
}

static __attribute__((noinline)) enum hx_status
wait_loop_timed(struct wait_item *items, uint32_t count, time_ns_t deadline, uint32_t flags) {
    struct wait_timer timer = { .thread = thread_current() };
    timer_init(&timer.timer, wait_timer_expired);
    timer_arm(&timer.timer, deadline);
    enum hx_status status = wait_loop(items, count, deadline, flags);
    (void)timer_cancel(&timer.timer);
    return status;
}

static inline __attribute__((always_inline)) enum hx_status
wait_attached(struct wait_item *items, uint32_t count, time_ns_t deadline, uint32_t flags,
              struct wait_observer *observers) {
    items_attach(items, count, observers);
    enum hx_status status = deadline == TIME_NEVER ? wait_loop(items, count, deadline, flags)
                                                   : wait_loop_timed(items, count, deadline, flags);
    for (uint32_t i = 0; i < count; i++) {
        observer_detach(&observers[i].observer);
    }
    return status;
}

// Inlined, since nearly all waits are for one object, where nothing of the loops is left.
static inline __attribute__((always_inline)) enum hx_status
wait_items(struct wait_item *items, uint32_t count, time_ns_t deadline, uint32_t flags,
           struct wait_observer *observers) {
    ASSERT(thread_current()->preempt_off == 0);
    if (items_ready(items, count)) {
        return HX_OK;
    }
    if (deadline_passed(deadline)) {
        return HX_ERR_TIMED_OUT;
    }
    return wait_attached(items, count, deadline, flags, observers);
}

enum hx_status wait_for(struct wait_item *items, uint32_t count, time_ns_t deadline, uint32_t flags,
                        struct wait_observer *observers) {
    struct wait_observer own[WAIT_ITEMS_INLINE];
    ASSERT(count <= WAIT_ITEMS_INLINE || observers != NULL);
    return wait_items(items, count, deadline, flags, count <= WAIT_ITEMS_INLINE ? own : observers);
}

enum hx_status wait_one(struct waitable *object, uint32_t mask, time_ns_t deadline,
                        uint32_t flags) {
    struct wait_item item = { .object = object, .mask = mask };
    struct wait_observer observer;
    return wait_items(&item, 1, deadline, flags, &observer);
}

enum hx_status wait_change(struct waitable *object, uint32_t sequence, time_ns_t deadline,
                           uint32_t flags) {
    struct wait_item item = { .object = object, .use_sequence = true, .sequence = sequence };
    struct wait_observer observer;
    return wait_items(&item, 1, deadline, flags, &observer);
}

// Tells the other side. HX_OK: the caller has been asleep meanwhile, or has a reason not to be;
// HX_ERR_WOULD_BLOCK: nobody was asleep there.
static enum hx_status hand_over(const struct wait_hand *hand, struct wait_item *item,
                                time_ns_t deadline, uint32_t flags, bool *out_look) {
    struct thread *kept;
    unsigned long state = hal_irq_save();
    thread_hand_begin();
    waitable_update(hand->to, 0, hand->set);
    const bool woke = thread_hand_end(&kept);
    *out_look = woke && hand->look(hand->context);
    if (kept != NULL) {
        if (*out_look || items_ready(item, 1) || wait_attention(flags) != HX_OK ||
            deadline_passed(deadline)) {
            thread_hand_release(kept);
        } else {
            thread_block_handing(kept);
        }
    }
    hal_irq_restore(state);
    preempt_check();
    return woke ? HX_OK : HX_ERR_WOULD_BLOCK;
}

enum hx_status wait_handing(const struct wait_hand *hand, struct wait_item *item,
                            time_ns_t deadline, uint32_t flags) {
    struct wait_observer observer;
    struct wait_timer timer = { .thread = thread_current() };
    bool look;
    ASSERT(thread_current()->preempt_off == 0);
    items_attach(item, 1, &observer);
    timer_init(&timer.timer, wait_timer_expired);
    if (deadline != TIME_NEVER) {
        timer_arm(&timer.timer, deadline);
    }
    enum hx_status status = hand_over(hand, item, deadline, flags, &look);
    if (status == HX_OK && !look) {
        status = wait_loop(item, 1, deadline, flags);
    }
    if (deadline != TIME_NEVER) {
        (void)timer_cancel(&timer.timer);
    }
    observer_detach(&observer.observer);
    return status;
}

bool thread_sleep_until(time_ns_t deadline, uint32_t flags) {
    return wait_for(NULL, 0, deadline, flags, NULL) == HX_ERR_TIMED_OUT;
}
