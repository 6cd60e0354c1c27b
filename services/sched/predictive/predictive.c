// SPDX-License-Identifier: MIT OR Apache-2.0
// services/sched/predictive/predictive.c: who is expected to stop soon goes first.
//
// The length of a thread's next run is predicted as the exponential average of its runs so far,
// the newest with a weight of one eighth; a run that is longer already is its own prediction. Below
// 1 ms a thread is hot, below 10 ms normal, else cold, and hot ones go before normal ones before
// cold ones. Who waits behind better levels for as long as its level's patience is taken all the
// same, and keeps the processor for a slice, so that nobody starves: one such thread in 20 ms, the
// one that is most overdue, so that a crowd of them does not starve the others.
#include "predictive.h"

#include <helix/sched.h>

#define HOT_NS    1000000
#define NORMAL_NS 10000000

enum { LEVEL_HOT = HX_SCHED_LEVELS_REAL_TIME, LEVEL_NORMAL, LEVEL_COLD, LEVEL_IDLE, LEVEL_END };
_Static_assert((uint32_t)LEVEL_END <= LEVELS_COUNT, "a level for each");

#define AGEING_LEVELS (LEVEL_END - LEVEL_NORMAL)
static const time_ns_t patience[AGEING_LEVELS] = { 20000000, 100000000, 1000000000 };
#define AGEING_PAUSE_NS 20000000 // from one that had waited to the next

static struct predictive_cpu *cpu_of(void *self, uint32_t cpu) {
    struct predictive *predictive = self;
    return cpu < predictive->cpu_count ? &predictive->cpus[cpu] : NULL;
}

static time_ns_t now(void *self) {
    const struct predictive *predictive = self;
    return predictive->clock();
}

static struct predictive_thread *data_of(struct sched_thread *thread) {
    void *data = thread->data; // aligned for any policy's data
    return data;
}

static struct predictive_thread *of_link(const struct level_link *link) {
    return CONTAINER_OF(link, struct predictive_thread, link);
}

static struct sched_thread *thread_of(struct predictive_thread *data) {
    return CONTAINER_OF(data, struct sched_thread, data);
}

// Of a thread whose run has taken so long up to now.
static uint32_t level_of(struct sched_thread *thread, time_ns_t run_ns) {
    if (hx_sched_is_real_time(thread)) {
        return hx_sched_level_real_time(thread);
    }
    if (thread->params.sched_class == SCHED_CLASS_IDLE) {
        return LEVEL_IDLE;
    }
    const time_ns_t expected = MAX_OF(data_of(thread)->average_ns, run_ns);
    return expected < HOT_NS ? LEVEL_HOT : expected < NORMAL_NS ? LEVEL_NORMAL : LEVEL_COLD;
}

// A run ends where the thread blocks; who is preempted, or gives way, goes on with it.
static void predict(struct sched_thread *thread, uint32_t why) {
    struct predictive_thread *data = data_of(thread);
    if (data->level_mark == 0) { // it is new, or another policy had it
        data->average_ns = HOT_NS;
        return;
    }
    data->run_ns += thread->ran_ns;
    if ((why & SCHED_WAKE) != 0) {
        data->average_ns += (data->run_ns - data->average_ns) / 8;
        data->run_ns = 0;
    }
}

static enum hx_status predictive_cpu_add(void *self, uint32_t cpu) {
    return cpu_of(self, cpu) == NULL ? HX_ERR_LIMIT : HX_OK;
}

static enum hx_status predictive_enqueue(void *self, uint32_t id, struct sched_thread *thread,
                                         uint32_t why) {
    struct predictive_cpu *cpu = cpu_of(self, id);
    struct predictive_thread *data = data_of(thread);
    if (cpu == NULL || level_link_is_in(&data->link)) {
        return HX_ERR_INVALID;
    }
    predict(thread, why);
    const bool goes_on = hx_sched_slice_goes_on(thread, why, &data->used_ns);
    const uint32_t level = level_of(thread, data->run_ns);
    data->level_mark = (uint8_t)(level + 1);
    data->waited = false;
    if (!goes_on) { // else it has its place again, and nobody behind it is to wait for longer
        data->since = now(self);
    }
    levels_insert(&cpu->levels, level, &data->link, goes_on);
    return HX_OK;
}

static void take(struct predictive_cpu *cpu, struct predictive_thread *data) {
    levels_remove(&cpu->levels, data->level_mark - 1u, &data->link);
}

static enum hx_status predictive_dequeue(void *self, uint32_t id, struct sched_thread *thread) {
    struct predictive_cpu *cpu = cpu_of(self, id);
    if (cpu == NULL || !level_link_is_in(&data_of(thread)->link)) {
        return HX_ERR_INVALID;
    }
    take(cpu, data_of(thread));
    return HX_OK;
}

static enum hx_status predictive_clear(void *self, uint32_t id) {
    struct predictive_cpu *cpu = cpu_of(self, id);
    if (cpu == NULL) {
        return HX_ERR_INVALID;
    }
    cpu->levels = (struct levels){ 0 };
    return HX_OK;
}

// Whether somebody of the lower levels waits at all; most of the time nobody does.
static bool somebody_ages(const struct predictive_cpu *cpu) {
    return cpu->levels.bits[LEVEL_NORMAL / 64] >> (LEVEL_NORMAL % 64) != 0;
}

// Who has waited for too long; NULL: nobody, or somebody had just now, or real-time threads wait.
static struct predictive_thread *find_waited(const struct predictive_cpu *cpu, time_ns_t moment) {
    struct predictive_thread *longest = NULL;
    time_ns_t end = moment; // of its patience
    if (levels_best(&cpu->levels) < LEVEL_HOT || moment < cpu->pause_end) {
        return NULL;
    }
    for (uint32_t i = 0; i < AGEING_LEVELS; i++) {
        const struct level_link *link = cpu->levels.first[LEVEL_NORMAL + i];
        if (link != NULL && of_link(link)->since + patience[i] <= end) {
            longest = of_link(link);
            end = longest->since + patience[i];
        }
    }
    return longest;
}

static bool may_take(const struct level_link *link, uint64_t cpu) {
    return hx_sched_is_allowed(thread_of(of_link(link)), (uint32_t)cpu);
}

static struct predictive_thread *find_next(void *self, struct predictive_cpu *cpu, uint32_t id,
                                           uint32_t taker) {
    if (id != taker) {
        const struct level_link *link = levels_find(&cpu->levels, may_take, taker);
        return link == NULL ? NULL : of_link(link);
    }
    const time_ns_t moment = somebody_ages(cpu) ? now(self) : 0;
    struct predictive_thread *data = moment != 0 ? find_waited(cpu, moment) : NULL;
    if (data != NULL) {
        data->waited = true;
        cpu->pause_end = moment + AGEING_PAUSE_NS;
        return data;
    }
    const uint32_t best = levels_best(&cpu->levels);
    return best == LEVELS_COUNT ? NULL : of_link(cpu->levels.first[best]);
}

static enum hx_status predictive_pick(void *self, uint32_t id, uint32_t stealing_cpu,
                                      struct sched_thread **out_thread) {
    struct predictive_cpu *cpu = cpu_of(self, id);
    if (cpu == NULL) {
        return HX_ERR_INVALID;
    }
    struct predictive_thread *data = find_next(self, cpu, id, stealing_cpu);
    if (data == NULL) {
        return HX_ERR_NOT_FOUND;
    }
    take(cpu, data);
    *out_thread = thread_of(data);
    return HX_OK;
}

// The level of the running thread as of now.
static uint32_t level_now(struct sched_thread *running) {
    const struct predictive_thread *data = data_of(running);
    if (data->waited && !hx_sched_slice_is_over(running, 0)) {
        return LEVEL_HOT;
    }
    return level_of(running, data->run_ns + running->ran_ns);
}

static bool gives_way(void *self, const struct predictive_cpu *cpu, struct sched_thread *running) {
    const uint32_t best = levels_best(&cpu->levels);
    const uint32_t level = level_now(running);
    if (best < level || (best == level && best != LEVELS_COUNT &&
                         hx_sched_slice_is_over(running, data_of(running)->used_ns))) {
        return true;
    }
    return level >= LEVEL_HOT && somebody_ages(cpu) && find_waited(cpu, now(self)) != NULL;
}

static enum hx_status predictive_check(void *self, uint32_t id, struct sched_thread *running,
                                       bool *out_preempt) {
    const struct predictive_cpu *cpu = cpu_of(self, id);
    if (cpu == NULL) {
        return HX_ERR_INVALID;
    }
    *out_preempt = running == NULL ? cpu->levels.count != 0 : gives_way(self, cpu, running);
    return HX_OK;
}

static enum hx_status predictive_slice(void *self, uint32_t id, struct sched_thread *running,
                                       time_ns_t *out_slice_ns) {
    const struct predictive_cpu *cpu = cpu_of(self, id);
    if (cpu == NULL) {
        return HX_ERR_INVALID;
    }
    time_ns_t slice = hx_sched_slice(running);
    const uint32_t best = levels_best(&cpu->levels);
    if (best == LEVELS_COUNT || slice == TIME_NEVER ||
        (hx_sched_is_real_time(running) && best > hx_sched_level_real_time(running))) {
        *out_slice_ns = TIME_NEVER; // nobody who waits would get it
        return HX_OK;
    }
    // Levels change, and patience ends, meanwhile.
    slice -= data_of(running)->used_ns + running->ran_ns;
    *out_slice_ns = MAX_OF(slice, (time_ns_t)HX_SCHED_SLICE_LEAST_NS);
    return HX_OK;
}

static enum hx_status predictive_queued(void *self, uint32_t id, uint32_t *out_count) {
    const struct predictive_cpu *cpu = cpu_of(self, id);
    if (cpu == NULL) {
        return HX_ERR_INVALID;
    }
    *out_count = cpu->levels.count;
    return HX_OK;
}

const struct sched_ops predictive_ops = {
    .cpu_add = predictive_cpu_add,
    .enqueue = predictive_enqueue,
    .dequeue = predictive_dequeue,
    .clear = predictive_clear,
    .pick = predictive_pick,
    .check = predictive_check,
    .slice = predictive_slice,
    .queued = predictive_queued,
};
