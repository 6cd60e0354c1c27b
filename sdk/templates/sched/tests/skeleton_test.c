// SPDX-License-Identifier: MIT OR Apache-2.0
// skeleton_test.c: the policy on this machine, called as a run queue would call it.
#include <helix/ports/sched_port.h>
#include <host/host.h>

#include <check.h>
#include <stdlib.h>
#include <string.h>

#define MS   1000000
#define CPUS 2u

static struct sched_ops ops;
static void *self;

static void begin(void) {
    host_begin();
    host.cpu_count = CPUS;
    CHECK(host_load() == HX_OK);
    CHECK(HOST_BIND(sched, "sched", &ops) == HX_OK);
    self = host_instance("helix.sched", "sched");
    for (uint32_t cpu = 0; cpu < CPUS; cpu++) {
        CHECK(ops.cpu_add(self, cpu) == HX_OK);
    }
    CHECK(ops.cpu_add(self, CPUS) == HX_ERR_LIMIT);
}

static void end(void) {
    CHECK(host_unload() == HX_OK && host.blocks == 0);
}

static struct sched_thread thread_make(void) {
    return (struct sched_thread){ .allowed = UINT64_MAX };
}

static void put(struct sched_thread *thread) {
    CHECK(ops.enqueue(self, 0, thread, SCHED_WAKE) == HX_OK);
}

static struct sched_thread *pick(uint32_t by) {
    struct sched_thread *thread = NULL;
    enum hx_status status = ops.pick(self, 0, by, &thread);
    CHECK(status == (thread != NULL ? HX_OK : HX_ERR_NOT_FOUND));
    return thread;
}

static bool gives_way(struct sched_thread *running) {
    bool preempt = false;
    CHECK(ops.check(self, 0, running, &preempt) == HX_OK);
    return preempt;
}

static time_ns_t slice(struct sched_thread *running) {
    time_ns_t left = -1;
    CHECK(ops.slice(self, 0, running, &left) == HX_OK);
    return left;
}

static uint32_t queued(void) {
    uint32_t count = UINT32_MAX;
    CHECK(ops.queued(self, 0, &count) == HX_OK);
    return count;
}

static void test_order(void) {
    struct sched_thread a = thread_make(), b = thread_make(), c = thread_make();
    begin();
    put(&a);
    put(&b);
    put(&c);
    CHECK(ops.enqueue(self, 0, &a, SCHED_WAKE) == HX_ERR_INVALID && queued() == 3);
    CHECK(ops.dequeue(self, 0, &b) == HX_OK && ops.dequeue(self, 0, &b) == HX_ERR_INVALID);
    CHECK(pick(0) == &a && pick(0) == &c && pick(0) == NULL && queued() == 0);
    end();
}

static void test_turns(void) {
    struct sched_thread running = thread_make(), other = thread_make();
    begin();
    running.ran_ns = 9 * MS;
    CHECK(slice(&running) == TIME_NEVER && !gives_way(&running) && !gives_way(NULL));
    put(&other);
    CHECK(slice(&running) == 0 && gives_way(&running) && gives_way(NULL));
    running.ran_ns = MS;
    CHECK(slice(&running) == 3 * MS && !gives_way(&running));
    end();
}

static void test_stealing(void) {
    struct sched_thread bound = thread_make(), other = thread_make();
    begin();
    bound.allowed = 1; // the first processor alone
    put(&bound);
    CHECK(pick(1) == NULL);
    put(&other);
    CHECK(pick(1) == &other && pick(1) == NULL && pick(0) == &bound);
    end();
}

static void test_clear(void) {
    struct sched_thread thread = thread_make();
    begin();
    for (uint32_t round = 0; round < 2; round++) {
        put(&thread);
        CHECK(ops.clear(self, 0) == HX_OK && queued() == 0 && pick(0) == NULL);
        memset(thread.data, 0, sizeof(thread.data));
    }
    end();
}

// Nobody is lost, and nobody comes who was not queued, in any order of calls.
static void test_random(void) {
    enum { COUNT = 20, STEPS = 20000 };
    struct sched_thread threads[COUNT];
    bool is_queued[COUNT] = { false };
    uint32_t count = 0;
    begin();
    srand(1);
    for (uint32_t i = 0; i < COUNT; i++) {
        threads[i] = thread_make();
    }
    for (uint32_t step = 0; step < STEPS; step++) {
        const uint32_t i = (uint32_t)rand() % COUNT;
        struct sched_thread *chosen = NULL;
        if (!is_queued[i]) {
            put(&threads[i]);
            is_queued[i] = true;
            count++;
        } else if (rand() % 2 == 0) {
            CHECK(ops.dequeue(self, 0, &threads[i]) == HX_OK);
            chosen = &threads[i];
        } else {
            chosen = pick(0);
        }
        if (chosen != NULL) {
            CHECK(is_queued[chosen - threads]);
            is_queued[chosen - threads] = false;
            count--;
        }
        CHECK(queued() == count);
    }
    end();
}

int main(void) {
    test_order();
    test_turns();
    test_stealing();
    test_clear();
    test_random();
    CHECK(host_load_failing(NULL, NULL, false) >= 3); // two blocks, and the port
    return check_result();
}
