// SPDX-License-Identifier: MIT OR Apache-2.0
// interface/posix/pids.c: the pid space: numbers and what they name.
//
// Numbers are given out in ascending order and wrap at PID_MAX, so that a number is not used again
// soon after it became free.
#include "pids.h"

#include <lib/string.h>
#include <memory/heap.h>

static const struct lock_class tree_class = { .name = "process tree",
                                              .rank = LOCK_RANK_PROCESS_TREE };
static const struct lock_class pid_class = { .name = "pids", .rank = LOCK_RANK_SIGNAL - 5 };

static const struct lock_class identity_class = { .name = "identity", .rank = LOCK_RANK_LEAF };

struct pid_space pid_space_initial;

static void *node_allocate(void *context, size_t size_bytes) {
    (void)context;
    return heap_alloc(size_bytes, MEMORY_ATOMIC);
}

static void node_release(void *context, void *node, size_t size_bytes) {
    (void)context;
    (void)size_bytes;
    heap_free(node);
}

static const struct radix_memory node_memory = { node_allocate, node_release, NULL };

void pids_init(struct pid_space *space) {
    mutex_init(&space->tree_lock, &tree_class);
    spinlock_init(&space->lock, &pid_class);
    radix_init(&space->entries, &node_memory);
    struct frame_stats stats;
    frame_stats(&stats);
    // As Linux: an eighth of the memory may be stacks.
    const uint64_t most = stats.total / (8 * (THREAD_STACK_BYTES / PAGE_SIZE));
    space->threads_max = (uint32_t)MIN_OF(MAX_OF(most, (uint64_t)32), (uint64_t)PID_MAX);
}

// A module in ring 3 has no numbers of its own, and signals by terminals' keys come from its
// thread.
struct pid_space *pids(void) {
    const struct process *process = process_current();
    struct pid_space *space = process != NULL ? process->ns->pids : NULL;
    return space != NULL ? space : &pid_space_initial;
}

static int32_t next_free_locked(struct pid_space *space) {
    int32_t number = space->last;
    for (int32_t tried = 0; tried < PID_MAX; tried++) {
        number = number + 1 < PID_MAX ? number + 1 : PID_RESERVED;
        if (radix_get(&space->entries, (uint64_t)number) == NULL) {
            return number;
        }
    }
    return 0;
}

enum hx_status pid_allocate(struct pid_space *space, int32_t *out_number) {
    struct pid_entry *entry = heap_alloc_zero(sizeof(*entry), MEMORY_SLEEP);
    if (entry == NULL) {
        return HX_ERR_NO_MEMORY;
    }
    entry->is_reserved = true;
    const unsigned long irq = spin_lock_irq(&space->lock);
    const int32_t number = next_free_locked(space);
    enum hx_status status = HX_ERR_LIMIT;
    if (number != 0) {
        status = radix_set(&space->entries, (uint64_t)number, entry);
    }
    if (status == HX_OK) {
        space->last = number;
        *out_number = number;
    }
    spin_unlock_irq(&space->lock, irq);
    if (status != HX_OK) {
        heap_free(entry);
    }
    return status;
}

// Takes an entry that names nothing any more out; the caller frees it outside the lock.
static struct pid_entry *take_if_unused_locked(struct pid_space *space, int32_t number,
                                               struct pid_entry *entry) {
    if (entry->thread != NULL || entry->process != NULL || entry->group != NULL ||
        entry->session != NULL || entry->is_reserved) {
        return NULL;
    }
    return radix_remove(&space->entries, (uint64_t)number);
}

void pid_cancel(struct pid_space *space, int32_t number) {
    const unsigned long irq = spin_lock_irq(&space->lock);
    struct pid_entry *entry = radix_get(&space->entries, (uint64_t)number);
    entry->is_reserved = false;
    struct pid_entry *unused = take_if_unused_locked(space, number, entry);
    spin_unlock_irq(&space->lock, irq);
    heap_free(unused);
}

// One of the four pointers of an entry.
static void set_field(struct pid_space *space, int32_t number, size_t field_offset, void *value) {
    const unsigned long irq = spin_lock_irq(&space->lock);
    struct pid_entry *entry = radix_get(&space->entries, (uint64_t)number);
    if (entry == NULL) { // 0, process 1's first group and session, which nobody can name
        spin_unlock_irq(&space->lock, irq);
        return;
    }
    memcpy((char *)entry + field_offset, (const void *)&value, sizeof(value));
    entry->is_reserved = false;
    struct pid_entry *unused = take_if_unused_locked(space, number, entry);
    spin_unlock_irq(&space->lock, irq);
    heap_free(unused);
}

void pid_set_thread(struct pid_space *space, int32_t number, struct posix_thread *thread) {
    set_field(space, number, offsetof(struct pid_entry, thread), thread);
}

void pid_set_process(struct pid_space *space, int32_t number, struct posix_process *process) {
    set_field(space, number, offsetof(struct pid_entry, process), process);
}

void pid_set_group(struct pid_space *space, int32_t number, struct posix_group *group) {
    set_field(space, number, offsetof(struct pid_entry, group), group);
}

void pid_set_session(struct pid_space *space, int32_t number, struct posix_session *session) {
    set_field(space, number, offsetof(struct pid_entry, session), session);
}

static struct pid_entry *entry_locked(struct pid_space *space, int32_t number) {
    return number > 0 ? radix_get(&space->entries, (uint64_t)number) : NULL;
}

struct posix_thread *pid_thread_locked(struct pid_space *space, int32_t number) {
    struct pid_entry *entry = entry_locked(space, number);
    return entry != NULL ? entry->thread : NULL;
}

struct posix_process *pid_process_locked(struct pid_space *space, int32_t number) {
    struct pid_entry *entry = entry_locked(space, number);
    return entry != NULL ? entry->process : NULL;
}

struct posix_group *pid_group(struct pid_space *space, int32_t number) {
    const unsigned long irq = spin_lock_irq(&space->lock);
    struct pid_entry *entry = entry_locked(space, number);
    struct posix_group *group = entry != NULL ? entry->group : NULL;
    spin_unlock_irq(&space->lock, irq);
    return group;
}

struct posix_session *pid_session(struct pid_space *space, int32_t number) {
    const unsigned long irq = spin_lock_irq(&space->lock);
    struct pid_entry *entry = entry_locked(space, number);
    struct posix_session *session = entry != NULL ? entry->session : NULL;
    spin_unlock_irq(&space->lock, irq);
    return session;
}

bool pid_is_used(struct pid_space *space, int32_t number) {
    const unsigned long irq = spin_lock_irq(&space->lock);
    const bool is_used = entry_locked(space, number) != NULL;
    spin_unlock_irq(&space->lock, irq);
    return is_used;
}

struct posix_process *posix_process_find(int32_t pid) {
    struct pid_space *space = pids();
    const unsigned long irq = spin_lock_irq(&space->lock);
    struct posix_process *process = pid_process_locked(space, pid);
    if (process != NULL && !object_try_get(&process->process->object)) {
        process = NULL;
    }
    spin_unlock_irq(&space->lock, irq);
    return process;
}

struct posix_thread *posix_thread_find(int32_t tid) {
    struct pid_space *space = pids();
    const unsigned long irq = spin_lock_irq(&space->lock);
    struct posix_thread *thread = pid_thread_locked(space, tid);
    if (thread != NULL && !object_try_get(&thread->native->thread.object)) {
        thread = NULL;
    }
    spin_unlock_irq(&space->lock, irq);
    return thread;
}

struct posix_process *posix_process_next(int32_t after) {
    struct pid_space *space = pids();
    uint64_t number = after < 0 ? 0 : (uint64_t)after;
    struct posix_process *process = NULL;
    const unsigned long irq = spin_lock_irq(&space->lock);
    struct pid_entry *entry;
    while (process == NULL && (entry = radix_next(&space->entries, number + 1, &number)) != NULL) {
        process = entry->process;
        if (process != NULL && !object_try_get(&process->process->object)) {
            process = NULL;
        }
    }
    spin_unlock_irq(&space->lock, irq);
    return process;
}

struct posix_thread *posix_thread_next(struct posix_process *process, int32_t after) {
    struct posix_thread *best = NULL;
    struct user_thread *best_native = NULL;
    struct process *native = process->process;
    const unsigned long irq = spin_lock_irq(&native->thread_lock);
    list_for_each (link, &native->threads) {
        struct user_thread *thread = LIST_ENTRY(link, struct user_thread, process_link);
        struct posix_thread *posix = thread->thread.personality;
        if (!posix->leaving && posix->tid > after && (best == NULL || posix->tid < best->tid)) {
            best = posix;
            best_native = thread;
        }
    }
    if (best != NULL) {
        object_get(&best_native->thread.object); // the list's reference keeps it now
    }
    spin_unlock_irq(&native->thread_lock, irq);
    return best;
}

// Identities -------------------------------------------------------------------------------------

static void identity_destroy(struct object *object) {
    heap_free(CONTAINER_OF(object, struct identity, object));
}

static const struct object_type identity_type = {
    .kind = OBJECT_PROCESS,
    .name = "identity",
    .destroy = identity_destroy,
};

struct identity *identity_create(struct posix_process *process) {
    struct identity *identity = heap_alloc_zero(sizeof(*identity), MEMORY_SLEEP);
    if (identity != NULL) {
        object_init(&identity->object, &identity_type);
        spinlock_init(&identity->lock, &identity_class);
        identity->process = process;
        waitable_init(&identity->ended, 0);
    }
    return identity;
}

void identity_end(struct identity *identity) {
    const unsigned long irq = spin_lock_irq(&identity->lock);
    identity->process = NULL;
    spin_unlock_irq(&identity->lock, irq);
}

struct posix_process *identity_process(struct identity *identity) {
    const unsigned long irq = spin_lock_irq(&identity->lock);
    struct posix_process *process = identity->process;
    if (process != NULL) {
        process_get(process->process); // the pid space's keeps it now
    }
    spin_unlock_irq(&identity->lock, irq);
    return process;
}
