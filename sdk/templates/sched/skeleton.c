// SPDX-License-Identifier: MIT OR Apache-2.0
// skeleton.c: a scheduling policy: turns in the order of arrival, through helix.sched.
#include <helix/env.h>
#include <helix/ports/sched_port.h>
#include <helix/sched.h>
#include <lib/list.h>

#define TURN_NS 4000000

// What a thread carries in sched_thread.data; zero when it is new.
struct skeleton_thread {
    struct list link;
    bool is_queued;
};
_Static_assert(sizeof(struct skeleton_thread) <= SCHED_THREAD_DATA_BYTES, "fits into the thread");

// Of one processor; its run queue's lock guards it.
struct skeleton_cpu {
    struct list queue;
    uint32_t count;
};

struct skeleton {
    struct hx_env *env;
    uint32_t cpu_count;
    struct skeleton_cpu *cpus;
};

static struct skeleton_cpu *cpu_of(void *self, uint32_t cpu) {
    struct skeleton *skeleton = self;
    return cpu < skeleton->cpu_count ? &skeleton->cpus[cpu] : NULL;
}

static struct skeleton_thread *data_of(struct sched_thread *thread) {
    void *data = thread->data; // aligned for any policy's data
    return data;
}

static void take(struct skeleton_cpu *cpu, struct skeleton_thread *data) {
    list_remove(&data->link);
    data->is_queued = false;
    cpu->count--;
}

// The threads' data are zeroed by who clears.
static enum hx_status skeleton_clear(void *self, uint32_t id) {
    struct skeleton_cpu *cpu = cpu_of(self, id);
    if (cpu == NULL) {
        return HX_ERR_LIMIT;
    }
    list_init(&cpu->queue);
    cpu->count = 0;
    return HX_OK;
}

static enum hx_status skeleton_enqueue(void *self, uint32_t id, struct sched_thread *thread,
                                       uint32_t why) {
    struct skeleton_cpu *cpu = cpu_of(self, id);
    struct skeleton_thread *data = data_of(thread);
    (void)why;
    if (cpu == NULL || data->is_queued) {
        return HX_ERR_INVALID;
    }
    list_push_back(&cpu->queue, &data->link);
    data->is_queued = true;
    cpu->count++;
    return HX_OK;
}

static enum hx_status skeleton_dequeue(void *self, uint32_t id, struct sched_thread *thread) {
    struct skeleton_cpu *cpu = cpu_of(self, id);
    if (cpu == NULL || !data_of(thread)->is_queued) {
        return HX_ERR_INVALID;
    }
    take(cpu, data_of(thread));
    return HX_OK;
}

static enum hx_status skeleton_pick(void *self, uint32_t id, uint32_t stealing_cpu,
                                    struct sched_thread **out_thread) {
    struct skeleton_cpu *cpu = cpu_of(self, id);
    if (cpu == NULL) {
        return HX_ERR_INVALID;
    }
    list_for_each (link, &cpu->queue) {
        struct skeleton_thread *data = LIST_ENTRY(link, struct skeleton_thread, link);
        struct sched_thread *thread = CONTAINER_OF(data, struct sched_thread, data);
        if (hx_sched_is_allowed(thread, stealing_cpu)) {
            take(cpu, data);
            *out_thread = thread;
            return HX_OK;
        }
    }
    return HX_ERR_NOT_FOUND;
}

static enum hx_status skeleton_check(void *self, uint32_t id, struct sched_thread *running,
                                     bool *out_preempt) {
    const struct skeleton_cpu *cpu = cpu_of(self, id);
    if (cpu == NULL) {
        return HX_ERR_INVALID;
    }
    *out_preempt = cpu->count != 0 && (running == NULL || running->ran_ns >= TURN_NS);
    return HX_OK;
}

static enum hx_status skeleton_slice(void *self, uint32_t id, struct sched_thread *running,
                                     time_ns_t *out_slice_ns) {
    const struct skeleton_cpu *cpu = cpu_of(self, id);
    if (cpu == NULL) {
        return HX_ERR_INVALID;
    }
    *out_slice_ns = cpu->count != 0 ? TURN_NS - MIN_OF(running->ran_ns, TURN_NS) : TIME_NEVER;
    return HX_OK;
}

static enum hx_status skeleton_queued(void *self, uint32_t id, uint32_t *out_threads) {
    const struct skeleton_cpu *cpu = cpu_of(self, id);
    if (cpu == NULL) {
        return HX_ERR_INVALID;
    }
    *out_threads = cpu->count;
    return HX_OK;
}

static const struct sched_ops skeleton_ops = {
    .cpu_add = skeleton_clear, // both make an empty queue
    .enqueue = skeleton_enqueue,
    .dequeue = skeleton_dequeue,
    .clear = skeleton_clear,
    .pick = skeleton_pick,
    .check = skeleton_check,
    .slice = skeleton_slice,
    .queued = skeleton_queued,
};

static void skeleton_fini(void *self) {
    struct skeleton *skeleton = self;
    hx_free(skeleton->env, skeleton->cpus);
    hx_free(skeleton->env, skeleton);
}

static enum hx_status skeleton_init(struct hx_env *env, void **out_self) {
    struct skeleton *skeleton = hx_alloc(env, sizeof(*skeleton));
    if (skeleton == NULL) {
        return HX_ERR_NO_MEMORY;
    }
    skeleton->env = env;
    skeleton->cpu_count = hx_cpu_count();
    skeleton->cpus = hx_alloc(env, skeleton->cpu_count * sizeof(*skeleton->cpus));
    enum hx_status status = skeleton->cpus == NULL ? HX_ERR_NO_MEMORY : HX_OK;
    if (status == HX_OK) {
        status = hx_port_provide(env, "helix.sched", "sched", &skeleton_ops, skeleton);
    }
    if (status != HX_OK) {
        skeleton_fini(skeleton);
        return status;
    }
    *out_self = skeleton;
    return HX_OK;
}

static const struct hx_port_provided provided[] = { SCHED_PORT_PROVIDED };
static const struct hx_module_ops operations = { .init = skeleton_init, .fini = skeleton_fini };

HX_MODULE(skeleton, .name = "skeleton", .version = { 1, 0, 0 }, .phase = HX_PHASE_NORMAL,
          .flags = HX_MODULE_ATOMIC, .provides = provided, .provides_count = ARRAY_SIZE(provided),
          .ops = &operations);
