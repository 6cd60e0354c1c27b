// SPDX-License-Identifier: MIT OR Apache-2.0
// interface/native/timer.c: timers that can be waited for.
//
// READABLE means due and not taken. What expired follows from the deadline and the period when
// somebody takes it, so a timer that nobody looks at costs one interrupt. Lock: `lock`, with
// interrupts off; `setting` around it, since a core timer that is set anew must be still first.
#include "native.h"

#include <core/time.h>
#include <memory/account.h>
#include <memory/heap.h>

#define TIMER_RIGHTS                                                                               \
    (HX_RIGHT_READ | HX_RIGHT_WRITE | HX_RIGHT_WAIT | HX_RIGHT_ADMIN | HX_RIGHT_DELEGATE)

struct clock {
    struct object object;
    struct capability root;
    struct waitable waitable;
    struct timer timer;
    struct mutex setting; // one timer_set() at a time
    struct spinlock lock;
    time_ns_t deadline;      // [lock] the next expiry that nobody took; TIME_NEVER: not set
    time_ns_t period;        // [lock] 0: once
    struct account *account; // keeps; charged for one object
};

static const struct lock_class clock_class = { "native timer", LOCK_RANK_WAITABLE - 1, false };
static const struct lock_class setting_class = { "native timer setting", LOCK_RANK_FILE + 6,
                                                 false };

static struct clock *clock_of(struct object *object) {
    return CONTAINER_OF(object, struct clock, object);
}

// Under the lock: what was taken or set anew meanwhile is not due any more.
static void clock_expired(struct timer *timer) {
    struct clock *clock = CONTAINER_OF(timer, struct clock, timer);
    const unsigned long state = spin_lock_irq(&clock->lock);
    if (clock->deadline <= time_now()) {
        waitable_update(&clock->waitable, 0, WAIT_READABLE);
    }
    spin_unlock_irq(&clock->lock, state);
}

static void clock_destroy(struct object *object) {
    struct clock *clock = clock_of(object);
    (void)timer_cancel(&clock->timer);
    account_release(clock->account, ACCOUNT_OBJECTS, 1);
    object_put(&clock->account->object);
    heap_free(clock);
}

static struct waitable *clock_waitable(struct object *object) {
    return &clock_of(object)->waitable;
}

static const struct object_type clock_type = {
    .kind = OBJECT_TIMER,
    .name = "timer",
    .destroy = clock_destroy,
    .waitable = clock_waitable,
};

enum hx_status native_timer_create(handle_t *out_timer) {
    struct account *account = process_current()->account;
    enum hx_status status = account_charge(account, ACCOUNT_OBJECTS, 1);
    if (status != HX_OK) {
        return status;
    }
    struct clock *clock = heap_alloc_zero(sizeof(*clock), MEMORY_SLEEP);
    if (clock == NULL) {
        account_release(account, ACCOUNT_OBJECTS, 1);
        return HX_ERR_NO_MEMORY;
    }
    object_init(&clock->object, &clock_type);
    capability_init_root(&clock->root, &clock->object, TIMER_RIGHTS);
    waitable_init(&clock->waitable, 0);
    timer_init(&clock->timer, clock_expired);
    mutex_init(&clock->setting, &setting_class);
    spinlock_init(&clock->lock, &clock_class);
    clock->deadline = TIME_NEVER;
    object_get(&account->object);
    clock->account = account;
    return native_give(&clock->root, out_timer);
}

// Who takes does not arm it from here on, so the timer can become still.
static void clock_stop(struct clock *clock) {
    const unsigned long state = spin_lock_irq(&clock->lock);
    clock->deadline = TIME_NEVER;
    spin_unlock_irq(&clock->lock, state);
    (void)timer_cancel(&clock->timer);
}

enum hx_status native_timer_set(struct capability *timer, time_ns_t deadline, uint64_t period) {
    struct clock *clock = clock_of(timer->object);
    if (deadline < 0 || period > INT64_MAX) {
        return HX_ERR_INVALID;
    }
    mutex_lock(&clock->setting);
    clock_stop(clock);
    const unsigned long state = spin_lock_irq(&clock->lock);
    waitable_update(&clock->waitable, WAIT_READABLE, 0);
    clock->deadline = deadline;
    clock->period = (time_ns_t)period;
    if (deadline != TIME_NEVER) {
        timer_arm(&clock->timer, deadline);
    }
    spin_unlock_irq(&clock->lock, state);
    mutex_unlock(&clock->setting);
    return HX_OK;
}

// How often it has expired by now, and what comes next.
static uint64_t expirations_locked(struct clock *clock, time_ns_t now) {
    const time_ns_t late = now - clock->deadline;
    if (clock->period == 0) {
        clock->deadline = TIME_NEVER;
        return 1;
    }
    const time_ns_t last = now - late % clock->period;
    clock->deadline = clock->period > TIME_NEVER - last ? TIME_NEVER : last + clock->period;
    return (uint64_t)(late / clock->period) + 1;
}

enum hx_status native_timer_take(struct capability *timer, uint64_t *out_count) {
    struct clock *clock = clock_of(timer->object);
    uint64_t count = 0;
    const unsigned long state = spin_lock_irq(&clock->lock);
    const time_ns_t now = time_now();
    if (clock->deadline <= now) {
        count = expirations_locked(clock, now);
        waitable_update(&clock->waitable, WAIT_READABLE, 0);
        if (clock->deadline != TIME_NEVER) {
            timer_arm(&clock->timer, clock->deadline);
        }
    }
    spin_unlock_irq(&clock->lock, state);
    if (count == 0) {
        return HX_ERR_WOULD_BLOCK;
    }
    *out_count = count;
    return HX_OK;
}
