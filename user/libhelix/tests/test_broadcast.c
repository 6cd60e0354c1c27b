// SPDX-License-Identifier: MIT OR Apache-2.0
// test_broadcast.c: a sender and its receivers: everything to everybody, what is lost is counted
// exactly, who is reliable loses nothing; senders and receivers that lie; each allocation failing.
#include "check.h"
#include "fake.h"

#include <libhelix/broadcast.h>

#include <stdlib.h>
#include <string.h>

#define RECEIVERS 3u
#define ALL       ((UINT64_C(1) << RECEIVERS) - 1)

static struct hx_cast cast;
static struct hx_source source, second;
static struct hx_end ends[RECEIVERS];
static struct hx_inlet inlets[RECEIVERS];
static struct hx_cast_mark marks[RECEIVERS][HX_CAST_SLOTS_MAX];
static uint8_t body[HX_CAST_BODY_MAX + 1], found[HX_CAST_BODY_MAX];

static void begin(uint32_t slots, uint64_t reliable) {
    memset(&cast, 0, sizeof(cast));
    for (uint32_t i = 0; i < RECEIVERS; i++) {
        handle_t pair[2];
        CHECK(hx_channel_create(slots, pair) == HX_OK);
        CHECK(hx_end_open(&ends[i], pair[0]) == HX_OK);
        CHECK(hx_inlet_open(&inlets[i], pair[1]) == HX_OK);
        hx_cast_add(&cast, i, &ends[i], (reliable >> i & 1) != 0 ? marks[i] : NULL);
    }
    hx_source_open(&source, 5, "news/one");
    hx_source_open(&second, HX_CAST_SOURCES - 1, "news/two");
}

static void end(void) {
    hx_source_close(&source);
    hx_source_close(&second);
    for (uint32_t i = 0; i < RECEIVERS; i++) {
        hx_inlet_close(&inlets[i]);
        hx_end_close(&ends[i]);
    }
    CHECK(fake_handles() == 0);
}

static void fill(uint32_t number, uint32_t length) {
    for (uint32_t i = 0; i < length; i++) {
        body[i] = (uint8_t)(number * 31 + i);
    }
}

static enum hx_status send_from(struct hx_source *from, uint32_t number, uint32_t length,
                                uint32_t *out_received) {
    fill(number, length);
    return hx_cast_send(&cast, from, ALL, body, length, out_received);
}

static enum hx_status next(uint32_t receiver, struct hx_event *event) {
    return hx_inlet_next(&inlets[receiver], found, sizeof(found), 0, event);
}

static bool is_body(uint32_t number, uint32_t length) {
    fill(number, length);
    return memcmp(found, body, length) == 0;
}

// All lengths, from two sources, in their order.
static void everything(void) {
    static const uint32_t lengths[] = { 0, 1, 39, 40, 41, 4096, HX_CAST_BODY_MAX };
    struct hx_event event;
    uint32_t received = 0;
    begin(64, 0);
    for (uint32_t i = 0; i < ARRAY_SIZE(lengths); i++) {
        CHECK(send_from(i % 2 == 0 ? &source : &second, i, lengths[i], &received) == HX_OK);
        CHECK(received == RECEIVERS);
    }
    CHECK(send_from(&source, 0, HX_CAST_BODY_MAX + 1, &received) == HX_ERR_INVALID);
    for (uint32_t who = 0; who < RECEIVERS; who++) {
        for (uint32_t i = 0; i < ARRAY_SIZE(lengths); i++) {
            CHECK(next(who, &event) == HX_OK);
            CHECK(event.length == lengths[i] && event.lost == 0);
            CHECK(strcmp(event.name, i % 2 == 0 ? "news/one" : "news/two") == 0);
            CHECK(is_body(i, lengths[i]));
        }
        CHECK(next(who, &event) == HX_ERR_TIMED_OUT);
    }
    CHECK(hx_cast_send(&cast, &source, 2, "x", 1, &received) == HX_OK && received == 1);
    CHECK(next(0, &event) == HX_ERR_TIMED_OUT && next(1, &event) == HX_OK);
    end();
}

// One takes everything, one nothing until the end, one a message now and then.
static void losses(void) {
    enum { ROUNDS = 1000, SLOTS = 8 };
    struct hx_event event;
    uint64_t got[RECEIVERS] = { 0 }, lost[RECEIVERS] = { 0 };
    uint32_t received = 0, total = 0;
    begin(SLOTS, 0);
    for (uint32_t i = 0; i < ROUNDS; i++) {
        CHECK(send_from(&source, i, i % 7, &received) == HX_OK);
        total += received;
        for (uint32_t who = 0; who < RECEIVERS; who++) {
            if (who == 0 || (who == 1 && i % 5 == 0)) {
                CHECK(next(who, &event) == HX_OK);
                got[who]++;
                lost[who] += event.lost;
            }
        }
    }
    for (uint32_t who = 0; who < RECEIVERS; who++) {
        while (next(who, &event) == HX_OK) {
            got[who]++;
            lost[who] += event.lost;
        }
        hx_cast_tell(&cast.outlets[who]); // what was lost last
        if (next(who, &event) == HX_OK) {
            CHECK(event.name == NULL && event.length == 0 && event.lost != 0);
            lost[who] += event.lost;
        }
        CHECK(got[who] + lost[who] == ROUNDS);
        CHECK(!hx_cast_owes(&cast.outlets[who]));
    }
    CHECK(got[0] == ROUNDS && got[2] == SLOTS - 1 && got[1] > got[2]); // a slot for the name
    CHECK(total == got[0] + got[1] + got[2]);
    end();
}

// Bodies that are overwritten before they are read are lost, and counted.
static void overwritten(void) {
    enum { ROUNDS = 40 };
    struct hx_event event;
    uint64_t got = 0, lost = 0;
    uint32_t received;
    begin(64, 0);
    for (uint32_t i = 0; i < ROUNDS; i++) {
        CHECK(send_from(&source, i, HX_CAST_BODY_MAX, &received) == HX_OK);
    }
    while (next(2, &event) == HX_OK) {
        got += event.name != NULL;
        lost += event.lost;
        CHECK(event.name == NULL || is_body((uint32_t)(got + lost) - 1, HX_CAST_BODY_MAX));
    }
    CHECK(got == HX_CAST_REEL / HX_CAST_BODY_MAX && got + lost == ROUNDS);
    end();
}

// Nobody gets what the reliable one has no room for, and nobody has lost it.
static void reliable(void) {
    struct hx_event event;
    uint32_t received = 99, sent = 0;
    begin(8, 2);
    while (send_from(&source, sent, 8, &received) == HX_OK) {
        CHECK(next(0, &event) == HX_OK && event.lost == 0 && is_body(sent, 8));
        sent++;
    }
    CHECK(sent == 7); // a slot was for the name
    received = 99;
    CHECK(send_from(&source, sent, 8, &received) == HX_ERR_WOULD_BLOCK && received == 99);
    CHECK(next(0, &event) == HX_ERR_TIMED_OUT);
    CHECK(next(1, &event) == HX_OK && is_body(0, 8));
    CHECK(send_from(&source, sent, 8, &received) == HX_OK && received == 2); // 2 is full: loses
    CHECK(cast.outlets[2].lost == 1 && cast.outlets[1].lost == 0);
    for (uint32_t i = 1; i <= sent; i++) {
        CHECK(next(1, &event) == HX_OK && event.lost == 0 && is_body(i, 8));
    }
    CHECK(next(1, &event) == HX_ERR_TIMED_OUT);
    end();
}

// A body that the reliable one has not read is not overwritten; another source's is its own.
static void held(void) {
    enum { FIT = HX_CAST_REEL / HX_CAST_BODY_MAX };
    struct hx_event event;
    uint32_t received, sent = 0;
    begin(64, 1);
    while (send_from(&source, sent, HX_CAST_BODY_MAX, &received) == HX_OK && sent < 100) {
        sent++;
    }
    CHECK(sent == FIT);
    CHECK(send_from(&source, sent, 41, &received) == HX_ERR_WOULD_BLOCK);
    CHECK(send_from(&source, 77, 40, &received) == HX_OK); // short ones need no place
    CHECK(send_from(&second, 78, HX_CAST_BODY_MAX, &received) == HX_OK);
    CHECK(next(0, &event) == HX_OK && is_body(0, HX_CAST_BODY_MAX));
    CHECK(send_from(&source, sent, HX_CAST_BODY_MAX, &received) == HX_OK);
    for (uint32_t i = 1; i < FIT; i++) {
        CHECK(next(0, &event) == HX_OK && event.lost == 0 && is_body(i, HX_CAST_BODY_MAX));
    }
    CHECK(next(0, &event) == HX_OK && is_body(77, 40));
    CHECK(next(0, &event) == HX_OK && is_body(78, HX_CAST_BODY_MAX));
    CHECK(next(0, &event) == HX_OK && is_body(sent, HX_CAST_BODY_MAX));
    end();
}

// What lay in a slot before counts no more, whatever came into it.
static void marks_go(void) {
    enum { SLOTS = HX_CAST_REEL / HX_CAST_BODY_MAX };
    struct hx_event event;
    uint32_t received;
    begin(SLOTS, ALL);
    for (uint32_t i = 0; i < 3 * SLOTS; i++) {
        CHECK(send_from(&source, i, HX_CAST_BODY_MAX, &received) == HX_OK);
        for (uint32_t who = 0; who < RECEIVERS; who++) {
            CHECK(next(who, &event) == HX_OK && is_body(i, HX_CAST_BODY_MAX));
        }
    }
    CHECK(send_from(&second, 1, 1, &received) == HX_OK); // its name lies where an old body's was
    CHECK(send_from(&source, 2, HX_CAST_BODY_MAX, &received) == HX_OK);
    CHECK(next(0, &event) == HX_OK && is_body(1, 1));
    CHECK(next(0, &event) == HX_OK && is_body(2, HX_CAST_BODY_MAX));
    end();
}

// A number is used again, by a source of another name and reel.
static void numbers(void) {
    struct hx_event event;
    uint32_t received;
    begin(16, 0);
    CHECK(send_from(&source, 1, 100, &received) == HX_OK);
    CHECK(next(0, &event) == HX_OK && is_body(1, 100));
    hx_source_close(&source);
    hx_source_open(&source, 5, "news/other");
    CHECK(send_from(&source, 2, 3, &received) == HX_OK);
    CHECK(next(0, &event) == HX_OK && strcmp(event.name, "news/other") == 0 && is_body(2, 3));
    CHECK(send_from(&source, 3, 300, &received) == HX_OK);
    CHECK(next(0, &event) == HX_OK && is_body(3, 300));
    end();
}

// More memory on its way than may be: who is not reliable loses, who is holds up.
static void memories(void) {
    struct hx_source many[20];
    struct hx_event event;
    uint32_t received, sent = 0;
    uint64_t lost = 0;
    begin(64, 2);
    enum hx_status status = HX_OK;
    for (uint32_t i = 0; i < ARRAY_SIZE(many); i++) {
        hx_source_open(&many[i], i, "many");
    }
    for (; sent < ARRAY_SIZE(many) && status == HX_OK; sent += status == HX_OK) {
        status = send_from(&many[sent], sent, 50, &received);
    }
    CHECK(status == HX_ERR_WOULD_BLOCK && sent == 16);
    for (uint32_t i = 0; i < sent; i++) {
        CHECK(next(1, &event) == HX_OK && event.source == i && is_body(i, 50));
    }
    CHECK(send_from(&many[sent], sent, 50, &received) == HX_OK && received == 1);
    CHECK(next(1, &event) == HX_OK && is_body(sent, 50));
    for (uint32_t i = 0; i < sent; i++) {
        CHECK(next(0, &event) == HX_OK && is_body(i, 50));
    }
    hx_cast_tell(&cast.outlets[0]);
    CHECK(next(0, &event) == HX_OK);
    lost += event.lost;
    CHECK(lost == 1);
    for (uint32_t i = 0; i < ARRAY_SIZE(many); i++) {
        hx_source_close(&many[i]);
    }
    end();
}

// A receiver whose position cannot be.
static void lying_receiver(void) {
    struct hx_event event;
    uint32_t received;
    begin(4, 2);
    atomic_store(&inlets[1].end.in.ring->head, 99);
    for (uint32_t i = 0; i < 10; i++) { // it is no receiver any more, so it holds up nobody
        CHECK(send_from(&source, i, 4, &received) == HX_OK);
        CHECK(next(0, &event) == HX_OK && is_body(i, 4));
    }
    CHECK(ends[1].out.broken);
    end();
}

static void say(uint16_t kind, uint32_t number, uint32_t length, const char *name, uint8_t flags) {
    struct hx_slot message = { .kind = kind, .length = HX_SLOT_BYTES, .flags = flags };
    struct hx_cast_event event = { .source = number, .length = length };
    struct hx_cast_name called = { .source = number };
    if (name != NULL) {
        memcpy(called.name, name, strlen(name) + 1);
        memcpy(message.data, &called, sizeof(called));
    } else {
        memcpy(message.data, &event, sizeof(event));
    }
    CHECK(hx_end_send_all(&ends[0], &message, 1, 0) == HX_OK);
}

// Whatever a sender says, the receiver stays within its memory.
static void lying_sender(void) {
    struct hx_event event;
    begin(16, 0);
    say(HX_CAST_EVENT, 1, 4, NULL, 0); // of a source that was not named
    CHECK(next(0, &event) == HX_ERR_CORRUPT);
    say(HX_CAST_EVENT, HX_CAST_SOURCES, 4, NULL, 0);
    CHECK(next(0, &event) == HX_ERR_CORRUPT);
    say(HX_CAST_NAME, HX_CAST_SOURCES, 0, "a", 0);
    CHECK(next(0, &event) == HX_ERR_CORRUPT);
    say(HX_CAST_NAME, 1, 0, "a b", 0);
    CHECK(next(0, &event) == HX_ERR_CORRUPT);
    say(HX_CAST_NAME, 1, 0, "", 0);
    CHECK(next(0, &event) == HX_ERR_CORRUPT);
    say(HX_CAST_NAME, 1, 0, "a", 0);
    say(HX_CAST_EVENT, 1, HX_CAST_INLINE + 1, NULL, 0);
    CHECK(next(0, &event) == HX_ERR_CORRUPT);
    say(HX_CAST_LARGE, 1, HX_CAST_BODY_MAX + 1, NULL, 0);
    CHECK(next(0, &event) == HX_ERR_CORRUPT);
    say(HX_CAST_LARGE, 1, 100, NULL, 0); // without memory it is lost
    CHECK(next(0, &event) == HX_OK && event.name == NULL && event.lost == 1);
    say(0, 1, 4, NULL, 0);
    CHECK(next(0, &event) == HX_ERR_CORRUPT);
    say(77, 1, 4, NULL, 0);
    CHECK(next(0, &event) == HX_ERR_CORRUPT);
    say(HX_CAST_MEMORY, 1, 0, "a", 0); // and no handle
    CHECK(next(0, &event) == HX_ERR_CORRUPT);
    say(HX_CAST_MEMORY, 1, 0, "a", HX_MESSAGE_HANDLE); // none either, though it says so
    CHECK(next(0, &event) == HX_ERR_CORRUPT);
    CHECK(next(0, &event) == HX_ERR_TIMED_OUT); // each was told once
    end();
}

// Memory that cannot be received now is received later, and no other is taken for it.
static void short_of_memory(void) {
    struct hx_event event;
    uint32_t received;
    begin(16, 0);
    CHECK(send_from(&source, 1, 100, &received) == HX_OK);
    CHECK(send_from(&second, 2, 100, &received) == HX_OK);
    fake_fail_nth(1);
    CHECK(next(0, &event) == HX_ERR_NO_MEMORY);
    CHECK(next(0, &event) == HX_OK && event.source == 5 && is_body(1, 100));
    CHECK(next(0, &event) == HX_OK && is_body(2, 100) && event.lost == 0);
    end();
}

// Each allocation on both sides: what fails is told or counted, and then it goes on.
static void failures(void) {
    for (uint32_t nth = 1;; nth++) {
        const uint32_t before = fake_failures();
        struct hx_event event;
        uint64_t got = 0, lost = 0;
        uint32_t received = 0, refused = 0;
        begin(16, 2);
        fake_fail_nth(nth);
        for (uint32_t i = 0; i < 4; i++) {
            enum hx_status status = send_from(&source, i, 100, &received);
            CHECK(status == HX_OK || status == HX_ERR_NO_MEMORY);
            refused += status != HX_OK;
        }
        for (enum hx_status status = HX_OK; status != HX_ERR_TIMED_OUT;) {
            status = next(0, &event);
            CHECK(status == HX_OK || status == HX_ERR_TIMED_OUT || status == HX_ERR_NO_MEMORY);
            got += status == HX_OK && event.name != NULL;
            lost += status == HX_OK ? event.lost : 0;
        }
        fake_fail_nth(0);
        CHECK(got + lost + refused == 4);
        end();
        if (fake_failures() == before) {
            CHECK(nth > 8);
            break;
        }
    }
}

int main(void) {
    everything();
    losses();
    overwritten();
    reliable();
    held();
    marks_go();
    numbers();
    memories();
    lying_receiver();
    lying_sender();
    short_of_memory();
    failures();
    return check_result();
}
