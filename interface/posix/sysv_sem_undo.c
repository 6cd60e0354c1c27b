// SPDX-License-Identifier: MIT OR Apache-2.0
// sysv_sem_undo.c: what SEM_UNDO asks for: when the last thread that shares a list ends, what they
// did to semaphores with that flag is taken back (semop(2), CLONE_SYSVSEM of clone(2)).
//
// A thread has a list from its first such operation on, or from when it shares one with a child. A
// set that was removed stays in a list until somebody looks there, but takes no part any more.
#include "life.h"
#include "sysv_sem.h"

#include <memory/heap.h>

struct sem_undos {
    _Atomic uint32_t references; // threads
    struct spinlock lock;
    struct list undos; // [lock] struct sem_undo.of_list
};

static const struct lock_class undos_class = { .name = "semaphore undos",
                                               .rank = LOCK_RANK_SIGNAL - 4 };

static struct sem_undos *undos_create(void) {
    struct sem_undos *undos = heap_alloc(sizeof(*undos), MEMORY_SLEEP);
    if (undos != NULL) {
        atomic_init(&undos->references, 1);
        spinlock_init(&undos->lock, &undos_class);
        list_init(&undos->undos);
    }
    return undos;
}

// It is in no list.
static void undo_free(struct sem_undo *undo) {
    account_release(undo->account, ACCOUNT_FRAMES, undo->pages);
    object_put(&undo->account->object);
    ipc_put(&undo->set->entry);
    heap_free(undo);
}

static struct sem_undo *undo_create(struct sem_set *set) {
    const uint64_t bytes = sizeof(struct sem_undo) + set->count * sizeof(int16_t);
    const int64_t pages = (int64_t)(ALIGN_UP(bytes, (uint64_t)PAGE_SIZE) / PAGE_SIZE);
    struct account *account = account_current();
    if (account_charge(account, ACCOUNT_FRAMES, pages) != HX_OK) {
        return NULL;
    }
    struct sem_undo *undo = heap_alloc_zero(bytes, MEMORY_SLEEP);
    if (undo == NULL) {
        account_release(account, ACCOUNT_FRAMES, pages);
        return NULL;
    }
    list_init(&undo->of_list);
    list_init(&undo->of_set);
    object_get(&set->entry.object);
    undo->set = set;
    object_get(&account->object);
    undo->account = account;
    undo->pages = pages;
    return undo;
}

static struct sem_undo *find_locked(const struct sem_undos *undos, const struct sem_set *set) {
    list_for_each (link, &undos->undos) {
        struct sem_undo *undo = LIST_ENTRY(link, struct sem_undo, of_list);
        if (undo->set == set) {
            return undo;
        }
    }
    return NULL;
}

// Those of sets that were removed go.
static void forget_removed(struct sem_undos *undos) {
    struct list gone = LIST_INIT(gone);
    spin_lock(&undos->lock);
    list_for_each_safe (link, &undos->undos) {
        const struct sem_undo *undo = LIST_ENTRY(link, struct sem_undo, of_list);
        if (atomic_load_explicit(&undo->set->is_removed, memory_order_relaxed)) {
            list_remove(link);
            list_push_back(&gone, link);
        }
    }
    spin_unlock(&undos->lock);
    list_for_each_safe (link, &gone) {
        struct sem_undo *undo = LIST_ENTRY(link, struct sem_undo, of_list);
        spin_lock(&undo->set->lock);
        list_remove(&undo->of_set);
        spin_unlock(&undo->set->lock);
        undo_free(undo);
    }
}

// Puts it into both lists, unless another thread was faster: the one that is there. NULL: the set
// was removed. It may be freed as soon as the locks are free, but not before the set is removed,
// after which nobody looks at it.
static struct sem_undo *link_undo(struct sem_undos *undos, struct sem_set *set,
                                  struct sem_undo *undo) {
    struct sem_undo *linked = NULL;
    spin_lock(&undos->lock);
    spin_lock(&set->lock);
    if (!atomic_load_explicit(&set->is_removed, memory_order_relaxed)) {
        linked = find_locked(undos, set);
        if (linked == NULL) {
            list_push_back(&undos->undos, &undo->of_list);
            list_push_back(&set->undos, &undo->of_set);
            linked = undo;
        }
    }
    spin_unlock(&set->lock);
    spin_unlock(&undos->lock);
    return linked;
}

static struct sem_undo *find(struct sem_undos *undos, const struct sem_set *set) {
    spin_lock(&undos->lock);
    struct sem_undo *undo = find_locked(undos, set);
    spin_unlock(&undos->lock);
    return undo;
}

enum hx_status sem_undo_find(struct posix_thread *thread, struct sem_set *set,
                             struct sem_undo **out_undo) {
    if (thread->sem_undos == NULL) {
        thread->sem_undos = undos_create();
    }
    struct sem_undos *undos = thread->sem_undos;
    if (undos == NULL) {
        return HX_ERR_NO_MEMORY;
    }
    struct sem_undo *undo = find(undos, set);
    if (undo == NULL) {
        forget_removed(undos);
        struct sem_undo *fresh = undo_create(set);
        if (fresh == NULL) {
            return HX_ERR_NO_MEMORY;
        }
        undo = link_undo(undos, set, fresh);
        if (undo != fresh) {
            undo_free(fresh);
        }
    }
    *out_undo = undo;
    return undo != NULL ? HX_OK : HX_ERR_REVOKED;
}

static void apply(struct sem_undo *undo) {
    struct sem_set *set = undo->set;
    const int64_t now = ipc_now();
    const int32_t pid = ipc_caller();
    spin_lock(&set->lock);
    const bool is_removed = atomic_load_explicit(&set->is_removed, memory_order_relaxed);
    for (uint32_t i = 0; i < set->count && !is_removed; i++) {
        if (undo->changes[i] != 0) {
            const int32_t value = set->sems[i].value + undo->changes[i];
            set->sems[i].value = MAX_OF(0, MIN_OF(value, SEM_VALUE_MAX));
            set->sems[i].pid = pid;
        }
    }
    list_remove(&undo->of_set);
    if (!is_removed) {
        set->operated_at = now;
        sem_serve_locked(set, now);
    }
    spin_unlock(&set->lock);
    undo_free(undo);
}

enum hx_status sem_undos_share(struct posix_thread *parent, struct posix_thread *child) {
    if (parent->sem_undos == NULL) {
        parent->sem_undos = undos_create();
    }
    if (parent->sem_undos == NULL) {
        return HX_ERR_NO_MEMORY;
    }
    atomic_fetch_add_explicit(&parent->sem_undos->references, 1, memory_order_relaxed);
    child->sem_undos = parent->sem_undos;
    return HX_OK;
}

void sem_undos_leave(struct posix_thread *thread) {
    struct sem_undos *undos = thread->sem_undos;
    thread->sem_undos = NULL;
    if (undos == NULL ||
        atomic_fetch_sub_explicit(&undos->references, 1, memory_order_acq_rel) != 1) {
        return;
    }
    list_for_each_safe (link, &undos->undos) { // nobody else looks there any more
        apply(LIST_ENTRY(link, struct sem_undo, of_list));
    }
    heap_free(undos);
}
