// SPDX-License-Identifier: MIT OR Apache-2.0
// core/thread.c: the life of threads, blocking and waking, attention.
//
// Blocking is a token: thread_wake() leaves one in wake_pending, thread_block() takes one and only
// sleeps without. The blocking side stores BLOCKED, then looks for the token; the waking side
// stores the token, then looks for BLOCKED; all four are sequentially consistent (the stores are
// exchanges: decision 026), so at least one of them sees the other. A token may be left over, so
// whoever blocks looks at its condition in a loop.
//
// The end: a dead thread is still on its stack until its processor has switched away; the thread
// that comes next there hands it to the reaper, a worker, which publishes `exited`, calls the
// personality, and drops the references.
#include "core_private.h"

#include <core/inject.h>
#include <core/log.h>
#include <core/sched.h>
#include <lib/string.h>

#define NO_CPU    UINT32_MAX
#define LENT_SAME UINT32_MAX

static const struct lock_class all_class = { "all threads", LOCK_RANK_LEAF, false };
static struct spinlock all_lock = SPINLOCK_INIT(&all_class);
static struct list all_threads = LIST_INIT(all_threads); // [all_lock]
static _Atomic uint64_t next_id = 1;

static struct thread reaper;
static _Atomic(struct thread *) dead_threads;

static void thread_destroy(struct object *object) {
    (void)object; // the storage is the caller's, who replaces the type if it wants to know
}

static const struct object_type thread_type = { .kind = OBJECT_THREAD,
                                                .name = "thread",
                                                .destroy = thread_destroy };

void thread_setup(struct thread *thread, const char *name, void *stack_low, size_t stack_bytes) {
    __builtin_memset(thread, 0, sizeof(*thread));
    object_init(&thread->object, &thread_type);
    (void)string_copy(thread->name, sizeof(thread->name), name);
    thread->id = atomic_fetch_add_explicit(&next_id, 1, memory_order_relaxed);
    thread->stack_low = stack_low;
    thread->stack_top = (char *)stack_low + stack_bytes;
    thread->user_cpu = NO_CPU;
    atomic_init(&thread->affinity, UINT64_MAX);
    thread->sched.allowed = UINT64_MAX;
    waitable_init(&thread->exited, 0);
    account_thread_setup(thread);
    list_init(&thread->queue_link);
    atomic_init(&thread->queued, false);
    list_init(&thread->all_link);
}

// Where a new thread's stack begins.
static void thread_main(void *argument) {
    struct thread *thread = argument;
    sched_switch_finish();
    trace_name(thread);
    hal_irq_on();
    thread->entry(thread->argument);
    thread_exit();
}

void thread_init(struct thread *thread, const char *name, void *stack_low, size_t stack_bytes,
                 void (*entry)(void *), void *argument) {
    thread_setup(thread, name, stack_low, stack_bytes);
    thread->entry = entry;
    thread->argument = argument;
    hal_context_init(&thread->context, thread->stack_top, thread_main, thread);
}

// Before a thread that became READY is queued, interrupts off: see change_begin().
static void change_wait(const struct thread *thread) {
    while (atomic_load_explicit(&thread->changing, memory_order_seq_cst)) {
        hal_relax();
    }
}

void thread_start(struct thread *thread) {
    ASSERT(atomic_load_explicit(&thread->state, memory_order_relaxed) == THREAD_NEW);
    object_get(&thread->object);
    unsigned long state = spin_lock_irq(&all_lock);
    list_push_back(&all_threads, &thread->all_link);
    spin_unlock_irq(&all_lock, state);
    state = hal_irq_save();
    trace(TRACE_THREAD_START, thread->id, 0);
    (void)atomic_exchange_explicit(&thread->state, THREAD_READY, memory_order_seq_cst);
    change_wait(thread);
    // Near its creator, whose caches it shares, unless another processor is idle.
    atomic_store_explicit(&thread->cpu, hal_cpu_id(), memory_order_relaxed);
    sched_place(thread, SCHED_NEW);
    hal_irq_restore(state);
    preempt_check();
}

enum hx_status thread_start_own(struct thread *thread, const char *name, void (*entry)(void *)) {
    void *stack = core_memory->stack_alloc(THREAD_STACK_BYTES);
    if (stack == NULL) {
        return HX_ERR_NO_MEMORY;
    }
    thread_init(thread, name, stack, THREAD_STACK_BYTES, entry, NULL);
    thread_start(thread);
    return HX_OK;
}

void thread_exit(void) {
    struct thread *thread = thread_current();
    trace(TRACE_THREAD_EXIT, thread->id, 0);
    ASSERT(thread->preempt_off == 0 && thread->under_count == 0);
    hal_irq_off();
    atomic_store_explicit(&thread->state, THREAD_DEAD, memory_order_relaxed);
    sched_switch(SWITCH_EXIT);
    panic("a dead thread runs");
}

void thread_reap(struct thread *thread) {
    struct thread *head = atomic_load_explicit(&dead_threads, memory_order_relaxed);
    do {
        thread->reap_next = head;
        // Release: the reaper must see all that the thread wrote.
    } while (!atomic_compare_exchange_weak_explicit(&dead_threads, &head, thread,
                                                    memory_order_release, memory_order_relaxed));
    if (head == NULL) {
        thread_wake(&reaper);
    }
}

static void thread_bury(struct thread *thread) {
    unsigned long state = spin_lock_irq(&all_lock);
    list_remove(&thread->all_link);
    spin_unlock_irq(&all_lock, state);
    hal_context_fini(&thread->context);
    struct core_aspace *aspace = thread->aspace;
    thread->aspace = NULL;
    waitable_update(&thread->exited, 0, WAIT_SIGNALED);
    if (thread->ops != NULL && thread->ops->retired != NULL) {
        thread->ops->retired(thread);
    }
    if (aspace != NULL) {
        object_put(&aspace->object);
    }
    object_put(&thread->object); // the running reference
}

static void reaper_run(void *argument) {
    (void)argument;
    for (;;) {
        struct thread *thread = atomic_exchange_explicit(&dead_threads, NULL, memory_order_acquire);
        if (thread == NULL) {
            thread_block();
        }
        while (thread != NULL) {
            struct thread *next = thread->reap_next;
            thread_bury(thread);
            thread = next;
        }
    }
}

enum hx_status thread_worker_start(void) {
    return thread_start_own(&reaper, "reaper", reaper_run);
}

// Gives the processor away unless a token is there: whether it did. Interrupts off.
static bool block(struct thread *thread) {
    // seq_cst: see the top.
    (void)atomic_exchange_explicit(&thread->state, THREAD_BLOCKED, memory_order_seq_cst);
    uint32_t blocked = THREAD_BLOCKED;
    if (atomic_load_explicit(&thread->wake_pending, memory_order_seq_cst) != 0 &&
        // A token, but if a waker was faster it is about to enqueue us: let it.
        atomic_compare_exchange_strong_explicit(&thread->state, &blocked, THREAD_RUNNING,
                                                memory_order_relaxed, memory_order_relaxed)) {
        return false;
    }
    sched_switch(SWITCH_BLOCK);
    return true;
}

static void token_take(struct thread *thread) {
    // An RMW, so that a token that comes now is either taken here, and then its waker's writes are
    // visible (acquire), or stays for the next time.
    (void)atomic_exchange_explicit(&thread->wake_pending, 0, memory_order_acquire);
}

void thread_block(void) {
    struct thread *thread = thread_current();
    ASSERT(thread->preempt_off == 0);
    if (inject_strikes(INJECT_WAKE)) {
        return;
    }
    if (atomic_load_explicit(&thread->wake_pending, memory_order_relaxed) == 0) {
        unsigned long state = hal_irq_save();
        (void)block(thread);
        hal_irq_restore(state);
    }
    token_take(thread);
}

// READY and off its stack, interrupts off: whether it is kept back.
static bool hand_keep(struct thread *thread) {
    struct cpu *cpu = cpu_this();
    if (!cpu->is_handing || cpu->handed != NULL) {
        return false;
    }
    cpu->hand_woke = true;
    if (atomic_load_explicit(&cpu->queue.queued, memory_order_relaxed) != 0 ||
        (atomic_load_explicit(&thread->affinity, memory_order_relaxed) >> cpu->id & 1) == 0) {
        return false;
    }
    cpu->handed = thread;
    return true;
}

static void wake(struct thread *thread, bool may_keep) {
    // seq_cst: see the top.
    (void)atomic_exchange_explicit(&thread->wake_pending, 1, memory_order_seq_cst);
    if (atomic_load_explicit(&thread->state, memory_order_seq_cst) != THREAD_BLOCKED) {
        return;
    }
    unsigned long state = hal_irq_save(); // from READY until it is queued: change_begin() waits
    uint32_t blocked = THREAD_BLOCKED;
    if (atomic_compare_exchange_strong_explicit(&thread->state, &blocked, THREAD_READY,
                                                memory_order_seq_cst, memory_order_relaxed)) {
        // It may still be on its way off its stack. Acquire: its registers are saved.
        while (atomic_load_explicit(&thread->on_cpu, memory_order_acquire)) {
            hal_relax();
        }
        change_wait(thread);
        if (!may_keep || !hand_keep(thread)) {
            sched_place(thread, SCHED_WAKE);
        }
    }
    hal_irq_restore(state);
    preempt_check();
}

void thread_wake(struct thread *thread) {
    wake(thread, false);
}

void thread_wake_handing(struct thread *thread) {
    wake(thread, true);
}

void thread_hand_begin(void) {
    struct cpu *cpu = cpu_this();
    cpu->is_handing = true;
    cpu->hand_woke = false;
}

bool thread_hand_end(struct thread **out_kept) {
    struct cpu *cpu = cpu_this();
    *out_kept = cpu->handed;
    cpu->handed = NULL;
    cpu->is_handing = false;
    return cpu->hand_woke;
}

void thread_block_handing(struct thread *kept) {
    struct thread *thread = thread_current();
    ASSERT(thread->preempt_off == 0 && cpu_this()->queue.current == thread);
    cpu_this()->handed = kept;
    if (!block(thread)) {
        cpu_this()->handed = NULL;
        thread_hand_release(kept);
    }
    token_take(thread);
}

void thread_hand_release(struct thread *kept) {
    sched_place(kept, SCHED_WAKE);
}

void preempt_slow(void) {
    if (hal_irq_is_on()) {
        hal_irq_off();
        struct thread *thread = thread_current();
        if (thread->preempt_off == 0 && (thread_attention(thread) & THREAD_RESCHEDULE) != 0) {
            sched_switch(SWITCH_PREEMPT);
        }
        hal_irq_on();
    }
}

void *preempt_slow_with(void *value) {
    preempt_slow();
    return value;
}

void thread_notify(struct thread *thread, uint32_t attention) {
    // seq_cst: before the looks at state and processor, and against the look at attention by a
    // thread that blocks or returns to user mode.
    atomic_fetch_or_explicit(&thread->attention, attention, memory_order_seq_cst);
    if (thread == thread_current()) {
        return;
    }
    thread_wake(thread);
    if (atomic_load_explicit(&thread->state, memory_order_seq_cst) != THREAD_RUNNING) {
        return; // it passes the way to user mode before it runs user code
    }
    preempt_disable();
    uint32_t cpu = atomic_load_explicit(&thread->cpu, memory_order_relaxed);
    // If it moved meanwhile it passed sched_switch() after our flag was set, and sees it.
    if (cpu != hal_cpu_id()) {
        hal_ipi_send(cpu, HAL_IPI_RESCHEDULE);
    }
    preempt_enable();
}

void thread_attention_clear(struct thread *thread, uint32_t attention) {
    // acq_rel: what the notifier wrote before is visible to what follows.
    atomic_fetch_and_explicit(&thread->attention, ~attention, memory_order_acq_rel);
}

void thread_yield(void) {
    preempt_disable();
    uint32_t queued = atomic_load_explicit(&cpu_this()->queue.queued, memory_order_relaxed);
    preempt_enable();
    if (queued == 0) {
        hal_relax(); // who is waited for may run elsewhere, or be an interrupt of this one
        return;
    }
    unsigned long state = hal_irq_save();
    sched_switch(SWITCH_YIELD);
    hal_irq_restore(state);
}

// Begins a change of what policies see of a thread: locks the queue that it belongs to;
// *out_queued: it waits there. Until change_end(), interrupts stay off and nobody queues it.
// Who wakes it does so without this lock: it makes it READY, then waits for `changing` to be 0;
// here it is the other way round, so one of the two sees the other (seq_cst). One that is READY but
// not queued yet is left alone until it is. It is queued after `cpu` was stored, so `queued` is
// looked at first, and then found to be of this queue, or not.
static struct cpu *change_begin(struct thread *thread, bool *out_queued) NO_LOCK_ANALYSIS {
    for (;;) {
        while (atomic_exchange_explicit(&thread->changing, true, memory_order_seq_cst) != 0) {
            hal_relax();
        }
        uint32_t id = atomic_load_explicit(&thread->cpu, memory_order_relaxed);
        raw_lock(&cpu_table[id]->queue.lock);
        bool ready = atomic_load_explicit(&thread->state, memory_order_seq_cst) == THREAD_READY;
        *out_queued = atomic_load_explicit(&thread->queued, memory_order_acquire);
        if (atomic_load_explicit(&thread->cpu, memory_order_relaxed) == id &&
            (*out_queued || !ready)) {
            return cpu_table[id];
        }
        raw_unlock(&cpu_table[id]->queue.lock);
        atomic_store_explicit(&thread->changing, false, memory_order_release);
        hal_relax();
    }
}

// The queue is unlocked already.
static void change_end(struct thread *thread) {
    // Release: who queues it now sees all of the change.
    atomic_store_explicit(&thread->changing, false, memory_order_release);
}

// Makes the processor of a running thread schedule. Queue locked.
static void reschedule_locked(struct cpu *cpu, struct thread *thread) {
    if (cpu->queue.current == thread) {
        atomic_fetch_or_explicit(&thread->attention, THREAD_RESCHEDULE, memory_order_release);
        if (cpu != cpu_this()) {
            hal_ipi_send(cpu->id, HAL_IPI_RESCHEDULE);
        }
    }
}

static bool is_urgent_class(const struct sched_params *params) {
    return params->sched_class == SCHED_CLASS_FIFO ||
           params->sched_class == SCHED_CLASS_ROUND_ROBIN;
}

// What a thread was given, raised to the priority that is lent to it.
static struct sched_params raised(const struct sched_params *own, uint32_t lent) {
    struct sched_params params = *own;
    const bool is_urgent = is_urgent_class(own);
    if (lent > (is_urgent ? own->priority : 0)) {
        params.sched_class = is_urgent ? own->sched_class : SCHED_CLASS_FIFO;
        params.priority = lent;
    }
    return params;
}

static void use_params(struct thread *thread) {
    const struct sched_params params = raised(&thread->own, thread->lent);
    thread->sched.params = params;
    atomic_store_explicit(&thread->urgency, is_urgent_class(&params) ? params.priority : 0,
                          memory_order_relaxed);
}

void thread_inherit_sched(struct thread *thread, const struct thread *from) {
    thread->own = from->own;
    use_params(thread);
}

// NULL: what it was given stays; LENT_SAME: so does what it was lent.
static void change_sched(struct thread *thread, const struct sched_params *own,
                         uint32_t lent) NO_LOCK_ANALYSIS {
    unsigned long state = hal_irq_save();
    bool queued;
    struct cpu *cpu = change_begin(thread, &queued);
    if (queued) {
        queue_remove(cpu, thread);
    }
    if (own != NULL) {
        thread->own = *own;
    }
    if (lent != LENT_SAME) {
        thread->lent = lent;
    }
    use_params(thread);
    if (queued) {
        queue_add(cpu, thread, SCHED_MOVE, input_counter());
    }
    // Either side of the comparison may have changed: the current thread is judged again.
    reschedule_locked(cpu, queued ? cpu->queue.current : thread);
    raw_unlock(&cpu->queue.lock);
    change_end(thread);
    hal_irq_restore(state);
    preempt_check();
}

void thread_set_sched(struct thread *thread, const struct sched_params *params) {
    change_sched(thread, params, LENT_SAME);
}

void thread_lend(struct thread *thread, uint32_t priority) {
    change_sched(thread, NULL, priority);
}

uint32_t thread_urgency(const struct thread *thread) {
    return atomic_load_explicit(&thread->urgency, memory_order_relaxed);
}

void thread_set_affinity(struct thread *thread, uint64_t affinity) NO_LOCK_ANALYSIS {
    affinity &= cpu_online_mask();
    ASSERT(affinity != 0);
    unsigned long state = hal_irq_save();
    bool queued;
    struct cpu *cpu = change_begin(thread, &queued);
    bool misplaced = (affinity >> cpu->id & 1) == 0;
    bool moves = misplaced && queued;
    if (moves) {
        queue_remove(cpu, thread);
    }
    atomic_store_explicit(&thread->affinity, affinity, memory_order_relaxed);
    thread->sched.allowed = affinity;
    if (misplaced) {
        reschedule_locked(cpu, thread);
    }
    raw_unlock(&cpu->queue.lock);
    if (moves) {
        sched_place(thread, SCHED_MOVE);
    }
    change_end(thread);
    hal_irq_restore(state);
    preempt_check();
}

void thread_set_aspace(struct core_aspace *aspace) {
    struct thread *thread = thread_current();
    struct core_aspace *old = thread->aspace;
    if (aspace != NULL) {
        object_get(&aspace->object);
    }
    unsigned long state = hal_irq_save();
    thread->aspace = aspace;
    core_aspace_activate(aspace);
    hal_irq_restore(state);
    if (old != NULL) {
        object_put(&old->object);
    }
}

void thread_for_each(bool (*visit)(struct thread *thread, void *context), void *context) {
    unsigned long state = spin_lock_irq(&all_lock);
    list_for_each (link, &all_threads) {
        if (!visit(LIST_ENTRY(link, struct thread, all_link), context)) {
            break;
        }
    }
    spin_unlock_irq(&all_lock, state);
}
