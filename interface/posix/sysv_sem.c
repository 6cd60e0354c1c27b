// SPDX-License-Identifier: MIT OR Apache-2.0
// sysv_sem.c: operations on sets of semaphores, and who waits for them: semop(2).
//
// Whoever changes a set serves, under its lock, those who wait and can go on: it does their steps
// for them, and they find their operation done. Who waits for zeroes alone takes nothing from
// anybody and is served first; the others in the order in which they came, but who still cannot go
// on holds nobody up.
#include "sysv_sem.h"

static bool waits_for(const struct sem_set *set, const struct sem_step *step) {
    const int32_t value = set->sems[step->number].value;
    return step->change == 0 ? value != 0 : value + step->change < 0;
}

// HX_ERR_BUSY: it has to wait.
static enum hx_status step_locked(struct sem_set *set, const struct sem_step *step,
                                  struct sem_undo *undo) {
    struct sem *sem = &set->sems[step->number];
    if (waits_for(set, step)) {
        return (step->flags & IPC_NOWAIT) != 0 ? HX_ERR_WOULD_BLOCK : HX_ERR_BUSY;
    }
    if (sem->value + step->change > SEM_VALUE_MAX) {
        return HX_ERR_RANGE;
    }
    if ((step->flags & SEM_UNDO) != 0) {
        const int32_t change = undo->changes[step->number] - step->change;
        if (change < -SEM_VALUE_MAX - 1 || change > SEM_VALUE_MAX) {
            return HX_ERR_RANGE;
        }
        undo->changes[step->number] = (int16_t)change;
    }
    sem->value += step->change;
    return HX_OK;
}

static void take_back_locked(struct sem_set *set, const struct sem_step *step,
                             struct sem_undo *undo) {
    set->sems[step->number].value -= step->change;
    if ((step->flags & SEM_UNDO) != 0) {
        undo->changes[step->number] = (int16_t)(undo->changes[step->number] + step->change);
    }
}

static enum hx_status try_locked(struct sem_set *set, struct sem_operation *operation,
                                 int64_t now) {
    enum hx_status status = HX_OK;
    uint32_t done = 0;
    while (done < operation->count && status == HX_OK) {
        status = step_locked(set, &operation->steps[done], operation->undo);
        done += status == HX_OK ? 1 : 0;
    }
    if (status != HX_OK) {
        operation->blocking = done;
        while (done > 0) {
            take_back_locked(set, &operation->steps[--done], operation->undo);
        }
        return status;
    }
    for (uint32_t i = 0; i < operation->count; i++) {
        set->sems[operation->steps[i].number].pid = operation->pid;
    }
    set->operated_at = now;
    return HX_OK;
}

// Its thread may be gone with it as soon as the lock is free.
static void end_locked(struct sem_operation *operation, enum hx_status status) {
    list_remove(&operation->link);
    operation->status = status;
    waitable_update(&operation->served, 0, WAIT_SIGNALED);
}

// True: one of them changed something.
static bool serve_list_locked(struct sem_set *set, struct list *waiting, int64_t now) {
    list_for_each_safe (link, waiting) {
        struct sem_operation *operation = LIST_ENTRY(link, struct sem_operation, link);
        const bool still_waits = waits_for(set, &operation->steps[operation->blocking]) &&
                                 operation->blocking == 0; // that one alone says so without a try
        const enum hx_status status = still_waits ? HX_ERR_BUSY : try_locked(set, operation, now);
        if (status == HX_ERR_BUSY) {
            continue;
        }
        const bool changes = operation->changes;
        end_locked(operation, status);
        if (status == HX_OK && changes) {
            return true;
        }
    }
    return false;
}

void sem_serve_locked(struct sem_set *set, int64_t now) {
    do {
        (void)serve_list_locked(set, &set->readers, now);
    } while (serve_list_locked(set, &set->changers, now));
}

void sem_set_end(struct sem_set *set) {
    spin_lock(&set->lock);
    atomic_store_explicit(&set->is_removed, true, memory_order_relaxed);
    while (!list_is_empty(&set->readers)) {
        end_locked(LIST_ENTRY(set->readers.next, struct sem_operation, link), HX_ERR_REVOKED);
    }
    while (!list_is_empty(&set->changers)) {
        end_locked(LIST_ENTRY(set->changers.next, struct sem_operation, link), HX_ERR_REVOKED);
    }
    spin_unlock(&set->lock);
}

// After this nobody refers to the operation.
static enum hx_status wait_served(struct sem_set *set, struct sem_operation *operation,
                                  time_ns_t deadline) {
    const enum hx_status status =
        wait_one(&operation->served, WAIT_SIGNALED, deadline, WAIT_INTERRUPTIBLE);
    spin_lock(&set->lock);
    const bool was_served = !list_is_linked(&operation->link);
    list_remove(&operation->link);
    spin_unlock(&set->lock);
    if (was_served) {
        return operation->status;
    }
    return status == HX_ERR_TIMED_OUT ? HX_ERR_WOULD_BLOCK : status;
}

enum hx_status sem_operate(struct sem_set *set, struct sem_operation *operation,
                           time_ns_t deadline) {
    const int64_t now = ipc_now();
    enum hx_status status = HX_ERR_REVOKED;
    list_init(&operation->link);
    waitable_init(&operation->served, 0);
    spin_lock(&set->lock);
    if (!atomic_load_explicit(&set->is_removed, memory_order_relaxed)) {
        status = try_locked(set, operation, now);
    }
    if (status == HX_OK && operation->changes) {
        sem_serve_locked(set, now);
    } else if (status == HX_ERR_BUSY) {
        list_push_back(operation->changes ? &set->changers : &set->readers, &operation->link);
    }
    spin_unlock(&set->lock);
    return status == HX_ERR_BUSY ? wait_served(set, operation, deadline) : status;
}
