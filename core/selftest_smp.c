// SPDX-License-Identifier: MIT OR Apache-2.0
// core/selftest_smp.c: tests of what processors do to each other: locks, calls, epochs, migration.
#include "selftest.h"

#include <core/sched.h>

#define WORKERS 8u
#define ROUNDS  200u
#define CALLS   50u
#define MS      ((time_ns_t)1000000)

static const struct lock_class outer_class = { "selftest", LOCK_RANK_MODULE, false };
static struct mutex mutex;
static struct rwlock rwlock;
static struct spinlock spinlock;
static uint64_t guarded[2]; // equal whenever the lock is free
static _Atomic uint32_t errors;

static void check_guarded(void) {
    if (guarded[0] != guarded[1]) {
        atomic_fetch_add_explicit(&errors, 1, memory_order_relaxed);
    }
}

static void mutex_worker(void *argument) {
    for (uint32_t i = 0; i < ROUNDS; i++) {
        mutex_lock(&mutex);
        check_guarded();
        guarded[0]++;
        if ((i + selftest_index(argument)) % 7 == 0) {
            thread_yield();
        }
        guarded[1]++;
        mutex_unlock(&mutex);
    }
}

static bool guarded_run(void (*worker)(void *index), uint64_t expected) {
    guarded[0] = 0;
    guarded[1] = 0;
    atomic_store_explicit(&errors, 0, memory_order_relaxed);
    CHECK(core_selftest_threads(WORKERS, false, worker));
    CHECK(guarded[0] == expected && guarded[1] == expected);
    CHECK(atomic_load_explicit(&errors, memory_order_relaxed) == 0);
    return true;
}

static NO_LOCK_ANALYSIS bool test_mutex(void) {
    mutex_init(&mutex, &outer_class);
    CHECK(mutex_try_lock(&mutex));
    CHECK(mutex_held(&mutex) && !mutex_try_lock(&mutex));
    mutex_unlock(&mutex);
    return guarded_run(mutex_worker, (uint64_t)WORKERS * ROUNDS);
}

static void rwlock_worker(void *argument) {
    for (uint32_t i = 0; i < ROUNDS; i++) {
        if (selftest_index(argument) < 2) {
            rwlock_write(&rwlock);
            check_guarded();
            guarded[0]++;
            thread_yield();
            guarded[1]++;
            rwlock_write_done(&rwlock);
        } else {
            rwlock_read(&rwlock);
            check_guarded();
            thread_yield();
            check_guarded();
            rwlock_read_done(&rwlock);
        }
    }
}

static bool test_rwlock(void) {
    rwlock_init(&rwlock, &outer_class);
    return guarded_run(rwlock_worker, UINT64_C(2) * ROUNDS);
}

// A writer stays out while somebody reads, and a reader while somebody writes.
static _Atomic uint32_t stage;

static void stage_reach(uint32_t number) {
    atomic_store_explicit(&stage, number, memory_order_release);
}

static void stage_wait(uint32_t number) {
    while (atomic_load_explicit(&stage, memory_order_acquire) < number) {
        thread_yield();
    }
}

// Notes an error unless the test has come just so far.
static void stage_check(uint32_t number) {
    if (atomic_load_explicit(&stage, memory_order_acquire) != number) {
        atomic_fetch_add_explicit(&errors, 1, memory_order_relaxed);
    }
}

// What one thread does while it holds something (stages 1 to 3), perhaps with preemption off, and
// another one just before it asks for that on another processor.
static void stage_hold(void) {
    time_ns_t end = time_now() + 1000 * MS; // the other one may find no place
    stage_reach(1);
    while (atomic_load_explicit(&stage, memory_order_acquire) == 1 && time_now() < end) {
        hal_relax();
    }
    for (end = time_now() + 50 * MS; time_now() < end;) {
        hal_relax();
    }
    stage_reach(3);
}

static void stage_follow(void) {
    uint32_t held = 1;
    stage_wait(held);
    // Not if the holder has given up waiting.
    (void)atomic_compare_exchange_strong_explicit(&stage, &held, 2, memory_order_acq_rel,
                                                  memory_order_relaxed);
}

static void rwlock_holder(void *argument) {
    if (selftest_index(argument) == 0) {
        rwlock_read(&rwlock);
        stage_reach(1);
        (void)thread_sleep_until(time_now() + 2 * MS, 0);
        stage_check(1);
        stage_reach(2);
        rwlock_read_done(&rwlock);
        stage_wait(3);
        rwlock_read(&rwlock);
        stage_check(4);
        rwlock_read_done(&rwlock);
    } else {
        stage_wait(1);
        rwlock_write(&rwlock);
        stage_check(2);
        stage_reach(3);
        (void)thread_sleep_until(time_now() + 2 * MS, 0);
        stage_reach(4);
        rwlock_write_done(&rwlock);
    }
}

static bool stages_run(void (*worker)(void *index)) {
    atomic_store_explicit(&errors, 0, memory_order_relaxed);
    stage_reach(0);
    CHECK(core_selftest_threads(2, false, worker));
    CHECK(atomic_load_explicit(&errors, memory_order_relaxed) == 0);
    return true;
}

static bool test_rwlock_excludes(void) {
    rwlock_init(&rwlock, &outer_class);
    return stages_run(rwlock_holder);
}

static void spin_worker(void *argument) {
    (void)argument;
    for (uint32_t i = 0; i < ROUNDS; i++) {
        spin_lock(&spinlock);
        check_guarded();
        guarded[0]++;
        guarded[1]++;
        spin_unlock(&spinlock);
    }
}

static bool test_spinlock(void) {
    spinlock_init(&spinlock, &outer_class);
    return guarded_run(spin_worker, (uint64_t)WORKERS * ROUNDS);
}

static void spin_holder(void *argument) {
    bool is_holder = selftest_index(argument) == 0;
    if (!is_holder) {
        stage_follow();
    }
    spin_lock(&spinlock);
    if (is_holder) {
        stage_hold();
    } else {
        stage_check(3);
    }
    spin_unlock(&spinlock);
}

static bool test_spinlock_excludes(void) {
    spinlock_init(&spinlock, &outer_class);
    return cpu_online_count() == 1 || stages_run(spin_holder);
}

// Calls: every processor calls all others at once.
static _Atomic uint64_t calls;

static void called(void *argument) {
    _Atomic uint64_t *mine = argument;
    atomic_fetch_add_explicit(mine, 1, memory_order_relaxed);
    atomic_fetch_add_explicit(&calls, 1, memory_order_relaxed);
}

static void caller(void *argument) {
    (void)argument;
    for (uint32_t i = 0; i < CALLS; i++) {
        _Atomic uint64_t mine = 0;
        cpu_call(cpu_online_mask(), called, &mine);
        if (atomic_load_explicit(&mine, memory_order_relaxed) != cpu_online_count()) {
            atomic_fetch_add_explicit(&errors, 1, memory_order_relaxed);
        }
    }
}

static bool test_calls(void) {
    atomic_store_explicit(&calls, 0, memory_order_relaxed);
    atomic_store_explicit(&errors, 0, memory_order_relaxed);
    CHECK(core_selftest_threads(WORKERS, false, caller));
    CHECK(atomic_load_explicit(&calls, memory_order_relaxed) ==
          (uint64_t)WORKERS * CALLS * cpu_online_count());
    CHECK(atomic_load_explicit(&errors, memory_order_relaxed) == 0);
    return true;
}

// Epochs: readers follow a pointer that a writer replaces; a reclaimed node is poisoned.
struct node {
    struct epoch_item item;
    _Atomic uint32_t alive;
    _Atomic uint32_t used;
};

static struct node nodes[64];
static _Atomic(struct node *) published;
static _Atomic uint32_t reclaimed;

static void node_reclaim(struct epoch_item *item) {
    struct node *node = CONTAINER_OF(item, struct node, item);
    atomic_store_explicit(&node->alive, 0, memory_order_relaxed);
    atomic_fetch_add_explicit(&reclaimed, 1, memory_order_relaxed);
    atomic_store_explicit(&node->used, 0, memory_order_release);
}

static void node_publish(struct node *node) {
    atomic_store_explicit(&node->used, 1, memory_order_relaxed);
    atomic_store_explicit(&node->alive, 1, memory_order_relaxed);
    // Release: readers see it alive.
    struct node *old = atomic_exchange_explicit(&published, node, memory_order_acq_rel);
    if (old != NULL) {
        epoch_retire(&old->item, node_reclaim);
    }
}

static void epoch_worker(void *argument) {
    for (uint32_t i = 0; i < ROUNDS; i++) {
        if (selftest_index(argument) == 0) {
            struct node *node = &nodes[i % ARRAY_SIZE(nodes)];
            if (atomic_load_explicit(&node->used, memory_order_acquire) == 0) {
                node_publish(node);
            }
            thread_yield();
            continue;
        }
        epoch_enter();
        struct node *node = atomic_load_explicit(&published, memory_order_acquire);
        for (uint32_t look = 0; look < 20; look++) {
            if (atomic_load_explicit(&node->alive, memory_order_relaxed) == 0) {
                atomic_fetch_add_explicit(&errors, 1, memory_order_relaxed);
            }
            hal_relax();
        }
        epoch_leave();
    }
}

static bool test_epoch(void) {
    atomic_store_explicit(&errors, 0, memory_order_relaxed);
    atomic_store_explicit(&reclaimed, 0, memory_order_relaxed);
    node_publish(&nodes[0]);
    CHECK(core_selftest_threads(WORKERS, false, epoch_worker));
    CHECK(atomic_load_explicit(&errors, memory_order_relaxed) == 0);
    time_ns_t end = time_now() + 10000 * MS; // the worker comes when it comes
    while (atomic_load_explicit(&reclaimed, memory_order_relaxed) < 2) {
        CHECK(time_now() < end);
        (void)thread_sleep_until(time_now() + MS, 0);
    }
    epoch_synchronize();
    return true;
}

// epoch_synchronize() waits for a section that was entered before, on another processor.
static void epoch_holder(void *argument) {
    if (selftest_index(argument) == 0) {
        epoch_enter();
        stage_hold();
        epoch_leave();
    } else {
        stage_follow();
        epoch_synchronize();
        stage_check(3);
    }
}

static bool test_epoch_holds(void) {
    return cpu_online_count() == 1 || stages_run(epoch_holder);
}

// Migration: threads move themselves over all processors.
static void mover(void *argument) {
    struct thread *thread = thread_current();
    uint64_t online = cpu_online_mask();
    for (uint32_t i = 0; i < ROUNDS; i++) {
        uint32_t cpu = (uint32_t)(selftest_index(argument) + i) % CPU_MAX;
        if ((online >> cpu & 1) == 0) {
            continue;
        }
        thread_set_affinity(thread, UINT64_C(1) << cpu);
        if (cpu_id() != cpu) {
            atomic_fetch_add_explicit(&errors, 1, memory_order_relaxed);
        }
    }
}

static bool test_affinity(void) {
    atomic_store_explicit(&errors, 0, memory_order_relaxed);
    CHECK(core_selftest_threads(WORKERS, false, mover));
    CHECK(atomic_load_explicit(&errors, memory_order_relaxed) == 0);
    return true;
}

// Timers armed on one processor and canceled on another, while they fire.
struct racing_timer {
    struct timer timer;
    _Atomic uint32_t fired;
};
static struct racing_timer racing[WORKERS];

static void race_fired(struct timer *timer) {
    struct racing_timer *race = CONTAINER_OF(timer, struct racing_timer, timer);
    atomic_fetch_add_explicit(&race->fired, 1, memory_order_relaxed);
}

static void timer_worker(void *argument) {
    struct racing_timer *race = &racing[selftest_index(argument)];
    timer_init(&race->timer, race_fired);
    for (uint32_t i = 0; i < ROUNDS; i++) {
        uint32_t before = atomic_load_explicit(&race->fired, memory_order_relaxed);
        timer_arm(&race->timer, time_now() + (time_ns_t)(i % 5) * 10000);
        thread_yield(); // may come back elsewhere
        bool pending = timer_cancel(&race->timer);
        uint32_t count = atomic_load_explicit(&race->fired, memory_order_relaxed) - before;
        if (count != (pending ? 0 : 1)) {
            atomic_fetch_add_explicit(&errors, 1, memory_order_relaxed);
        }
    }
}

static bool test_timer_race(void) {
    atomic_store_explicit(&errors, 0, memory_order_relaxed);
    CHECK(core_selftest_threads(WORKERS, false, timer_worker));
    CHECK(atomic_load_explicit(&errors, memory_order_relaxed) == 0);
    return true;
}

// timer_cancel() waits for the timer's function on another processor.
static struct timer slow;

static void slow_fired(struct timer *timer) {
    (void)timer;
    stage_reach(1);
    time_ns_t end = time_now() + 50 * MS;
    while (time_now() < end) {
        hal_relax();
    }
    stage_reach(2);
}

static void slow_worker(void *argument) {
    uintptr_t index = selftest_index(argument);
    thread_set_affinity(thread_current(), UINT64_C(1) << (1 - index));
    if (index == 0) {
        timer_arm(&slow, time_now());
        stage_wait(2);
    } else {
        while (atomic_load_explicit(&stage, memory_order_acquire) == 0) {
            hal_relax();
        }
        (void)timer_cancel(&slow);
        stage_check(2);
    }
}

static bool test_timer_cancel(void) {
    timer_init(&slow, slow_fired);
    return cpu_online_count() == 1 || stages_run(slow_worker);
}

// The same if the timer was armed again, and fired, on another processor meanwhile.
static void twice_fired(struct timer *timer) {
    if (atomic_load_explicit(&stage, memory_order_relaxed) == 0) {
        slow_fired(timer);
    } else {
        atomic_fetch_add_explicit(&calls, 1, memory_order_release);
    }
}

static void twice_worker(void *argument) {
    uintptr_t index = selftest_index(argument);
    thread_set_affinity(thread_current(), UINT64_C(1) << (1 - index));
    if (index == 0) {
        timer_arm(&slow, time_now());
        stage_wait(2);
        return;
    }
    while (atomic_load_explicit(&stage, memory_order_acquire) == 0) {
        hal_relax();
    }
    timer_arm(&slow, time_now());
    while (atomic_load_explicit(&calls, memory_order_acquire) == 0) {
        hal_relax();
    }
    (void)timer_cancel(&slow);
    stage_check(2);
}

static bool test_timer_cancel_twice(void) {
    timer_init(&slow, twice_fired);
    atomic_store_explicit(&calls, 0, memory_order_relaxed);
    return cpu_online_count() == 1 || stages_run(twice_worker);
}

static void nothing(void *argument) {
    (void)argument;
}

static bool test_lives(void) {
    for (uint32_t i = 0; i < 50; i++) {
        CHECK(core_selftest_threads(SELFTEST_THREADS, false, nothing));
    }
    return true;
}

const struct selftest core_selftest_smp[] = {
    { "spin lock", test_spinlock },
    { "spin lock excludes", test_spinlock_excludes },
    { "mutex", test_mutex },
    { "rwlock", test_rwlock },
    { "rwlock excludes", test_rwlock_excludes },
    { "calls", test_calls },
    { "epoch", test_epoch },
    { "epoch holds", test_epoch_holds },
    { "affinity", test_affinity },
    { "timer race", test_timer_race },
    { "timer cancel", test_timer_cancel },
    { "timer cancel twice", test_timer_cancel_twice },
    { "thread lives", test_lives },
};
const uint32_t core_selftest_smp_count = ARRAY_SIZE(core_selftest_smp);
