// SPDX-License-Identifier: MIT OR Apache-2.0
// <core/lock.h>: spin locks, sleeping mutexes, sleeping reader-writer locks.
//
// The order of classes is written down in docs/locking.md; with HELIX_DEBUG each acquisition is
// checked against it (a lock's class rank must be greater than that of each lock already held by
// this thread or processor; classes with the same rank may nest only where `nest` is set, outer
// address first). A spin lock taken in an interrupt handler is taken with lock_irq elsewhere.
#pragma once

#include <helix/types.h>

struct thread;
struct mutex_waiter; // private to lock_sleep.c

// A kind of lock. Static storage; rank 1 is outermost.
struct lock_class {
    const char *name;
    uint32_t rank;
    bool nest;
};

// Ranks, outermost first; gaps are for later. Sleeping locks come before spinning ones.
enum lock_rank {
    LOCK_RANK_PROCESS_TREE = 10,
    LOCK_RANK_PROCESS = 20,
    LOCK_RANK_MOUNT = 30,
    LOCK_RANK_DIRECTORY = 40,
    LOCK_RANK_FILE = 50,
    LOCK_RANK_TTY = 60,
    LOCK_RANK_ASPACE = 100,
    LOCK_RANK_MEMORY_OBJECT = 110,
    LOCK_RANK_MODULE = 150, // a module's own
    LOCK_RANK_TRACE = 190,  // turning parts of the trace on
    LOCK_RANK_SLEEP_LAST = 199,
    LOCK_RANK_SIGNAL = 210,
    LOCK_RANK_PIPE = 215,
    LOCK_RANK_NAME_CACHE = 220,
    LOCK_RANK_PAGE_TABLE = 230,
    LOCK_RANK_FUTEX = 240,
    LOCK_RANK_MODULE_SPIN = 245,
    LOCK_RANK_WAITABLE = 250,
    LOCK_RANK_THREAD = 255,
    LOCK_RANK_TIMER = 260,
    LOCK_RANK_RUN_QUEUE = 270,
    LOCK_RANK_HEAP = 280,
    LOCK_RANK_FRAMES = 290,
    LOCK_RANK_LEAF = 300, // taken last, holds nothing else: logs, tables of the HAL
};

// A spin lock. Preemption is off while it is held.
struct LOCKABLE("spinlock") spinlock {
    const struct lock_class *lock_class;
    _Atomic uint32_t owner; // processor + 1 while held
};

#define SPINLOCK_INIT(class_pointer) { (class_pointer), 0 }

void spinlock_init(struct spinlock *lock, const struct lock_class *lock_class);
void spin_lock(struct spinlock *lock) ACQUIRES(*lock);
void spin_unlock(struct spinlock *lock) RELEASES(*lock);
bool spin_held(const struct spinlock *lock); // by this processor
// The same with interrupts off; the state goes back to spin_unlock_irq().
unsigned long spin_lock_irq(struct spinlock *lock) ACQUIRES(*lock);
void spin_unlock_irq(struct spinlock *lock, unsigned long irq_state) RELEASES(*lock);

// A sleeping mutex. Thread context; never under a spin lock. Not interrupted by signals.
struct LOCKABLE("mutex") mutex {
    _Atomic(struct thread *) owner;
    _Atomic uint32_t waiters;
    bool urgent;                // [lock] the first one was passed over: hand it over
    struct spinlock lock;       // guards queue
    struct mutex_waiter *first; // [lock] in order of arrival
    struct mutex_waiter *last;  // [lock]
    const struct lock_class *lock_class;
};

void mutex_init(struct mutex *mutex, const struct lock_class *lock_class);
void mutex_lock(struct mutex *mutex) ACQUIRES(*mutex);
bool mutex_try_lock(struct mutex *mutex) HX_ATTR(try_acquire_capability(true, *mutex));
void mutex_unlock(struct mutex *mutex) RELEASES(*mutex);
bool mutex_held(const struct mutex *mutex); // by this thread

// A sleeping reader-writer lock; a writer that was passed over holds off new readers.
struct LOCKABLE("rwlock") rwlock {
    struct spinlock lock;
    uint32_t readers;           // [lock]
    bool writing;               // [lock]
    bool urgent;                // [lock] the first waiter was passed over: hand it over
    struct thread *writer;      // [lock] for checks
    struct mutex_waiter *first; // [lock] in order of arrival
    struct mutex_waiter *last;  // [lock]
    const struct lock_class *lock_class;
};

void rwlock_init(struct rwlock *lock, const struct lock_class *lock_class);
void rwlock_read(struct rwlock *lock) HX_ATTR(acquire_shared_capability(*lock));
void rwlock_read_done(struct rwlock *lock) HX_ATTR(release_shared_capability(*lock));
void rwlock_write(struct rwlock *lock) ACQUIRES(*lock);
void rwlock_write_done(struct rwlock *lock) RELEASES(*lock);
