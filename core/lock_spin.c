// SPDX-License-Identifier: MIT OR Apache-2.0
// core/lock_spin.c: ticket spin locks.
//
// A ticket is drawn with an acquire RMW on `next`; the lock is ours when `serving` shows it. The
// acquire load of `serving` pairs with the release store of the holder before us, so that we see
// all that it wrote. `owner` is only a note for checks and is written by the holder.
#include "core_private.h"

#include <core/log.h>

static inline void ticket_take(struct spinlock *lock) {
    uint32_t ticket = atomic_fetch_add_explicit(&lock->next, 1, memory_order_relaxed);
    while (atomic_load_explicit(&lock->serving, memory_order_acquire) != ticket) {
        hal_relax();
    }
    atomic_store_explicit(&lock->owner, hal_cpu_id() + 1, memory_order_relaxed);
}

static inline void ticket_give(struct spinlock *lock) {
    atomic_store_explicit(&lock->owner, 0, memory_order_relaxed);
    // Only the holder writes `serving`, so no RMW is needed.
    uint32_t serving = atomic_load_explicit(&lock->serving, memory_order_relaxed);
    atomic_store_explicit(&lock->serving, serving + 1, memory_order_release);
}

void spinlock_init(struct spinlock *lock, const struct lock_class *lock_class) {
    atomic_init(&lock->next, 0);
    atomic_init(&lock->serving, 0);
    atomic_init(&lock->owner, 0);
    lock->lock_class = lock_class;
}

NO_LOCK_ANALYSIS void spin_lock(struct spinlock *lock) {
    preempt_disable();
    lock_check_acquire(lock->lock_class);
    ticket_take(lock);
}

NO_LOCK_ANALYSIS void spin_unlock(struct spinlock *lock) {
    lock_check_release(lock->lock_class);
    ticket_give(lock);
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
    ticket_take(lock);
    return state;
}

NO_LOCK_ANALYSIS void spin_unlock_irq(struct spinlock *lock, unsigned long irq_state) {
    lock_check_release(lock->lock_class);
    ticket_give(lock);
    // Interrupts first: preempt_enable() switches only where they are on.
    hal_irq_restore(irq_state);
    preempt_enable();
}

void raw_lock(struct spinlock *lock) {
    ticket_take(lock);
}

bool raw_try_lock(struct spinlock *lock) {
    uint32_t serving = atomic_load_explicit(&lock->serving, memory_order_relaxed);
    uint32_t expected = serving;
    // Succeeds only if no ticket is out.
    if (!atomic_compare_exchange_strong_explicit(&lock->next, &expected, serving + 1,
                                                 memory_order_relaxed, memory_order_relaxed)) {
        return false;
    }
    // Ours already; this is the acquire that pairs with the last holder's release.
    while (atomic_load_explicit(&lock->serving, memory_order_acquire) != serving) {
        hal_relax();
    }
    atomic_store_explicit(&lock->owner, hal_cpu_id() + 1, memory_order_relaxed);
    return true;
}

void raw_unlock(struct spinlock *lock) {
    ticket_give(lock);
}
