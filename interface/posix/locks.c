// SPDX-License-Identifier: MIT OR Apache-2.0
// locks.c: advisory locks on inodes.
//
// The locks of an inode hang on its list under its mutex. An owner is a descriptor table (POSIX
// locks, which end with any close by that process) or an open file description (flock and OFD
// locks, which end with its last reference). Ranges of one owner never overlap. Whoever waits for
// a lock waits for a change of the waitable that the inode hashes to, and looks again.
#include "locks.h"

#include <memory/heap.h>

#define F_RDLCK 0
#define F_WRLCK 1
#define F_UNLCK 2

#define LOCK_SH 1u
#define LOCK_EX 2u
#define LOCK_NB 4u
#define LOCK_UN 8u

#define OFFSET_LAST INT64_MAX // to the end of the file, wherever it is

struct linux_flock {
    int16_t type;
    int16_t whence;
    int64_t start;
    int64_t length;
    int32_t pid;
};
_Static_assert(sizeof(struct linux_flock) == 32, "struct flock of 64-bit machines");

struct advisory {
    struct list link;
    const void *owner;
    int64_t first, last; // both in the range
    int32_t pid;
    bool whole; // flock's kind, which knows nothing of the others
    bool exclusive;
    bool unlock; // of a request only
};

// Who waits for whom, for the detection of deadlocks among POSIX locks.
struct waiting {
    struct list link;
    const void *owner;
    const void *blocker;
};

#define CHANGED_COUNT 16u

static struct waitable changed[CHANGED_COUNT];
static struct spinlock waiting_lock;
static struct list waiters = LIST_INIT(waiters); // [waiting_lock] struct waiting

static const struct lock_class waiting_class = { .name = "lock waiters", .rank = LOCK_RANK_LEAF };

void locks_init(void) {
    spinlock_init(&waiting_lock, &waiting_class);
    for (uint32_t i = 0; i < CHANGED_COUNT; i++) {
        waitable_init(&changed[i], 0);
    }
}

static struct waitable *changed_of(const struct inode *inode) {
    return &changed[((uintptr_t)inode >> 7) % CHANGED_COUNT];
}

static bool overlaps(const struct advisory *a, const struct advisory *b) {
    return a->first <= b->last && b->first <= a->last;
}

// The first lock that keeps `wanted` from being taken; NULL if none does.
static struct advisory *conflict_locked(struct inode *inode, const struct advisory *wanted) {
    list_for_each (link, &inode->advisory_locks) {
        struct advisory *held = LIST_ENTRY(link, struct advisory, link);
        if (held->whole == wanted->whole && held->owner != wanted->owner &&
            (held->exclusive || wanted->exclusive) && overlaps(held, wanted)) {
            return held;
        }
    }
    return NULL;
}

static void advisory_remove(struct advisory *lock) {
    list_remove(&lock->link);
    heap_free(lock);
}

// Cuts [first, last] of `cut` out of `held`, which overlaps it. If a middle part goes, *spare
// becomes the upper rest.
static void cut_out(struct advisory *held, const struct advisory *cut, struct advisory **spare) {
    const bool below = held->first < cut->first;
    const bool above = held->last > cut->last;
    if (below && above) {
        struct advisory *upper = *spare;
        *spare = NULL;
        *upper = *held;
        upper->first = cut->last + 1;
        held->last = cut->first - 1;
        list_insert_after(&held->link, &upper->link);
    } else if (below) {
        held->last = cut->first - 1;
    } else if (above) {
        held->first = cut->last + 1;
    } else {
        advisory_remove(held);
    }
}

// Makes the owner's locks be as `wanted` says in its range; uses what it needs of the two spares.
static void apply_locked(struct inode *inode, const struct advisory *wanted,
                         struct advisory **spares) {
    list_for_each_safe (link, &inode->advisory_locks) {
        struct advisory *held = LIST_ENTRY(link, struct advisory, link);
        if (held->owner == wanted->owner && held->whole == wanted->whole &&
            overlaps(held, wanted)) {
            cut_out(held, wanted, &spares[1]);
        }
    }
    if (!wanted->unlock) {
        struct advisory *lock = spares[0];
        spares[0] = NULL;
        *lock = *wanted;
        list_push_back(&inode->advisory_locks, &lock->link);
    }
}

// Whether waiting for `blocker` would close a circle. Else the wait is written down.
static bool waiting_begin(struct waiting *waiting, const void *owner, const void *blocker) {
    bool circle = false;
    spin_lock(&waiting_lock);
    const void *next = blocker;
    for (uint32_t steps = 0; next != NULL && !circle && steps < 1024; steps++) {
        const void *found = NULL;
        list_for_each (link, &waiters) {
            const struct waiting *other = LIST_ENTRY(link, struct waiting, link);
            if (other->owner == next) {
                found = other->blocker;
                break;
            }
        }
        circle = found == owner;
        next = found;
    }
    waiting->owner = owner;
    waiting->blocker = blocker;
    list_init(&waiting->link);
    if (!circle) {
        list_push_back(&waiters, &waiting->link);
    }
    spin_unlock(&waiting_lock);
    return circle;
}

static void waiting_end(struct waiting *waiting) {
    spin_lock(&waiting_lock);
    list_remove(&waiting->link);
    spin_unlock(&waiting_lock);
}

// Waits for a change after `sequence`, while `blocker` owns what `wanted` wants.
static enum hx_status wait_for_owner(struct inode *inode, const struct advisory *wanted,
                                     const void *blocker, uint32_t sequence) {
    struct waiting waiting;
    if (wanted->whole) { // flock's locks may deadlock
        return restart_if_interrupted(
            wait_change(changed_of(inode), sequence, TIME_NEVER, WAIT_INTERRUPTIBLE));
    }
    if (waiting_begin(&waiting, wanted->owner, blocker)) {
        return HX_ERR_DEADLOCK;
    }
    enum hx_status status =
        wait_change(changed_of(inode), sequence, TIME_NEVER, WAIT_INTERRUPTIBLE);
    waiting_end(&waiting);
    return restart_if_interrupted(status);
}

static enum hx_status acquire(struct inode *inode, const struct advisory *wanted, bool wait,
                              struct advisory **spares) {
    for (;;) {
        const uint32_t sequence = waitable_sequence(changed_of(inode));
        mutex_lock(&inode->advisory_lock);
        const struct advisory *blocker = wanted->unlock ? NULL : conflict_locked(inode, wanted);
        const void *owner = blocker != NULL ? blocker->owner : NULL;
        if (blocker == NULL) {
            apply_locked(inode, wanted, spares);
        }
        mutex_unlock(&inode->advisory_lock);
        if (blocker == NULL) {
            waitable_pulse(changed_of(inode)); // a range may have become free or weaker
            return HX_OK;
        }
        if (!wait) {
            return HX_ERR_WOULD_BLOCK;
        }
        enum hx_status status = wait_for_owner(inode, wanted, owner, sequence);
        if (status != HX_OK) {
            return status;
        }
    }
}

// Takes, changes or gives up a lock.
static enum hx_status set_lock(struct inode *inode, const struct advisory *wanted, bool wait) {
    struct advisory *spares[2] = {
        heap_alloc(sizeof(struct advisory), MEMORY_SLEEP),
        heap_alloc(sizeof(struct advisory), MEMORY_SLEEP),
    };
    enum hx_status status = HX_ERR_NO_MEMORY;
    if (spares[0] != NULL && spares[1] != NULL) {
        status = acquire(inode, wanted, wait, spares);
    }
    heap_free(spares[0]);
    heap_free(spares[1]);
    return status;
}

// Where l_whence says that the range starts.
static enum hx_status range_base(struct file *file, int16_t whence, int64_t *out_base) {
    switch (whence) {
    case 0:
        *out_base = 0;
        return HX_OK;
    case 1:
        *out_base = (int64_t)file->position;
        return HX_OK;
    case 2:
        *out_base = (int64_t)inode_size(file->inode);
        return HX_OK;
    default:
        return HX_ERR_INVALID;
    }
}

// The range of a struct flock (fcntl(2): a negative length lies before the start).
static enum hx_status range_from_user(struct file *file, const struct linux_flock *user,
                                      struct advisory *out_range) {
    int64_t start;
    enum hx_status status = range_base(file, user->whence, &start);
    if (status != HX_OK) {
        return status;
    }
    if (__builtin_add_overflow(start, user->start, &start)) {
        return HX_ERR_OVERFLOW;
    }
    int64_t last = OFFSET_LAST;
    if (user->length > 0) {
        if (__builtin_add_overflow(start, user->length - 1, &last)) {
            return HX_ERR_OVERFLOW;
        }
    } else if (user->length < 0) {
        last = start - 1;
        if (__builtin_add_overflow(start, user->length, &start)) {
            return HX_ERR_INVALID;
        }
    }
    out_range->first = start;
    out_range->last = last;
    return start < 0 ? HX_ERR_INVALID : HX_OK;
}

// What the program asks for, as a lock. `user` is copied in.
static enum hx_status request_from_user(struct call *call, struct file *file, bool of_description,
                                        struct linux_flock *user, struct advisory *out_wanted) {
    enum hx_status status = copy_from_user(user, call_address(call, 2), sizeof(*user));
    if (status != HX_OK) {
        return status;
    }
    if (file->inode == NULL || user->type < F_RDLCK || user->type > F_UNLCK ||
        (of_description && user->pid != 0)) {
        return HX_ERR_INVALID;
    }
    *out_wanted = (struct advisory){
        .owner = of_description ? (const void *)file : (const void *)call->process->files,
        .pid = of_description ? -1 : call->process->pid,
        .exclusive = user->type == F_WRLCK,
        .unlock = user->type == F_UNLCK,
    };
    return range_from_user(file, user, out_wanted);
}

static void mark_released(struct file *file) {
    atomic_fetch_or_explicit(&file->flags, FILE_WATCHED, memory_order_relaxed);
}

// Another thread may have closed the descriptor while this one waited for the lock: then nobody
// would ever release it (Linux's fcntl_setlk() looks again, too).
static enum hx_status lock_keep(struct call *call, struct file *file) {
    struct capability *now;
    if (call_is_alone(call)) {
        return HX_OK;
    }
    if (file_table_find(call->process->files, call_int(call, 0), &now) == HX_OK) {
        const bool same = now->object == &file->object;
        capability_put(now);
        if (same) {
            return HX_OK;
        }
    }
    advisory_closed(call->process->files, file);
    return HX_ERR_BAD_HANDLE;
}

enum hx_status lock_set(struct call *call, struct file *file, bool of_description, bool wait) {
    struct linux_flock user;
    struct advisory wanted;
    enum hx_status status = request_from_user(call, file, of_description, &user, &wanted);
    if (status != HX_OK) {
        return status;
    }
    const uint32_t needed = wanted.unlock ? 0 : wanted.exclusive ? FILE_WRITE : FILE_READ;
    if ((file_flags(file) & needed) != needed) {
        return HX_ERR_BAD_HANDLE;
    }
    if (of_description) {
        mark_released(file);
    }
    status = set_lock(file->inode, &wanted, wait);
    return status == HX_OK && !of_description && !wanted.unlock ? lock_keep(call, file) : status;
}

enum hx_status lock_query(struct call *call, struct file *file, bool of_description) {
    struct linux_flock user;
    struct advisory wanted;
    enum hx_status status = request_from_user(call, file, of_description, &user, &wanted);
    if (status != HX_OK) {
        return status;
    }
    if (wanted.unlock) {
        return HX_ERR_INVALID;
    }
    mutex_lock(&file->inode->advisory_lock);
    const struct advisory *blocker = conflict_locked(file->inode, &wanted);
    if (blocker == NULL) {
        user.type = F_UNLCK;
    } else {
        user.type = blocker->exclusive ? F_WRLCK : F_RDLCK;
        user.whence = 0;
        user.start = blocker->first;
        user.length = blocker->last == OFFSET_LAST ? 0 : blocker->last - blocker->first + 1;
        user.pid = blocker->pid;
    }
    mutex_unlock(&file->inode->advisory_lock);
    return copy_to_user(call_address(call, 2), &user, sizeof(user));
}

bool is_lock_operation(uint32_t operation) {
    const uint32_t kind = operation & ~LOCK_NB;
    return kind == LOCK_SH || kind == LOCK_EX || kind == LOCK_UN;
}

enum hx_status lock_whole_file(struct call *call, struct file *file, uint32_t operation) {
    const uint32_t kind = operation & ~LOCK_NB;
    if (file->inode == NULL || !is_lock_operation(operation)) {
        return HX_ERR_INVALID;
    }
    struct advisory wanted = {
        .owner = file,
        .last = OFFSET_LAST,
        .pid = call->process->pid,
        .whole = true,
        .unlock = true,
    };
    mark_released(file);
    const bool wait = (operation & LOCK_NB) == 0;
    if (kind == LOCK_UN) {
        return set_lock(file->inode, &wanted, wait);
    }
    wanted.unlock = false;
    wanted.exclusive = kind == LOCK_EX;
    return set_lock(file->inode, &wanted, wait);
}

// Removes all that `owner` has on the inode.
static void owner_gone(struct inode *inode, const void *owner) {
    bool removed = false;
    mutex_lock(&inode->advisory_lock);
    list_for_each_safe (link, &inode->advisory_locks) {
        struct advisory *held = LIST_ENTRY(link, struct advisory, link);
        if (held->owner == owner) {
            advisory_remove(held);
            removed = true;
        }
    }
    mutex_unlock(&inode->advisory_lock);
    if (removed) {
        waitable_pulse(changed_of(inode));
    }
}

void advisory_closed(struct file_table *table, struct file *file) {
    // Without the mutex: the locks that matter were set by this very process.
    if (!list_is_empty(&file->inode->advisory_locks)) {
        owner_gone(file->inode, table);
    }
}

void advisory_released(struct file *file) {
    if (file->inode != NULL && !list_is_empty(&file->inode->advisory_locks)) {
        owner_gone(file->inode, file);
    }
}
