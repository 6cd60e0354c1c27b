// SPDX-License-Identifier: MIT OR Apache-2.0
// subsys/execution/process.c: execution domains: an address space, an account, name spaces.
#include "private.h"

#include <core/sched.h>
#include <execution/handles.h>

#include <lib/string.h>
#include <memory/account.h>
#include <memory/frame.h>
#include <memory/heap.h>

#define MEMORY_PER_HANDLE 1024u // of the machine; a handle and its capability take up to 184 bytes
#define HANDLES_KEPT      16    // one part in so many, for process 1

static const struct lock_class process_class = { .name = "process", .rank = LOCK_RANK_PROCESS };
static const struct lock_class threads_class = { .name = "process threads",
                                                 .rank = LOCK_RANK_SIGNAL + 1 };

static struct heap_cache *processes;
static _Atomic uint64_t next_id = 1;

// All handles and derived capabilities together take at most about a sixth of the memory. What
// process 1 starts leaves it some.
static void limit_handles(void) {
    struct frame_stats stats;
    frame_stats(&stats);
    const int64_t limit = (int64_t)(stats.total * PAGE_SIZE / MEMORY_PER_HANDLE);
    account_limit_set(&account_root, ACCOUNT_HANDLES, limit);
    account_limit_set(&account_programs, ACCOUNT_HANDLES, limit - limit / HANDLES_KEPT);
}

enum hx_status execution_init(void) {
    limit_handles();
    processes = heap_cache_create("process", sizeof(struct process), CACHE_LINE);
    return processes != NULL ? user_thread_init() : HX_ERR_NO_MEMORY;
}

static void name_spaces_destroy(struct object *object) {
    heap_free(CONTAINER_OF(object, struct name_spaces, object));
}

static const struct object_type name_spaces_type = {
    .kind = OBJECT_PROCESS,
    .name = "name spaces",
    .destroy = name_spaces_destroy,
};

struct name_spaces *name_spaces_create(struct mount_space *mounts, struct uts_names *uts,
                                       struct pid_space *pids, struct socket_names *sockets) {
    struct name_spaces *ns = heap_alloc_zero(sizeof(*ns), MEMORY_SLEEP);
    if (ns != NULL) {
        object_init(&ns->object, &name_spaces_type);
        ns->mounts = mounts;
        ns->uts = uts;
        ns->pids = pids;
        ns->sockets = sockets;
    }
    return ns;
}

static void enter_aspace(struct aspace *aspace) {
    atomic_fetch_add_explicit(&aspace->processes, 1, memory_order_relaxed);
}

static void leave_aspace(struct aspace *aspace) {
    atomic_fetch_sub_explicit(&aspace->processes, 1, memory_order_relaxed);
}

static void process_destroy(struct object *object) {
    struct process *process = CONTAINER_OF(object, struct process, object);
    if (process->personality_destroy != NULL) {
        process->personality_destroy(process);
    }
    if (process->aspace != NULL) {
        leave_aspace(process->aspace);
        aspace_put(process->aspace);
    }
    (void)handles_end(process);
    account_release(process->account, ACCOUNT_PROCESSES, 1);
    object_put(&process->account->object);
    object_put(&process->ns->object);
    heap_cache_free(processes, process);
}

static const struct object_type process_type = {
    .kind = OBJECT_PROCESS,
    .name = "process",
    .destroy = process_destroy,
};

enum hx_status process_create(struct aspace *aspace, struct account *account,
                              struct name_spaces *ns, struct process **out_process) {
    enum hx_status status = account_charge(account, ACCOUNT_PROCESSES, 1);
    if (status != HX_OK) {
        return status;
    }
    struct process *process = heap_cache_alloc(processes, MEMORY_SLEEP);
    if (process == NULL) {
        account_release(account, ACCOUNT_PROCESSES, 1);
        return HX_ERR_NO_MEMORY;
    }
    memset(process, 0, sizeof(*process));
    object_init(&process->object, &process_type);
    process->id = atomic_fetch_add_explicit(&next_id, 1, memory_order_relaxed);
    mutex_init(&process->lock, &process_class);
    process->aspace = aspace_get(aspace);
    enter_aspace(aspace);
    object_get(&account->object);
    process->account = account;
    object_get(&ns->object);
    process->ns = ns;
    list_init(&process->threads);
    spinlock_init(&process->thread_lock, &threads_class);
    waitable_init(&process->threads_changed, 0);
    *out_process = process;
    return HX_OK;
}

struct account *process_child_account(const struct process *process) {
    return process->account == &account_root ? &account_programs : process->account;
}

#define LOOKS_MAX 3u

struct running {
    const struct account *account;
    uint64_t ns;
};

// A thread in the list keeps its process.
static bool running_visit(struct thread *thread, void *context) {
    struct running *running = context;
    if (thread->ops != NULL &&
        account_is_within(CONTAINER_OF(thread, struct user_thread, thread)->process->account,
                          running->account)) {
        running->ns += (uint64_t)thread_run_ns(thread);
    }
    return true;
}

uint64_t account_run_ns(const struct account *account) {
    struct running running;
    uint64_t before, ended = atomic_load_explicit(&account->ended_ns, memory_order_relaxed);
    uint32_t looks = 0;
    // Again if one has ended meanwhile: it may have been counted twice. Not for ever: others may
    // end threads as fast as this looks at them.
    do {
        before = ended;
        running = (struct running){ .account = account };
        thread_for_each(running_visit, &running);
        ended = atomic_load_explicit(&account->ended_ns, memory_order_relaxed);
    } while (ended != before && ++looks < LOOKS_MAX);
    return before + running.ns;
}

struct aspace *process_replace_aspace(struct process *process, struct aspace *aspace) {
    mutex_lock(&process->lock);
    struct aspace *old = process->aspace;
    process->aspace = aspace;
    if (aspace != NULL) {
        enter_aspace(aspace);
    }
    if (old != NULL) {
        leave_aspace(old);
    }
    mutex_unlock(&process->lock);
    return old;
}

struct aspace *process_aspace(struct process *process) {
    mutex_lock(&process->lock);
    struct aspace *aspace = process->aspace;
    if (aspace != NULL) {
        aspace_get(aspace);
    }
    mutex_unlock(&process->lock);
    return aspace;
}

struct process *process_current(void) {
    struct user_thread *thread = user_thread_current();
    return thread != NULL ? thread->process : NULL;
}
