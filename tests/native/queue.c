// SPDX-License-Identifier: MIT OR Apache-2.0
// tests/native/queue.c: a queue between threads that sleep: everything comes once, each thread's in
// its order, and who waits is woken or gives up in time.
// RUN: musl glibc
#include "native.h"

#include <libhelix/queue.h>
#include <pthread.h>
#include <sched.h>

#define THREADS 3u // that put; and as many that take
#define EACH    6000u
#define SLOTS   8u
#define BATCH   5u

static struct hx_slot slots[SLOTS];
static struct hx_queue queue;
static _Atomic uint32_t seen[THREADS * EACH];

static void start(void) {
    NEED(hx_queue_init(&queue, slots, SLOTS) == HX_OK);
}

static struct hx_slot message(uint32_t number) {
    struct hx_slot made = { .length = sizeof(number) };
    memcpy(made.data, &number, sizeof(number));
    return made;
}

static uint32_t number(const struct hx_slot *from) {
    uint32_t value;
    memcpy(&value, from->data, sizeof(value));
    return from->length == sizeof(value) ? value : UINT32_MAX;
}

static void *put_all(void *argument) {
    const uint32_t base = (uint32_t)(uintptr_t)argument * EACH;
    for (uint32_t done = 0; done < EACH;) {
        struct hx_slot messages[BATCH];
        const uint32_t want = 1 + done % BATCH;
        const uint32_t count = want < EACH - done ? want : EACH - done;
        for (uint32_t i = 0; i < count; i++) {
            messages[i] = message(base + done + i);
        }
        uint32_t put;
        NEED(hx_queue_put(&queue, messages, count, TIME_NEVER, &put) == HX_OK && put != 0);
        done += put;
    }
    return NULL;
}

// Until a message says that it is the last one.
static void *take_all(void *unused) {
    uint32_t last[THREADS] = { 0 };
    for (;;) {
        struct hx_slot messages[BATCH];
        uint32_t taken;
        NEED(hx_queue_take(&queue, messages, BATCH, TIME_NEVER, &taken) == HX_OK);
        NEED(taken != 0 && taken <= BATCH);
        for (uint32_t i = 0; i < taken; i++) {
            const uint32_t value = number(&messages[i]);
            if (value == THREADS * EACH) { // pass on what else came with it, and the end
                uint32_t put;
                NEED(hx_queue_put(&queue, &messages[i], 1, TIME_NEVER, &put) == HX_OK);
                return unused;
            }
            NEED(value < THREADS * EACH && atomic_fetch_add(&seen[value], 1) == 0);
            NEED(value % EACH + 1 > last[value / EACH]);
            last[value / EACH] = value % EACH + 1;
        }
    }
}

static void many_threads(void) {
    pthread_t putters[THREADS], takers[THREADS];
    start();
    for (uintptr_t i = 0; i < THREADS; i++) {
        NEED(pthread_create(&takers[i], NULL, take_all, NULL) == 0);
        NEED(pthread_create(&putters[i], NULL, put_all, (void *)i) == 0);
    }
    for (uint32_t i = 0; i < THREADS; i++) {
        NEED(pthread_join(putters[i], NULL) == 0);
    }
    const struct hx_slot end = message(THREADS * EACH);
    uint32_t put;
    NEED(hx_queue_put(&queue, &end, 1, TIME_NEVER, &put) == HX_OK);
    for (uint32_t i = 0; i < THREADS; i++) {
        NEED(pthread_join(takers[i], NULL) == 0);
    }
    for (uint32_t i = 0; i < THREADS * EACH; i++) {
        NEED(atomic_load(&seen[i]) == 1);
    }
}

static void in_time(void) {
    struct hx_slot messages[SLOTS + 1] = { 0 };
    uint32_t count = 7;
    start();
    time_ns_t deadline = native_after_ms(10);
    SAME(hx_queue_take(&queue, messages, 1, deadline, &count), HX_ERR_TIMED_OUT);
    CHECK(native_after_ms(0) >= deadline);
    SAME(count, 0);
    SAME(hx_queue_put(&queue, messages, SLOTS + 1, TIME_NEVER, &count), HX_OK);
    SAME(count, SLOTS);
    deadline = native_after_ms(10);
    SAME(hx_queue_put(&queue, messages, 1, deadline, &count), HX_ERR_TIMED_OUT);
    CHECK(native_after_ms(0) >= deadline);
    SAME(hx_queue_put(&queue, messages, 0, TIME_NEVER, &count), HX_OK);
    SAME(hx_queue_take(&queue, messages, SLOTS + 1, 0, &count), HX_OK);
    SAME(count, SLOTS);
    SAME(hx_queue_init(&queue, slots, 3), HX_ERR_INVALID);
}

static void *take_one(void *out) {
    uint32_t taken;
    NEED(hx_queue_take(&queue, out, 1, TIME_NEVER, &taken) == HX_OK);
    return NULL;
}

// Several that sleep are woken by one batch.
static void all_are_woken(void) {
    pthread_t takers[THREADS];
    struct hx_slot got[THREADS], messages[THREADS] = { message(1), message(2), message(4) };
    uint32_t put, sum = 0;
    for (int round = 0; round < 50; round++) {
        start();
        for (uint32_t i = 0; i < THREADS; i++) {
            NEED(pthread_create(&takers[i], NULL, take_one, &got[i]) == 0);
        }
        while (round % 2 == 0 && atomic_load(&queue.takers) != THREADS) {
            sched_yield();
        }
        NEED(hx_queue_put(&queue, messages, THREADS, TIME_NEVER, &put) == HX_OK && put == THREADS);
        for (uint32_t i = 0; i < THREADS; i++) {
            NEED(pthread_join(takers[i], NULL) == 0);
            sum += number(&got[i]);
        }
    }
    SAME(sum, 50 * 7);
}

static const struct check_case cases[] = {
    CASE(many_threads),
    CASE(in_time),
    CASE(all_are_woken),
};
CHECK_MAIN(cases)
