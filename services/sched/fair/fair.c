// SPDX-License-Identifier: MIT OR Apache-2.0
// services/sched/fair/fair.c: shares by weight, the earliest virtual deadline first.
//
// What a thread runs is divided by its weight and added to `served`. Its deadline is when it should
// have had one turn more; who has the earliest one is next. The running thread gives way once its
// own deadline is a turn behind the earliest, so that equals change every turn. Who has slept gets
// the processor soon, but no more than that: it comes back a turn behind the clock at most, and the
// clock goes on while a thread runs alone.
#include "fair.h"

#include <helix/sched.h>

#define TURN_NS     3000000 // virtual
#define WEIGHT_ZERO 1024    // of nice 0
#define WEIGHT_IDLE 3

// 1024 * 1.25^-nice, from -20 on: a step of nice is a tenth of the processor among two.
static const uint32_t weights[40] = {
    88818, 71054, 56843, 45475, 36380, 29104, 23283, 18626, 14901, 11921, 9537, 7629, 6104, 4883,
    3906,  3125,  2500,  2000,  1600,  1280,  1024,  819,   655,   524,   419,  336,  268,  215,
    172,   137,   110,   88,    70,    56,    45,    36,    29,    23,    18,   15,
};

static struct fair_cpu *cpu_of(void *self, uint32_t cpu) {
    struct fair *fair = self;
    return cpu < fair->cpu_count ? &fair->cpus[cpu] : NULL;
}

static struct fair_thread *data_of(struct sched_thread *thread) {
    void *data = thread->data; // aligned for any policy's data
    return data;
}

static struct sched_thread *thread_of(struct fair_thread *data) {
    return CONTAINER_OF(data, struct sched_thread, data);
}

static struct fair_thread *of_link(const struct level_link *link) {
    return CONTAINER_OF(link, struct fair_thread, link);
}

// Moments wrap; two that are compared are never half the range apart.
static bool is_before(uint64_t a, uint64_t b) {
    return (int64_t)(a - b) < 0;
}

static bool deadline_less(const struct rbnode *a, const struct rbnode *b) {
    return is_before(RB_ENTRY(a, struct fair_thread, node)->deadline,
                     RB_ENTRY(b, struct fair_thread, node)->deadline);
}

static uint64_t weight_of(const struct sched_thread *thread) {
    return thread->params.sched_class == SCHED_CLASS_IDLE ? WEIGHT_IDLE
                                                          : weights[hx_sched_nice(thread) + 20];
}

static uint64_t to_virtual(const struct sched_thread *thread, time_ns_t span) {
    return (uint64_t)span * WEIGHT_ZERO / weight_of(thread);
}

// Virtual time for what it ran.
static uint64_t charge(const struct sched_thread *thread) {
    return to_virtual(thread, thread->ran_ns);
}

static uint64_t deadline_after(const struct sched_thread *thread, uint64_t served) {
    return served + to_virtual(thread, TURN_NS);
}

static uint64_t clock_of(const struct fair_cpu *cpu) {
    return atomic_load_explicit(&cpu->clock, memory_order_relaxed); // a moment's value will do
}

// On another processor's clock it keeps its distance, a turn of its own at most: that clock may
// have stood.
static uint64_t moved(struct fair *fair, const struct fair_cpu *cpu,
                      const struct sched_thread *thread, const struct fair_thread *data) {
    const int64_t most = MAX_OF((int64_t)to_virtual(thread, TURN_NS), (int64_t)TURN_NS);
    const int64_t ahead = (int64_t)(data->served - clock_of(&fair->cpus[data->home]));
    return clock_of(cpu) + (uint64_t)MIN_OF(MAX_OF(ahead, -most), most);
}

static void served_update(struct fair *fair, uint32_t id, struct sched_thread *thread,
                          uint32_t why) {
    const struct fair_cpu *cpu = &fair->cpus[id];
    struct fair_thread *data = data_of(thread);
    if (data->deadline == 0) { // it is new, was real-time, or another policy had it
        data->served = clock_of(cpu);
    } else if (data->home != id) {
        data->served = moved(fair, cpu, thread, data);
    }
    if (thread->ran_ns != 0) {
        data->served += charge(thread);
    }
    if ((why & SCHED_WAKE) != 0 && is_before(data->served, clock_of(cpu) - TURN_NS)) {
        data->served = clock_of(cpu) - TURN_NS;
    }
}

static struct fair_thread *first_of(const struct fair_cpu *cpu) {
    return RB_ENTRY(rbtree_first(&cpu->tree), struct fair_thread, node);
}

// Nobody waited until somebody came; who runs here, and was served so much by then, owes nothing
// for that.
static void clock_catch_up(struct fair_cpu *cpu, uint64_t served) {
    if (!cpu->was_empty) {
        return;
    }
    cpu->was_empty = false;
    if (!is_before(clock_of(cpu), served)) {
        return;
    }
    atomic_store_explicit(&cpu->clock, served, memory_order_relaxed);
    struct fair_thread *only = first_of(cpu);
    if (is_before(only->served, served - TURN_NS)) {
        only->served = served - TURN_NS;
        only->deadline = deadline_after(thread_of(only), only->served); // alone in the tree
    }
}

static void tree_insert(struct fair_cpu *cpu, struct sched_thread *thread, uint32_t why) {
    struct fair_thread *data = data_of(thread);
    if ((why & (SCHED_PREEMPT | SCHED_YIELD)) != 0) {
        clock_catch_up(cpu, data->served);
    }
    data->level_mark = 0;
    data->deadline = deadline_after(thread, data->served);
    data->deadline += data->deadline == 0; // which means that it has none
    const uint64_t latest = cpu->last != NULL
                                ? RB_ENTRY(cpu->last, struct fair_thread, node)->deadline
                                : data->deadline;
    if ((why & SCHED_YIELD) != 0 && is_before(data->deadline, latest)) {
        data->deadline = latest; // behind all who wait now, but for no longer than that
    }
    if (is_before(data->deadline, latest)) {
        rbtree_insert(&cpu->tree, &data->node);
    } else {
        rbtree_insert_last(&cpu->tree, cpu->last, &data->node);
        cpu->last = &data->node;
    }
    cpu->was_empty = cpu->count++ == 0;
}

static void real_time_insert(struct fair_cpu *cpu, struct sched_thread *thread, uint32_t why) {
    struct fair_thread *data = data_of(thread);
    const bool goes_on = hx_sched_slice_goes_on(thread, why, &data->used_ns);
    const uint32_t level = hx_sched_level_real_time(thread);
    data->level_mark = (uint8_t)(level + 1);
    data->deadline = 0;
    levels_insert(&cpu->real_time, level, &data->link, goes_on);
}

static enum hx_status fair_cpu_add(void *self, uint32_t id) {
    struct fair_cpu *cpu = cpu_of(self, id);
    if (cpu == NULL) {
        return HX_ERR_LIMIT;
    }
    rbtree_init(&cpu->tree, deadline_less, NULL);
    return HX_OK;
}

static enum hx_status fair_enqueue(void *self, uint32_t id, struct sched_thread *thread,
                                   uint32_t why) {
    struct fair_cpu *cpu = cpu_of(self, id);
    struct fair_thread *data = data_of(thread);
    if (cpu == NULL || data->is_queued) {
        return HX_ERR_INVALID;
    }
    if (hx_sched_is_real_time(thread)) {
        real_time_insert(cpu, thread, why);
    } else {
        served_update(self, id, thread, why);
        tree_insert(cpu, thread, why);
    }
    data->home = (uint16_t)id;
    data->is_queued = true;
    return HX_OK;
}

static void take(struct fair_cpu *cpu, struct fair_thread *data) {
    data->is_queued = false;
    if (data->level_mark != 0) {
        levels_remove(&cpu->real_time, data->level_mark - 1u, &data->link);
        return;
    }
    if (cpu->last == &data->node) {
        cpu->last = rbtree_previous(&data->node);
    }
    rbtree_remove(&cpu->tree, &data->node);
    cpu->count--;
    cpu->was_empty = false;
}

static enum hx_status fair_dequeue(void *self, uint32_t id, struct sched_thread *thread) {
    struct fair_cpu *cpu = cpu_of(self, id);
    if (cpu == NULL || !data_of(thread)->is_queued) {
        return HX_ERR_INVALID;
    }
    take(cpu, data_of(thread));
    return HX_OK;
}

static enum hx_status fair_clear(void *self, uint32_t id) {
    struct fair_cpu *cpu = cpu_of(self, id);
    if (cpu == NULL) {
        return HX_ERR_INVALID;
    }
    cpu->real_time = (struct levels){ 0 };
    rbtree_init(&cpu->tree, deadline_less, NULL);
    cpu->last = NULL;
    cpu->count = 0;
    cpu->was_empty = false;
    return HX_OK;
}

static bool may_take(const struct level_link *link, uint64_t cpu) {
    return hx_sched_is_allowed(thread_of(of_link(link)), (uint32_t)cpu);
}

static struct fair_thread *first_in_tree(const struct fair_cpu *cpu, uint32_t taker) {
    struct rbnode *node = rbtree_first(&cpu->tree);
    while (node != NULL &&
           !hx_sched_is_allowed(thread_of(RB_ENTRY(node, struct fair_thread, node)), taker)) {
        node = rbtree_next(node);
    }
    return node == NULL ? NULL : RB_ENTRY(node, struct fair_thread, node);
}

static enum hx_status fair_pick(void *self, uint32_t id, uint32_t stealing_cpu,
                                struct sched_thread **out_thread) {
    struct fair_cpu *cpu = cpu_of(self, id);
    if (cpu == NULL) {
        return HX_ERR_INVALID;
    }
    const struct level_link *link = levels_find(&cpu->real_time, may_take, stealing_cpu);
    struct fair_thread *data = link != NULL ? of_link(link) : first_in_tree(cpu, stealing_cpu);
    if (data == NULL) {
        return HX_ERR_NOT_FOUND;
    }
    take(cpu, data);
    if (link == NULL && is_before(clock_of(cpu), data->served)) {
        atomic_store_explicit(&cpu->clock, data->served, memory_order_relaxed);
    }
    *out_thread = thread_of(data);
    return HX_OK;
}

// How far the deadline of the running thread, as of now, lies behind the earliest of who waits.
static int64_t behind(struct fair_cpu *cpu, struct sched_thread *running) {
    const struct fair_thread *data = data_of(running);
    const uint64_t before = data->deadline == 0 ? clock_of(cpu) : data->served;
    const uint64_t served = before + charge(running);
    clock_catch_up(cpu, served);
    return (int64_t)(deadline_after(running, served) - first_of(cpu)->deadline);
}

static bool gives_way(struct fair_cpu *cpu, struct sched_thread *running) {
    const uint32_t best = levels_best(&cpu->real_time);
    if (hx_sched_is_real_time(running)) {
        const uint32_t level = hx_sched_level_real_time(running);
        return best < level ||
               (best == level && hx_sched_slice_is_over(running, data_of(running)->used_ns));
    }
    return best != LEVELS_COUNT || (cpu->count != 0 && behind(cpu, running) >= TURN_NS);
}

static enum hx_status fair_check(void *self, uint32_t id, struct sched_thread *running,
                                 bool *out_preempt) {
    struct fair_cpu *cpu = cpu_of(self, id);
    if (cpu == NULL) {
        return HX_ERR_INVALID;
    }
    *out_preempt =
        running == NULL ? cpu->real_time.count + cpu->count != 0 : gives_way(cpu, running);
    return HX_OK;
}

// When gives_way() will be true, if nobody comes.
static time_ns_t slice_left(struct fair_cpu *cpu, struct sched_thread *running) {
    const uint32_t best = levels_best(&cpu->real_time);
    if (hx_sched_is_real_time(running)) {
        const time_ns_t slice = hx_sched_slice(running);
        return best > hx_sched_level_real_time(running) || slice == TIME_NEVER
                   ? TIME_NEVER
                   : slice - data_of(running)->used_ns - running->ran_ns;
    }
    if (best != LEVELS_COUNT || cpu->count == 0) {
        return best != LEVELS_COUNT ? 0 : TIME_NEVER;
    }
    const int64_t left = TURN_NS - behind(cpu, running);
    return left * (int64_t)weight_of(running) / WEIGHT_ZERO;
}

static enum hx_status fair_slice(void *self, uint32_t id, struct sched_thread *running,
                                 time_ns_t *out_slice_ns) {
    struct fair_cpu *cpu = cpu_of(self, id);
    if (cpu == NULL) {
        return HX_ERR_INVALID;
    }
    *out_slice_ns = MAX_OF(slice_left(cpu, running), (time_ns_t)HX_SCHED_SLICE_LEAST_NS);
    return HX_OK;
}

static enum hx_status fair_queued(void *self, uint32_t id, uint32_t *out_count) {
    const struct fair_cpu *cpu = cpu_of(self, id);
    if (cpu == NULL) {
        return HX_ERR_INVALID;
    }
    *out_count = cpu->real_time.count + cpu->count;
    return HX_OK;
}

const struct sched_ops fair_ops = {
    .cpu_add = fair_cpu_add,
    .enqueue = fair_enqueue,
    .dequeue = fair_dequeue,
    .clear = fair_clear,
    .pick = fair_pick,
    .check = fair_check,
    .slice = fair_slice,
    .queued = fair_queued,
};
