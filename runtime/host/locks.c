// SPDX-License-Identifier: MIT OR Apache-2.0
// runtime/host/locks.c: locks, which nobody contends for: what is checked is who takes them when.
#include "private.h"

#include <inttypes.h>
#include <string.h>

#define NO_LOCK_ANALYSIS HX_ATTR(no_thread_safety_analysis)
#define HELD_MAX         16u
#define MAGIC_MUTEX      UINT64_C(0x6d75746578206f6b)
#define MAGIC_SPIN       UINT64_C(0x7370696e206c6f6b)

// What stands in a lock's storage.
struct lock {
    uint64_t magic;
    const char *name;
};
_Static_assert(sizeof(struct lock) <= sizeof(struct hx_mutex), "it fits");
_Static_assert(sizeof(struct lock) <= sizeof(struct hx_spinlock), "it fits");

static const struct lock *held[HELD_MAX]; // in the order in which they were taken
static uint32_t held_count;

static const char *kind_of(const struct lock *lock) {
    return lock->magic == MAGIC_SPIN ? "spin lock" : "mutex";
}

static struct lock *lock_in(void *opaque) {
    return opaque;
}

static void init(void *opaque, uint64_t magic, const char *name) {
    if (name == NULL) {
        host_broken("a lock without a name");
    }
    *lock_in(opaque) = (struct lock){ magic, name };
}

static bool is_held(const struct lock *lock) {
    for (uint32_t i = 0; i < held_count; i++) {
        if (held[i] == lock) {
            return true;
        }
    }
    return false;
}

static void need_init(const struct lock *lock, uint64_t magic) {
    if (lock->magic != magic) {
        host_broken("a lock is used that was not initialised as one of its kind");
    }
}

static void take(const struct lock *lock, uint64_t magic) {
    need_init(lock, magic);
    if (is_held(lock)) {
        host_broken("the %s %s is taken twice", kind_of(lock), lock->name);
    }
    for (uint32_t i = 0; i < held_count; i++) {
        if (held[i]->magic == magic && (uintptr_t)held[i] > (uintptr_t)lock) {
            host_broken("the %s %s is taken under %s, which lies behind it", kind_of(lock),
                        lock->name, held[i]->name);
        }
    }
    if (held_count == HELD_MAX) {
        host_broken("more than %u locks at once", HELD_MAX);
    }
    held[held_count++] = lock;
}

static void drop(const struct lock *lock, uint64_t magic) {
    need_init(lock, magic);
    if (!is_held(lock)) {
        host_broken("the %s %s is released that nobody holds", kind_of(lock), lock->name);
    }
    uint32_t at = 0;
    while (held[at] != lock) {
        at++;
    }
    held_count--;
    memmove(&held[at], &held[at + 1], (held_count - at) * sizeof(held[0]));
}

uint32_t host_locks_held(void) {
    return held_count;
}

void may_sleep(const char *what) {
    for (uint32_t i = 0; i < held_count; i++) {
        if (held[i]->magic == MAGIC_SPIN) {
            host_broken("%s, which may sleep, under the spin lock %s", what, held[i]->name);
        }
    }
}

void module_call(void (*handler)(void *context), void *context) {
    if (held_count != 0) {
        host_broken("the module is entered with its %s %s held", kind_of(held[0]), held[0]->name);
    }
    handler(context);
    if (held_count != 0) {
        host_broken("the module returns with its %s %s held", kind_of(held[0]), held[0]->name);
    }
}

void locks_reset(void) {
    held_count = 0;
}

void hx_mutex_init(struct hx_mutex *mutex, const char *name) {
    init(mutex->opaque, MAGIC_MUTEX, name);
}

NO_LOCK_ANALYSIS void hx_mutex_lock(struct hx_mutex *mutex) {
    may_sleep("hx_mutex_lock()");
    take(lock_in(mutex->opaque), MAGIC_MUTEX);
}

NO_LOCK_ANALYSIS void hx_mutex_unlock(struct hx_mutex *mutex) {
    may_sleep("hx_mutex_unlock()");
    drop(lock_in(mutex->opaque), MAGIC_MUTEX);
}

void hx_spinlock_init(struct hx_spinlock *lock, const char *name) {
    init(lock->opaque, MAGIC_SPIN, name);
}

NO_LOCK_ANALYSIS void hx_spinlock_acquire(struct hx_spinlock *lock) {
    take(lock_in(lock->opaque), MAGIC_SPIN);
}

NO_LOCK_ANALYSIS void hx_spinlock_release(struct hx_spinlock *lock) {
    drop(lock_in(lock->opaque), MAGIC_SPIN);
}
