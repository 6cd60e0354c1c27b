// SPDX-License-Identifier: MIT OR Apache-2.0
// interface/posix/process.c: the data of processes and threads: storage, credentials, limits.
#include "life.h"
#include "pids.h"
#include "signals.h"
#include "times.h"

#include <core/log.h>
#include <core/trace.h>
#include <lib/string.h>
#include <memory/heap.h>

static const struct lock_class signal_class = { .name = "signal", .rank = LOCK_RANK_SIGNAL };
static const struct lock_class exec_class = { .name = "exec", .rank = LOCK_RANK_PROCESS_TREE - 1 };
static const struct lock_class credentials_class = { .name = "credentials",
                                                     .rank = LOCK_RANK_LEAF - 1 };
static const struct lock_class users_class = { .name = "users", .rank = LOCK_RANK_LEAF };

static struct heap_cache *process_cache;
static struct heap_cache *thread_cache;
static struct heap_cache *actions_cache;

static struct spinlock users_lock = SPINLOCK_INIT(&users_class);
static struct list users = LIST_INIT(users); // [users_lock]

enum hx_status process_caches_init(void) {
    process_cache = heap_cache_create("posix_process", sizeof(struct posix_process), CACHE_LINE);
    thread_cache = heap_cache_create("posix_thread", sizeof(struct posix_thread), CACHE_LINE);
    actions_cache = heap_cache_create("signal_actions", sizeof(struct posix_actions), CACHE_LINE);
    return process_cache != NULL && thread_cache != NULL && actions_cache != NULL
               ? HX_OK
               : HX_ERR_NO_MEMORY;
}

// Users ------------------------------------------------------------------------------------------

static struct posix_user *user_find_locked(uint32_t uid) {
    list_for_each (link, &users) {
        struct posix_user *user = LIST_ENTRY(link, struct posix_user, link);
        uint32_t count = atomic_load_explicit(&user->references, memory_order_relaxed);
        while (user->uid == uid && count != 0) { // 0: it is about to leave the list
            if (atomic_compare_exchange_weak_explicit(&user->references, &count, count + 1,
                                                      memory_order_acquire, memory_order_relaxed)) {
                return user;
            }
        }
    }
    return NULL;
}

struct posix_user *posix_user_get(uint32_t uid) {
    unsigned long irq = spin_lock_irq(&users_lock);
    struct posix_user *user = user_find_locked(uid);
    spin_unlock_irq(&users_lock, irq);
    if (user != NULL) {
        return user;
    }
    struct posix_user *fresh = heap_alloc_zero(sizeof(*fresh), MEMORY_SLEEP);
    if (fresh == NULL) {
        return NULL;
    }
    fresh->uid = uid;
    atomic_init(&fresh->references, 1);
    irq = spin_lock_irq(&users_lock);
    user = user_find_locked(uid); // somebody may have been faster
    if (user == NULL) {
        list_push_back(&users, &fresh->link);
        user = fresh;
        fresh = NULL;
    }
    spin_unlock_irq(&users_lock, irq);
    heap_free(fresh);
    return user;
}

struct posix_user *posix_user_hold(struct posix_user *user) {
    atomic_fetch_add_explicit(&user->references, 1, memory_order_relaxed);
    return user;
}

struct posix_user *posix_user_of(struct posix_process *process) {
    const unsigned long irq = spin_lock_irq(&process->credentials_lock);
    struct posix_user *user = posix_user_hold(process->user);
    spin_unlock_irq(&process->credentials_lock, irq);
    return user;
}

void posix_user_put(struct posix_user *user) {
    if (atomic_fetch_sub_explicit(&user->references, 1, memory_order_acq_rel) != 1) {
        return;
    }
    const unsigned long irq = spin_lock_irq(&users_lock);
    list_remove(&user->link);
    spin_unlock_irq(&users_lock, irq);
    heap_free(user);
}

void posix_user_count(struct posix_user *user) {
    atomic_fetch_add_explicit(&user->threads, 1, memory_order_relaxed);
}

void posix_user_uncount(struct posix_user *user) {
    atomic_fetch_sub_explicit(&user->threads, 1, memory_order_relaxed);
}

// Processes --------------------------------------------------------------------------------------

static bool administers(struct process *native) {
    struct credentials *credentials = posix_credentials(native->personality);
    const bool is_capable = credentials_capable(credentials, CAPABILITY_SYS_RESOURCE);
    credentials_put(credentials);
    return is_capable;
}

// The last reference is gone: it was waited for, and nobody looks at it any more.
static void posix_process_destroy(struct process *native) {
    struct posix_process *process = native->personality;
    if (process->files != NULL) {
        file_table_put(process->files);
    }
    if (process->fs != NULL) {
        object_put(&process->fs->object);
    }
    executable_put(process->executable);
    if (process->actions != NULL) {
        object_put(&process->actions->object);
    }
    pending_flush(&process->pending, ~UINT64_C(0));
    signal_watches_end(process);
    identity_put(process->identity);
    if (process->credentials != NULL) {
        credentials_put(process->credentials);
    }
    if (process->user != NULL) {
        posix_user_put(process->user);
    }
    heap_cache_free(process_cache, process);
}

enum hx_status posix_process_create(struct aspace *aspace, struct account *account,
                                    struct name_spaces *ns, struct posix_process **out_process) {
    struct posix_process *process = heap_cache_alloc(process_cache, MEMORY_SLEEP);
    if (process == NULL) {
        return HX_ERR_NO_MEMORY;
    }
    struct identity *identity = identity_create(process);
    struct process *native;
    enum hx_status status =
        identity != NULL ? process_create(aspace, account, ns, &native) : HX_ERR_NO_MEMORY;
    if (status != HX_OK) {
        if (identity != NULL) {
            identity_put(identity);
        }
        heap_cache_free(process_cache, process);
        return status;
    }
    memset(process, 0, sizeof(*process));
    process->process = native;
    process->identity = identity;
    list_init(&process->children);
    list_init(&process->sibling_link);
    list_init(&process->group_link);
    spinlock_init(&process->signal_lock, &signal_class);
    spinlock_init(&process->credentials_lock, &credentials_class);
    list_init(&process->pending.queue);
    waitable_init(&process->resumed, 0);
    waitable_init(&process->children_changed, 0);
    list_init(&process->signal_watches);
    waitable_init(&process->vfork_done, 0);
    waitable_init(&process->exited, 0);
    mutex_init(&process->exec_lock, &exec_class);
    process_timers_init(process);
    process->start_ns = time_now();
    process->dumpable = true;
    native->personality = process;
    native->personality_destroy = posix_process_destroy;
    native->personality_administers = administers;
    *out_process = process;
    return HX_OK;
}

struct posix_thread *posix_thread_create(struct posix_process *process) {
    struct posix_thread *thread = heap_cache_alloc(thread_cache, MEMORY_SLEEP);
    if (thread == NULL) {
        return NULL;
    }
    memset(thread, 0, sizeof(*thread));
    thread->process = process;
    list_init(&thread->pending.queue);
    list_init(&thread->pi_lenders);
    thread->stack.flags = SS_DISABLE;
    thread->restart_number = -1;
    return thread;
}

void posix_thread_uncount(struct posix_thread *thread) {
    if (thread->user != NULL) {
        posix_user_uncount(thread->user);
        posix_user_put(thread->user);
        thread->user = NULL;
    }
}

void posix_thread_free(struct posix_thread *thread) {
    posix_thread_uncount(thread);
    pending_flush(&thread->pending, ~UINT64_C(0));
    heap_cache_free(thread_cache, thread);
}

static void thread_destroy(struct user_thread *native) {
    posix_thread_free(native->thread.personality);
}

void posix_thread_bind(struct posix_thread *thread, struct user_thread *native) {
    thread->native = native;
    native->personality_destroy = thread_destroy;
}

void posix_trace_task(const struct posix_thread *thread) {
    trace(TRACE_TASK, thread->native->thread.id,
          (uint32_t)thread->process->pid | (uint64_t)thread->tid << 32);
}

static void actions_destroy(struct object *object) {
    heap_cache_free(actions_cache, CONTAINER_OF(object, struct posix_actions, object));
}

static const struct object_type actions_type = {
    .kind = OBJECT_PROCESS,
    .name = "signal actions",
    .destroy = actions_destroy,
};

static const struct lock_class actions_class = { .name = "signal actions",
                                                 .rank = LOCK_RANK_SIGNAL + 1 };

struct posix_actions *posix_actions_create(struct posix_process *from) {
    struct posix_actions *actions = heap_cache_alloc(actions_cache, MEMORY_SLEEP);
    if (actions == NULL) {
        return NULL;
    }
    if (from != NULL) {
        const unsigned long irq = spin_lock_irq(&from->signal_lock);
        spin_lock(&from->actions->lock);
        memcpy(actions->action, from->actions->action, sizeof(actions->action));
        spin_unlock(&from->actions->lock);
        spin_unlock_irq(&from->signal_lock, irq);
    } else {
        memset(actions->action, 0, sizeof(actions->action));
    }
    spinlock_init(&actions->lock, &actions_class);
    object_init(&actions->object, &actions_type);
    return actions;
}

struct posix_thread *posix_thread_current(void) {
    struct thread *thread = thread_current();
    return thread->ops == &posix_thread_ops ? thread->personality : NULL;
}

struct posix_process *posix_current(void) {
    struct posix_thread *thread = posix_thread_current();
    return thread != NULL ? thread->process : NULL;
}

// Credentials and limits -------------------------------------------------------------------------

struct credentials *posix_credentials(struct posix_process *process) {
    const unsigned long irq = spin_lock_irq(&process->credentials_lock);
    struct credentials *credentials = credentials_get(process->credentials);
    spin_unlock_irq(&process->credentials_lock, irq);
    return credentials;
}

// What a process knows from its time with other rights is not for those whose ids it gets, and
// whoever was its parent signals it no more (prctl(2), PR_SET_DUMPABLE and PR_SET_PDEATHSIG;
// commit_creds() of Linux).
static bool is_other_power(const struct credentials *old, const struct credentials *fresh) {
    return old->euid != fresh->euid || old->egid != fresh->egid || old->fsuid != fresh->fsuid ||
           old->fsgid != fresh->fsgid || (fresh->permitted & ~old->permitted) != 0;
}

void posix_credentials_set(struct posix_process *process, struct credentials *credentials,
                           struct posix_user *user) {
    const unsigned long irq = spin_lock_irq(&process->credentials_lock);
    struct credentials *old = process->credentials;
    if (is_other_power(old, credentials)) { // first: who sees the new ones sees this, too
        process->dumpable = false;
        atomic_store_explicit(&process->parent_death_signal, 0, memory_order_relaxed);
    }
    process->credentials = credentials;
    atomic_store_explicit(&process->uid, credentials->uid, memory_order_relaxed);
    struct posix_user *old_user = NULL;
    if (user != NULL) {
        old_user = process->user;
        process->user = user;
    }
    spin_unlock_irq(&process->credentials_lock, irq);
    if (old_user != NULL) {
        posix_user_uncount(old_user);
        posix_user_count(user);
        posix_user_put(old_user);
    }
    credentials_put(old);
}

bool posix_capable(uint32_t capability) {
    struct credentials *credentials = posix_credentials(posix_current());
    const bool is_capable = credentials_capable(credentials, capability);
    credentials_put(credentials);
    return is_capable;
}

uint64_t posix_limit(struct posix_process *process, uint32_t which) {
    return atomic_load_explicit(&process->limits[which].soft, memory_order_relaxed);
}

// The executable ---------------------------------------------------------------------------------

struct file *executable_get(struct file *file) {
    // It is being executed already, so nobody has it open for writing.
    const enum hx_status status = inode_execute_begin(file->inode);
    ASSERT(status == HX_OK);
    return file_get(file);
}

void executable_put(struct file *file) {
    if (file != NULL) {
        inode_execute_end(file->inode);
        file_put(file);
    }
}

void process_set_command(struct posix_process *process, struct thread *thread, const char *path) {
    const char *slash = strrchr(path, '/');
    const char *name = slash != NULL ? slash + 1 : path;
    string_copy(process->command, sizeof(process->command), name);
    string_copy(thread->name, sizeof(thread->name), name);
}
