// SPDX-License-Identifier: MIT OR Apache-2.0
// test_client.c: a call of a client waits for its place, and its time is over in the very moment in
// which one gets free, or in which the connection dies. Of client.c, with a stand-in for the wait.
#include <pthread.h>

static int wait_until(pthread_cond_t *changed, pthread_mutex_t *lock, const struct timespec *at);
#define pthread_cond_timedwait wait_until
#include "../src/client.c"
#undef pthread_cond_timedwait

#include "check.h"

static struct hx_client client;
static void (*meanwhile)(void);
static uint32_t waits;

enum hx_status hx_handle_revoke(handle_t handle) {
    (void)handle;
    abort(); // nobody receives here
}

// The time is over.
static int wait_until(pthread_cond_t *changed, pthread_mutex_t *lock, const struct timespec *at) {
    CHECK(changed == &client.call_free && lock == &client.lock && at->tv_sec == 5);
    waits++;
    meanwhile();
    return ETIMEDOUT;
}

static void nothing(void) {}

// Its signal is this waiter's: nobody else is told of the place.
static void one_is_free(void) {
    call_free(&client, &client.calls[1]);
}

static void it_dies(void) {
    client.dead = HX_ERR_PEER_DIED;
}

static enum hx_status claim(void (*then)(void), struct call **out_call) {
    struct wire_parcel reply;
    client = (struct hx_client){ .calls_max = 2, .calls_open = 2 };
    client.calls[0].is_open = client.calls[1].is_open = true;
    meanwhile = then;
    waits = 0;
    return call_claim(&client, &reply, (time_ns_t)5000000000, out_call);
}

int main(void) {
    struct call *call = NULL;
    CHECK(claim(nothing, &call) == HX_ERR_TIMED_OUT && waits == 1);
    CHECK(client.calls_open == 2 && call == NULL);
    CHECK(claim(it_dies, &call) == HX_ERR_PEER_DIED && client.calls_open == 2 && call == NULL);
    CHECK(claim(one_is_free, &call) == HX_OK && waits == 1);
    CHECK(client.calls_open == 2 && call == &client.calls[1] && call->is_open);
    return check_result();
}
