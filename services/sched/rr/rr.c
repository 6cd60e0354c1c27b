// SPDX-License-Identifier: MIT OR Apache-2.0
// services/sched/rr/rr.c: round-robin with priorities.
#include "rr.h"

#define SLICE_NORMAL_NS      4000000 // at nice 0
#define SLICE_LEAST_NS       1000000 // from nice 15 on
#define SLICE_ROUND_ROBIN_NS 100000000

#define LEVEL_NORMAL 99u
#define LEVEL_IDLE   100u
#define PRIORITY_MAX 99u

static struct rr_cpu *cpu_of(void *self, uint32_t cpu) {
    struct rr *rr = self;
    return cpu < rr->cpu_count ? &rr->cpus[cpu] : NULL;
}

static struct rr_thread *data_of(struct sched_thread *thread) {
    void *data = thread->data; // aligned for any policy's data
    return data;
}

static struct sched_thread *thread_of(struct rr_link *link) {
    struct rr_thread *data = CONTAINER_OF(link, struct rr_thread, link);
    return CONTAINER_OF(data, struct sched_thread, data);
}

static bool is_real_time(const struct sched_thread *thread) {
    return thread->params.sched_class == SCHED_CLASS_FIFO ||
           thread->params.sched_class == SCHED_CLASS_ROUND_ROBIN;
}

static uint32_t level_of(const struct sched_thread *thread) {
    if (is_real_time(thread)) {
        uint32_t priority = MIN_OF(MAX_OF(thread->params.priority, 1u), PRIORITY_MAX);
        return PRIORITY_MAX - priority;
    }
    return thread->params.sched_class == SCHED_CLASS_IDLE ? LEVEL_IDLE : LEVEL_NORMAL;
}

// The level that a running thread was queued at; one that this policy never queued has zeroed data.
static uint32_t level_now(struct sched_thread *thread) {
    uint32_t mark = data_of(thread)->level_mark;
    return mark == 0 ? level_of(thread) : mark - 1;
}

// A whole slice. Nice changes it linearly: 8 ms at -20, 4 ms at 0, 1 ms from 15 on.
static time_ns_t slice_of(const struct sched_thread *thread) {
    if (thread->params.sched_class == SCHED_CLASS_FIFO) {
        return TIME_NEVER;
    }
    if (thread->params.sched_class == SCHED_CLASS_ROUND_ROBIN) {
        return SLICE_ROUND_ROBIN_NS;
    }
    int32_t nice = MIN_OF(MAX_OF(thread->params.nice, -20), 19);
    time_ns_t slice = SLICE_NORMAL_NS - nice * (SLICE_NORMAL_NS / 20);
    return MAX_OF(slice, (time_ns_t)SLICE_LEAST_NS);
}

static bool slice_is_over(struct sched_thread *running) {
    const time_ns_t used = data_of(running)->used_ns + running->ran_ns;
    // Nearly all who wake another one have run for less than any slice; TIME_NEVER is never used
    // up.
    return used >= SLICE_LEAST_NS && used >= slice_of(running);
}

static uint32_t best_level(const struct rr_cpu *cpu) {
    if (cpu->bits[0] != 0) {
        return (uint32_t)__builtin_ctzll(cpu->bits[0]);
    }
    return cpu->bits[1] != 0 ? 64u + (uint32_t)__builtin_ctzll(cpu->bits[1]) : RR_LEVELS;
}

static void link_insert(struct rr_cpu *cpu, uint32_t level, struct rr_link *link, bool at_front) {
    struct rr_link *first = cpu->first[level];
    if (first == NULL) {
        link->next = link;
        link->previous = link;
        cpu->first[level] = link;
        cpu->bits[level / 64] |= UINT64_C(1) << (level % 64);
        return;
    }
    link->next = first;
    link->previous = first->previous;
    first->previous->next = link;
    first->previous = link;
    if (at_front) {
        cpu->first[level] = link;
    }
}

static void link_remove(struct rr_cpu *cpu, uint32_t level, struct rr_link *link) {
    if (link->next == link) {
        cpu->first[level] = NULL;
        cpu->bits[level / 64] &= ~(UINT64_C(1) << (level % 64));
    } else {
        link->next->previous = link->previous;
        link->previous->next = link->next;
        if (cpu->first[level] == link) {
            cpu->first[level] = link->next;
        }
    }
    link->next = NULL;
    link->previous = NULL;
}

static enum hx_status rr_cpu_add(void *self, uint32_t cpu) {
    return cpu_of(self, cpu) == NULL ? HX_ERR_LIMIT : HX_OK;
}

static enum hx_status rr_enqueue(void *self, uint32_t id, struct sched_thread *thread,
                                 uint32_t why) {
    struct rr_cpu *cpu = cpu_of(self, id);
    struct rr_thread *data = data_of(thread);
    if (cpu == NULL || data->link.next != NULL) {
        return HX_ERR_INVALID;
    }
    bool goes_on = false;
    if ((why & SCHED_PREEMPT) != 0) {
        data->used_ns += thread->ran_ns;
        goes_on = data->used_ns < slice_of(thread);
    }
    if (!goes_on && (why & SCHED_MOVE) == 0) {
        data->used_ns = 0;
    }
    uint32_t level = level_of(thread);
    data->level_mark = level + 1;
    link_insert(cpu, level, &data->link, goes_on);
    cpu->count++;
    return HX_OK;
}

static void take(struct rr_cpu *cpu, struct rr_thread *data) {
    link_remove(cpu, data->level_mark - 1, &data->link);
    cpu->count--;
}

static enum hx_status rr_dequeue(void *self, uint32_t id, struct sched_thread *thread) {
    struct rr_cpu *cpu = cpu_of(self, id);
    struct rr_thread *data = data_of(thread);
    if (cpu == NULL || data->link.next == NULL) {
        return HX_ERR_INVALID;
    }
    take(cpu, data);
    return HX_OK;
}

// The best thread that `by` may run; NULL if there is none.
static struct sched_thread *best_allowed(const struct rr_cpu *cpu, uint32_t by) {
    for (uint32_t level = best_level(cpu); level < RR_LEVELS; level++) {
        struct rr_link *first = cpu->first[level];
        struct rr_link *link = first;
        while (link != NULL) {
            struct sched_thread *thread = thread_of(link);
            if ((thread->allowed >> by & 1) != 0) {
                return thread;
            }
            link = link->next == first ? NULL : link->next;
        }
    }
    return NULL;
}

static enum hx_status rr_pick(void *self, uint32_t id, uint32_t stealing_cpu,
                              struct sched_thread **out_thread) {
    struct rr_cpu *cpu = cpu_of(self, id);
    if (cpu == NULL) {
        return HX_ERR_INVALID;
    }
    struct sched_thread *thread = NULL;
    if (stealing_cpu != id) {
        thread = best_allowed(cpu, stealing_cpu);
    } else {
        uint32_t level = best_level(cpu);
        thread = level == RR_LEVELS ? NULL : thread_of(cpu->first[level]);
    }
    if (thread == NULL) {
        return HX_ERR_NOT_FOUND;
    }
    take(cpu, data_of(thread));
    *out_thread = thread;
    return HX_OK;
}

static enum hx_status rr_check(void *self, uint32_t id, struct sched_thread *running,
                               bool *out_preempt) {
    struct rr_cpu *cpu = cpu_of(self, id);
    if (cpu == NULL) {
        return HX_ERR_INVALID;
    }
    uint32_t best = best_level(cpu);
    uint32_t level = running == NULL ? RR_LEVELS : level_now(running);
    *out_preempt = best < level || (best == level && best != RR_LEVELS && slice_is_over(running));
    return HX_OK;
}

static enum hx_status rr_slice(void *self, uint32_t id, struct sched_thread *running,
                               time_ns_t *out_slice_ns) {
    struct rr_cpu *cpu = cpu_of(self, id);
    if (cpu == NULL) {
        return HX_ERR_INVALID;
    }
    time_ns_t slice = slice_of(running);
    if (best_level(cpu) > level_now(running) || slice == TIME_NEVER) {
        *out_slice_ns = TIME_NEVER; // nobody who waits would get it
        return HX_OK;
    }
    slice -= data_of(running)->used_ns + running->ran_ns;
    *out_slice_ns = MAX_OF(slice, (time_ns_t)0);
    return HX_OK;
}

static enum hx_status rr_queued(void *self, uint32_t id, uint32_t *out_count) {
    struct rr_cpu *cpu = cpu_of(self, id);
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
    .pick = rr_pick,
    .check = rr_check,
    .slice = rr_slice,
    .queued = rr_queued,
};
