// SPDX-License-Identifier: MIT OR Apache-2.0
// subsys/execution/user_thread.c: threads that run in user mode, and the pool of their storage.
//
// A thread is a struct, a kernel stack and an area for vector registers. The three stay together
// when the thread ends, in a pool of at most POOL_MAX: mapping a stack with its guard page, and
// taking it out of every processor's translations, costs more than the rest of a fork.
#include "private.h"

#include <hal/context.h>
#include <lib/string.h>
#include <memory/heap.h>

#define POOL_MAX 64u

static const struct lock_class pool_class = { .name = "thread pool", .rank = LOCK_RANK_LEAF };
static struct spinlock pool_lock = SPINLOCK_INIT(&pool_class);
static struct list pool = LIST_INIT(pool); // [pool_lock] struct user_thread.process_link
static uint32_t pool_count;                // [pool_lock]
static struct heap_cache *threads;

static void storage_free(struct user_thread *thread) {
    if (thread->stack != NULL) {
        kernel_stack_free(thread->stack, THREAD_STACK_BYTES);
    }
    heap_free(thread->fpu);
    heap_cache_free(threads, thread);
}

static struct user_thread *pool_take(void) {
    const unsigned long irq = spin_lock_irq(&pool_lock);
    struct list *link = list_pop_front(&pool);
    if (link != NULL) {
        pool_count--;
    }
    spin_unlock_irq(&pool_lock, irq);
    return link != NULL ? LIST_ENTRY(link, struct user_thread, process_link) : NULL;
}

static void pool_give(struct user_thread *thread) {
    const unsigned long irq = spin_lock_irq(&pool_lock);
    const bool is_kept = pool_count < POOL_MAX;
    if (is_kept) {
        list_push_front(&pool, &thread->process_link);
        pool_count++;
    }
    spin_unlock_irq(&pool_lock, irq);
    if (!is_kept) {
        storage_free(thread);
    }
}

static uint64_t pool_pages(void *context) {
    (void)context;
    const unsigned long irq = spin_lock_irq(&pool_lock);
    const uint64_t count = pool_count;
    spin_unlock_irq(&pool_lock, irq);
    return count * (THREAD_STACK_BYTES / PAGE_SIZE);
}

static uint64_t pool_shrink(void *context, uint64_t want) {
    (void)context;
    uint64_t given = 0;
    while (given < want) {
        struct user_thread *thread = pool_take();
        if (thread == NULL) {
            break;
        }
        storage_free(thread);
        given += THREAD_STACK_BYTES / PAGE_SIZE;
    }
    return given;
}

enum hx_status user_thread_init(void) {
    static struct shrinker shrinker = {
        .name = "thread pool",
        .count = pool_pages,
        .shrink = pool_shrink,
    };
    threads = heap_cache_create("user_thread", sizeof(struct user_thread), CACHE_LINE);
    if (threads == NULL) {
        return HX_ERR_NO_MEMORY;
    }
    shrinker_register(&shrinker);
    return HX_OK;
}

static struct user_thread *storage_take(void) {
    struct user_thread *thread = pool_take();
    if (thread != NULL) {
        return thread;
    }
    thread = heap_cache_alloc(threads, MEMORY_SLEEP);
    if (thread == NULL) {
        return NULL;
    }
    thread->stack = kernel_stack_alloc(THREAD_STACK_BYTES);
    thread->fpu = heap_alloc(hal_fpu_size(), MEMORY_SLEEP);
    if (thread->stack == NULL || thread->fpu == NULL) {
        storage_free(thread);
        return NULL;
    }
    hal_fpu_init(thread->fpu); // a save does not write all of it
    return thread;
}

static void user_thread_destroy(struct object *object) {
    struct user_thread *thread = CONTAINER_OF(object, struct user_thread, thread.object);
    struct process *process = thread->process;
    if (thread->personality_destroy != NULL) {
        thread->personality_destroy(thread);
    }
    const uint64_t ran_ns = (uint64_t)thread_run_ns(&thread->thread);
    for (struct account *at = process->account; at != NULL; at = at->parent) {
        atomic_fetch_add_explicit(&at->ended_ns, ran_ns, memory_order_relaxed);
    }
    account_release(process->account, ACCOUNT_OBJECTS, 1);
    pool_give(thread);
    process_put(process);
}

static const struct object_type user_thread_type = {
    .kind = OBJECT_THREAD,
    .name = "user thread",
    .destroy = user_thread_destroy,
};

static void user_thread_enter(void *argument) {
    struct user_thread *thread = argument;
    hal_enter_user(thread->entry);
}

static void fpu_fill(struct user_thread *thread, const void *fpu) {
    struct thread *current = thread_current();
    if (fpu == NULL) {
        hal_fpu_init(thread->fpu);
    } else if (fpu == current->fpu) {
        // Its registers are loaded while it runs. XSAVE leaves parts of its header alone, and
        // garbage there would be refused when the area is loaded.
        hal_fpu_init(thread->fpu);
        hal_fpu_save(thread->fpu);
    } else {
        memcpy(thread->fpu, fpu, hal_fpu_size());
    }
}

static void process_thread_count_add(struct process *process, int32_t change) {
    // Release: whoever sees that a thread is gone sees what it did. Not an RMW: thread_lock is
    // held.
    const uint32_t count = atomic_load_explicit(&process->thread_count, memory_order_relaxed);
    atomic_store_explicit(&process->thread_count, count + (uint32_t)change, memory_order_release);
}

static void list_add(struct process *process, struct user_thread *thread) {
    const unsigned long irq = spin_lock_irq(&process->thread_lock);
    list_push_back(&process->threads, &thread->process_link);
    process_thread_count_add(process, 1);
    spin_unlock_irq(&process->thread_lock, irq);
}

enum hx_status user_thread_create(struct process *process, const char *name,
                                  const struct thread_ops *ops, const struct hal_frame *frame,
                                  const void *fpu, const struct hal_tls *tls, void *personality,
                                  struct user_thread **out_thread) {
    const enum hx_status status = account_charge(process->account, ACCOUNT_OBJECTS, 1);
    if (status != HX_OK) {
        return status;
    }
    struct user_thread *thread = storage_take();
    if (thread == NULL) {
        account_release(process->account, ACCOUNT_OBJECTS, 1);
        return HX_ERR_NO_MEMORY;
    }
    thread_init(&thread->thread, name, thread->stack, THREAD_STACK_BYTES, user_thread_enter,
                thread);
    thread->thread.object.type = &user_thread_type;
    thread->thread.ops = ops;
    thread->thread.personality = personality;
    thread->thread.fpu = thread->fpu;
    thread->thread.aspace = &aspace_get(process->aspace)->core;
    thread->thread.tls = tls != NULL ? *tls : (struct hal_tls){ 0 };
    fpu_fill(thread, fpu);
    thread->entry = hal_user_frame(thread->thread.stack_top);
    *thread->entry = *frame;
    thread->personality_destroy = NULL;
    thread->process = process_get(process);
    list_add(process, thread);
    *out_thread = thread;
    return HX_OK;
}

bool user_thread_leave(struct user_thread *thread) {
    struct process *process = thread->process;
    const unsigned long irq = spin_lock_irq(&process->thread_lock);
    list_remove(&thread->process_link);
    process_thread_count_add(process, -1);
    const bool is_last = process_thread_count(process) == 0;
    spin_unlock_irq(&process->thread_lock, irq);
    waitable_pulse(&process->threads_changed);
    user_thread_put(thread); // the list's; the running one remains
    return is_last;
}

void user_thread_discard(struct user_thread *thread) {
    struct core_aspace *aspace = thread->thread.aspace;
    thread->thread.aspace = NULL;
    object_put(&aspace->object);
    (void)user_thread_leave(thread);
}

struct user_thread *user_thread_current(void) {
    struct thread *thread = thread_current();
    return thread->ops != NULL ? CONTAINER_OF(thread, struct user_thread, thread) : NULL;
}
