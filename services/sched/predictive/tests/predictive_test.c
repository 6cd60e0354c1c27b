// SPDX-License-Identifier: MIT OR Apache-2.0
// Tests of services/sched/predictive/predictive.c: predictions, order, patience, slices, stealing,
// and that none is lost in a random run.
#include "../predictive.h"
#include "policy_life.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#define US 1000
#define MS 1000000

static time_ns_t moment;

static time_ns_t clock_now(void) {
    return moment;
}

static struct predictive_cpu cpus[2];
static struct predictive predictive = { 2, cpus, clock_now };
static const struct sched_ops *const ops = &predictive_ops;

static void reset(void) {
    memset(cpus, 0, sizeof(cpus));
    moment = 0;
    assert(ops->cpu_add(&predictive, 1) == HX_OK);
    assert(ops->cpu_add(&predictive, 2) == HX_ERR_LIMIT);
}

static struct sched_thread make(uint32_t sched_class, uint32_t priority) {
    struct sched_thread thread = { .params = { sched_class, 0, priority, 0 },
                                   .allowed = UINT64_MAX };
    return thread;
}

static struct sched_thread normal(void) {
    return make(SCHED_CLASS_NORMAL, 0);
}

static void put(struct sched_thread *thread, uint32_t why, time_ns_t ran_ns) {
    thread->ran_ns = ran_ns;
    assert(ops->enqueue(&predictive, 0, thread, why) == HX_OK);
}

static struct sched_thread *pick(uint32_t by) {
    struct sched_thread *thread = NULL;
    enum hx_status status = ops->pick(&predictive, 0, by, &thread);
    assert((status == HX_OK) == (thread != NULL));
    assert(status == HX_OK || status == HX_ERR_NOT_FOUND);
    return thread;
}

static bool check(struct sched_thread *running, time_ns_t ran_ns) {
    bool preempt = false;
    running->ran_ns = ran_ns;
    assert(ops->check(&predictive, 0, running, &preempt) == HX_OK);
    return preempt;
}

static time_ns_t slice(struct sched_thread *running, time_ns_t ran_ns) {
    time_ns_t value = 0;
    running->ran_ns = ran_ns;
    assert(ops->slice(&predictive, 0, running, &value) == HX_OK);
    return value;
}

// So many runs of that length, each to its end.
static void teach(struct sched_thread *thread, uint32_t runs, time_ns_t length_ns) {
    put(thread, SCHED_NEW, 0);
    for (uint32_t i = 0; i < runs; i++) {
        assert(pick(0) == thread);
        put(thread, SCHED_WAKE, length_ns);
    }
    assert(pick(0) == thread);
}

static time_ns_t average(const struct sched_thread *thread) {
    return ((const struct predictive_thread *)(const void *)thread->data)->average_ns;
}

// The newest run weighs one eighth, and is whole however often it was interrupted.
static void test_average(void) {
    reset();
    struct sched_thread thread = normal();
    teach(&thread, 1, 9 * MS);
    assert(average(&thread) == 2 * MS); // 1 + (9 - 1) / 8
    put(&thread, SCHED_PREEMPT, 4 * MS);
    assert(pick(0) == &thread);
    put(&thread, SCHED_YIELD, 4 * MS);
    assert(pick(0) == &thread && average(&thread) == 2 * MS);
    put(&thread, SCHED_WAKE, 2 * MS);
    assert(average(&thread) == 3 * MS); // 2 + (10 - 2) / 8
    assert(pick(0) == &thread);
    put(&thread, SCHED_MOVE, 0);
    assert(average(&thread) == 3 * MS);
}

static void test_order(void) {
    reset();
    struct sched_thread idle = make(SCHED_CLASS_IDLE, 0), real_time = make(SCHED_CLASS_FIFO, 1);
    struct sched_thread hot = normal(), warm = normal(), cold = normal(), fresh = normal();
    teach(&hot, 60, 100 * US);
    teach(&warm, 60, 3 * MS);
    teach(&cold, 60, 30 * MS);
    put(&idle, SCHED_NEW, 0);
    put(&cold, SCHED_WAKE, 30 * MS);
    put(&warm, SCHED_WAKE, 3 * MS);
    put(&fresh, SCHED_NEW, 0); // counts as one of middle length
    put(&hot, SCHED_WAKE, 100 * US);
    put(&real_time, SCHED_NEW, 0);
    uint32_t count = 0;
    assert(ops->queued(&predictive, 0, &count) == HX_OK && count == 6);
    assert(pick(0) == &real_time && pick(0) == &hot && pick(0) == &warm && pick(0) == &fresh);
    assert(pick(0) == &cold && pick(0) == &idle && pick(0) == NULL);
}

// A run that goes on counts before it ends.
static void test_run_under_way(void) {
    reset();
    struct sched_thread hot = normal(), warm = normal();
    teach(&hot, 60, 100 * US);
    teach(&warm, 60, 2 * MS);
    put(&warm, SCHED_WAKE, 2 * MS);
    assert(!check(&hot, 900 * US) && slice(&hot, 900 * US) == 4 * MS - 900 * US);
    assert(!check(&hot, 2 * MS)); // of equals, it has its slice
    assert(check(&hot, 10 * MS)); // it is a cold one now
    put(&hot, SCHED_PREEMPT, 10 * MS);
    assert(pick(0) == &warm && pick(0) == &hot);
    put(&hot, SCHED_WAKE, 0); // the average is 100 us and 10 ms / 8
    assert(average(&hot) > 1 * MS && average(&hot) < 2 * MS);
}

static void test_patience(void) {
    reset();
    struct sched_thread hot = normal(), other = normal(), cold = normal();
    teach(&hot, 60, 100 * US);
    teach(&other, 60, 100 * US);
    teach(&cold, 60, 30 * MS);
    put(&cold, SCHED_WAKE, 30 * MS);
    put(&hot, SCHED_WAKE, 100 * US);
    moment = 99 * MS;
    assert(pick(0) == &hot && !check(&hot, 0));
    put(&hot, SCHED_WAKE, 100 * US);
    moment = 100 * MS;
    assert(check(&other, 0)); // also while a hot one runs
    assert(pick(0) == &cold);
    assert(!check(&cold, 3 * MS)); // it keeps the processor for a slice
    assert(check(&cold, 4 * MS));
    put(&cold, SCHED_PREEMPT, 4 * MS);
    assert(pick(0) == &hot); // and waits again
    // Real-time threads have no patience with anybody.
    struct sched_thread real_time = make(SCHED_CLASS_FIFO, 1);
    moment = 1000 * MS;
    put(&real_time, SCHED_NEW, 0);
    assert(pick(0) == &real_time && !check(&real_time, 1000 * (time_ns_t)MS));
    assert(pick(0) == &cold);
}

// Of two who have waited for too long, the one that is most overdue.
static void test_most_overdue(void) {
    reset();
    struct sched_thread hot = normal(), cold = normal(), idle = make(SCHED_CLASS_IDLE, 0);
    teach(&hot, 60, 100 * US);
    teach(&cold, 60, 30 * MS);
    put(&idle, SCHED_NEW, 0);
    put(&cold, SCHED_WAKE, 30 * MS);
    put(&hot, SCHED_WAKE, 100 * US);
    moment = 2000 * (time_ns_t)MS;
    assert(pick(0) == &cold && pick(0) == &hot && pick(0) == &idle);
}

// A crowd that is overdue all the time does not keep the processor from the others.
static void test_crowd(void) {
    enum { CROWD = 50 };
    static struct sched_thread crowd[CROWD];
    struct sched_thread hot = normal();
    reset();
    teach(&hot, 60, 100 * US);
    for (uint32_t i = 0; i < CROWD; i++) {
        crowd[i] = i == 0 ? make(SCHED_CLASS_IDLE, 0) : normal();
        teach(&crowd[i], 60, 30 * MS);
    }
    for (uint32_t i = 0; i < CROWD; i++) {
        put(&crowd[i], SCHED_WAKE, 30 * MS);
    }
    moment = 2000 * (time_ns_t)MS;
    uint32_t turns[2] = { 0 }; // of the hot one, of the others
    bool had_idle = false;
    while (moment < 6000 * (time_ns_t)MS) {
        put(&hot, SCHED_WAKE, 100 * US);
        struct sched_thread *next;
        while ((next = pick(0)) != &hot) {
            moment += 4 * MS;
            turns[1]++;
            had_idle = had_idle || next == &crowd[0];
            put(next, SCHED_PREEMPT, 4 * MS);
        }
        moment += 100 * US;
        turns[0]++;
    }
    assert(turns[0] * 100 * US > 2 * turns[1] * (4 * MS)); // two thirds of the time at least
    assert(turns[1] > CROWD && had_idle);
}

static void test_real_time(void) {
    reset();
    struct sched_thread fifo = make(SCHED_CLASS_FIFO, 5), turns = make(SCHED_CLASS_ROUND_ROBIN, 5);
    struct sched_thread other = turns, hot = normal();
    put(&fifo, SCHED_NEW, 0);
    put(&hot, SCHED_NEW, 0);
    assert(pick(0) == &fifo && slice(&fifo, 0) == TIME_NEVER);
    assert(!check(&hot, 0)); // one of its own kind waits, its slice has just begun
    put(&turns, SCHED_NEW, 0);
    assert(check(&hot, 0));
    assert(pick(0) == &turns);
    assert(!check(&turns, 1000 * (time_ns_t)MS) && slice(&turns, 0) == TIME_NEVER);
    put(&other, SCHED_NEW, 0);
    assert(!check(&turns, 99 * MS) && check(&turns, 100 * MS) && slice(&turns, 40 * MS) == 60 * MS);
    put(&turns, SCHED_PREEMPT, 40 * MS);
    assert(pick(0) == &turns); // the rest of its slice
}

static void test_steal(void) {
    reset();
    struct sched_thread bound = make(SCHED_CLASS_FIFO, 50), free_one = normal();
    bound.allowed = 1;
    put(&bound, SCHED_NEW, 0);
    assert(pick(1) == NULL);
    put(&free_one, SCHED_NEW, 0);
    assert(ops->enqueue(&predictive, 0, &free_one, SCHED_NEW) == HX_ERR_INVALID); // it is there
    assert(pick(1) == &free_one);
    assert(ops->dequeue(&predictive, 0, &free_one) == HX_ERR_INVALID);
    assert(pick(1) == NULL && pick(0) == &bound);
}

enum { COUNT = 40, STEPS = 100000 };

// Whatever happens, who waits is taken within the patience of all levels and a turn of each.
static void test_random(void) {
    static struct sched_thread threads[COUNT];
    static time_ns_t since[COUNT]; // -1: not queued
    uint32_t total = 0, count;
    reset();
    srand(7);
    for (uint32_t i = 0; i < COUNT; i++) {
        threads[i] = make(i % 8 == 7 ? SCHED_CLASS_IDLE : SCHED_CLASS_NORMAL, 0);
        since[i] = -1;
    }
    for (uint32_t step = 0; step < STEPS; step++) {
        uint32_t i = (uint32_t)rand() % COUNT;
        moment += 100 * US;
        if (since[i] < 0) {
            put(&threads[i], rand() % 2 != 0 ? SCHED_WAKE : SCHED_PREEMPT, (i + 1) * 300 * US);
            since[i] = moment;
            total++;
        }
        const struct sched_thread *next = rand() % 2 == 0 ? pick(0) : NULL;
        if (next != NULL) {
            assert(since[next - threads] >= 0);
            since[next - threads] = -1;
            total--;
        }
        for (i = 0; i < COUNT; i++) {
            assert(since[i] < 0 || moment - since[i] < 2000 * (time_ns_t)MS);
        }
        assert(ops->queued(&predictive, 0, &count) == HX_OK && count == total);
    }
}

// What was cleared can be filled again with the same threads, once their data are zero.
static void test_clear(void) {
    reset();
    struct sched_thread normal_one = make(SCHED_CLASS_NORMAL, 0),
                        urgent = make(SCHED_CLASS_FIFO, 9);
    uint32_t count = 0;
    for (uint32_t round = 0; round < 2; round++) {
        put(&normal_one, SCHED_MOVE, 0);
        put(&urgent, SCHED_MOVE, 0);
        assert(predictive_ops.clear(&predictive, 0) == HX_OK &&
               predictive_ops.clear(&predictive, 2) == HX_ERR_INVALID);
        assert(predictive_ops.queued(&predictive, 0, &count) == HX_OK && count == 0);
        assert(pick(0) == NULL);
        memset(normal_one.data, 0, sizeof(normal_one.data));
        memset(urgent.data, 0, sizeof(urgent.data));
    }
}

int main(void) {
    policy_life(&predictive_ops);
    test_clear();
    test_average();
    test_order();
    test_run_under_way();
    test_patience();
    test_most_overdue();
    test_crowd();
    test_real_time();
    test_steal();
    test_random();
    return 0;
}
