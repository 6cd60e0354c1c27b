// SPDX-License-Identifier: MIT OR Apache-2.0
// core/lock_sleep.c: mutexes and reader-writer locks that sleep.
//
// A release wakes the first waiter and leaves the lock free: whoever runs may take it meanwhile.
// Handing it to a thread that still has to wake up would keep it taken for as long as that lasts,
// and everybody behind it would have to sleep, too (a convoy). A waiter that was woken and found
// the lock taken again makes it `urgent`: then the next release hands it over, so nobody waits for
// ever.
//
// Mutex. The fast paths are one compare-and-swap and one store on `owner`. A thread that finds it
// taken announces itself in `waiters`, then looks at `owner` again under the inner lock; a releaser
// first clears `owner`, then looks at `waiters`. Both pairs are sequentially consistent, so one of
// the two sees the other and no wake is lost.
//
// Reader-writer lock. All state is under the inner lock. Readers may overtake a waiting writer
// until it is urgent; a reader that was woken wakes the reader behind it.
#include "core_private.h"

#include <core/log.h>

enum waiter_state {
    WAITER_ASLEEP,
    WAITER_WOKEN,   // still queued; it may try
    WAITER_GRANTED, // no longer queued; the lock is its own
};

struct mutex_waiter {
    struct mutex_waiter *next;
    struct thread *thread;
    bool writer;            // of reader-writer locks
    _Atomic uint32_t state; // enum waiter_state
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

// Under the inner lock, which the waiter passes through before it goes on: so its stack frame and
// the thread itself are still there while this runs.
static void waiter_wake(struct mutex_waiter *waiter, enum waiter_state state) {
    uint32_t old = atomic_exchange_explicit(&waiter->state, state, memory_order_release);
    if (old == WAITER_ASLEEP || state == WAITER_GRANTED) {
        thread_wake(waiter->thread);
    }
}

// Sleeps until woken; returns with the inner lock held.
static NO_LOCK_ANALYSIS unsigned long waiter_sleep(struct spinlock *lock,
                                                   struct mutex_waiter *waiter) {
    while (atomic_load_explicit(&waiter->state, memory_order_acquire) == WAITER_ASLEEP) {
        thread_block();
    }
    return spin_lock_irq(lock);
}

void mutex_init(struct mutex *mutex, const struct lock_class *lock_class) {
    atomic_init(&mutex->owner, NULL);
    atomic_init(&mutex->waiters, 0);
    spinlock_init(&mutex->lock, NULL);
    mutex->first = NULL;
    mutex->last = NULL;
    mutex->urgent = false;
    mutex->lock_class = lock_class;
}

static bool mutex_take(struct mutex *mutex, struct thread *thread) {
    struct thread *expected = NULL;
    return atomic_compare_exchange_strong_explicit(&mutex->owner, &expected, thread,
                                                   memory_order_seq_cst, memory_order_seq_cst);
}

// The first waiter leaves the queue.
static void mutex_dequeue_locked(struct mutex *mutex) {
    mutex->first = mutex->first->next;
    mutex->urgent = false;
    atomic_fetch_sub_explicit(&mutex->waiters, 1, memory_order_relaxed);
}

static SLOW_PATH NO_LOCK_ANALYSIS void mutex_lock_slow(struct mutex *mutex, struct thread *thread) {
    struct mutex_waiter waiter = { .thread = thread };
    ASSERT(atomic_load_explicit(&mutex->owner, memory_order_relaxed) != thread);
    unsigned long irq = spin_lock_irq(&mutex->lock);
    // Before the second look at `owner`: see the top.
    atomic_fetch_add_explicit(&mutex->waiters, 1, memory_order_seq_cst);
    if (mutex_take(mutex, thread)) {
        atomic_fetch_sub_explicit(&mutex->waiters, 1, memory_order_relaxed);
        spin_unlock_irq(&mutex->lock, irq);
        return;
    }
    waiter_append(&mutex->first, &mutex->last, &waiter);
    for (;;) {
        spin_unlock_irq(&mutex->lock, irq);
        irq = waiter_sleep(&mutex->lock, &waiter);
        if (atomic_load_explicit(&waiter.state, memory_order_relaxed) == WAITER_GRANTED) {
            break;
        }
        // Woken, so first in the queue. ASLEEP before the look at `owner`: who releases after a
        // failed look must find it so.
        atomic_store_explicit(&waiter.state, WAITER_ASLEEP, memory_order_relaxed);
        mutex->urgent = true;
        if (mutex_take(mutex, thread)) {
            mutex_dequeue_locked(mutex);
            break;
        }
    }
    spin_unlock_irq(&mutex->lock, irq);
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

// Releases with somebody waiting.
static SLOW_PATH NO_LOCK_ANALYSIS void mutex_unlock_slow(struct mutex *mutex) {
    unsigned long irq = spin_lock_irq(&mutex->lock);
    struct mutex_waiter *waiter = mutex->first;
    if (waiter != NULL && mutex->urgent) {
        atomic_store_explicit(&mutex->owner, waiter->thread, memory_order_relaxed);
        mutex_dequeue_locked(mutex);
        waiter_wake(waiter, WAITER_GRANTED);
    } else {
        (void)atomic_exchange_explicit(&mutex->owner, NULL, memory_order_seq_cst);
        if (waiter != NULL) {
            waiter_wake(waiter, WAITER_WOKEN);
        }
    }
    spin_unlock_irq(&mutex->lock, irq);
}

// Somebody queued between the look at `waiters` and the release.
static SLOW_PATH NO_LOCK_ANALYSIS void mutex_wake_late(struct mutex *mutex) {
    unsigned long irq = spin_lock_irq(&mutex->lock);
    if (mutex->first != NULL) {
        waiter_wake(mutex->first, WAITER_WOKEN);
    }
    spin_unlock_irq(&mutex->lock, irq);
}

NO_LOCK_ANALYSIS void mutex_unlock(struct mutex *mutex) {
    ASSERT(mutex_held(mutex));
    lock_check_release(mutex->lock_class);
    // Relaxed: only a hint here.
    if (atomic_load_explicit(&mutex->waiters, memory_order_relaxed) != 0) {
        mutex_unlock_slow(mutex);
        return;
    }
    // seq_cst exchange, then seq_cst load: pairs with mutex_lock_slow().
    (void)atomic_exchange_explicit(&mutex->owner, NULL, memory_order_seq_cst);
    if (atomic_load_explicit(&mutex->waiters, memory_order_seq_cst) != 0) {
        mutex_wake_late(mutex);
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
    lock->urgent = false;
    lock->writer = NULL;
    lock->first = NULL;
    lock->last = NULL;
    lock->lock_class = lock_class;
}

// Takes it if nobody is in the way. Inner lock held.
static bool rwlock_take_locked(struct rwlock *lock, const struct mutex_waiter *waiter) {
    if (lock->writing || (waiter->writer && lock->readers != 0)) {
        return false;
    }
    // Readers that come and go without a gap must not keep a writer out.
    if (lock->readers != 0 && lock->first != NULL && lock->first->writer) {
        return false;
    }
    if (waiter->writer) {
        lock->writing = true;
        lock->writer = waiter->thread;
    } else {
        lock->readers++;
    }
    return true;
}

// The first waiter has the lock and leaves the queue; a reader brings the reader behind it along.
static void rwlock_dequeue_locked(struct rwlock *lock) {
    bool was_writer = lock->first->writer;
    lock->first = lock->first->next;
    lock->urgent = false;
    if (!was_writer && lock->first != NULL && !lock->first->writer) {
        waiter_wake(lock->first, WAITER_WOKEN);
    }
}

static SLOW_PATH NO_LOCK_ANALYSIS void rwlock_wait(struct rwlock *lock, struct mutex_waiter *waiter,
                                                   unsigned long irq) {
    waiter_append(&lock->first, &lock->last, waiter);
    for (;;) {
        spin_unlock_irq(&lock->lock, irq);
        irq = waiter_sleep(&lock->lock, waiter);
        if (atomic_load_explicit(&waiter->state, memory_order_relaxed) == WAITER_GRANTED) {
            break;
        }
        if (rwlock_take_locked(lock, waiter)) {
            rwlock_dequeue_locked(lock);
            break;
        }
        atomic_store_explicit(&waiter->state, WAITER_ASLEEP, memory_order_relaxed);
        lock->urgent = true;
    }
    spin_unlock_irq(&lock->lock, irq);
}

static NO_LOCK_ANALYSIS void rwlock_acquire(struct rwlock *lock, bool writer) {
    struct mutex_waiter waiter = { .thread = thread_current(), .writer = writer };
    may_sleep();
    lock_check_acquire(lock->lock_class);
    unsigned long irq = spin_lock_irq(&lock->lock);
    ASSERT(lock->writer != waiter.thread);
    if (lock->urgent || !rwlock_take_locked(lock, &waiter)) {
        rwlock_wait(lock, &waiter, irq);
        return;
    }
    spin_unlock_irq(&lock->lock, irq);
}

NO_LOCK_ANALYSIS void rwlock_read(struct rwlock *lock) {
    rwlock_acquire(lock, false);
}

NO_LOCK_ANALYSIS void rwlock_write(struct rwlock *lock) {
    rwlock_acquire(lock, true);
}

// Nobody holds it: wakes the first waiter, or gives it the lock if it has waited long enough.
static void rwlock_pass_on_locked(struct rwlock *lock) {
    struct mutex_waiter *waiter = lock->first;
    if (waiter == NULL) {
        return;
    }
    if (lock->urgent && rwlock_take_locked(lock, waiter)) {
        rwlock_dequeue_locked(lock);
        waiter_wake(waiter, WAITER_GRANTED);
    } else {
        waiter_wake(waiter, WAITER_WOKEN);
    }
}

NO_LOCK_ANALYSIS void rwlock_read_done(struct rwlock *lock) {
    lock_check_release(lock->lock_class);
    unsigned long irq = spin_lock_irq(&lock->lock);
    ASSERT(lock->readers != 0);
    if (--lock->readers == 0) {
        rwlock_pass_on_locked(lock);
    }
    spin_unlock_irq(&lock->lock, irq);
}

NO_LOCK_ANALYSIS void rwlock_write_done(struct rwlock *lock) {
    lock_check_release(lock->lock_class);
    unsigned long irq = spin_lock_irq(&lock->lock);
    ASSERT(lock->writer == thread_current());
    lock->writing = false;
    lock->writer = NULL;
    rwlock_pass_on_locked(lock);
    spin_unlock_irq(&lock->lock, irq);
}
