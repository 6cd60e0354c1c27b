// SPDX-License-Identifier: MIT OR Apache-2.0
// test_service.c: the loop of a service: order of classes, turns within a class, back-pressure,
// peers that go, lie, or do not take their answers. All is counted, nothing is timed.
#include "check.h"
#include "fake.h"

#include <libhelix/service.h>

#include <string.h>

#define PEERS 8u
#define SLOTS 16u

static struct hx_peer peers[PEERS];
static struct hx_loop loop;
static struct hx_end clients[PEERS];
static struct hx_peer *served[PEERS];

static void connect_one(uint32_t i, enum hx_class class, enum hx_listen listen) {
    handle_t ends[2];
    CHECK(hx_channel_create(SLOTS, ends) == HX_OK);
    CHECK(hx_loop_add(&loop, ends[0], class, listen, &served[i]) == HX_OK);
    CHECK(hx_end_open(&clients[i], ends[1]) == HX_OK);
}

static void begin(void) {
    memset(peers, 0, sizeof(peers));
    hx_loop_init(&loop, peers, PEERS);
}

static void end(uint32_t count) {
    for (uint32_t i = 0; i < count; i++) {
        if (clients[i].handle != 0) {
            hx_end_close(&clients[i]);
        }
    }
    for (uint32_t i = 0; i < PEERS; i++) {
        if (peers[i].is_open) {
            hx_loop_remove(&peers[i]);
        }
    }
    CHECK(fake_handles() == 0);
}

// As many as there is room for; how many.
static uint32_t flood(struct hx_end *client) {
    const struct hx_slot message = hx_message(7, "flood", 5);
    uint32_t count = 0, sent = 0;
    while (hx_end_send(client, &message, 1, 0, &sent) == HX_OK) {
        count += sent;
    }
    return count;
}

static enum hx_status next(struct hx_turn *turn) {
    return hx_loop_next(&loop, 0, turn);
}

// Critical clients that never stop: the others get what the header says, and within a class all the
// same.
static void classes(void) {
    static const enum hx_class of[] = { HX_CLASS_CRITICAL,  HX_CLASS_CRITICAL, HX_CLASS_NORMAL,
                                        HX_CLASS_NORMAL,    HX_CLASS_NORMAL,   HX_CLASS_BACKGROUND,
                                        HX_CLASS_BACKGROUND };
    uint32_t turns[ARRAY_SIZE(of)] = { 0 };
    struct hx_turn turn;
    begin();
    for (uint32_t i = 0; i < ARRAY_SIZE(of); i++) {
        connect_one(i, of[i], HX_LISTEN_MESSAGES);
    }
    for (uint32_t n = 0; n < 33000; n++) {
        for (uint32_t i = 0; i < ARRAY_SIZE(of); i++) {
            (void)flood(&clients[i]);
        }
        CHECK(next(&turn) == HX_OK && turn.kind == HX_TURN_MESSAGE);
        for (uint32_t i = 0; i < ARRAY_SIZE(of); i++) {
            turns[i] += turn.peer == served[i];
        }
    }
    CHECK(turns[5] + turns[6] == 1000); // each 33rd
    CHECK(turns[2] + turns[3] + turns[4] >= 33000 / 10);
    CHECK(turns[2] + turns[3] + turns[4] <= 33000 / 9 + 1);
    CHECK(turns[0] - turns[1] + 1 <= 2 && turns[5] == turns[6]);
    CHECK(turns[2] - turns[3] + 1 <= 2 && turns[3] - turns[4] + 1 <= 2);
    end(ARRAY_SIZE(of));
}

// A client that is too fast is told so, and has no more in the service than its ring holds.
static void back_pressure(void) {
    struct hx_turn turn;
    begin();
    connect_one(0, HX_CLASS_NORMAL, HX_LISTEN_MESSAGES);
    CHECK(flood(&clients[0]) == SLOTS);
    CHECK(flood(&clients[0]) == 0);
    CHECK(next(&turn) == HX_OK);
    CHECK(turn.message.kind == 7 && memcmp(turn.message.data, "flood", 5) == 0);
    CHECK(flood(&clients[0]) == 1);
    for (uint32_t i = 0; i < SLOTS; i++) {
        CHECK(next(&turn) == HX_OK);
    }
    CHECK(next(&turn) == HX_ERR_TIMED_OUT);
    end(1);
}

// Who does not take his answers is not served; the others are.
static void answers(void) {
    struct hx_turn turn;
    struct hx_slot answer = hx_message(8, "answer", 6), got[SLOTS];
    uint32_t received = 0, count[2] = { 0 };
    begin();
    connect_one(0, HX_CLASS_CRITICAL, HX_LISTEN_REQUESTS);
    connect_one(1, HX_CLASS_BACKGROUND, HX_LISTEN_REQUESTS);
    for (uint32_t n = 0; n < 10 * SLOTS; n++) {
        (void)flood(&clients[0]);
        (void)flood(&clients[1]);
        CHECK(next(&turn) == HX_OK && turn.kind == HX_TURN_MESSAGE);
        hx_loop_answer(turn.peer, &answer);
        count[turn.peer == served[1]]++;
        CHECK(!turn.peer->is_closed);
        (void)hx_end_receive(&clients[1], got, SLOTS, 0, &received);
    }
    CHECK(count[0] == SLOTS); // one for each slot for answers
    CHECK(count[1] == 9 * SLOTS);
    while (next(&turn) == HX_OK) { // client 1 has still something to say
        hx_loop_answer(turn.peer, &answer);
        CHECK(turn.peer == served[1]);
    }
    CHECK(hx_end_receive(&clients[0], got, 1, 0, &received) == HX_OK); // now there is room
    CHECK(next(&turn) == HX_OK && turn.peer == served[0]);
    end(2);
}

// What a peer said before it went is taken first.
static void gone(void) {
    struct hx_turn turn;
    begin();
    connect_one(0, HX_CLASS_NORMAL, HX_LISTEN_MESSAGES);
    connect_one(1, HX_CLASS_NORMAL, HX_LISTEN_NOT);
    CHECK(flood(&clients[0]) == SLOTS);
    hx_end_close(&clients[0]);
    for (uint32_t i = 0; i < SLOTS; i++) {
        CHECK(next(&turn) == HX_OK && turn.kind == HX_TURN_MESSAGE);
    }
    CHECK(next(&turn) == HX_OK && turn.kind == HX_TURN_CLOSED && turn.peer == served[0]);
    hx_loop_remove(turn.peer);
    CHECK(next(&turn) == HX_ERR_TIMED_OUT);
    hx_end_close(&clients[1]);
    CHECK(next(&turn) == HX_OK && turn.kind == HX_TURN_CLOSED && turn.peer == served[1]);
    end(2);
}

// While others keep the service busy, too.
static void gone_unseen(void) {
    struct hx_turn turn;
    uint32_t served_before = 0;
    begin();
    connect_one(0, HX_CLASS_CRITICAL, HX_LISTEN_MESSAGES);
    connect_one(1, HX_CLASS_BACKGROUND, HX_LISTEN_MESSAGES);
    hx_end_close(&clients[1]);
    do {
        (void)flood(&clients[0]);
        CHECK(next(&turn) == HX_OK);
        served_before++;
    } while (turn.kind == HX_TURN_MESSAGE && served_before < 1000);
    CHECK(turn.kind == HX_TURN_CLOSED && served_before <= 66);
    end(2);
}

static void room(void) {
    const struct hx_slot message = hx_message(9, "x", 1);
    struct hx_slot got;
    struct hx_turn turn;
    uint32_t received;
    begin();
    connect_one(0, HX_CLASS_NORMAL, HX_LISTEN_NOT);
    for (uint32_t i = 0; i < SLOTS; i++) {
        CHECK(hx_loop_send(served[0], &message) == HX_OK);
    }
    CHECK(hx_loop_send(served[0], &message) == HX_ERR_WOULD_BLOCK);
    for (uint32_t n = 0; n < 3; n++) { // each time anew
        served[0]->wants_room = true;
        CHECK(next(&turn) == HX_ERR_TIMED_OUT);
        CHECK(hx_end_receive(&clients[0], &got, 1, 0, &received) == HX_OK);
        CHECK(next(&turn) == HX_OK && turn.kind == HX_TURN_ROOM && turn.peer == served[0]);
        CHECK(!served[0]->wants_room);
        CHECK(hx_loop_send(served[0], &message) == HX_OK);
    }
    hx_end_close(&clients[0]);
    CHECK(hx_loop_send(served[0], &message) == HX_ERR_WOULD_BLOCK); // seen when it is looked for
    CHECK(next(&turn) == HX_OK && turn.kind == HX_TURN_CLOSED);
    end(1);
}

// Positions that cannot be, and messages longer than a slot.
static void liars(void) {
    struct hx_turn turn;
    begin();
    connect_one(0, HX_CLASS_NORMAL, HX_LISTEN_REQUESTS);
    connect_one(1, HX_CLASS_NORMAL, HX_LISTEN_REQUESTS);
    connect_one(2, HX_CLASS_NORMAL, HX_LISTEN_REQUESTS);
    atomic_store(&clients[0].out.ring->tail, 1000); // more than there are slots
    CHECK(next(&turn) == HX_OK && turn.kind == HX_TURN_CLOSED && turn.peer == served[0]);
    hx_loop_remove(turn.peer);
    clients[1].out.slots[0].length = 200;
    atomic_store(&clients[1].out.ring->tail, 1);
    CHECK(next(&turn) == HX_OK && turn.kind == HX_TURN_CLOSED && turn.peer == served[1]);
    hx_loop_remove(turn.peer);
    atomic_store(&clients[2].in.ring->head, 1000); // answers that were never given
    CHECK(flood(&clients[2]) == SLOTS);
    CHECK(next(&turn) == HX_OK);
    hx_loop_answer(turn.peer, &turn.message);
    for (uint32_t i = 1; i < SLOTS && turn.kind == HX_TURN_MESSAGE; i++) {
        CHECK(next(&turn) == HX_OK);
        hx_loop_answer(turn.peer, &turn.message);
    }
    (void)flood(&clients[2]); // now it is looked at
    CHECK(next(&turn) == HX_OK && turn.kind == HX_TURN_CLOSED);
    end(3);
}

static void full(void) {
    struct hx_peer *none;
    handle_t ends[2];
    begin();
    for (uint32_t i = 0; i < PEERS; i++) {
        connect_one(i, HX_CLASS_NORMAL, HX_LISTEN_NOT);
    }
    CHECK(hx_channel_create(SLOTS, ends) == HX_OK);
    CHECK(hx_loop_add(&loop, ends[0], HX_CLASS_NORMAL, HX_LISTEN_NOT, &none) == HX_ERR_LIMIT);
    hx_loop_remove(served[3]);
    fake_fail_nth(1);
    CHECK(hx_loop_add(&loop, ends[0], HX_CLASS_NORMAL, HX_LISTEN_NOT, &none) == HX_ERR_NO_MEMORY);
    CHECK(hx_loop_add(&loop, ends[0], HX_CLASS_NORMAL, HX_LISTEN_NOT, &served[3]) == HX_OK);
    CHECK(hx_handle_close(ends[1]) == HX_OK);
    end(PEERS);
}

int main(void) {
    classes();
    back_pressure();
    answers();
    gone();
    gone_unseen();
    room();
    liars();
    full();
    return check_result();
}
