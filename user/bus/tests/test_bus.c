// SPDX-License-Identifier: MIT OR Apache-2.0
// test_bus.c: the bus's table, called directly: who gets what, each refusal, slow, dying and lying
// subscribers, limits, and each allocation failing.
#include "../bus.h"

#include "check.h"
#include "fake.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ALL (BUS_MAY_SUBSCRIBE | BUS_MAY_PUBLISH | BUS_MAY_RELY | BUS_MAY_CONNECT)

static struct bus bus;
static struct bus_client *publisher, *first, *second;
static struct bus_client *admitted; // by the last connect()
static handle_t admitted_end;
static enum hx_status refuses;
static uint64_t watched, wants_room; // a bit for each queue
static uint32_t rooms;               // how often a publisher was told
static uint8_t found[HX_CAST_BODY_MAX];

static enum hx_status admit(void *context, handle_t end, struct bus_client *client) {
    CHECK(context == &bus);
    if (refuses == HX_OK) {
        admitted = client;
        admitted_end = end;
    }
    return refuses;
}

static uint64_t bit_of(const struct bus_queue *queue) {
    return UINT64_C(1) << (queue - bus.queues);
}

static enum hx_status watch(void *context, struct bus_queue *queue, bool room) {
    CHECK(context == &bus);
    if (refuses == HX_OK) {
        watched |= bit_of(queue);
        wants_room |= room ? bit_of(queue) : 0;
    }
    return refuses;
}

static void unwatch(void *context, struct bus_queue *queue) {
    CHECK(context == &bus && (watched & bit_of(queue)) != 0);
    watched &= ~bit_of(queue);
    wants_room &= ~bit_of(queue);
}

static void room(void *client) {
    CHECK(client == publisher);
    rooms++;
}

static const struct bus_events events = { .room = room };

static struct bus_client *client_new(uint32_t may, const char *subscribes, const char *publishes) {
    struct bus_client *made = NULL;
    CHECK(bus_client_make(&bus, may, subscribes, publishes, &made) == HX_OK);
    return made;
}

static void begin(void) {
    const struct bus_host host = { admit, watch, unwatch, &bus };
    memset(&bus, 0, sizeof(bus));
    bus_init(&bus, &host);
    watched = wants_room = 0;
    rooms = 0;
    publisher = client_new(ALL, "**", "**");
    first = client_new(ALL, "**", "**");
    second = client_new(ALL, "**", "**");
    CHECK(bus_ops.attach(publisher, &events, publisher) == HX_OK);
}

static void end(void) {
    for (uint32_t i = 0; i < BUS_CLIENTS; i++) {
        if (bus.clients[i].bus != NULL) {
            bus_client_gone(&bus.clients[i]);
        }
    }
    CHECK(watched == 0 && tree_count(&bus.tree) == 0);
    CHECK(fake_handles() == 0);
}

static void listen(struct bus_client *client, uint32_t slots, bool reliable,
                   struct hx_inlet *inlet) {
    handle_t handle = 0;
    CHECK(bus_ops.listen(client, slots, reliable, &handle) == HX_OK);
    CHECK(hx_inlet_open(inlet, handle) == HX_OK);
}

static void *declare(struct bus_client *client, const char *name) {
    void *topic = NULL;
    CHECK(bus_ops.declare(client, name, &topic) == HX_OK);
    return topic;
}

static uint32_t publish(void *topic, const char *text) {
    uint32_t receivers = 99;
    CHECK(bus_ops.publish(topic, text, (uint32_t)strlen(text), &receivers) == HX_OK);
    return receivers;
}

static bool gets(struct hx_inlet *inlet, const char *name, const char *text) {
    struct hx_event event;
    return hx_inlet_next(inlet, found, sizeof(found), 0, &event) == HX_OK && event.lost == 0 &&
           strcmp(event.name, name) == 0 && event.length == strlen(text) &&
           memcmp(found, text, event.length) == 0;
}

static bool is_empty(struct hx_inlet *inlet) {
    struct hx_event event;
    return hx_inlet_next(inlet, found, sizeof(found), 0, &event) == HX_ERR_TIMED_OUT;
}

static struct hx_inlet one, two; // large

static void topics(void) {
    begin();
    listen(first, 16, false, &one);
    listen(second, 16, false, &two);
    CHECK(bus_ops.subscribe(first, "disk/*/error") == HX_OK);
    CHECK(bus_ops.subscribe(second, "disk/**") == HX_OK);
    void *error = declare(publisher, "disk/vda/error"), *full = declare(publisher, "disk/full");
    CHECK(publish(error, "bad") == 2 && publish(full, "full") == 1);
    CHECK(gets(&one, "disk/vda/error", "bad") && is_empty(&one));
    CHECK(gets(&two, "disk/vda/error", "bad") && gets(&two, "disk/full", "full"));
    CHECK(bus_ops.subscribe(first, "disk/full") == HX_OK); // of topics that there are
    CHECK(publish(full, "f") == 2 && gets(&one, "disk/full", "f") && gets(&two, "disk/full", "f"));
    CHECK(bus_ops.unsubscribe(second, "disk/**") == HX_OK);
    CHECK(publish(error, "e") == 1 && is_empty(&two) && gets(&one, "disk/vda/error", "e"));
    CHECK(bus_ops.withdraw(full) == HX_OK);
    void *again = declare(second, "disk/full"); // a publisher may hear itself, too
    CHECK(publish(again, "") == 1 && gets(&one, "disk/full", ""));
    CHECK(bus_ops.subscribe(first, "**") == HX_OK); // twice in patterns, once in the queue
    CHECK(publish(again, "1") == 1 && gets(&one, "disk/full", "1") && is_empty(&one));
    hx_inlet_close(&one);
    hx_inlet_close(&two);
    end();
}

static void refusals(void) {
    struct bus_client *weak = NULL;
    struct bus_ops bound;
    handle_t handle;
    void *topic;
    uint32_t receivers;
    static uint8_t large[HX_CAST_BODY_MAX + 1];
    begin();
    CHECK(bus_client_make(&bus, 0, "a", "/", &weak) == HX_ERR_INVALID);
    CHECK(bus_client_make(&bus, 0, "", "a", &weak) == HX_ERR_INVALID);
    weak = client_new(BUS_MAY_SUBSCRIBE | BUS_MAY_PUBLISH, "net/**", "net/eth0");
    CHECK(bus_ops.listen(weak, 16, true, &handle) == HX_ERR_ACCESS_DENIED);
    static const uint32_t slots[] = { 0, 2, 5, 512, UINT32_MAX };
    for (uint32_t i = 0; i < ARRAY_SIZE(slots); i++) {
        CHECK(bus_ops.listen(weak, slots[i], false, &handle) == HX_ERR_INVALID);
    }
    CHECK(bus_ops.subscribe(weak, "net/*") == HX_ERR_NOT_FOUND); // no queue yet
    CHECK(bus_ops.unsubscribe(weak, "net/*") == HX_ERR_NOT_FOUND);
    listen(weak, 16, false, &one);
    CHECK(bus_ops.listen(weak, 16, false, &handle) == HX_ERR_EXISTS);
    CHECK(bus_ops.subscribe(weak, "net") == HX_ERR_ACCESS_DENIED);
    CHECK(bus_ops.subscribe(weak, "**") == HX_ERR_ACCESS_DENIED);
    CHECK(bus_ops.subscribe(weak, "net//") == HX_ERR_INVALID);
    CHECK(bus_ops.subscribe(weak, "net/*") == HX_OK);
    CHECK(bus_ops.subscribe(weak, "net/*") == HX_ERR_EXISTS);
    CHECK(bus_ops.unsubscribe(weak, "net/x") == HX_ERR_NOT_FOUND);
    CHECK(bus_ops.unsubscribe(weak, "net/x/") == HX_ERR_INVALID);
    CHECK(bus_ops.declare(weak, "net/eth1", &topic) == HX_ERR_ACCESS_DENIED);
    CHECK(bus_ops.declare(weak, "net/*", &topic) == HX_ERR_INVALID);
    topic = declare(weak, "net/eth0");
    CHECK(bus_ops.publish(topic, large, sizeof(large), &receivers) == HX_ERR_INVALID);
    CHECK(bus_bind(&bound, &bus_ops, bus_rights(BUS_MAY_SUBSCRIBE)) == HX_OK);
    CHECK(bound.declare(weak, "net/eth0", &topic) == HX_ERR_ACCESS_DENIED);
    CHECK(bound.publish(topic, "", 0, &receivers) == HX_ERR_ACCESS_DENIED);
    CHECK(bound.connect(weak, 0, "net/*", "net/eth0", &handle) == HX_ERR_ACCESS_DENIED);
    CHECK(bus_bind(&bound, &bus_ops, bus_rights(BUS_MAY_PUBLISH)) == HX_OK);
    CHECK(bound.listen(weak, 16, false, &handle) == HX_ERR_ACCESS_DENIED);
    CHECK(bound.subscribe(weak, "net/*") == HX_ERR_ACCESS_DENIED);
    CHECK(bound.unsubscribe(weak, "net/*") == HX_ERR_ACCESS_DENIED);
    CHECK(bus_rights(ALL) == (HX_RIGHT_READ | HX_RIGHT_WRITE | HX_RIGHT_DELEGATE));
    hx_inlet_close(&one);
    end();
}

static void connections(void) {
    struct bus_client *half;
    handle_t handle;
    begin();
    half = client_new(BUS_MAY_SUBSCRIBE | BUS_MAY_CONNECT, "a/**", "b/*");
    CHECK(bus_ops.connect(half, ALL, "a/b", "b/c", &handle) == HX_ERR_ACCESS_DENIED);
    CHECK(bus_ops.connect(half, 0, "**", "b/c", &handle) == HX_ERR_ACCESS_DENIED);
    CHECK(bus_ops.connect(half, 0, "a/b", "b/**", &handle) == HX_ERR_ACCESS_DENIED);
    CHECK(bus_ops.connect(half, 0, "a/b", "", &handle) == HX_ERR_INVALID);
    CHECK(bus_ops.connect(half, 0, "a b", "b/c", &handle) == HX_ERR_INVALID);
    refuses = HX_ERR_LIMIT;
    CHECK(bus_ops.connect(half, 0, "a/b", "b/c", &handle) == HX_ERR_LIMIT);
    CHECK(bus_ops.listen(half, 16, false, &handle) == HX_ERR_LIMIT && half->queue == NULL);
    refuses = HX_ERR_REVOKED;
    CHECK(bus_ops.connect(half, 0, "a/b", "b/c", &handle) == HX_ERR_NO_MEMORY);
    refuses = HX_OK;
    CHECK(fake_handles() == 0);
    CHECK(bus_ops.connect(half, BUS_MAY_SUBSCRIBE, "a/*", "b/c", &handle) == HX_OK);
    CHECK(admitted->may == BUS_MAY_SUBSCRIBE && strcmp(admitted->subscribes, "a/*") == 0 &&
          strcmp(admitted->publishes, "b/c") == 0);
    CHECK(hx_handle_close(handle) == HX_OK && hx_handle_close(admitted_end) == HX_OK);
    uint32_t made = 5;
    while (made <= BUS_CLIENTS && bus_client_make(&bus, 0, "a", "a", &half) == HX_OK) {
        made++;
    }
    CHECK(made == BUS_CLIENTS);
    CHECK(bus_ops.connect(first, 0, "a", "a", &handle) == HX_ERR_LIMIT);
    end();
}

// Slow: it is told what it lost, and the publisher never hears of it.
static void slow(void) {
    struct hx_event event;
    begin();
    listen(first, 4, false, &one);
    listen(second, 64, false, &two);
    CHECK(bus_ops.subscribe(first, "a") == HX_OK && bus_ops.subscribe(second, "a") == HX_OK);
    void *topic = declare(publisher, "a");
    for (uint32_t i = 0; i < 50; i++) {
        CHECK(publish(topic, "x") == (i < 3 ? 2 : 1)); // a slot is for the name
        CHECK(gets(&two, "a", "x"));
    }
    CHECK(wants_room == 1);
    wants_room = 0;
    bus_look(&bus, &bus.queues[0]); // for nothing
    CHECK(wants_room == 1);
    for (uint32_t i = 0; i < 3; i++) {
        CHECK(gets(&one, "a", "x"));
    }
    wants_room = 0;
    bus_look(&bus, &bus.queues[0]);
    CHECK(hx_inlet_next(&one, found, sizeof(found), 0, &event) == HX_OK);
    CHECK(event.name == NULL && event.lost == 47 && is_empty(&one) && rooms == 0);
    CHECK(wants_room == 0);
    CHECK(publish(topic, "y") == 2 && gets(&one, "a", "y"));
    hx_inlet_close(&one);
    hx_inlet_close(&two);
    end();
}

// Reliable: the publisher is told, and told again when it is worth trying.
static void reliable(void) {
    uint32_t receivers = 99, sent = 0;
    begin();
    listen(first, 8, true, &one);
    listen(second, 64, false, &two);
    CHECK(bus_ops.subscribe(first, "a") == HX_OK && bus_ops.subscribe(second, "*") == HX_OK);
    void *topic = declare(publisher, "a"), *other = declare(publisher, "b");
    while (bus_ops.publish(topic, "x", 1, &receivers) == HX_OK) {
        sent++;
    }
    CHECK(sent == 7 && wants_room == 1);
    CHECK(publish(other, "y") == 1); // holds up nobody else
    for (uint32_t i = 0; i < sent; i++) {
        CHECK(gets(&two, "a", "x"));
    }
    CHECK(gets(&two, "b", "y") && is_empty(&two)); // what was refused, nobody got
    CHECK(gets(&one, "a", "x") && rooms == 0);
    bus_look(&bus, &bus.queues[0]);
    CHECK(rooms == 1);
    bus_look(&bus, &bus.queues[0]);
    CHECK(rooms == 1);                                           // once for each time
    CHECK(publish(topic, "z") == 2 && publish(topic, "z") == 2); // for the name, and for "x"
    CHECK(bus_ops.publish(topic, "x", 1, &receivers) == HX_ERR_WOULD_BLOCK);
    CHECK(bus_ops.unsubscribe(first, "a") == HX_OK && rooms == 2);
    CHECK(publish(topic, "x") == 1);
    hx_inlet_close(&one);
    hx_inlet_close(&two);
    end();
}

// Subscribers that die: at once if they hold somebody up, else when it is seen.
static void dying(void) {
    uint32_t receivers;
    handle_t handle;
    begin();
    listen(first, 4, true, &one);
    listen(second, 4, false, &two);
    CHECK(bus_ops.subscribe(first, "a") == HX_OK && bus_ops.subscribe(second, "a") == HX_OK);
    void *topic = declare(publisher, "a");
    while (bus_ops.publish(topic, "x", 1, &receivers) == HX_OK) {
    }
    hx_inlet_close(&one);
    CHECK(publish(topic, "x") == 0 && first->queue == NULL && rooms == 1);
    hx_inlet_close(&two);
    CHECK(publish(topic, "x") == 0 && second->queue != NULL);
    bus_look(&bus, &bus.queues[1]);
    CHECK(second->queue == NULL && tree_count(&bus.tree) == 0);
    listen(first, 4, false, &one);
    hx_inlet_close(&one);
    CHECK(bus_ops.listen(first, 4, false, &handle) == HX_OK); // it was not looked at
    CHECK(hx_handle_close(handle) == HX_OK);
    // A connection that goes takes all with it.
    listen(second, 4, true, &two);
    CHECK(bus_ops.subscribe(second, "a") == HX_OK);
    while (bus_ops.publish(topic, "x", 1, &receivers) == HX_OK) {
    }
    void *its = declare(second, "mine");
    CHECK(((struct bus_topic *)its)->owner == second);
    bus_client_gone(second);
    CHECK(rooms == 2 && ((struct bus_topic *)its)->owner == NULL);
    CHECK(publish(topic, "x") == 0);
    hx_inlet_close(&two);
    end();
}

static void lying(void) {
    uint32_t receivers;
    begin();
    listen(first, 4, true, &one);
    CHECK(bus_ops.subscribe(first, "a") == HX_OK);
    void *topic = declare(publisher, "a");
    atomic_store(&one.end.in.ring->head, 77);
    for (uint32_t i = 0; i < 10; i++) {
        CHECK(bus_ops.publish(topic, "x", 1, &receivers) == HX_OK);
    }
    bus_look(&bus, &bus.queues[0]);
    CHECK(first->queue == NULL);
    hx_inlet_close(&one);
    end();
}

static void limits(void) {
    struct bus_client *clients[BUS_CLIENTS];
    handle_t handles[BUS_QUEUES];
    char name[16];
    void *topic;
    begin();
    for (uint32_t i = 0; i < BUS_TOPICS_EACH; i++) {
        (void)declare(publisher, "same");
    }
    CHECK(bus_ops.declare(publisher, "same", &topic) == HX_ERR_LIMIT);
    for (uint32_t i = 0; i < BUS_CLIENTS - 3; i++) {
        clients[i] = client_new(ALL, "**", "**");
        CHECK(bus_ops.listen(clients[i], 4, false, &handles[i]) == HX_OK);
    }
    for (uint32_t i = 0; i < BUS_TOPICS - BUS_TOPICS_EACH; i++) {
        (void)declare(clients[i / BUS_TOPICS_EACH], "same");
    }
    CHECK(bus_ops.declare(first, "same", &topic) == HX_ERR_LIMIT);
    for (uint32_t i = 0; i < BUS_PATTERNS_EACH; i++) {
        (void)snprintf(name, sizeof(name), "p%u", i);
        CHECK(bus_ops.subscribe(clients[0], name) == HX_OK);
    }
    CHECK(bus_ops.subscribe(clients[0], "more") == HX_ERR_LIMIT);
    CHECK(bus_ops.unsubscribe(clients[0], "p7") == HX_OK);
    CHECK(bus_ops.subscribe(clients[0], "more") == HX_OK);
    for (uint32_t i = 0; i < BUS_CLIENTS - 3; i++) {
        CHECK(hx_handle_close(handles[i]) == HX_OK);
    }
    end();
}

static void failures(void) {
    static uint8_t large[1000];
    for (uint32_t nth = 1;; nth++) {
        const uint32_t before = fake_failures();
        uint32_t receivers, published = 0;
        uint64_t got = 0, lost = 0;
        handle_t handles[2] = { 0 };
        struct hx_event event;
        begin();
        listen(second, 16, false, &two);
        CHECK(bus_ops.subscribe(second, "a") == HX_OK);
        void *topic = declare(publisher, "a");
        fake_fail_nth(nth);
        enum hx_status status = bus_ops.listen(first, 16, true, &handles[0]);
        CHECK(status == HX_OK || (status == HX_ERR_NO_MEMORY && first->queue == NULL));
        HX_IGNORE(bus_ops.subscribe(first, "a")); // if there is a queue
        for (uint32_t i = 0; i < 3; i++) {
            status = bus_ops.publish(topic, large, sizeof(large), &receivers);
            CHECK(status == HX_OK || status == HX_ERR_NO_MEMORY);
            published += status == HX_OK;
        }
        status = bus_ops.connect(first, 0, "a", "a", &handles[1]);
        CHECK(status == HX_OK || status == HX_ERR_NO_MEMORY);
        fake_fail_nth(0);
        if (status == HX_OK) {
            CHECK(hx_handle_close(admitted_end) == HX_OK);
        }
        bus_look(&bus, second->queue);
        while (hx_inlet_next(&two, found, sizeof(found), 0, &event) == HX_OK) {
            got += event.name != NULL;
            lost += event.lost;
        }
        CHECK(published >= 2 && got + lost == published);
        for (uint32_t i = 0; i < ARRAY_SIZE(handles); i++) {
            CHECK(handles[i] == 0 || hx_handle_close(handles[i]) == HX_OK);
        }
        hx_inlet_close(&two);
        end();
        if (fake_failures() == before) {
            CHECK(nth > 7);
            break;
        }
    }
}

int main(void) {
    topics();
    refusals();
    connections();
    slow();
    reliable();
    dying();
    lying();
    limits();
    failures();
    return check_result();
}
