// SPDX-License-Identifier: MIT OR Apache-2.0
// turns.h: a scheduling policy that gives turns of a millisecond in order of arrival, for packages.
// TURNS_NAME is the module's, TURNS_ENQUEUES how often a thread can be queued; then it fails.
#pragma once

#include <helix/env.h>
#include <helix/ports/sched_port.h>
#include <helix/sched.h>
#include <lib/list.h>

#define TURN_NS 1000000

struct turns_thread {
    struct list link;
    time_ns_t birth; // of the policy; 0: the thread is new
};

struct turns {
    struct hx_env *env;
    time_ns_t birth;
    uint64_t enqueues_left; // a hint: processors count beside each other
    struct list *queues;    // of each processor; its lock guards it
};

static struct turns_thread *turns_data(struct sched_thread *thread) {
    void *data = thread->data;
    return data;
}

static enum hx_status turns_clear(void *self, uint32_t cpu) {
    struct turns *turns = self;
    list_init(&turns->queues[cpu]);
    return HX_OK;
}

static enum hx_status turns_enqueue(void *self, uint32_t cpu, struct sched_thread *thread,
                                    uint32_t why) {
    struct turns *turns = self;
    struct turns_thread *data = turns_data(thread);
    (void)why;
    // Data of an earlier life of the module would be links into memory that is not there any more.
    if (turns->enqueues_left == 0 || (data->birth != 0 && data->birth != turns->birth)) {
        return HX_ERR_CORRUPT;
    }
    turns->enqueues_left--;
    data->birth = turns->birth;
    list_push_back(&turns->queues[cpu], &data->link);
    return HX_OK;
}

static enum hx_status turns_dequeue(void *self, uint32_t cpu, struct sched_thread *thread) {
    (void)self;
    (void)cpu;
    list_remove(&turns_data(thread)->link);
    return HX_OK;
}

static enum hx_status turns_pick(void *self, uint32_t cpu, uint32_t taker,
                                 struct sched_thread **out_thread) {
    struct turns *turns = self;
    list_for_each (link, &turns->queues[cpu]) {
        struct turns_thread *data = LIST_ENTRY(link, struct turns_thread, link);
        struct sched_thread *thread = CONTAINER_OF(data, struct sched_thread, data);
        if (hx_sched_is_allowed(thread, taker)) {
            list_remove(link);
            *out_thread = thread;
            return HX_OK;
        }
    }
    return HX_ERR_NOT_FOUND;
}

static enum hx_status turns_check(void *self, uint32_t cpu, struct sched_thread *running,
                                  bool *out_preempt) {
    struct turns *turns = self;
    *out_preempt = !list_is_empty(&turns->queues[cpu]) && running->ran_ns >= TURN_NS;
    return HX_OK;
}

static enum hx_status turns_slice(void *self, uint32_t cpu, struct sched_thread *running,
                                  time_ns_t *out_slice_ns) {
    (void)self;
    (void)cpu;
    (void)running;
    *out_slice_ns = TURN_NS;
    return HX_OK;
}

static enum hx_status turns_queued(void *self, uint32_t cpu, uint32_t *out_threads) {
    struct turns *turns = self;
    uint32_t count = 0;
    list_for_each (link, &turns->queues[cpu]) {
        count++;
    }
    *out_threads = count;
    return HX_OK;
}

static const struct sched_ops turns_ops = {
    .cpu_add = turns_clear, // both make an empty queue
    .enqueue = turns_enqueue,
    .dequeue = turns_dequeue,
    .clear = turns_clear,
    .pick = turns_pick,
    .check = turns_check,
    .slice = turns_slice,
    .queued = turns_queued,
};

static void turns_fini(void *self) {
    struct turns *turns = self;
    hx_free(turns->env, turns->queues);
    hx_free(turns->env, turns);
}

static enum hx_status turns_init(struct hx_env *env, void **out_self) {
    struct turns *turns = hx_alloc(env, sizeof(*turns));
    struct list *queues = hx_alloc(env, hx_cpu_count() * sizeof(*queues));
    enum hx_status status = turns != NULL && queues != NULL ? HX_OK : HX_ERR_NO_MEMORY;
    if (status == HX_OK) {
        *turns = (struct turns){ env, hx_time_now(), TURNS_ENQUEUES, queues };
        status = hx_port_provide(env, "helix.sched", "sched", &turns_ops, turns);
    }
    if (status != HX_OK) {
        hx_free(env, queues);
        hx_free(env, turns);
        return status;
    }
    *out_self = turns;
    return HX_OK;
}

static const struct hx_port_provided turns_provides[] = { SCHED_PORT_PROVIDED };
static const struct hx_module_ops turns_operations = { .init = turns_init, .fini = turns_fini };

HX_MODULE(turns, .name = TURNS_NAME, .version = { 1, 0, 0 }, .phase = HX_PHASE_NORMAL,
          .flags = HX_MODULE_ATOMIC, .provides = turns_provides,
          .provides_count = ARRAY_SIZE(turns_provides), .ops = &turns_operations);
