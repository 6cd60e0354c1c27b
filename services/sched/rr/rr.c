// SPDX-License-Identifier: MIT OR Apache-2.0
// services/sched/rr/rr.c: round-robin with priorities.
#include "rr.h"

#include <helix/sched.h>

#define LEVEL_NORMAL HX_SCHED_LEVELS_REAL_TIME
#define LEVEL_IDLE   (LEVEL_NORMAL + 1)
_Static_assert(LEVEL_IDLE < LEVELS_COUNT, "a level for each");

static struct levels *cpu_of(void *self, uint32_t cpu) {
    struct rr *rr = self;
    return cpu < rr->cpu_count ? &rr->cpus[cpu] : NULL;
}

static struct rr_thread *data_of(struct sched_thread *thread) {
    void *data = thread->data; // aligned for any policy's data
    return data;
}

static struct sched_thread *thread_of(const struct level_link *link) {
    struct rr_thread *data = CONTAINER_OF(link, struct rr_thread, link);
    return CONTAINER_OF(data, struct sched_thread, data);
}

static uint32_t level_of(const struct sched_thread *thread) {
    if (hx_sched_is_real_time(thread)) {
        return hx_sched_level_real_time(thread);
    }
    return thread->params.sched_class == SCHED_CLASS_IDLE ? LEVEL_IDLE : LEVEL_NORMAL;
}

// The level that a running thread was queued at; one that this policy never queued has zeroed data.
static uint32_t level_now(struct sched_thread *thread) {
    const uint32_t mark = data_of(thread)->level_mark;
    return mark == 0 ? level_of(thread) : mark - 1;
}

static enum hx_status rr_cpu_add(void *self, uint32_t cpu) {
    return cpu_of(self, cpu) == NULL ? HX_ERR_LIMIT : HX_OK;
}

static enum hx_status rr_enqueue(void *self, uint32_t id, struct sched_thread *thread,
                                 uint32_t why) {
    struct levels *cpu = cpu_of(self, id);
    struct rr_thread *data = data_of(thread);
    if (cpu == NULL || level_link_is_in(&data->link)) {
        return HX_ERR_INVALID;
    }
    const bool goes_on = hx_sched_slice_goes_on(thread, why, &data->used_ns);
    const uint32_t level = level_of(thread);
    data->level_mark = level + 1;
    levels_insert(cpu, level, &data->link, goes_on);
    return HX_OK;
}

static void take(struct levels *cpu, struct rr_thread *data) {
    levels_remove(cpu, data->level_mark - 1, &data->link);
}

static enum hx_status rr_dequeue(void *self, uint32_t id, struct sched_thread *thread) {
    struct levels *cpu = cpu_of(self, id);
    struct rr_thread *data = data_of(thread);
    if (cpu == NULL || !level_link_is_in(&data->link)) {
        return HX_ERR_INVALID;
    }
    take(cpu, data);
    return HX_OK;
}

static enum hx_status rr_clear(void *self, uint32_t id) {
    struct levels *cpu = cpu_of(self, id);
    if (cpu == NULL) {
        return HX_ERR_INVALID;
    }
    *cpu = (struct levels){ 0 };
    return HX_OK;
}

static bool may_take(const struct level_link *link, uint64_t cpu) {
    return hx_sched_is_allowed(thread_of(link), (uint32_t)cpu);
}

static enum hx_status rr_pick(void *self, uint32_t id, uint32_t stealing_cpu,
                              struct sched_thread **out_thread) {
    struct levels *cpu = cpu_of(self, id);
    if (cpu == NULL) {
        return HX_ERR_INVALID;
    }
    struct level_link *link = NULL;
    if (stealing_cpu != id) {
        link = levels_find(cpu, may_take, stealing_cpu);
    } else {
        const uint32_t level = levels_best(cpu);
        link = level == LEVELS_COUNT ? NULL : cpu->first[level];
    }
    if (link == NULL) {
        return HX_ERR_NOT_FOUND;
    }
    struct sched_thread *thread = thread_of(link);
    take(cpu, data_of(thread));
    *out_thread = thread;
    return HX_OK;
}

static enum hx_status rr_check(void *self, uint32_t id, struct sched_thread *running,
                               bool *out_preempt) {
    const struct levels *cpu = cpu_of(self, id);
    if (cpu == NULL) {
        return HX_ERR_INVALID;
    }
    const uint32_t best = levels_best(cpu);
    const uint32_t level = running == NULL ? LEVELS_COUNT : level_now(running);
    *out_preempt = best < level || (best == level && best != LEVELS_COUNT &&
                                    hx_sched_slice_is_over(running, data_of(running)->used_ns));
    return HX_OK;
}

static enum hx_status rr_slice(void *self, uint32_t id, struct sched_thread *running,
                               time_ns_t *out_slice_ns) {
    const struct levels *cpu = cpu_of(self, id);
    if (cpu == NULL) {
        return HX_ERR_INVALID;
    }
    time_ns_t slice = hx_sched_slice(running);
    if (levels_best(cpu) > level_now(running) || slice == TIME_NEVER) {
        *out_slice_ns = TIME_NEVER; // nobody who waits would get it
        return HX_OK;
    }
    slice -= data_of(running)->used_ns + running->ran_ns;
    *out_slice_ns = MAX_OF(slice, (time_ns_t)0);
    return HX_OK;
}

static enum hx_status rr_queued(void *self, uint32_t id, uint32_t *out_count) {
    const struct levels *cpu = cpu_of(self, id);
    if (cpu == NULL) {
        return HX_ERR_INVALID;
    }
    *out_count = cpu->count;
    return HX_OK;
}

const struct sched_ops rr_ops = {
    .cpu_add = rr_cpu_add,
    .enqueue = rr_enqueue,
    .dequeue = rr_dequeue,
    .clear = rr_clear,
    .pick = rr_pick,
    .check = rr_check,
    .slice = rr_slice,
    .queued = rr_queued,
};
