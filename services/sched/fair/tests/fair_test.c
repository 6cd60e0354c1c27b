// SPDX-License-Identifier: MIT OR Apache-2.0
// Tests of services/sched/fair/fair.c: shares by weight in a simulated processor, sleepers,
// newcomers, yields, real-time threads, stealing, and that none is lost in a random run.
#include "../fair.h"
#include "policy_life.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#define MS 1000000

static struct fair_cpu cpus[2];
static struct fair fair = { 2, cpus };

static void reset(void) {
    memset(cpus, 0, sizeof(cpus));
    assert(fair_ops.cpu_add(&fair, 0) == HX_OK);
    assert(fair_ops.cpu_add(&fair, 1) == HX_OK);
    assert(fair_ops.cpu_add(&fair, 2) == HX_ERR_LIMIT);
}

static struct sched_thread make(uint32_t sched_class, uint32_t priority, int32_t nice) {
    struct sched_thread thread = { .params = { sched_class, nice, priority, 0 },
                                   .allowed = UINT64_MAX };
    return thread;
}

static void put_at(uint32_t cpu, struct sched_thread *thread, uint32_t why, time_ns_t ran_ns) {
    thread->ran_ns = ran_ns;
    assert(fair_ops.enqueue(&fair, cpu, thread, why) == HX_OK);
}

static void put(struct sched_thread *thread, uint32_t why, time_ns_t ran_ns) {
    put_at(0, thread, why, ran_ns);
}

static struct sched_thread *pick_from(uint32_t cpu, uint32_t by) {
    struct sched_thread *thread = NULL;
    enum hx_status status = fair_ops.pick(&fair, cpu, by, &thread);
    assert((status == HX_OK) == (thread != NULL));
    assert(status == HX_OK || status == HX_ERR_NOT_FOUND);
    return thread;
}

static struct sched_thread *pick(void) {
    return pick_from(0, 0);
}

static bool check(struct sched_thread *running, time_ns_t ran_ns) {
    bool preempt = false;
    running->ran_ns = ran_ns;
    assert(fair_ops.check(&fair, 0, running, &preempt) == HX_OK);
    return preempt;
}

static time_ns_t slice(struct sched_thread *running, time_ns_t ran_ns) {
    time_ns_t value = 0;
    running->ran_ns = ran_ns;
    assert(fair_ops.slice(&fair, 0, running, &value) == HX_OK);
    return value;
}

// A processor that does what core does, in steps of a millisecond; time[i] is what thread i got.
static void simulate(struct sched_thread *threads, uint32_t count, uint32_t span_ms,
                     uint32_t *time_ms) {
    struct sched_thread *running = pick();
    time_ns_t ran = 0;
    for (uint32_t now = 0; now < span_ms; now++) {
        assert(running != NULL && running >= threads && running < threads + count);
        time_ms[running - threads]++;
        ran += MS;
        if (check(running, ran)) {
            put(running, SCHED_PREEMPT, ran);
            running = pick();
            ran = 0;
        }
    }
    put(running, SCHED_PREEMPT, ran);
}

static bool is_near(double value, double expected, double part) {
    return value > expected * (1 - part) && value < expected * (1 + part);
}

static void test_shares(void) {
    reset();
    struct sched_thread threads[4] = { make(SCHED_CLASS_NORMAL, 0, 0),
                                       make(SCHED_CLASS_NORMAL, 0, 5),
                                       make(SCHED_CLASS_BATCH, 0, -5),
                                       make(SCHED_CLASS_IDLE, 0, 0) };
    uint32_t time[4] = { 0 };
    for (uint32_t i = 0; i < 4; i++) {
        put(&threads[i], SCHED_NEW, 0);
    }
    simulate(threads, 4, 60000, time);
    const double factor = 3.0517578125; // 1.25^5
    assert(is_near(time[0], time[1] * factor, 0.05));
    assert(is_near(time[2], time[0] * factor, 0.05));
    assert(time[3] != 0 && is_near(time[3], time[0] * 3.0 / 1024, 0.2));
}

static void test_equals_take_turns(void) {
    reset();
    struct sched_thread a = make(SCHED_CLASS_NORMAL, 0, 0), b = a;
    put(&a, SCHED_NEW, 0);
    put(&b, SCHED_NEW, 0);
    assert(pick() == &a);
    assert(!check(&a, 2 * MS) && check(&a, 3 * MS));
    assert(slice(&a, MS) == 2 * MS);
    put(&a, SCHED_PREEMPT, 3 * MS);
    assert(pick() == &b);
    assert(fair_ops.dequeue(&fair, 0, &a) == HX_OK);
    assert(fair_ops.dequeue(&fair, 0, &a) == HX_ERR_INVALID);
    assert(slice(&b, 0) == TIME_NEVER && !check(&b, 1000 * (time_ns_t)MS)); // nobody waits
}

// Who was alone for long, or slept for long, is a turn or two away from the others, no more.
static void test_alone_and_asleep(void) {
    reset();
    struct sched_thread alone = make(SCHED_CLASS_NORMAL, 0, 0), sleeper = alone, other = alone;
    put(&sleeper, SCHED_NEW, 0);
    assert(pick() == &sleeper); // and blocks
    put(&alone, SCHED_NEW, 0);
    assert(pick() == &alone);
    for (uint32_t i = 0; i < 100; i++) { // ten seconds
        put(&alone, SCHED_PREEMPT, 100 * MS);
        assert(pick() == &alone);
    }
    put(&sleeper, SCHED_WAKE, MS);
    assert(check(&alone, 10000 * (time_ns_t)MS));
    put(&alone, SCHED_PREEMPT, 10000 * (time_ns_t)MS);
    put(&other, SCHED_NEW, 0);
    struct sched_thread *running = pick();
    assert(running == &sleeper);
    uint32_t held = 0;
    while (!check(running, ++held * (time_ns_t)MS)) {
    }
    assert(held <= 6); // of the ten seconds that it slept it gets back a turn
    put(running, SCHED_PREEMPT, held * (time_ns_t)MS);
    // Who was alone does not pay for the ten seconds, and who is new does not get them.
    assert(pick() == &alone);
    put(&alone, SCHED_PREEMPT, 3 * MS);
    assert(pick() == &other);
    for (held = 1; !check(&other, held * (time_ns_t)MS); held++) {
    }
    assert(held <= 6);
}

// Two who never stop, by turns, for so long.
static void keep_busy(struct sched_thread *a, struct sched_thread *b, uint32_t span_ms) {
    put(a, SCHED_NEW, 0);
    put(b, SCHED_NEW, 0);
    for (uint32_t i = 0; i < span_ms / 3; i++) {
        put(pick(), SCHED_PREEMPT, 3 * MS);
    }
}

// How long `running` goes on if it is left to.
static uint32_t holds_ms(struct sched_thread *running) {
    uint32_t held = 1;
    while (held < 1000 && !check(running, held * (time_ns_t)MS)) {
        held++;
    }
    return held;
}

// Beside others who never stop, too, a sleep is worth a turn.
static void test_asleep_beside_others(void) {
    reset();
    struct sched_thread a = make(SCHED_CLASS_NORMAL, 0, 0), b = a, sleeper = a;
    put(&sleeper, SCHED_NEW, 0);
    assert(pick() == &sleeper); // and blocks
    keep_busy(&a, &b, 900);
    put(&sleeper, SCHED_WAKE, MS);
    assert(pick() == &sleeper && holds_ms(&sleeper) <= 9);
}

// Nor is the time that a thread was real-time.
static void test_real_time_beside_others(void) {
    reset();
    struct sched_thread a = make(SCHED_CLASS_NORMAL, 0, 0), b = a, other = a;
    put(&other, SCHED_NEW, 0);
    assert(pick() == &other);
    other.params.sched_class = SCHED_CLASS_FIFO;
    other.params.priority = 1;
    put(&other, SCHED_PREEMPT, MS);
    assert(pick() == &other); // and blocks
    keep_busy(&a, &b, 900);
    put(&other, SCHED_WAKE, MS);
    assert(pick() == &other);
    other.params.sched_class = SCHED_CLASS_NORMAL;
    put(&other, SCHED_PREEMPT, 0);
    struct sched_thread *next;
    while ((next = pick()) != &other) {
        put(next, SCHED_PREEMPT, 3 * MS);
    }
    assert(holds_ms(&other) <= 9);
}

// Who came while one ran alone is gone again before that one gives way.
static void test_comes_and_goes(void) {
    reset();
    struct sched_thread alone = make(SCHED_CLASS_NORMAL, 0, 0), guest = alone;
    put(&alone, SCHED_NEW, 0);
    assert(pick() == &alone);
    put(&guest, SCHED_NEW, 0);
    assert(fair_ops.dequeue(&fair, 0, &guest) == HX_OK);
    put(&alone, SCHED_PREEMPT, 5 * MS);
    assert(pick() == &alone);
}

// A yield goes behind all who wait, even if they have had more.
static void test_yield(void) {
    reset();
    struct sched_thread a = make(SCHED_CLASS_NORMAL, 0, 0), b = a, c = a;
    put(&a, SCHED_NEW, 0);
    put(&b, SCHED_NEW, 0);
    put(&c, SCHED_NEW, 0);
    assert(pick() == &a);
    put(&a, SCHED_YIELD, 100);
    assert(pick() == &b);
    put(&b, SCHED_PREEMPT, 5 * MS);
    assert(pick() == &c);
    put(&c, SCHED_YIELD, 100);
    assert(pick() == &a);
    put(&a, SCHED_YIELD, 100);
    assert(pick() == &b && pick() == &c && pick() == &a && pick() == NULL);
}

static void test_real_time(void) {
    reset();
    struct sched_thread normal = make(SCHED_CLASS_NORMAL, 0, -20);
    struct sched_thread low = make(SCHED_CLASS_ROUND_ROBIN, 1, 0);
    struct sched_thread high = make(SCHED_CLASS_FIFO, 99, 0);
    put(&normal, SCHED_NEW, 0);
    assert(pick() == &normal);
    put(&low, SCHED_WAKE, 0);
    assert(check(&normal, 0) && slice(&normal, 0) == MS);
    put(&normal, SCHED_PREEMPT, MS);
    put(&high, SCHED_WAKE, 0);
    uint32_t count = 0;
    assert(fair_ops.queued(&fair, 0, &count) == HX_OK && count == 3);
    assert(pick() == &high);
    assert(!check(&high, 1000 * (time_ns_t)MS) && slice(&high, 0) == TIME_NEVER);
    assert(pick() == &low);
    assert(!check(&low, 1000 * (time_ns_t)MS)); // a normal thread waits for good
    put(&high, SCHED_WAKE, 0);
    assert(check(&low, 0));
    put(&low, SCHED_PREEMPT, 1000 * (time_ns_t)MS);
    assert(pick() == &high && pick() == &low);
    // It becomes a normal one, and is not behind for what it ran until now.
    low.params.sched_class = SCHED_CLASS_NORMAL;
    low.params.nice = -20;
    put(&low, SCHED_PREEMPT, 0);
    put(&high, SCHED_NEW, 0);
    assert(pick() == &high && pick() == &low && pick() == &normal);
}

// From a clock that is far ahead to one that is not.
static void test_move(void) {
    reset();
    struct sched_thread far = make(SCHED_CLASS_NORMAL, 0, 0), here = far;
    put_at(1, &far, SCHED_NEW, 0);
    for (uint32_t i = 0; i < 1000; i++) {
        assert(pick_from(1, 1) == &far);
        put_at(1, &far, SCHED_PREEMPT, 3 * MS);
    }
    put(&here, SCHED_NEW, 0);
    assert(pick() == &here);
    far.allowed = 2;
    assert(pick_from(1, 0) == NULL); // not to be taken away
    far.allowed = 1;
    assert(pick_from(1, 0) == &far);
    put(&far, SCHED_PREEMPT, 0);
    put(&here, SCHED_PREEMPT, 0);
    struct sched_thread *first = pick();
    struct sched_thread *second = first == &far ? &here : &far;
    assert(pick() == second);
    put(second, SCHED_PREEMPT, 0);
    uint32_t held = 0;
    while (!check(first, ++held * (time_ns_t)MS)) {
    }
    assert(held <= 9); // the other one does not wait for three seconds
}

enum { COUNT = 40, STEPS = 20000 };

static void test_random(void) {
    static const uint32_t classes[] = { SCHED_CLASS_NORMAL, SCHED_CLASS_FIFO,
                                        SCHED_CLASS_ROUND_ROBIN, SCHED_CLASS_IDLE };
    static struct sched_thread threads[COUNT];
    bool queued[COUNT] = { false };
    uint32_t total = 0, count;
    reset();
    srand(7);
    for (uint32_t i = 0; i < COUNT; i++) {
        threads[i] = make(classes[i % 4], 1 + (uint32_t)rand() % 5, rand() % 40 - 20);
    }
    for (uint32_t step = 0; step < STEPS; step++) {
        uint32_t i = (uint32_t)rand() % COUNT;
        if (!queued[i]) {
            put(&threads[i], rand() % 2 != 0 ? SCHED_WAKE : SCHED_YIELD, rand() % (20 * MS));
            queued[i] = true;
            total++;
        } else if (rand() % 3 == 0) {
            assert(fair_ops.dequeue(&fair, 0, &threads[i]) == HX_OK);
            queued[i] = false;
            total--;
        }
        if (rand() % 3 == 0) {
            const struct sched_thread *next = pick();
            assert((next == NULL) == (total == 0));
            if (next != NULL) {
                assert(queued[next - threads]);
                queued[next - threads] = false;
                total--;
            }
        }
        assert(fair_ops.queued(&fair, 0, &count) == HX_OK && count == total);
    }
}

// What was cleared can be filled again with the same threads, once their data are zero.
static void test_clear(void) {
    reset();
    struct sched_thread normal_one = make(SCHED_CLASS_NORMAL, 0, 0),
                        urgent = make(SCHED_CLASS_FIFO, 9, 0);
    uint32_t count = 0;
    for (uint32_t round = 0; round < 2; round++) {
        put(&normal_one, SCHED_MOVE, 0);
        put(&urgent, SCHED_MOVE, 0);
        assert(fair_ops.clear(&fair, 0) == HX_OK && fair_ops.clear(&fair, 2) == HX_ERR_INVALID);
        assert(fair_ops.queued(&fair, 0, &count) == HX_OK && count == 0);
        assert(pick() == NULL);
        memset(normal_one.data, 0, sizeof(normal_one.data));
        memset(urgent.data, 0, sizeof(urgent.data));
    }
}

int main(void) {
    policy_life(&fair_ops);
    test_clear();
    test_shares();
    test_equals_take_turns();
    test_alone_and_asleep();
    test_asleep_beside_others();
    test_real_time_beside_others();
    test_comes_and_goes();
    test_yield();
    test_real_time();
    test_move();
    test_random();
    return 0;
}
