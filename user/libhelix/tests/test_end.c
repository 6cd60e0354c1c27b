// SPDX-License-Identifier: MIT OR Apache-2.0
// test_end.c: who is woken, and what a sender hears of a peer that goes.
#include "check.h"
#include "fake.h"

#include <libhelix/end.h>

static struct hx_end sender, receiver;
static const struct hx_slot message = { .kind = 7 };

static void begin(void) {
    handle_t pair[2];
    CHECK(hx_channel_create(4, pair) == HX_OK);
    CHECK(hx_end_open(&sender, pair[0]) == HX_OK && hx_end_open(&receiver, pair[1]) == HX_OK);
}

static enum hx_status receive(void) {
    struct hx_slot slot;
    uint32_t received;
    return hx_end_receive(&receiver, &slot, 1, 0, &received);
}

// Who only waits gives nothing back, so it wakes nobody.
static void waiting(void) {
    uint32_t received = 99;
    begin();
    const _Atomic uint64_t *woken = &sender.out.ring->producer_woken;
    CHECK(hx_end_send_all(&sender, &message, 1, 0) == HX_OK);
    hx_producer_sleep(&sender.out);
    CHECK(hx_end_receive(&receiver, NULL, 0, 0, &received) == HX_OK && received == 0);
    CHECK(atomic_load(woken) == 0);
    CHECK(receive() == HX_OK && atomic_load(woken) == sender.out.sleep);
    hx_producer_awake(&sender.out);
    hx_end_close(&sender);
    hx_end_close(&receiver);
    CHECK(fake_handles() == 0);
}

static void goes(void) {
    hx_end_close(&receiver);
}

static void takes_and_goes(void) {
    CHECK(receive() == HX_OK);
    goes();
}

static void takes_one_and_goes(void) {
    CHECK(hx_ring_ready(&receiver.in) == 2);
    takes_and_goes();
}

// What the peer took before it went was sent, though it is woken to its end.
static void going(void) {
    static const struct {
        void (*peer)(void);
        uint32_t messages;
        enum hx_status status;
    } rows[] = {
        { takes_and_goes, 1, HX_OK },
        { takes_one_and_goes, 2, HX_ERR_PEER_DIED },
        { goes, 1, HX_ERR_PEER_DIED },
    };
    const struct hx_slot messages[2] = { message, message };
    for (uint32_t i = 0; i < ARRAY_SIZE(rows); i++) {
        begin();
        hx_consumer_sleep(&receiver.in);
        fake_on_notify(rows[i].peer);
        CHECK(hx_end_send_all(&sender, messages, rows[i].messages, 0) == rows[i].status);
        hx_end_close(&sender);
        CHECK(fake_handles() == 0);
    }
}

// One that lies about what it took, and goes.
static void lies_and_goes(void) {
    atomic_store(&receiver.in.ring->head, 77);
    goes();
}

static void lying(void) {
    begin();
    hx_consumer_sleep(&receiver.in);
    fake_on_notify(lies_and_goes);
    CHECK(hx_end_send_all(&sender, &message, 1, 0) == HX_ERR_PEER_DIED);
    hx_end_close(&sender);
    CHECK(fake_handles() == 0);
}

int main(void) {
    waiting();
    going();
    lying();
    return check_result();
}
