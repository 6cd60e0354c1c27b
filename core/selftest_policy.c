// SPDX-License-Identifier: MIT OR Apache-2.0
// core/selftest_policy.c: what a policy is told of runs, and policies that fail when they are
// chosen.
//
// The policies here are of one kind, a queue in order of arrival, and stay installed.
#include "selftest.h"

#include <core/patience.h>
#include <core/sched.h>

#define RUNNERS  4u
#define ROUNDS   5u
#define RUN_NS   2000000
#define TURN_NS  1000000
#define CROWD    12u
#define DEATH_NS ((time_ns_t)10000000000)
#define ROUND_NS 1000 // each of the core's conversions to nanoseconds may round down

struct plain_thread {
    struct list link; // zeroed: in no queue
    time_ns_t told;   // what it ran, as the enqueues said
    time_ns_t first;  // as the first one said
    bool was_queued;
};
_Static_assert(sizeof(struct plain_thread) <= SCHED_THREAD_DATA_BYTES, "fits into the thread");

struct plain {
    struct list queues[CPU_MAX]; // each guarded by the caller's lock
    _Atomic uint32_t enqueues;   // of all processors
    _Atomic uint32_t fails_at;   // after so many enqueues one fails
    bool refuses_cpus;
};

static struct plain_thread *data_of(struct sched_thread *thread) {
    void *data = thread->data;
    return data;
}

static enum hx_status plain_cpu_add(void *self, uint32_t cpu) {
    struct plain *plain = self;
    list_init(&plain->queues[cpu]);
    return plain->refuses_cpus ? HX_ERR_LIMIT : HX_OK;
}

static enum hx_status plain_enqueue(void *self, uint32_t cpu, struct sched_thread *thread,
                                    uint32_t why) {
    struct plain *plain = self;
    (void)why;
    if (atomic_fetch_add_explicit(&plain->enqueues, 1, memory_order_relaxed) ==
        atomic_load_explicit(&plain->fails_at, memory_order_relaxed)) {
        return HX_ERR_CORRUPT;
    }
    struct plain_thread *data = data_of(thread);
    data->first = data->was_queued ? data->first : thread->ran_ns;
    data->was_queued = true;
    data->told += thread->ran_ns;
    list_push_back(&plain->queues[cpu], &data->link);
    return HX_OK;
}

static enum hx_status plain_dequeue(void *self, uint32_t cpu, struct sched_thread *thread) {
    (void)self;
    (void)cpu;
    list_remove(&data_of(thread)->link);
    return HX_OK;
}

static enum hx_status plain_clear(void *self, uint32_t cpu) {
    struct plain *plain = self;
    list_init(&plain->queues[cpu]);
    return HX_OK;
}

static enum hx_status plain_pick(void *self, uint32_t cpu, uint32_t taker,
                                 struct sched_thread **out_thread) {
    struct plain *plain = self;
    list_for_each (link, &plain->queues[cpu]) {
        struct plain_thread *data = LIST_ENTRY(link, struct plain_thread, link);
        struct sched_thread *thread = CONTAINER_OF(data, struct sched_thread, data);
        if ((thread->allowed >> taker & 1) != 0) {
            list_remove(link);
            *out_thread = thread;
            return HX_OK;
        }
    }
    return HX_ERR_NOT_FOUND;
}

static enum hx_status plain_check(void *self, uint32_t cpu, struct sched_thread *running,
                                  bool *out_preempt) {
    struct plain *plain = self;
    *out_preempt = !list_is_empty(&plain->queues[cpu]) && running->ran_ns >= TURN_NS;
    return HX_OK;
}

static enum hx_status plain_slice(void *self, uint32_t cpu, struct sched_thread *running,
                                  time_ns_t *out_slice_ns) {
    (void)self;
    (void)cpu;
    (void)running;
    *out_slice_ns = TURN_NS;
    return HX_OK;
}

static enum hx_status plain_queued(void *self, uint32_t cpu, uint32_t *out_threads) {
    const struct plain *plain = self;
    uint32_t count = 0;
    for (const struct list *link = plain->queues[cpu].next; link != &plain->queues[cpu];
         link = link->next) {
        count++;
    }
    *out_threads = count;
    return HX_OK;
}

static const struct sched_ops plain_ops = {
    .cpu_add = plain_cpu_add,
    .enqueue = plain_enqueue,
    .dequeue = plain_dequeue,
    .clear = plain_clear,
    .pick = plain_pick,
    .check = plain_check,
    .slice = plain_slice,
    .queued = plain_queued,
};

static struct plain sound = { .fails_at = UINT32_MAX };
static struct plain weak = { .fails_at = CROWD / 2 };
static struct plain unwilling = { .fails_at = UINT32_MAX, .refuses_cpus = true };
static struct plain mortal = { .fails_at = UINT32_MAX };

static enum hx_status statuses[3]; // of sched_choose()

// Runs: preempted or not, a policy is told of all that a thread ran.
static _Atomic uint32_t wrong;

static void spin_to(time_ns_t run_ns) {
    while (thread_run_ns(thread_current()) < run_ns) {
        hal_relax();
    }
}

static void runner(void *argument) {
    (void)argument;
    struct thread *self = thread_current();
    for (uint32_t round = 1; round <= ROUNDS; round++) {
        spin_to(thread_run_ns(self) + RUN_NS);
        // Until it was queued: a sleep that is over at once is none.
        const time_ns_t ran = thread_run_ns(self);
        for (uint32_t i = 0; i < 1000 && data_of(&self->sched)->told < ran - ROUND_NS; i++) {
            (void)thread_sleep_until(time_now() + TURN_NS, 0);
        }
        const time_ns_t told = data_of(&self->sched)->told;
        if (told < ran - ROUND_NS || told > thread_run_ns(self)) {
            log_error("selftest: told %lld of %lld ns", (long long)told, (long long)ran);
            atomic_fetch_add_explicit(&wrong, 1, memory_order_relaxed);
        }
    }
}

// A thread that slept while its policy went: the next one is told nothing of what it ran before.
static struct waitable bed;
static _Atomic(struct thread *) asleep;
static time_ns_t first_told;

static void sleep_through_swap(void *argument) {
    if (selftest_index(argument) == 0) {
        struct thread *self = thread_current();
        spin_to(RUN_NS);
        atomic_store_explicit(&asleep, self, memory_order_release);
        HX_IGNORE(wait_change(&bed, 0, TIME_NEVER, 0));
        first_told = data_of(&self->sched)->was_queued ? data_of(&self->sched)->first : -1;
        return;
    }
    struct thread *thread;
    while ((thread = atomic_load_explicit(&asleep, memory_order_acquire)) == NULL ||
           atomic_load_explicit(&thread->state, memory_order_acquire) != THREAD_BLOCKED) {
        thread_yield();
    }
    statuses[0] = sched_choose("selftest sound");
    waitable_pulse(&bed);
}

bool core_selftest_policy_runs(void) {
    const char *before = sched_policy_name();
    atomic_store_explicit(&wrong, 0, memory_order_relaxed);
    CHECK(sched_install("selftest sound", &plain_ops, &sound) == HX_OK);
    CHECK(sched_install("selftest sound", &plain_ops, &sound) == HX_ERR_EXISTS);
    waitable_init(&bed, 0);
    atomic_store_explicit(&asleep, NULL, memory_order_relaxed);
    CHECK(core_selftest_threads(2, true, sleep_through_swap));
    CHECK(statuses[0] == HX_OK && first_told == 0);
    CHECK(core_selftest_threads(RUNNERS, true, runner));
    CHECK(atomic_load_explicit(&wrong, memory_order_relaxed) == 0);
    CHECK(sched_choose(before) == HX_OK);
    return true;
}

// Failures: while a crowd waits for processor 0.
static _Atomic uint32_t done;
static _Atomic uint32_t arrived;

static bool has_all(const char *name) {
    const struct sched_ops *ops = cpu_table[0]->queue.ops;
    for (uint64_t rest = cpu_online_mask(); rest != 0; rest &= rest - 1) {
        CHECK(cpu_table[__builtin_ctzll(rest)]->queue.ops == ops);
    }
    CHECK(ops != NULL && sched_policy_name() == name);
    return true;
}

static void crowd(void *argument) {
    atomic_fetch_add_explicit(&arrived, 1, memory_order_relaxed);
    if (selftest_index(argument) == 0) {
        while (atomic_load_explicit(&arrived, memory_order_relaxed) < CROWD) {
            thread_yield();
        }
        statuses[0] = sched_choose("selftest unwilling");
        statuses[1] = sched_choose("selftest weak");
        statuses[2] = sched_choose("selftest weak");
        atomic_store_explicit(&done, 1, memory_order_release);
    }
    while (atomic_load_explicit(&done, memory_order_acquire) == 0) {
        thread_yield();
    }
}

bool core_selftest_policy_fails(void) {
    const char *before = sched_policy_name();
    struct sched_swaps swaps, swaps_after;
    sched_swaps_get(&swaps);
    atomic_store_explicit(&done, 0, memory_order_relaxed);
    atomic_store_explicit(&arrived, 0, memory_order_relaxed);
    CHECK(sched_install("selftest unwilling", &plain_ops, &unwilling) == HX_OK);
    CHECK(sched_install("selftest weak", &plain_ops, &weak) == HX_OK);
    CHECK(sched_choose("selftest none") == HX_ERR_NOT_FOUND);
    CHECK(core_selftest_threads(CROWD, true, crowd));
    CHECK(statuses[0] == HX_ERR_LIMIT);
    CHECK(statuses[1] == HX_ERR_CORRUPT);
    CHECK(statuses[2] == HX_ERR_PEER_DIED);
    CHECK(has_all(before));
    sched_swaps_get(&swaps_after);
    CHECK(swaps_after.count == swaps.count);
    return true;
}

// Dies on one processor: none calls it any more, also of those where it would do.
static uint64_t cpus_with(const struct sched_ops *ops) {
    uint64_t cpus = 0;
    for (uint64_t rest = cpu_online_mask(); rest != 0; rest &= rest - 1) {
        const uint32_t cpu = (uint32_t)__builtin_ctzll(rest);
        cpus |= (uint64_t)(cpu_table[cpu]->queue.ops == ops) << cpu;
    }
    return cpus;
}

static void sleeper(void *argument) {
    (void)argument;
    while (atomic_load_explicit(&done, memory_order_acquire) == 0) {
        (void)thread_sleep_until(time_now() + TURN_NS, 0);
    }
}

static void kill_mortal(void *argument) {
    if (selftest_index(argument) != 0) {
        sleeper(argument);
        return;
    }
    struct patience patience = patience_of(DEATH_NS);
    statuses[0] = sched_choose("selftest mortal");
    const struct sched_ops *ops = cpu_table[0]->queue.ops;
    const uint32_t enqueues = atomic_load_explicit(&mortal.enqueues, memory_order_relaxed);
    atomic_store_explicit(&mortal.fails_at, enqueues + CROWD, memory_order_relaxed);
    while (cpus_with(ops) != 0 && patience_wait(&patience)) {
    }
    statuses[1] = cpus_with(ops) == 0 ? HX_OK : HX_ERR_TIMED_OUT;
    statuses[2] = sched_choose("selftest mortal");
    atomic_store_explicit(&done, 1, memory_order_release);
}

bool core_selftest_policy_dies(void) {
    const char *before = sched_policy_name();
    atomic_store_explicit(&done, 0, memory_order_relaxed);
    CHECK(sched_install("selftest mortal", &plain_ops, &mortal) == HX_OK);
    CHECK(core_selftest_threads(RUNNERS, true, kill_mortal));
    CHECK(statuses[0] == HX_OK && statuses[1] == HX_OK && statuses[2] == HX_ERR_PEER_DIED);
    CHECK(sched_choose(before) == HX_OK && has_all(before));
    return true;
}
