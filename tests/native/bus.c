// SPDX-License-Identifier: MIT OR Apache-2.0
// tests/native/bus.c: events by topic, between processes: order, what is lost and what is not,
// large bodies, each refusal; slow, dying, lying and flooding subscribers and publishers. LIMIT:
// 240
#include "services.h"

#include <sched.h>

#define ALL (BUS_MAY_SUBSCRIBE | BUS_MAY_PUBLISH | BUS_MAY_RELY | BUS_MAY_CONNECT)

static struct user root;
static handle_t process;
static uint8_t body[BUS_BODY_MAX];
static struct hx_inlet inlet;

static void begin(void) {
    process = start("/sbin/bus", &bus_wire, &root);
}

static void end(void) {
    stop(process, &root);
}

static handle_t connection(uint32_t may, const char *subscribes, const char *publishes) {
    handle_t handle = 0;
    NEED(bus->connect(root.self, may, subscribes, publishes, &handle) == HX_OK);
    return handle;
}

static void listen(struct user *user, uint32_t slots, bool reliable, const char *pattern) {
    handle_t queue = 0;
    NEED(bus->listen(user->self, slots, reliable, &queue) == HX_OK);
    NEED(hx_inlet_open(&inlet, queue) == HX_OK);
    NEED(bus->subscribe(user->self, pattern) == HX_OK);
}

static void *declare(struct user *user, const char *name) {
    void *topic = NULL;
    NEED(bus->declare(user->self, name, &topic) == HX_OK);
    return topic;
}

// A body whose every byte follows from its number and length.
static uint32_t fill(uint32_t number) {
    const uint32_t length =
        number % 7 == 0 ? sizeof(body) - number % 1000 : 4 + number % HX_CAST_INLINE;
    memset(body, (int)(number * 3 + 1), length);
    memcpy(body, &number, sizeof(number));
    return length;
}

static enum hx_status publish(void *topic, uint32_t number, uint32_t *out_receivers) {
    const uint32_t length = fill(number);
    return bus->publish(topic, body, length, out_receivers);
}

// The next event and its number; HX_ERR_NO_DATA: only a loss.
static enum hx_status receive(time_ns_t deadline, struct hx_event *event, uint32_t *out_number) {
    static uint8_t found[BUS_BODY_MAX];
    enum hx_status status = hx_inlet_next(&inlet, found, sizeof(found), deadline, event);
    if (status != HX_OK || event->name == NULL) {
        return status == HX_OK ? HX_ERR_NO_DATA : status;
    }
    memcpy(out_number, found, sizeof(*out_number));
    SAME(event->length, fill(*out_number));
    NEED(memcmp(found, body, event->length) == 0);
    return HX_OK;
}

// ---- who counts what it gets: until an event with the number LAST, whose arrival is sure

#define LAST 1000000u
#define EACH 300u // by each publisher

struct count {
    uint64_t got, lost;
};

// Each publisher's numbers, below 2^16 of a kind, come in their order.
static struct count count_all(uint32_t slow_every) {
    uint32_t next[4] = { 0 }, number = 0;
    struct count count = { 0, 0 };
    struct hx_event event;
    for (;;) {
        enum hx_status status = receive(hx_after(LONG_NS), &event, &number);
        NEED(status == HX_OK || status == HX_ERR_NO_DATA);
        count.lost += event.lost;
        if (status == HX_OK && number == LAST) {
            return count;
        }
        if (status == HX_OK) {
            NEED((number & 0xffff) >= next[number >> 16]);
            next[number >> 16] = (number & 0xffff) + 1;
            count.got++;
        }
        if (slow_every != 0 && count.got % slow_every == 0) {
            sched_yield();
        }
    }
}

static void tell_count(struct hx_end *us, struct count count) {
    const struct hx_slot message = hx_message(9, &count, sizeof(count));
    NEED(hx_end_send_all(us, &message, 1, hx_after(LONG_NS)) == HX_OK);
}

static struct count hear_count(struct hx_end *end) {
    struct count count = { 0, 0 };
    struct hx_slot message;
    uint32_t received = 0;
    NEED(hx_end_receive(end, &message, 1, hx_after(LONG_NS), &received) == HX_OK);
    NEED(message.kind == 9);
    memcpy(&count, message.data, sizeof(count));
    return count;
}

static void reliable_subscriber(struct hx_end *us, handle_t given) {
    struct user mine = use(given, &bus_wire);
    listen(&mine, 16, true, "news/**");
    say(us, 1);
    tell_count(us, count_all(3));
    hx_inlet_close(&inlet);
    hx_client_close(mine.client);
}

static void quick_subscriber(struct hx_end *us, handle_t given) {
    struct user mine = use(given, &bus_wire);
    listen(&mine, 256, false, "news/*");
    say(us, 1);
    tell_count(us, count_all(0));
    hx_inlet_close(&inlet);
    hx_client_close(mine.client);
}

// Takes nothing until it is told to, and wakes the bus once for nothing.
static void slow_subscriber(struct hx_end *us, handle_t given) {
    struct user mine = use(given, &bus_wire);
    listen(&mine, 8, false, "news/*");
    say(us, 1);
    SAME(hear(us), 2);
    NEED(hx_channel_notify(inlet.end.handle, HX_STATE_WRITABLE) == HX_OK);
    SAME(bus->unsubscribe(mine.self, "none"), HX_ERR_NOT_FOUND); // it has looked
    struct count count = { 0, 0 };
    struct hx_event event;
    uint32_t number = 0;
    do { // what was lost last is told when there is room, though no event comes
        enum hx_status status = receive(hx_after(LONG_NS), &event, &number);
        NEED(status == HX_OK || status == HX_ERR_NO_DATA);
        count.got += status == HX_OK;
        count.lost += event.lost;
    } while (count.got + count.lost < 2 * EACH);
    NEED(bus->unsubscribe(mine.self, "news/*") == HX_OK);
    tell_count(us, count);
    SAME(hear(us), 3);
    hx_inlet_close(&inlet);
    hx_client_close(mine.client);
}

// ---- who publishes

static uint32_t rooms;

static void room(void *client) {
    (void)client;
    rooms++;
}

static const struct bus_events events = { .room = room };

// Publishes for certain: waits for room as often as it must.
static void publish_surely(struct user *user, void *topic, uint32_t number) {
    uint32_t receivers;
    enum hx_status status;
    while ((status = publish(topic, number, &receivers)) == HX_ERR_WOULD_BLOCK) {
        status = hx_client_events(user->client, hx_after(LONG_NS));
        NEED(status == HX_OK);
    }
    NEED(status == HX_OK);
}

static void publisher(struct hx_end *us, handle_t given) {
    struct user mine = use(given, &bus_wire);
    NEED(bus->attach(mine.self, &events, NULL) == HX_OK);
    void *topic = declare(&mine, "news/of/one");
    const uint32_t kind = hear(us);
    for (uint32_t i = 0; i < EACH; i++) {
        publish_surely(&mine, topic, kind << 16 | i);
    }
    say(us, 2);
    SAME(hear(us), 3);
    hx_client_close(mine.client);
}

// Two publishers at once, and one who relies on the bus: everything arrives, in each one's order.
static void reliable(void) {
    struct hall halls[2];
    begin();
    void *topic = declare(&root, "news/end");
    NEED(bus->attach(root.self, &events, NULL) == HX_OK);
    struct hall hall =
        child(reliable_subscriber, connection(BUS_MAY_SUBSCRIBE | BUS_MAY_RELY, "**", "none"));
    SAME(hear(&hall.end), 1);
    for (uint16_t i = 0; i < 2; i++) {
        halls[i] = child(publisher, connection(BUS_MAY_PUBLISH, "none", "news/**"));
    }
    say(&halls[0].end, 0);
    say(&halls[1].end, 1);
    SAME(hear(&halls[0].end), 2);
    SAME(hear(&halls[1].end), 2);
    publish_surely(&root, topic, LAST);
    const struct count count = hear_count(&hall.end);
    SAME(count.got, 2 * EACH);
    SAME(count.lost, 0);
    for (uint16_t i = 0; i < 2; i++) {
        say(&halls[i].end, 3);
        ended(halls[i].pid);
        hx_end_close(&halls[i].end);
    }
    ended(hall.pid);
    hx_end_close(&hall.end);
    end();
}

// One who is quick and one who takes nothing: what they got and what they were told that they lost
// is, together, what was published.
static void losses(void) {
    uint32_t receivers;
    begin();
    void *topic = declare(&root, "news/x");
    struct hall quick = child(quick_subscriber, connection(BUS_MAY_SUBSCRIBE, "news/*", "none"));
    struct hall slow = child(slow_subscriber, connection(BUS_MAY_SUBSCRIBE, "news/*", "none"));
    SAME(hear(&quick.end), 1);
    SAME(hear(&slow.end), 1);
    for (uint32_t i = 0; i < 2 * EACH; i++) {
        NEED(publish(topic, i, &receivers) == HX_OK); // never held up
        NEED(receivers <= 2);
    }
    say(&slow.end, 2);
    const struct count of_slow = hear_count(&slow.end);
    CHECK(of_slow.got <= 8 && of_slow.got + of_slow.lost == 2 * EACH);
    do { // until the quick one, who is alone now, has room for it
        NEED(publish(topic, LAST, &receivers) == HX_OK);
    } while (receivers < 1);
    const struct count of_quick = hear_count(&quick.end);
    CHECK(of_quick.got + of_quick.lost >= 2 * EACH && of_quick.got > of_slow.got);
    say(&slow.end, 3);
    ended(quick.pid);
    ended(slow.pid);
    hx_end_close(&quick.end);
    hx_end_close(&slow.end);
    end();
}

// ---- refusals

static void refusals(void) {
    handle_t handle;
    void *topic;
    uint32_t receivers;
    begin();
    struct user reader = use(connection(BUS_MAY_SUBSCRIBE, "a/**", "a/**"), &bus_wire);
    struct user writer = use(connection(BUS_MAY_PUBLISH, "a/**", "a/*"), &bus_wire);
    SAME(bus->declare(reader.self, "a/b", &topic), HX_ERR_ACCESS_DENIED);
    SAME(bus->connect(reader.self, 0, "a/b", "a/b", &handle), HX_ERR_ACCESS_DENIED);
    SAME(bus->listen(reader.self, 16, true, &handle), HX_ERR_ACCESS_DENIED); // may not rely
    SAME(bus->listen(reader.self, 3, false, &handle), HX_ERR_INVALID);
    SAME(bus->listen(reader.self, 512, false, &handle), HX_ERR_INVALID);
    SAME(bus->subscribe(reader.self, "a/b"), HX_ERR_NOT_FOUND);
    listen(&reader, 16, false, "a/*");
    SAME(bus->listen(reader.self, 16, false, &handle), HX_ERR_EXISTS);
    SAME(bus->subscribe(reader.self, "a/*"), HX_ERR_EXISTS);
    SAME(bus->subscribe(reader.self, "b"), HX_ERR_ACCESS_DENIED);
    SAME(bus->subscribe(reader.self, "a/***"), HX_ERR_INVALID);
    SAME(bus->unsubscribe(reader.self, "a/b"), HX_ERR_NOT_FOUND);
    SAME(bus->listen(writer.self, 16, false, &handle), HX_ERR_ACCESS_DENIED);
    SAME(bus->subscribe(writer.self, "a/b"), HX_ERR_ACCESS_DENIED);
    SAME(bus->declare(writer.self, "a/b/c", &topic), HX_ERR_ACCESS_DENIED);
    SAME(bus->declare(writer.self, "a b", &topic), HX_ERR_INVALID);
    topic = declare(&writer, "a/b");
    SAME(bus->publish(topic, body, sizeof(body) + 1, &receivers), HX_ERR_INVALID);
    SAME(bus->publish(topic, body, 0, &receivers), HX_OK);
    SAME(receivers, 1);
    SAME(bus->connect(root.self, 0, "", "a", &handle), HX_ERR_INVALID);
    SAME(bus->connect(root.self, 16, "a", "a", &handle), HX_ERR_CORRUPT); // no such right
    hx_inlet_close(&inlet);
    hx_client_close(reader.client);
    hx_client_close(writer.client);
    end();
}

// As many topics as one connection may have; as many connections as there may be.
static void limits(void) {
    handle_t handles[64];
    void *topic;
    uint32_t count = 0;
    enum hx_status status;
    begin();
    while ((status = bus->declare(root.self, "t", &topic)) == HX_OK) {
        NEED(++count <= 16);
    }
    SAME(status, HX_ERR_LIMIT);
    SAME(count, 16);
    count = 0;
    while ((status = bus->connect(root.self, 0, "a", "a", &handles[count])) == HX_OK) {
        NEED(++count < 64);
    }
    SAME(status, HX_ERR_LIMIT);
    CHECK(count == 30);
    while (count != 0) {
        SAME(hx_handle_close(handles[--count]), HX_OK);
    }
    while ((status = bus->connect(root.self, 0, "a", "a", &handles[0])) == HX_ERR_LIMIT) {
    } // until the bus has seen it
    SAME(status, HX_OK);
    SAME(hx_handle_close(handles[0]), HX_OK);
    end();
}

// ---- those who break rules, and those who die

// Never takes anything, though others wait for that.
static void stubborn(struct hx_end *us, handle_t given) {
    struct user mine = use(given, &bus_wire);
    listen(&mine, 4, true, "news/**");
    say(us, 1);
    SAME(hear(us), 2); // never
}

// Says that it has taken what it was never sent.
static void lying(struct hx_end *us, handle_t given) {
    struct user mine = use(given, &bus_wire);
    listen(&mine, 4, true, "news/**");
    atomic_store(&inlet.end.in.ring->head, 12345);
    say(us, 1);
    SAME(hear(us), 2); // never
}

// Publishes without end.
static void flooding(struct hx_end *us, handle_t given) {
    struct user mine = use(given, &bus_wire);
    void *topic = declare(&mine, "noise/x");
    uint32_t receivers;
    say(us, 1);
    for (;;) {
        CHECK(publish(topic, 1, &receivers) == HX_OK);
    }
}

static void kill_it(struct hall *hall) {
    NEED(kill(hall->pid, SIGKILL) == 0);
    SAME(check_wait(hall->pid), SIGKILL);
    hx_end_close(&hall->end);
}

static void deaths(void) {
    uint32_t receivers, sent = 0;
    begin();
    void *topic = declare(&root, "news/x");
    NEED(bus->attach(root.self, &events, NULL) == HX_OK);
    struct hall noise = child(flooding, connection(BUS_MAY_PUBLISH, "none", "noise/*"));
    SAME(hear(&noise.end), 1);
    struct hall hall = child(stubborn, connection(BUS_MAY_SUBSCRIBE | BUS_MAY_RELY, "**", "none"));
    SAME(hear(&hall.end), 1);
    while (publish(topic, sent, &receivers) == HX_OK) {
        NEED(++sent <= 4);
    }
    SAME(publish(topic, 9, &receivers), HX_ERR_WOULD_BLOCK);
    kill_it(&hall);
    SAME(hx_client_events(root.client, hx_after(LONG_NS)), HX_OK); // there is room
    CHECK(rooms != 0);
    publish_surely(&root, topic, 1);
    hall = child(lying, connection(BUS_MAY_SUBSCRIBE | BUS_MAY_RELY, "**", "none"));
    SAME(hear(&hall.end), 1);
    for (uint32_t i = 0; i < 20; i++) {
        SAME(publish(topic, i, &receivers), HX_OK); // it holds up nobody
    }
    kill_it(&hall);
    kill_it(&noise);
    end();
}

static const struct check_case cases[] = {
    CASE(reliable), CASE(losses), CASE(refusals), CASE(limits), CASE(deaths),
};
CHECK_MAIN(cases)
