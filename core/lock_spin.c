// SPDX-License-Identifier: MIT OR Apache-2.0
// core/lock_spin.c: spin locks, test and set (docs/decisions/006).
//
// `owner` is 0 or the holder's number + 1. Taking it is a compare-and-swap with acquire, which
// pairs with the release store of the holder before us, so that we see all that it wrote. Who waits
// only reads, so that the line is not pulled back and forth.
#include "core_private.h"

#include <core/log.h>

static inline bool try_take(struct spinlock *lock) {
    uint32_t expected = 0;
    return atomic_compare_exchange_strong_explicit(&lock->owner, &expected, hal_cpu_id() + 1,
                                                   memory_order_acquire, memory_order_relaxed);
}

static SLOW_PATH void take_slow(struct spinlock *lock) {
    do {
        while (atomic_load_explicit(&lock->owner, memory_order_relaxed) != 0) {
            hal_relax();
        }
    } while (!try_take(lock));
}

static inline void take(struct spinlock *lock) {
    if (!try_take(lock)) {
        take_slow(lock);
    }
}

static inline void give(struct spinlock *lock) {
    atomic_store_explicit(&lock->owner, 0, memory_order_release);
}

void spinlock_init(struct spinlock *lock, const struct lock_class *lock_class) {
    atomic_init(&lock->owner, 0);
    lock->lock_class = lock_class;
}

NO_LOCK_ANALYSIS void spin_lock(struct spinlock *lock) {
    preempt_disable();
    lock_check_acquire(lock->lock_class);
    take(lock);
}

NO_LOCK_ANALYSIS void spin_unlock(struct spinlock *lock) {
    lock_check_release(lock->lock_class);
    give(lock);
    preempt_enable();
}

bool spin_held(const struct spinlock *lock) {
    // Equal only if this processor wrote it and has not released since.
    return atomic_load_explicit(&lock->owner, memory_order_relaxed) == hal_cpu_id() + 1;
}

NO_LOCK_ANALYSIS unsigned long spin_lock_irq(struct spinlock *lock) {
    unsigned long state = hal_irq_save();
    preempt_disable();
    lock_check_acquire(lock->lock_class);
    take(lock);
    return state;
}

NO_LOCK_ANALYSIS void spin_unlock_irq(struct spinlock *lock, unsigned long irq_state) {
    lock_check_release(lock->lock_class);
    give(lock);
    // Interrupts first: preempt_enable() switches only where they are on.
    hal_irq_restore(irq_state);
    preempt_enable();
}

void raw_lock(struct spinlock *lock) {
    take(lock);
}

bool raw_try_lock(struct spinlock *lock) {
    return try_take(lock);
}

void raw_unlock(struct spinlock *lock) {
    give(lock);
}
