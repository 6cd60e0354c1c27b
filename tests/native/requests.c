// SPDX-License-Identifier: MIT OR Apache-2.0
// tests/native/requests.c: requests and answers over a channel, with the processor handed over.
// RUN: musl glibc
#include "native.h"

#include <libhelix/end.h>
#include <pthread.h>
#include <sched.h>
#include <time.h>

#define ALL                                                                                        \
    (HX_RIGHT_READ | HX_RIGHT_WRITE | HX_RIGHT_MAP | HX_RIGHT_SIGNAL | HX_RIGHT_WAIT |             \
     HX_RIGHT_ADMIN | HX_RIGHT_DELEGATE)
#define ROUNDS 2000u

struct side {
    handle_t handle;
    struct hx_channel_view view;
    struct hx_producer out;
    struct hx_consumer in;
};

static void side_open(struct side *side, handle_t handle) {
    *side = (struct side){ .handle = handle };
    NEED(NATIVE(channel_map, handle, &side->view) == HX_OK);
    NEED(hx_channel_sides(&side->view, &side->out, &side->in) == HX_OK);
}

static void pair_new(handle_t ends[2]) {
    NEED(NATIVE(channel_create, 4, ends) == HX_OK);
}

static time_ns_t now(void) {
    struct timespec time;
    NEED(clock_gettime(CLOCK_MONOTONIC, &time) == 0);
    return (time_ns_t)time.tv_sec * 1000000000 + time.tv_nsec;
}

static uint32_t await(handle_t handle, uint32_t mask, time_ns_t deadline) {
    struct hx_wait_item item = { .handle = handle, .mask = mask };
    return NATIVE(wait, &item, 1, deadline) == 1 ? item.out_state : 0;
}

static void put(struct side *side, uint64_t value) {
    struct hx_slot message = { .length = sizeof(value) };
    memcpy(message.data, &value, sizeof(value));
    NEED(hx_ring_put(&side->out, &message) == HX_OK);
    (void)hx_ring_publish(&side->out);
}

// As <helix/channel.h> has it. What it ended with.
static int64_t exchange(struct side *side, time_ns_t deadline) {
    (void)hx_ring_release(&side->in);
    hx_consumer_sleep(&side->in);
    const int64_t status =
        NATIVE(channel_call, side->handle, side->in.tail, side->in.sleep, deadline);
    hx_consumer_awake(&side->in);
    return status;
}

static bool get(struct side *side, uint64_t *out_value) {
    struct hx_slot message;
    if (hx_ring_get(&side->in, &message) != HX_OK) {
        return false;
    }
    memcpy(out_value, message.data, sizeof(*out_value));
    return true;
}

// Answers each request with the number after it.
static void serve(handle_t end) {
    struct side side;
    uint64_t value;
    side_open(&side, end);
    int64_t status = exchange(&side, TIME_NEVER);
    while (status != HX_ERR_PEER_DIED) {
        if (get(&side, &value)) {
            put(&side, value + 1);
        }
        status = exchange(&side, TIME_NEVER);
    }
}

static uint64_t ask(struct side *side, uint64_t value) {
    uint64_t answer = 0;
    put(side, value);
    while (!get(side, &answer)) {
        SAME(exchange(side, TIME_NEVER), HX_OK);
    }
    return answer;
}

static void ask_often(uint64_t rounds) {
    handle_t pair[2];
    struct side side;
    pair_new(pair);
    const pid_t pid = child_with(pair[1], serve);
    side_open(&side, pair[0]);
    for (uint64_t i = 0; i < rounds; i++) {
        SAME(ask(&side, i * 3), i * 3 + 1);
    }
    SAME(NATIVE(handle_close, pair[0]), HX_OK);
    SAME(check_wait(pid), 0);
}

static void answered(void) {
    ask_often(ROUNDS);
}

// Others want the processors, too; and they get them.
static _Atomic bool over;

static void *compute(void *count) {
    for (; !atomic_load(&over); (*(uint64_t *)count)++) {
    }
    return NULL;
}

static void answered_in_a_crowd(void) {
    pthread_t threads[4];
    uint64_t counts[4] = { 0 };
    atomic_store(&over, false);
    for (int i = 0; i < 4; i++) {
        NEED(pthread_create(&threads[i], NULL, compute, &counts[i]) == 0);
    }
    ask_often(ROUNDS / 20);
    atomic_store(&over, true);
    for (int i = 0; i < 4; i++) {
        NEED(pthread_join(threads[i], NULL) == 0);
        CHECK(counts[i] > 0);
    }
}

// Both ends in one process, in threads, through the library.
static void *serve_thread(void *handle) {
    struct hx_end end;
    struct hx_slot message;
    uint32_t received;
    NEED(hx_end_open(&end, *(handle_t *)handle) == HX_OK);
    enum hx_status status = hx_end_receive(&end, &message, 1, TIME_NEVER, &received);
    while (status == HX_OK) {
        message.data[0]++;
        status = hx_end_call(&end, &message, &message, TIME_NEVER);
    }
    SAME(status, HX_ERR_PEER_DIED);
    hx_end_close(&end);
    return NULL;
}

static void by_the_library(void) {
    handle_t pair[2];
    struct hx_end end;
    pthread_t thread;
    pair_new(pair);
    NEED(pthread_create(&thread, NULL, serve_thread, &pair[1]) == 0);
    NEED(hx_end_open(&end, pair[0]) == HX_OK);
    for (uint32_t i = 0; i < ROUNDS; i++) {
        const uint8_t byte = (uint8_t)i;
        struct hx_slot message = hx_message(7, &byte, 1);
        NEED(hx_end_call(&end, &message, &message, TIME_NEVER) == HX_OK);
        SAME(message.data[0], (uint8_t)(i + 1));
        SAME(message.kind, 7);
    }
    CHECK(end.sleeps > 0);
    hx_end_close(&end);
    NEED(pthread_join(thread, NULL) == 0);
}

// The processor goes with the request, and comes back with the answer: though others are idle, both
// run on one.
static uint64_t processor(void) {
    unsigned number = 0;
    NEED(syscall(SYS_getcpu, &number, NULL, NULL) == 0);
    return number;
}

static void serve_processor(handle_t end) {
    struct side side;
    uint64_t value;
    side_open(&side, end);
    while (exchange(&side, TIME_NEVER) != HX_ERR_PEER_DIED) {
        if (get(&side, &value)) {
            put(&side, processor());
        }
    }
}

static void same_processor(void) {
    handle_t pair[2];
    struct side side;
    uint32_t same = 0;
    pair_new(pair);
    const pid_t pid = child_with(pair[1], serve_processor);
    side_open(&side, pair[0]);
    for (uint64_t i = 0; i < ROUNDS; i++) {
        const uint64_t before = processor();
        same += ask(&side, 0) == before;
    }
    CHECK(same > ROUNDS / 10 * 9);
    SAME(NATIVE(handle_close, pair[0]), HX_OK);
    SAME(check_wait(pid), 0);
}

// One way, with sleeps at both ends.
#define STREAM 3000u

static void sleep_for_room(struct side *side) {
    if (hx_ring_publish(&side->out)) {
        NATIVE(channel_notify, side->handle, HX_STATE_READABLE);
    }
    hx_producer_sleep(&side->out);
    SAME(NATIVE(channel_wait, side->handle, HX_STATE_WRITABLE, side->out.limit - side->view.slots,
                side->out.sleep, TIME_NEVER),
         HX_OK);
    hx_producer_awake(&side->out);
}

static void take_all(handle_t end) {
    struct side side;
    uint64_t value, expected = 0;
    int64_t status = HX_OK;
    side_open(&side, end);
    while (status == HX_OK) {
        while (get(&side, &value)) {
            NEED(value == expected);
            expected++;
        }
        if (hx_ring_release(&side.in)) {
            NATIVE(channel_notify, side.handle, HX_STATE_WRITABLE);
        }
        hx_consumer_sleep(&side.in);
        status = NATIVE(channel_wait, side.handle, HX_STATE_READABLE, side.in.tail, side.in.sleep,
                        TIME_NEVER);
        hx_consumer_awake(&side.in);
    }
    SAME(status, HX_ERR_PEER_DIED);
    SAME(expected, STREAM);
}

static void stream(void) {
    handle_t pair[2];
    struct side side;
    pair_new(pair);
    const pid_t pid = child_with(pair[1], take_all);
    side_open(&side, pair[0]);
    for (uint64_t i = 0; i < STREAM; i++) {
        struct hx_slot message = { .length = sizeof(i) };
        memcpy(message.data, &i, sizeof(i));
        while (hx_ring_put(&side.out, &message) == HX_ERR_WOULD_BLOCK) {
            sleep_for_room(&side);
        }
    }
    if (hx_ring_publish(&side.out)) {
        NATIVE(channel_notify, side.handle, HX_STATE_READABLE);
    }
    SAME(NATIVE(handle_close, pair[0]), HX_OK);
    SAME(check_wait(pid), 0);
}

// ---- what it refuses, and other ends

static int64_t wait_at(handle_t end, uint32_t state, time_ns_t deadline) {
    return NATIVE(channel_wait, end, state, 0, 1, deadline);
}

static int64_t call_at(handle_t end, time_ns_t deadline) {
    return NATIVE(channel_call, end, 0, 1, deadline);
}

static void refused(void) {
    handle_t pair[2];
    pair_new(pair);
    SAME(call_at(pair[0], 0), HX_ERR_TIMED_OUT);
    SAME(await(pair[1], HX_STATE_READABLE, 0), HX_STATE_READABLE); // it was told
    SAME(wait_at(pair[1], HX_STATE_READABLE, 0), HX_ERR_TIMED_OUT);
    SAME(await(pair[0], HX_STATE_READABLE, 0), 0); // and this one was not
    static const uint32_t wrong[] = { 0, HX_STATE_READABLE | HX_STATE_WRITABLE, HX_STATE_CLOSED,
                                      HX_STATE_READABLE | HX_STATE_CLOSED };
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        SAME(wait_at(pair[0], wrong[i], 0), HX_ERR_INVALID);
    }
    SAME(call_at(12345, 0), HX_ERR_BAD_HANDLE);
    SAME(call_at((handle_t)NATIVE(event_create, 0), 0), HX_ERR_BAD_HANDLE);
    handle_t weak = (handle_t)NATIVE(handle_derive, pair[0], ALL & ~HX_RIGHT_WAIT);
    SAME(call_at(weak, 0), HX_ERR_ACCESS_DENIED);
    weak = (handle_t)NATIVE(handle_derive, pair[0], ALL & ~HX_RIGHT_SIGNAL);
    SAME(call_at(weak, 0), HX_ERR_ACCESS_DENIED);
    SAME(wait_at(weak, HX_STATE_READABLE, 0), HX_ERR_TIMED_OUT);
    SAME(NATIVE(handle_close, pair[1]), HX_OK);
    SAME(await(pair[0], HX_STATE_CLOSED, TIME_NEVER), HX_STATE_CLOSED);
    SAME(call_at(pair[0], TIME_NEVER), HX_ERR_PEER_DIED);
    SAME(wait_at(pair[0], HX_STATE_WRITABLE, TIME_NEVER), HX_ERR_PEER_DIED);
}

// Told, or not, before and while it sleeps.
static void told(void) {
    handle_t pair[2];
    pair_new(pair);
    SAME(NATIVE(channel_notify, pair[1], HX_STATE_READABLE | HX_STATE_WRITABLE), HX_OK);
    SAME(wait_at(pair[0], HX_STATE_READABLE, now() + 1000000), HX_ERR_TIMED_OUT); // forgotten
    SAME(await(pair[0], HX_STATE_WRITABLE, 0), HX_STATE_WRITABLE);                // and that not
    const time_ns_t deadline = now() + 20000000;
    SAME(call_at(pair[0], deadline), HX_ERR_TIMED_OUT);
    CHECK(now() >= deadline);
}

static void notify(handle_t end) {
    for (int i = 0; i < 100; i++) {
        NATIVE(channel_notify, end, HX_STATE_READABLE);
        await(end, HX_STATE_READABLE, TIME_NEVER);
        NATIVE(channel_arm, end, HX_STATE_READABLE);
    }
}

static void told_while_it_sleeps(void) {
    handle_t pair[2];
    pair_new(pair);
    const pid_t pid = child_with(pair[1], notify);
    SAME(await(pair[0], HX_STATE_READABLE, TIME_NEVER), HX_STATE_READABLE);
    for (int i = 1; i < 100; i++) {
        SAME(call_at(pair[0], TIME_NEVER), HX_OK);
    }
    NATIVE(channel_notify, pair[0], HX_STATE_READABLE);
    SAME(check_wait(pid), 0);
}

// What the sleeper has not seen: it must look, whether anybody tells it or not.
static void news(void) {
    handle_t pair[2];
    struct side side;
    pair_new(pair);
    side_open(&side, pair[0]);
    atomic_store(&side.in.ring->tail, 1);
    SAME(wait_at(pair[0], HX_STATE_READABLE, TIME_NEVER), HX_OK);
    SAME(call_at(pair[0], TIME_NEVER), HX_OK);
    SAME(NATIVE(channel_wait, pair[0], HX_STATE_READABLE, 1, 1, 0), HX_ERR_TIMED_OUT);
    atomic_store(&side.in.ring->consumer_woken, 1);
    SAME(NATIVE(channel_wait, pair[0], HX_STATE_READABLE, 1, 1, TIME_NEVER), HX_OK);
    SAME(wait_at(pair[0], HX_STATE_WRITABLE, 0), HX_ERR_TIMED_OUT);
    atomic_store(&side.out.ring->head, 1);
    SAME(wait_at(pair[0], HX_STATE_WRITABLE, TIME_NEVER), HX_OK);
    SAME(NATIVE(channel_wait, pair[0], HX_STATE_WRITABLE, 1, 1, 0), HX_ERR_TIMED_OUT);
    atomic_store(&side.out.ring->producer_woken, 1);
    SAME(NATIVE(channel_wait, pair[0], HX_STATE_WRITABLE, 1, 1, TIME_NEVER), HX_OK);
    SAME(NATIVE(handle_close, pair[1]), HX_OK); // what is there comes before the end
    SAME(await(pair[0], HX_STATE_CLOSED, TIME_NEVER), HX_STATE_CLOSED);
    SAME(call_at(pair[0], TIME_NEVER), HX_OK);
}

static void wait_and_go(handle_t end) {
    await(end, HX_STATE_READABLE, TIME_NEVER);
}

static void it_dies(void) {
    handle_t pair[2];
    for (int i = 0; i < 20; i++) {
        pair_new(pair);
        const pid_t pid = child_with(pair[1], wait_and_go);
        SAME(call_at(pair[0], TIME_NEVER), HX_ERR_PEER_DIED);
        SAME(check_wait(pid), 0);
        SAME(NATIVE(handle_close, pair[0]), HX_OK);
    }
}

static void revoked_while_it_waits(void) {
    handle_t pair[2];
    pair_new(pair);
    const handle_t lent = (handle_t)NATIVE(handle_derive, pair[1], ALL);
    const handle_t childs = (handle_t)NATIVE(handle_derive, lent, ALL);
    NEED(NATIVE(handle_bequeath, childs) == HX_OK);
    const pid_t pid = fork();
    if (pid == 0) {
        const int64_t end = NATIVE(handle_given);
        int64_t status;
        while ((status = call_at((handle_t)end, TIME_NEVER)) == HX_OK) {
        }
        SAME(status, HX_ERR_REVOKED);
        _exit(check_failures != 0);
    }
    for (int i = 0; i < 50; i++) {
        SAME(call_at(pair[0], TIME_NEVER), HX_OK);
    }
    SAME(NATIVE(handle_revoke, lent), HX_OK);
    SAME(check_wait(pid), 0);
}

static const struct check_case cases[] = {
    CASE(answered),
    CASE(answered_in_a_crowd),
    CASE(by_the_library),
    CASE(refused),
    CASE(told),
    CASE(told_while_it_sleeps),
    CASE(news),
    CASE(it_dies),
    CASE(stream),
    CASE(same_processor),
    CASE(revoked_while_it_waits),
};
CHECK_MAIN(cases)
