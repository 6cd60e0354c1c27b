// SPDX-License-Identifier: MIT OR Apache-2.0
// core/queue.c: a run queue: core's own list of who is queued, in order of arrival, beside whatever
// order the policy keeps.
//
// Core's list is the built-in FIFO, and what a policy that fails, or is replaced, cannot lose. A
// policy that returns an error, or a thread that it does not have, is dropped on this processor at
// once; the FIFO goes on. All functions here need the queue's lock, interrupts off.
#include "core_private.h"

#include <core/log.h>
#include <core/ports/sched_calls.h>

#define FIFO_SLICE_NS 10000000
#define COLD          __attribute__((cold, noinline)) // so that callers keep nothing for it

static struct thread *thread_of(struct sched_thread *sched) {
    return CONTAINER_OF(sched, struct thread, sched);
}

void queue_drop_policy(struct cpu *cpu) {
    cpu->queue.ops = NULL;
    cpu->queue.self = NULL;
    cpu->queue.policy = 0;
}

// The policy misbehaved or died: from here on this processor uses the FIFO.
static COLD void policy_failed(struct cpu *cpu, enum hx_status status) {
    trace(TRACE_MODULE, cpu->id, (uint64_t)(int64_t)status);
    policy_note_failure(cpu->queue.policy, status);
    queue_drop_policy(cpu);
}

// A thread whose data belong to another policy starts afresh with this one.
static void thread_adopt(struct run_queue *queue, struct thread *thread) {
    if (thread->policy != queue->policy) {
        thread->policy = queue->policy;
        thread->turn_ticks = 0; // nor is it told of what they did
        __builtin_memset(thread->sched.data, 0, sizeof(thread->sched.data));
    }
}

void queue_adopt(struct cpu *cpu, struct thread *thread) {
    thread_adopt(&cpu->queue, thread);
}

// Of the running thread: since it was put on the processor.
static void ran_fill(struct thread *thread, uint64_t now) {
    thread->sched.ran_ns = time_ticks_to_span(now - thread->run_start);
}

// Of one that is queued: since it was queued before. A running one is taken off the processor next,
// which adds what it is running now.
static void ran_fill_queued(struct thread *thread, uint32_t why, uint64_t now) {
    const bool is_running = (why & (SCHED_PREEMPT | SCHED_YIELD)) != 0;
    const uint64_t running = is_running ? now - thread->run_start : 0;
    thread->sched.ran_ns = time_ticks_to_span(thread->turn_ticks + running);
    thread->turn_ticks = 0 - running;
}

void queue_add(struct cpu *cpu, struct thread *thread, uint32_t why, uint64_t now) {
    struct run_queue *queue = &cpu->queue;
    ASSERT(!list_is_linked(&thread->queue_link));
    list_push_back(&queue->threads, &thread->queue_link);
    // Release: behind the store of `cpu`; see change_begin().
    atomic_store_explicit(&thread->queued, true, memory_order_release);
    uint32_t queued = atomic_load_explicit(&queue->queued, memory_order_relaxed);
    // seq_cst: pairs with an idle processor's last look before it sleeps.
    (void)atomic_exchange_explicit(&queue->queued, queued + 1, memory_order_seq_cst);
    if (queue->ops == NULL) {
        return;
    }
    thread_adopt(queue, thread);
    ran_fill_queued(thread, why, now);
    enum hx_status status =
        sched_call_enqueue(queue->ops, queue->self, cpu->id, &thread->sched, why);
    if (status != HX_OK) {
        policy_failed(cpu, status);
    }
}

static void taken(struct run_queue *queue, struct thread *thread) {
    list_remove(&thread->queue_link);
    atomic_store_explicit(&thread->queued, false, memory_order_relaxed);
    uint32_t queued = atomic_load_explicit(&queue->queued, memory_order_relaxed);
    atomic_store_explicit(&queue->queued, queued - 1, memory_order_relaxed);
}

static bool may_run(const struct thread *thread, uint32_t cpu) {
    return (thread->sched.allowed >> cpu & 1) != 0;
}

static bool is_real_time(const struct thread *thread) {
    const uint32_t sched_class = thread->sched.params.sched_class;
    return sched_class == SCHED_CLASS_FIFO || sched_class == SCHED_CLASS_ROUND_ROBIN;
}

// The first one that may run there; one of real time before all others, since whoever starts a dead
// policy anew is one.
static COLD struct thread *fifo_first(const struct run_queue *queue, uint32_t taker) {
    struct thread *first = NULL;
    list_for_each (link, &queue->threads) {
        struct thread *thread = LIST_ENTRY(link, struct thread, queue_link);
        if (may_run(thread, taker) && is_real_time(thread)) {
            return thread;
        }
        first = first == NULL && may_run(thread, taker) ? thread : first;
    }
    return first;
}

static COLD struct thread *fifo_take(struct run_queue *queue, uint32_t taker) {
    struct thread *thread = fifo_first(queue, taker);
    if (thread != NULL) {
        taken(queue, thread);
    }
    return thread;
}

static COLD bool fifo_check(const struct cpu *cpu, const struct thread *running, uint64_t now) {
    const struct thread *first = fifo_first(&cpu->queue, cpu->id);
    return time_ticks_to_span(now - running->run_start) >= FIFO_SLICE_NS ||
           (first != NULL && is_real_time(first) && !is_real_time(running));
}

// What the policy gave is a thread that waits here and may run there; else the policy is broken.
static bool pick_is_sound(const struct cpu *cpu, const struct thread *thread, uint32_t taker) {
    return atomic_load_explicit(&thread->queued, memory_order_relaxed) && may_run(thread, taker) &&
           atomic_load_explicit(&thread->cpu, memory_order_relaxed) == cpu->id;
}

struct thread *queue_take(struct cpu *cpu, uint32_t taker) {
    struct run_queue *queue = &cpu->queue;
    if (list_is_empty(&queue->threads)) {
        return NULL;
    }
    if (queue->ops != NULL) {
        struct sched_thread *sched = NULL;
        enum hx_status status = sched_call_pick(queue->ops, queue->self, cpu->id, taker, &sched);
        if (status == HX_OK && sched != NULL && pick_is_sound(cpu, thread_of(sched), taker)) {
            taken(queue, thread_of(sched));
            return thread_of(sched);
        }
        if (status == HX_ERR_NOT_FOUND && taker != cpu->id) {
            return NULL; // nothing that the other one may have
        }
        policy_failed(cpu, status);
    }
    return fifo_take(queue, taker);
}

void queue_remove(struct cpu *cpu, struct thread *thread) {
    struct run_queue *queue = &cpu->queue;
    taken(queue, thread);
    if (queue->ops != NULL) {
        enum hx_status status =
            sched_call_dequeue(queue->ops, queue->self, cpu->id, &thread->sched);
        if (status != HX_OK) {
            policy_failed(cpu, status);
        }
    }
}

bool queue_check(struct cpu *cpu, struct thread *running, uint64_t now) {
    struct run_queue *queue = &cpu->queue;
    if (running == &cpu->idle) {
        return true;
    }
    if (queue->ops != NULL) {
        bool preempt = false;
        ran_fill(running, now);
        enum hx_status status =
            sched_call_check(queue->ops, queue->self, cpu->id, &running->sched, &preempt);
        if (status == HX_OK) {
            return preempt;
        }
        policy_failed(cpu, status);
    }
    return fifo_check(cpu, running, now);
}

time_ns_t queue_slice(struct cpu *cpu, struct thread *running, uint64_t now) {
    struct run_queue *queue = &cpu->queue;
    if (running == &cpu->idle || list_is_empty(&queue->threads)) {
        return TIME_NEVER;
    }
    if (queue->ops != NULL) {
        time_ns_t slice = TIME_NEVER;
        ran_fill(running, now);
        enum hx_status status =
            sched_call_slice(queue->ops, queue->self, cpu->id, &running->sched, &slice);
        if (status == HX_OK) {
            return slice;
        }
        policy_failed(cpu, status);
    }
    return FIFO_SLICE_NS;
}

// The policy that goes keeps nothing of who waits, so that it can come back.
static void leave(struct cpu *cpu) {
    const struct run_queue *queue = &cpu->queue;
    if (queue->ops == NULL) {
        return;
    }
    enum hx_status status = sched_call_clear(queue->ops, queue->self, cpu->id);
    if (status != HX_OK) {
        policy_failed(cpu, status);
    }
}

enum hx_status queue_set_policy(struct cpu *cpu, const struct policy_ref *policy) {
    struct run_queue *queue = &cpu->queue;
    if (queue->policy == policy->number) {
        return HX_OK;
    }
    leave(cpu);
    queue->ops = policy->ops;
    queue->self = policy->self;
    queue->policy = policy->number;
    if (policy->ops == NULL) {
        return HX_OK;
    }
    thread_adopt(queue, queue->current);
    list_for_each (link, &queue->threads) {
        struct thread *thread = LIST_ENTRY(link, struct thread, queue_link);
        thread->policy = 0; // what it has is over, even if this policy comes back
        thread_adopt(queue, thread);
        thread->sched.ran_ns = 0;
        enum hx_status status =
            sched_call_enqueue(queue->ops, queue->self, cpu->id, &thread->sched, SCHED_MOVE);
        if (status != HX_OK) {
            policy_failed(cpu, status);
            return status;
        }
    }
    return HX_OK;
}
