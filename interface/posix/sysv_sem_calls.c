// SPDX-License-Identifier: MIT OR Apache-2.0
// sysv_sem_calls.c: semget(2), semop(2), semctl(2): what they refuse, and in which order, is
// Linux's.
#include "life.h"
#include "sysv_sem.h"
#include "times.h"

#include <lib/string.h>
#include <memory/heap.h>
#include <memory/usercopy.h>
#include <posix/linux.h>

#define GETPID       11
#define GETVAL       12
#define GETALL       13
#define GETNCNT      14
#define GETZCNT      15
#define SETVAL       16
#define SETALL       17
#define SEM_STAT     18
#define SEM_INFO     19
#define SEM_STAT_ANY 20

#define UNDO_BYTES_TOLD 20 // SEMUSZ

#define STEPS_INLINE 8u

struct linux_semid {
    struct linux_ipc_perm perm;
    int64_t operated_at[HAL_SEM_TIME_WORDS]; // the first word
    int64_t changed_at[HAL_SEM_TIME_WORDS];
    uint64_t count;
    uint64_t unused[2];
};

struct linux_seminfo {
    int32_t map, sets_max, total_max, undos_max, count_max, ops_max, undo_max, undo_bytes;
    int32_t value_max, undo_value_max;
};

static const struct lock_class table_class = { .name = "semaphore sets",
                                               .rank = LOCK_RANK_SIGNAL - 5 };
static const struct lock_class set_class = { .name = "semaphore set",
                                             .rank = LOCK_RANK_SIGNAL - 3 };
static struct ipc_table sets = IPC_TABLE(&table_class, SEM_SETS_MAX);

static struct sem_set *set_of(struct ipc_entry *entry) {
    return CONTAINER_OF(entry, struct sem_set, entry);
}

// Sets -------------------------------------------------------------------------------------------

static void set_destroy(struct object *object) {
    struct sem_set *set = CONTAINER_OF(object, struct sem_set, entry.object);
    ipc_entry_fini(&set->entry);
    heap_free(set);
}

static const struct object_type set_type = { .kind = OBJECT_IPC,
                                             .name = "semaphore set",
                                             .destroy = set_destroy };

static enum hx_status set_create(int32_t key, uint32_t flags, uint64_t count,
                                 struct ipc_entry **out_entry) {
    if (count == 0) {
        return HX_ERR_INVALID;
    }
    const uint64_t bytes = sizeof(struct sem_set) + count * sizeof(struct sem);
    const int64_t pages = (int64_t)(ALIGN_UP(bytes, (uint64_t)PAGE_SIZE) / PAGE_SIZE);
    struct sem_set *set = heap_alloc_zero(bytes, MEMORY_SLEEP);
    if (set == NULL) {
        return HX_ERR_NO_MEMORY;
    }
    if (ipc_entry_init(&set->entry, &set_type, key, flags, pages) != HX_OK) {
        heap_free(set);
        return HX_ERR_NO_MEMORY;
    }
    spinlock_init(&set->lock, &set_class);
    list_init(&set->readers);
    list_init(&set->changers);
    list_init(&set->undos);
    set->count = (uint32_t)count;
    *out_entry = &set->entry;
    return HX_OK;
}

static bool set_fits(const struct ipc_entry *entry, uint64_t count) {
    return CONTAINER_OF(entry, const struct sem_set, entry)->count >= count;
}

enum hx_status sys_semget(struct call *call) {
    static const struct ipc_maker maker = { .create = set_create, .fits = set_fits };
    const int32_t count = call_int(call, 1);
    if (count < 0 || count > SEM_COUNT_MAX) {
        return HX_ERR_INVALID;
    }
    return ipc_get(call, &sets, call_uint(call, 2), (uint64_t)count, &maker);
}

// Operations -------------------------------------------------------------------------------------

static enum hx_status prepare(struct call *call, struct sem_set *set,
                              struct sem_operation *operation) {
    bool undoes = false;
    uint32_t highest = 0;
    for (uint32_t i = 0; i < operation->count; i++) {
        const struct sem_step *step = &operation->steps[i];
        highest = MAX_OF(highest, step->number);
        undoes |= (step->flags & SEM_UNDO) != 0;
        operation->changes |= step->change != 0;
    }
    if (highest >= set->count) {
        return HX_ERR_FILE_TOO_BIG;
    }
    const enum hx_status status =
        ipc_check(&sets, &set->entry, operation->changes ? IPC_WRITE : IPC_READ);
    return status == HX_OK && undoes ? sem_undo_find(call->thread, set, &operation->undo) : status;
}

static enum hx_status operate(struct call *call, const struct sem_step *steps, uint32_t count,
                              time_ns_t deadline) {
    struct sem_operation operation = { .steps = steps, .count = count, .pid = ipc_caller() };
    struct ipc_entry *entry;
    enum hx_status status = ipc_hold(&sets, call_int(call, 0), 0, &entry);
    if (status != HX_OK) {
        return status;
    }
    status = prepare(call, set_of(entry), &operation);
    if (status == HX_OK) {
        status = sem_operate(set_of(entry), &operation, deadline);
    }
    ipc_put(entry);
    if (status == HX_ERR_INTERRUPTED) {
        return call_fail(call, status, EINTR); // never begins anew: signal(7)
    }
    return ipc_refusal(call, status);
}

// HX_ERR_INVALID: no set has such an id, or nobody can wait for so long.
static enum hx_status deadline_of(const struct call *call, const struct timespec_user *limit,
                                  time_ns_t *out_deadline) {
    time_ns_t span;
    *out_deadline = TIME_NEVER;
    if (call_int(call, 0) < 0 || limit == NULL) {
        return limit == NULL && call_int(call, 0) >= 0 ? HX_OK : HX_ERR_INVALID;
    }
    const enum hx_status status = ns_from_timespec(limit, &span);
    if (status == HX_OK) {
        *out_deadline = time_after(span);
    }
    return status;
}

static enum hx_status semop(struct call *call, const struct timespec_user *limit) {
    struct sem_step few[STEPS_INLINE];
    struct sem_step *steps = few;
    time_ns_t deadline;
    const uint32_t count = call_uint(call, 2);
    if (count == 0 || count > SEM_OPS_MAX) {
        return count == 0 ? HX_ERR_INVALID : HX_ERR_TOO_BIG;
    }
    if (count > STEPS_INLINE) {
        steps = heap_alloc(count * sizeof(*steps), MEMORY_SLEEP);
        if (steps == NULL) {
            return HX_ERR_NO_MEMORY;
        }
    }
    enum hx_status status = copy_from_user(steps, call_address(call, 1), count * sizeof(*steps));
    if (status == HX_OK) {
        status = deadline_of(call, limit, &deadline);
    }
    if (status == HX_OK) {
        status = operate(call, steps, count, deadline);
    }
    if (steps != few) {
        heap_free(steps);
    }
    return status;
}

enum hx_status sys_semop(struct call *call) {
    return semop(call, NULL);
}

enum hx_status sys_semtimedop(struct call *call) {
    struct timespec_user limit;
    if (call->args[3] == 0) {
        return semop(call, NULL);
    }
    const enum hx_status status = copy_from_user(&limit, call_address(call, 3), sizeof(limit));
    return status == HX_OK ? semop(call, &limit) : status;
}

// semctl: values ---------------------------------------------------------------------------------

// What was to be undone of this one is not any more.
static void store_locked(struct sem_set *set, uint32_t number, int32_t value, int32_t pid) {
    set->sems[number] = (struct sem){ .value = value, .pid = pid };
    list_for_each (link, &set->undos) {
        LIST_ENTRY(link, struct sem_undo, of_set)->changes[number] = 0;
    }
}

// Sets values from `first` on.
static enum hx_status store(struct sem_set *set, uint32_t first, uint32_t count,
                            const uint16_t *values) {
    const int64_t now = ipc_now();
    const int32_t pid = ipc_caller();
    spin_lock(&set->lock);
    const bool is_removed = atomic_load_explicit(&set->is_removed, memory_order_relaxed);
    for (uint32_t i = 0; i < count && !is_removed; i++) {
        store_locked(set, first + i, values[i], pid);
    }
    if (!is_removed) {
        sem_serve_locked(set, now);
    }
    spin_unlock(&set->lock);
    if (!is_removed) {
        ipc_touch(&sets, &set->entry);
    }
    return is_removed ? HX_ERR_REVOKED : HX_OK;
}

static enum hx_status set_value(struct call *call) {
    const int32_t number = call_int(call, 1);
    const int32_t value = call_int(call, 3);
    const uint16_t stored = (uint16_t)value;
    struct ipc_entry *entry;
    if (value < 0 || value > SEM_VALUE_MAX) {
        return HX_ERR_RANGE;
    }
    enum hx_status status = ipc_hold(&sets, call_int(call, 0), 0, &entry);
    if (status != HX_OK) {
        return status;
    }
    status = number < 0 || (uint32_t)number >= set_of(entry)->count
                 ? HX_ERR_INVALID
                 : ipc_check(&sets, entry, IPC_WRITE);
    if (status == HX_OK) {
        status = store(set_of(entry), (uint32_t)number, 1, &stored);
    }
    ipc_put(entry);
    return ipc_refusal(call, status);
}

static enum hx_status set_all(struct sem_set *set, struct uaddr from, uint16_t *values) {
    enum hx_status status = copy_from_user(values, from, set->count * sizeof(*values));
    for (uint32_t i = 0; i < set->count && status == HX_OK; i++) {
        status = values[i] > SEM_VALUE_MAX ? HX_ERR_RANGE : HX_OK;
    }
    return status == HX_OK ? store(set, 0, set->count, values) : status;
}

static enum hx_status get_all(struct sem_set *set, struct uaddr to, uint16_t *values) {
    spin_lock(&set->lock);
    const bool is_removed = atomic_load_explicit(&set->is_removed, memory_order_relaxed);
    for (uint32_t i = 0; i < set->count; i++) {
        values[i] = (uint16_t)set->sems[i].value;
    }
    spin_unlock(&set->lock);
    return is_removed ? HX_ERR_REVOKED : copy_to_user(to, values, set->count * sizeof(*values));
}

static enum hx_status all_values(struct call *call, bool sets_them) {
    struct ipc_entry *entry;
    enum hx_status status =
        ipc_hold(&sets, call_int(call, 0), sets_them ? IPC_WRITE : IPC_READ, &entry);
    if (status != HX_OK) {
        return status;
    }
    struct sem_set *set = set_of(entry);
    uint16_t *values = heap_alloc(set->count * sizeof(*values), MEMORY_SLEEP);
    if (values == NULL) {
        status = HX_ERR_NO_MEMORY;
    } else if (sets_them) {
        status = set_all(set, call_address(call, 3), values);
    } else {
        status = get_all(set, call_address(call, 3), values);
    }
    heap_free(values);
    ipc_put(entry);
    return ipc_refusal(call, status);
}

// Who waits for this semaphore to become 0, or more.
static int64_t waiting_locked(const struct list *list, uint32_t number, bool for_zero) {
    int64_t count = 0;
    list_for_each (link, list) {
        const struct sem_operation *operation = LIST_ENTRY(link, struct sem_operation, link);
        const struct sem_step *step = &operation->steps[operation->blocking];
        count += step->number == number && (step->change == 0) == for_zero ? 1 : 0;
    }
    return count;
}

static int64_t ask_locked(const struct sem_set *set, uint32_t number, int32_t command) {
    switch (command) {
    case GETVAL:
        return set->sems[number].value;
    case GETPID:
        return set->sems[number].pid;
    default:
        return waiting_locked(&set->changers, number, command == GETZCNT) +
               waiting_locked(&set->readers, number, command == GETZCNT);
    }
}

static enum hx_status ask(struct call *call, int32_t command) {
    const int32_t number = call_int(call, 1);
    struct ipc_entry *entry;
    enum hx_status status = ipc_hold(&sets, call_int(call, 0), IPC_READ, &entry);
    if (status != HX_OK) {
        return status;
    }
    struct sem_set *set = set_of(entry);
    if (number < 0 || (uint32_t)number >= set->count) {
        status = HX_ERR_INVALID;
    } else {
        spin_lock(&set->lock);
        call->result = ask_locked(set, (uint32_t)number, command);
        status =
            atomic_load_explicit(&set->is_removed, memory_order_relaxed) ? HX_ERR_REVOKED : HX_OK;
        spin_unlock(&set->lock);
    }
    ipc_put(entry);
    return ipc_refusal(call, status);
}

// semctl: sets -----------------------------------------------------------------------------------

// The first one from that index on, with a reference; NULL: there is none.
static struct sem_set *set_from(int32_t index) {
    spin_lock(&sets.lock);
    struct ipc_entry *entry = ipc_from_index_locked(&sets, index);
    if (entry != NULL) {
        object_get(&entry->object);
    }
    spin_unlock(&sets.lock);
    return entry != NULL ? set_of(entry) : NULL;
}

static int32_t count_all(void) {
    int32_t count = 0;
    struct sem_set *set;
    for (int32_t index = 0; (set = set_from(index)) != NULL;) {
        index = ipc_index(&set->entry) + 1;
        count += (int32_t)set->count;
        ipc_put(&set->entry);
    }
    return count;
}

static enum hx_status tell_limits(struct call *call, bool usage) {
    const struct linux_seminfo info = {
        .map = SEM_TOTAL_MAX,
        .sets_max = SEM_SETS_MAX,
        .total_max = SEM_TOTAL_MAX,
        .undos_max = SEM_TOTAL_MAX,
        .count_max = SEM_COUNT_MAX,
        .ops_max = SEM_OPS_MAX,
        .undo_max = SEM_OPS_MAX,
        .undo_bytes = usage ? ipc_count(&sets) : UNDO_BYTES_TOLD,
        .value_max = SEM_VALUE_MAX,
        .undo_value_max = usage ? count_all() : SEM_VALUE_MAX,
    };
    call->result = ipc_highest_index(&sets);
    return copy_to_user(call_address(call, 3), &info, sizeof(info));
}

static void describe(struct sem_set *set, struct linux_semid *out) {
    *out = (struct linux_semid){ .count = set->count };
    ipc_describe(&sets, &set->entry, &out->perm, &out->changed_at[0]);
    spin_lock(&set->lock);
    out->operated_at[0] = set->operated_at;
    spin_unlock(&set->lock);
}

static enum hx_status tell(struct call *call, bool by_index, bool any) {
    struct ipc_entry *entry;
    const enum hx_status status = ipc_hold_to_tell(&sets, call_int(call, 0), by_index, any, &entry);
    if (status != HX_OK) {
        return status;
    }
    struct linux_semid state;
    describe(set_of(entry), &state);
    call->result = by_index ? entry->id : 0;
    ipc_put(entry);
    return copy_to_user(call_address(call, 3), &state, sizeof(state));
}

static enum hx_status remove_or_set(struct call *call, bool removes,
                                    const struct linux_ipc_perm *perm) {
    struct ipc_entry *entry;
    enum hx_status status = ipc_hold_owned(&sets, call_int(call, 0), &entry);
    if (status != HX_OK) {
        return status;
    }
    bool ends = false;
    spin_lock(&sets.lock);
    if (removes) {
        ends = ipc_remove_locked(&sets, entry);
        status = ends ? HX_OK : HX_ERR_REVOKED;
    } else {
        status = entry->is_listed ? ipc_change_locked(entry, perm) : HX_ERR_REVOKED;
    }
    spin_unlock(&sets.lock);
    if (ends) {
        sem_set_end(set_of(entry));
        ipc_put(entry);
    }
    ipc_put(entry);
    return ipc_refusal(call, status);
}

static enum hx_status set(struct call *call) {
    struct linux_semid state;
    const enum hx_status status = copy_from_user(&state, call_address(call, 3), sizeof(state));
    return status == HX_OK ? remove_or_set(call, false, &state.perm) : status;
}

enum hx_status sys_semctl(struct call *call) {
    const int32_t command = call_int(call, 2);
    if (call_int(call, 0) < 0) {
        return HX_ERR_INVALID;
    }
    switch (command) {
    case IPC_INFO:
    case SEM_INFO:
        return tell_limits(call, command == SEM_INFO);
    case IPC_STAT:
        return tell(call, false, false);
    case SEM_STAT:
    case SEM_STAT_ANY:
        return tell(call, true, command == SEM_STAT_ANY);
    case GETALL:
    case SETALL:
        return all_values(call, command == SETALL);
    case GETVAL:
    case GETPID:
    case GETNCNT:
    case GETZCNT:
        return ask(call, command);
    case SETVAL:
        return set_value(call);
    case IPC_SET:
        return set(call);
    case IPC_RMID:
        return remove_or_set(call, true, NULL);
    default:
        return HX_ERR_INVALID;
    }
}

int32_t sem_line(int32_t index, struct ipc_line *out_line) {
    struct sem_set *found = set_from(index);
    if (found == NULL) {
        return -1;
    }
    struct linux_semid state;
    describe(found, &state);
    out_line->perm = state.perm;
    out_line->id = found->entry.id;
    out_line->values[0] = (int64_t)state.count;
    out_line->values[1] = state.operated_at[0];
    out_line->values[2] = state.changed_at[0];
    const int32_t at = ipc_index(&found->entry);
    ipc_put(&found->entry);
    return at;
}
