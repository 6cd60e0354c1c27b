// SPDX-License-Identifier: MIT OR Apache-2.0
// tests/native/timers.c: timers that are waited for.
// RUN: musl glibc
#include "native.h"

#include <libhelix/wait.h>
#include <pthread.h>

#define MS  1000000ll
#define ALL (HX_RIGHT_READ | HX_RIGHT_WRITE | HX_RIGHT_WAIT | HX_RIGHT_ADMIN | HX_RIGHT_DELEGATE)

static handle_t made(void) {
    handle_t timer = 0;
    NEED(hx_timer_create(&timer) == HX_OK);
    return timer;
}

static enum hx_status due(handle_t timer, time_ns_t deadline) {
    uint32_t state = 0;
    enum hx_status status = hx_wait_one(timer, HX_STATE_READABLE, deadline, &state);
    CHECK(status != HX_OK || state == HX_STATE_READABLE);
    return status;
}

static void once(void) {
    const handle_t timer = made();
    uint64_t count = 0;
    SAME(due(timer, hx_after(MS)), HX_ERR_TIMED_OUT);
    SAME(hx_timer_take(timer, &count), HX_ERR_WOULD_BLOCK);
    const time_ns_t deadline = hx_after(20 * MS);
    SAME(hx_timer_set(timer, deadline, 0), HX_OK);
    SAME(due(timer, 0), HX_ERR_TIMED_OUT);
    SAME(due(timer, TIME_NEVER), HX_OK);
    CHECK(hx_now() >= deadline);
    SAME(due(timer, 0), HX_OK); // until it is taken
    SAME(hx_timer_take(timer, &count), HX_OK);
    SAME(count, 1);
    SAME(due(timer, 0), HX_ERR_TIMED_OUT);
    SAME(hx_timer_take(timer, &count), HX_ERR_WOULD_BLOCK);
    SAME(hx_timer_set(timer, 0, 0), HX_OK); // long ago
    SAME(due(timer, TIME_NEVER), HX_OK);
    SAME(hx_timer_set(timer, TIME_NEVER, 5), HX_OK); // forgotten
    SAME(due(timer, hx_after(5 * MS)), HX_ERR_TIMED_OUT);
    SAME(hx_timer_take(timer, &count), HX_ERR_WOULD_BLOCK);
}

static void periodic(void) {
    const handle_t timer = made();
    const time_ns_t first = hx_after(5 * MS);
    uint64_t count = 0, total = 0;
    SAME(hx_timer_set(timer, first, 2 * MS), HX_OK);
    while (total < 20) {
        SAME(due(timer, TIME_NEVER), HX_OK);
        NEED(hx_timer_take(timer, &count) == HX_OK);
        total += count;
        CHECK(hx_now() >= first + (time_ns_t)(total - 1) * 2 * MS);
    }
    while (hx_now() < first + 100 * MS) { // nobody takes: they add up
    }
    SAME(hx_timer_take(timer, &count), HX_OK);
    CHECK(total + count >= 51);
    SAME(hx_timer_set(timer, 1, INT64_MAX), HX_OK); // the next one is beyond all moments
    SAME(due(timer, TIME_NEVER), HX_OK);
    SAME(hx_timer_take(timer, &count), HX_OK);
    SAME(count, 1);
    SAME(due(timer, hx_after(2 * MS)), HX_ERR_TIMED_OUT);
}

static handle_t without(handle_t timer, rights_t right) {
    handle_t handle = 0;
    NEED(hx_handle_derive(timer, ALL & ~right, &handle) == HX_OK);
    return handle;
}

static void refusals(void) {
    const handle_t timer = made();
    struct hx_handle_info info;
    SAME(hx_handle_info(timer, &info), HX_OK);
    SAME(info.object, HX_OBJECT_TIMER);
    SAME(info.rights, ALL);
    SAME(NATIVE(timer_set, timer, -1ll, 0), HX_ERR_INVALID);
    SAME(NATIVE(timer_set, timer, INT64_MIN, 0), HX_ERR_INVALID);
    SAME(NATIVE(timer_set, timer, 1, -1ll), HX_ERR_INVALID);
    SAME(NATIVE(timer_take, timer), HX_ERR_WOULD_BLOCK); // nothing was set
    SAME(NATIVE(timer_set, without(timer, HX_RIGHT_WRITE), 1, 0), HX_ERR_ACCESS_DENIED);
    SAME(NATIVE(timer_take, without(timer, HX_RIGHT_READ)), HX_ERR_ACCESS_DENIED);
    SAME(due(without(timer, HX_RIGHT_WAIT), 0), HX_ERR_ACCESS_DENIED);
    const handle_t event = (handle_t)NATIVE(event_create, 0);
    SAME(NATIVE(timer_set, event, 1, 0), HX_ERR_BAD_HANDLE);
    SAME(NATIVE(timer_take, event), HX_ERR_BAD_HANDLE);
    const handle_t lent = (handle_t)NATIVE(handle_derive, timer, ALL);
    SAME(NATIVE(handle_revoke, lent), HX_OK);
    SAME(NATIVE(timer_set, lent, 1, 0), HX_ERR_REVOKED);
    SAME(NATIVE(timer_take, lent), HX_ERR_REVOKED);
    SAME(due(lent, 0), HX_ERR_REVOKED);
}

// Threads set, take and close; nothing is left armed, and no wake is left over.
static handle_t shared;

static void *churn(void *argument) {
    uint64_t count;
    for (int i = 0; i < 2000; i++) {
        const time_ns_t deadline = (i & 7) == 0 ? TIME_NEVER : hx_now() + (i & 15) * 10000;
        if (argument == NULL) {
            SAME(hx_timer_set(shared, deadline, i & 1 ? 20000 : 0), HX_OK);
        } else {
            enum hx_status status = hx_timer_take(shared, &count);
            CHECK(status == HX_OK || status == HX_ERR_WOULD_BLOCK);
        }
    }
    return NULL;
}

static void all_at_once(void) {
    pthread_t threads[4];
    uint64_t count;
    shared = made();
    for (uintptr_t i = 0; i < 4; i++) {
        NEED(pthread_create(&threads[i], NULL, churn, (void *)(i & 1)) == 0);
    }
    for (int i = 0; i < 4; i++) {
        pthread_join(threads[i], NULL);
    }
    SAME(hx_timer_set(shared, TIME_NEVER, 0), HX_OK);
    SAME(due(shared, hx_after(2 * MS)), HX_ERR_TIMED_OUT);
    SAME(hx_timer_take(shared, &count), HX_ERR_WOULD_BLOCK);
    for (int i = 0; i < 200; i++) { // closed while it is armed, or just due
        const handle_t timer = made();
        SAME(hx_timer_set(timer, hx_now() + i * 500, 1000), HX_OK);
        SAME(hx_handle_close(timer), HX_OK);
    }
}

static const struct check_case cases[] = {
    CASE(once),
    CASE(periodic),
    CASE(refusals),
    CASE(all_at_once),
};
CHECK_MAIN(cases)
