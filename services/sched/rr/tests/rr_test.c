// SPDX-License-Identifier: MIT OR Apache-2.0
// Tests of services/sched/rr/rr.c: order, slices, stealing, and a random run against a simple
// model.
#include "../rr.h"
#include "policy_life.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#define MS 1000000

static struct levels cpus[2];
static struct rr rr = { 2, cpus };

static void reset(void) {
    memset(cpus, 0, sizeof(cpus));
    assert(rr_ops.cpu_add(&rr, 0) == HX_OK);
    assert(rr_ops.cpu_add(&rr, 2) == HX_ERR_LIMIT);
}

static struct sched_thread make(uint32_t sched_class, uint32_t priority, int32_t nice) {
    struct sched_thread thread = { .params = { sched_class, nice, priority, 0 },
                                   .allowed = UINT64_MAX };
    return thread;
}

static void put(struct sched_thread *thread, uint32_t why) {
    assert(rr_ops.enqueue(&rr, 0, thread, why) == HX_OK);
}

static struct sched_thread *pick(uint32_t by) {
    struct sched_thread *thread = NULL;
    enum hx_status status = rr_ops.pick(&rr, 0, by, &thread);
    assert((status == HX_OK) == (thread != NULL));
    assert(status == HX_OK || status == HX_ERR_NOT_FOUND);
    return thread;
}

static bool check(struct sched_thread *running) {
    bool preempt = false;
    assert(rr_ops.check(&rr, 0, running, &preempt) == HX_OK);
    return preempt;
}

static time_ns_t slice(struct sched_thread *running) {
    time_ns_t value = 0;
    assert(rr_ops.slice(&rr, 0, running, &value) == HX_OK);
    return value;
}

static void test_order(void) {
    reset();
    struct sched_thread idle = make(SCHED_CLASS_IDLE, 0, 0);
    struct sched_thread a = make(SCHED_CLASS_NORMAL, 0, 0);
    struct sched_thread b = make(SCHED_CLASS_BATCH, 0, 0);
    struct sched_thread low = make(SCHED_CLASS_ROUND_ROBIN, 1, 0);
    struct sched_thread high = make(SCHED_CLASS_FIFO, 99, 0);
    put(&idle, SCHED_NEW);
    put(&a, SCHED_NEW);
    put(&b, SCHED_NEW);
    put(&low, SCHED_NEW);
    put(&high, SCHED_NEW);
    assert(rr_ops.enqueue(&rr, 0, &a, SCHED_NEW) == HX_ERR_INVALID); // it is there already
    uint32_t count = 0;
    assert(rr_ops.queued(&rr, 0, &count) == HX_OK && count == 5);
    assert(pick(0) == &high && pick(0) == &low && pick(0) == &a && pick(0) == &b);
    assert(pick(0) == &idle && pick(0) == NULL);
}

static void test_slices(void) {
    reset();
    struct sched_thread running = make(SCHED_CLASS_NORMAL, 0, 0);
    struct sched_thread other = make(SCHED_CLASS_NORMAL, 0, 0);
    put(&running, SCHED_NEW);
    assert(pick(0) == &running);
    assert(slice(&running) == TIME_NEVER && !check(&running));
    put(&other, SCHED_WAKE);
    assert(slice(&running) == 4 * MS && !check(&running));
    running.ran_ns = 3 * MS;
    assert(slice(&running) == MS && !check(&running));
    running.ran_ns = 4 * MS;
    assert(slice(&running) == 0 && check(&running));
    running.params.nice = 19;
    running.ran_ns = 0;
    assert(slice(&running) == MS);
    assert(rr_ops.dequeue(&rr, 0, &other) == HX_OK);
    running.params.sched_class = SCHED_CLASS_FIFO;
    running.params.priority = 5;
    put(&running, SCHED_NEW);
    put(&other, SCHED_NEW);
    assert(pick(0) == &running);
    running.ran_ns = 1000 * (time_ns_t)MS;
    assert(slice(&running) == TIME_NEVER && !check(&running));
    assert(check(NULL)); // idle gives way to anything
}

// Preempted early: keeps its place and the rest of its slice; after it, goes to the back.
static void test_preempted(void) {
    reset();
    struct sched_thread a = make(SCHED_CLASS_NORMAL, 0, 0);
    struct sched_thread b = make(SCHED_CLASS_NORMAL, 0, 0);
    put(&a, SCHED_NEW);
    put(&b, SCHED_NEW);
    assert(pick(0) == &a);
    a.ran_ns = 3 * MS;
    put(&a, SCHED_PREEMPT);
    assert(pick(0) == &a);
    a.ran_ns = 0;
    assert(slice(&a) == MS);
    a.ran_ns = MS;
    put(&a, SCHED_PREEMPT);
    assert(pick(0) == &b);
    put(&b, SCHED_YIELD);
    assert(pick(0) == &a);
    a.ran_ns = 0;
    assert(slice(&a) == 4 * MS);
}

static void test_steal(void) {
    reset();
    struct sched_thread bound = make(SCHED_CLASS_FIFO, 50, 0);
    struct sched_thread free_one = make(SCHED_CLASS_NORMAL, 0, 0);
    bound.allowed = 1;
    put(&bound, SCHED_NEW);
    assert(pick(1) == NULL);
    put(&free_one, SCHED_NEW);
    assert(pick(1) == &free_one);
    assert(pick(1) == NULL && pick(0) == &bound);
}

// Random operations; the model keeps arrival numbers and searches.
enum { COUNT = 40, STEPS = 20000 };
static struct sched_thread threads[COUNT];
static uint64_t arrival[COUNT]; // 0: not queued

// Larger is better.
static uint32_t model_rank(const struct sched_thread *thread) {
    switch (thread->params.sched_class) {
    case SCHED_CLASS_FIFO:
    case SCHED_CLASS_ROUND_ROBIN:
        return 2 + thread->params.priority;
    case SCHED_CLASS_IDLE:
        return 0;
    default:
        return 1;
    }
}

static struct sched_thread *model_pick(void) {
    uint32_t best = COUNT;
    for (uint32_t i = 0; i < COUNT; i++) {
        if (arrival[i] == 0) {
            continue;
        }
        if (best == COUNT || model_rank(&threads[i]) > model_rank(&threads[best]) ||
            (model_rank(&threads[i]) == model_rank(&threads[best]) && arrival[i] < arrival[best])) {
            best = i;
        }
    }
    if (best == COUNT) {
        return NULL;
    }
    arrival[best] = 0;
    return &threads[best];
}

static void test_random(void) {
    static const uint32_t classes[] = { SCHED_CLASS_NORMAL, SCHED_CLASS_FIFO,
                                        SCHED_CLASS_ROUND_ROBIN, SCHED_CLASS_IDLE };
    reset();
    srand(7);
    for (uint32_t i = 0; i < COUNT; i++) {
        threads[i] = make(classes[i % 4], 1 + (uint32_t)rand() % 5, 0);
    }
    for (uint64_t step = 1; step < STEPS; step++) {
        uint32_t i = (uint32_t)rand() % COUNT;
        if (arrival[i] == 0) {
            put(&threads[i], SCHED_WAKE);
            arrival[i] = step;
        } else if (rand() % 3 == 0) {
            assert(rr_ops.dequeue(&rr, 0, &threads[i]) == HX_OK);
            arrival[i] = 0;
        }
        if (rand() % 3 == 0) {
            assert(pick(0) == model_pick());
        }
    }
}

// What was cleared can be filled again with the same threads, once their data are zero.
static void test_clear(void) {
    reset();
    struct sched_thread normal_one = make(SCHED_CLASS_NORMAL, 0, 0),
                        urgent = make(SCHED_CLASS_FIFO, 9, 0);
    uint32_t count = 0;
    for (uint32_t round = 0; round < 2; round++) {
        put(&normal_one, SCHED_MOVE);
        put(&urgent, SCHED_MOVE);
        assert(rr_ops.clear(&rr, 0) == HX_OK && rr_ops.clear(&rr, 2) == HX_ERR_INVALID);
        assert(rr_ops.queued(&rr, 0, &count) == HX_OK && count == 0);
        assert(pick(0) == NULL);
        memset(normal_one.data, 0, sizeof(normal_one.data));
        memset(urgent.data, 0, sizeof(urgent.data));
    }
}

int main(void) {
    policy_life(&rr_ops);
    test_clear();
    test_order();
    test_slices();
    test_preempted();
    test_steal();
    test_random();
    return 0;
}
