// SPDX-License-Identifier: MIT OR Apache-2.0
// core/lock_sleep.c: mutexes and reader-writer locks that sleep.
//
// Mutex. The fast paths are one compare-and-swap and one exchange on `owner`. A thread that finds
// it taken announces itself in `waiters`, then looks at `owner` again under the inner lock; a
// releaser first clears `owner`, then looks at `waiters`. Both pairs are sequentially consistent,
// so one of the two sees the other and no wake is lost. The releaser hands the mutex to the first
// in the queue, unless a third thread was faster (barging: it is running already, and it will hand
// over in its turn).
//
// Reader-writer lock. All state is under the inner lock; releases hand over to a writer, or to all
// readers at the front of the queue. Readers queue behind a waiting writer.
#include "core_private.h"

#include <core/log.h>

struct mutex_waiter {
    struct mutex_waiter *next;
    struct thread *thread;
    bool writer;              // of reader-writer locks
    _Atomic uint32_t granted; // set, with release, by who hands over
};

static inline void may_sleep(void) {
    ASSERT(thread_current()->preempt_off == 0);
}

static void waiter_append(struct mutex_waiter **first, struct mutex_waiter **last,
                          struct mutex_waiter *waiter) {
    waiter->next = NULL;
    if (*first == NULL) {
        *first = waiter;
    } else {
        (*last)->next = waiter;
    }
    *last = waiter;
}

// Grants and wakes; under the inner lock, which the waiter passes through before it goes on: so its
// stack frame and the thread itself are still there while this runs.
static void waiter_grant(struct mutex_waiter *waiter) {
    atomic_store_explicit(&waiter->granted, 1, memory_order_release);
    thread_wake(waiter->thread);
}

static NO_LOCK_ANALYSIS void waiter_block(struct spinlock *lock, struct mutex_waiter *waiter) {
    while (atomic_load_explicit(&waiter->granted, memory_order_acquire) == 0) {
        thread_block();
    }
    spin_unlock_irq(lock, spin_lock_irq(lock));
}

void mutex_init(struct mutex *mutex, const struct lock_class *lock_class) {
    atomic_init(&mutex->owner, NULL);
    atomic_init(&mutex->waiters, 0);
    spinlock_init(&mutex->lock, NULL);
    mutex->first = NULL;
    mutex->last = NULL;
    mutex->lock_class = lock_class;
}

static bool mutex_take(struct mutex *mutex, struct thread *thread) {
    struct thread *expected = NULL;
    return atomic_compare_exchange_strong_explicit(&mutex->owner, &expected, thread,
                                                   memory_order_seq_cst, memory_order_relaxed);
}

static SLOW_PATH NO_LOCK_ANALYSIS void mutex_lock_slow(struct mutex *mutex, struct thread *thread) {
    struct mutex_waiter waiter = { .thread = thread };
    ASSERT(atomic_load_explicit(&mutex->owner, memory_order_relaxed) != thread);
    unsigned long state = spin_lock_irq(&mutex->lock);
    // Before the second look at `owner`: see the top.
    atomic_fetch_add_explicit(&mutex->waiters, 1, memory_order_seq_cst);
    if (mutex_take(mutex, thread)) {
        atomic_fetch_sub_explicit(&mutex->waiters, 1, memory_order_relaxed);
        spin_unlock_irq(&mutex->lock, state);
        return;
    }
    waiter_append(&mutex->first, &mutex->last, &waiter);
    spin_unlock_irq(&mutex->lock, state);
    waiter_block(&mutex->lock, &waiter);
}

NO_LOCK_ANALYSIS void mutex_lock(struct mutex *mutex) {
    struct thread *thread = thread_current();
    may_sleep();
    lock_check_acquire(mutex->lock_class);
    if (!mutex_take(mutex, thread)) {
        mutex_lock_slow(mutex, thread);
    }
}

NO_LOCK_ANALYSIS bool mutex_try_lock(struct mutex *mutex) {
    if (!mutex_take(mutex, thread_current())) {
        return false;
    }
    lock_check_acquire(mutex->lock_class);
    return true;
}

static SLOW_PATH NO_LOCK_ANALYSIS void mutex_hand_over(struct mutex *mutex) {
    unsigned long state = spin_lock_irq(&mutex->lock);
    struct mutex_waiter *waiter = mutex->first;
    if (waiter != NULL && mutex_take(mutex, waiter->thread)) {
        mutex->first = waiter->next;
        atomic_fetch_sub_explicit(&mutex->waiters, 1, memory_order_relaxed);
        waiter_grant(waiter);
    }
    spin_unlock_irq(&mutex->lock, state);
}

NO_LOCK_ANALYSIS void mutex_unlock(struct mutex *mutex) {
    ASSERT(mutex_held(mutex));
    lock_check_release(mutex->lock_class);
    // seq_cst store, then seq_cst load: pairs with mutex_lock_slow().
    atomic_store_explicit(&mutex->owner, NULL, memory_order_seq_cst);
    if (atomic_load_explicit(&mutex->waiters, memory_order_seq_cst) != 0) {
        mutex_hand_over(mutex);
    }
}

bool mutex_held(const struct mutex *mutex) {
    // Equal only if this thread wrote it.
    return atomic_load_explicit(&mutex->owner, memory_order_relaxed) == thread_current();
}

void rwlock_init(struct rwlock *lock, const struct lock_class *lock_class) {
    spinlock_init(&lock->lock, NULL);
    lock->readers = 0;
    lock->writing = false;
    lock->writer = NULL;
    lock->first = NULL;
    lock->last = NULL;
    lock->lock_class = lock_class;
}

static NO_LOCK_ANALYSIS void rwlock_enqueue(struct rwlock *lock, struct mutex_waiter *waiter,
                                            unsigned long state) {
    waiter_append(&lock->first, &lock->last, waiter);
    spin_unlock_irq(&lock->lock, state);
    waiter_block(&lock->lock, waiter);
}

NO_LOCK_ANALYSIS void rwlock_read(struct rwlock *lock) {
    struct mutex_waiter waiter = { .thread = thread_current() };
    may_sleep();
    lock_check_acquire(lock->lock_class);
    unsigned long state = spin_lock_irq(&lock->lock);
    if (lock->writing || lock->first != NULL) {
        rwlock_enqueue(lock, &waiter, state);
        return;
    }
    lock->readers++;
    spin_unlock_irq(&lock->lock, state);
}

NO_LOCK_ANALYSIS void rwlock_write(struct rwlock *lock) {
    struct mutex_waiter waiter = { .thread = thread_current(), .writer = true };
    may_sleep();
    lock_check_acquire(lock->lock_class);
    unsigned long state = spin_lock_irq(&lock->lock);
    ASSERT(lock->writer != waiter.thread);
    if (lock->writing || lock->readers != 0 || lock->first != NULL) {
        rwlock_enqueue(lock, &waiter, state);
        return;
    }
    lock->writing = true;
    lock->writer = waiter.thread;
    spin_unlock_irq(&lock->lock, state);
}

// Nobody holds it: hands it to the writer at the front, or to all readers up to the next writer.
static void rwlock_hand_over_locked(struct rwlock *lock) {
    while (lock->first != NULL) {
        struct mutex_waiter *waiter = lock->first;
        if (waiter->writer && lock->readers != 0) {
            return;
        }
        lock->first = waiter->next;
        if (waiter->writer) {
            lock->writing = true;
            lock->writer = waiter->thread;
            waiter_grant(waiter);
            return;
        }
        lock->readers++;
        waiter_grant(waiter);
    }
}

NO_LOCK_ANALYSIS void rwlock_read_done(struct rwlock *lock) {
    lock_check_release(lock->lock_class);
    unsigned long state = spin_lock_irq(&lock->lock);
    ASSERT(lock->readers != 0);
    if (--lock->readers == 0) {
        rwlock_hand_over_locked(lock);
    }
    spin_unlock_irq(&lock->lock, state);
}

NO_LOCK_ANALYSIS void rwlock_write_done(struct rwlock *lock) {
    lock_check_release(lock->lock_class);
    unsigned long state = spin_lock_irq(&lock->lock);
    ASSERT(lock->writer == thread_current());
    lock->writing = false;
    lock->writer = NULL;
    rwlock_hand_over_locked(lock);
    spin_unlock_irq(&lock->lock, state);
}
