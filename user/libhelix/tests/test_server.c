// SPDX-License-Identifier: MIT OR Apache-2.0
// test_server.c: whose request a server of ports takes: order of classes, turns, who was silent,
// who has gone while others never stop; what it watches. The port is the router's, and its methods
// are the test's. All is counted, nothing is timed.
#include "../src/port.h"

#include "check.h"
#include "fake.h"

#include <helix/ports/router_wire.h>
#include <libhelix/server.h>

#include <string.h>

#define CLIENTS 6u
#define SLOTS   16u
#define AT_ONCE 8u // requests without an answer that a client may have

static struct hx_server *server;
static struct client {
    struct hx_end end;
    bool floods; // says more as soon as it is served
    uint32_t served, gone;
} clients[CLIENTS];
static uint32_t order[10000], turns, most;
static handle_t sleeper; // the end of a client that sleeps until it is told of its answer
static bool is_told;     // it was, while the server was still busy

// ---- clients

static void ask(struct client *client) {
    static const uint8_t body[28] = { [8] = 1, [16] = 'x' }; // open("x", CLASS_CRITICAL)
    struct wire_message message = { .method = ROUTER_METHOD_OPEN,
                                    .kind = WIRE_REQUEST,
                                    .inline_bytes = sizeof(body) };
    memcpy(message.body, body, sizeof(body));
    const struct hx_slot slot = hx_message(PORT_MESSAGE, &message, sizeof(message));
    CHECK(hx_end_send_all(&client->end, &slot, 1, 0) == HX_OK);
}

static void take_answers(struct client *client) {
    struct hx_slot slots[SLOTS];
    uint32_t received;
    while (hx_end_receive(&client->end, slots, SLOTS, 0, &received) == HX_OK) {
    }
}

static void ask_much(struct client *client) {
    for (uint32_t i = 0; i < AT_ONCE; i++) {
        ask(client);
    }
}

// ---- the server

static enum hx_status open_counted(void *self, const char *name, uint32_t class, handle_t *out) {
    struct client *client = self;
    (void)name;
    (void)class;
    (void)out;
    client->served++;
    order[turns++] = (uint32_t)(client - clients);
    if (sleeper != 0) {
        struct hx_wait_item item = { .handle = sleeper, .mask = HX_STATE_READABLE };
        uint32_t ready;
        is_told |= hx_wait(&item, 1, 0, &ready) == HX_OK;
    }
    if (client->floods) {
        take_answers(client);
        ask(client);
    }
    if (turns == most) {
        hx_server_stop(server);
    }
    return HX_ERR_NOT_FOUND;
}

static enum hx_status provide(void *self, const char *name, uint32_t best, handle_t *out) {
    (void)self;
    (void)name;
    (void)best;
    (void)out;
    return HX_ERR_EXISTS;
}

static enum hx_status connect(void *self, uint32_t may, const char *scope, uint32_t best,
                              handle_t *out) {
    (void)self;
    (void)may;
    (void)scope;
    (void)best;
    (void)out;
    return HX_ERR_NO_MEMORY;
}

static void closed(void *self, void *client) {
    (void)client;
    ((struct client *)self)->gone = turns + 1;
}

static const struct router_ops ops = { provide, open_counted, connect };

static struct hx_service service_of(struct client *client, enum hx_class class) {
    return (struct hx_service){ .port = &router_wire,
                                .ops = &ops,
                                .self = client,
                                .rights = HX_RIGHTS_ALL,
                                .class = class,
                                .closed = closed };
}

static void greet(struct client *client, handle_t end) {
    struct hx_slot hello;
    uint32_t received;
    handle_t pool;
    CHECK(hx_end_open(&client->end, end) == HX_OK);
    CHECK(hx_end_receive(&client->end, &hello, 1, 0, &received) == HX_OK);
    CHECK(hello.kind == PORT_HELLO);
    CHECK(hx_channel_receive(end, &pool) == HX_OK && hx_handle_close(pool) == HX_OK);
}

static void begin(void) {
    memset(clients, 0, sizeof(clients));
    turns = 0;
    most = 0;
    CHECK(hx_server_create(&server) == HX_OK);
    for (uint32_t i = 0; i < CLIENTS; i++) {
        handle_t ends[2];
        const struct hx_service service = service_of(&clients[i], i / 2);
        CHECK(hx_channel_create(SLOTS, ends) == HX_OK);
        CHECK(hx_server_add(server, ends[0], &service) == HX_OK);
        greet(&clients[i], ends[1]);
    }
}

static void end(void) {
    hx_server_destroy(server);
    for (uint32_t i = 0; i < CLIENTS; i++) {
        CHECK(clients[i].gone != 0);
        if (clients[i].end.handle != 0) {
            hx_end_close(&clients[i].end);
        }
    }
    CHECK(fake_handles() == 0);
}

static void run(uint32_t count) {
    most = turns + count;
    CHECK(hx_server_run(server, 0) == HX_OK);
    CHECK(turns == most);
}

// All have as much to say: the order is that of <libhelix/pick.h>, in turns within a class.
static void in_order(void) {
    struct hx_picker picker = { 0 };
    uint32_t left[HX_CLASSES] = { 2 * AT_ONCE, 2 * AT_ONCE, 2 * AT_ONCE };
    begin();
    for (uint32_t i = 0; i < CLIENTS; i++) {
        ask_much(&clients[i]);
    }
    CHECK(hx_server_run(server, 0) == HX_ERR_TIMED_OUT);
    CHECK(turns == CLIENTS * AT_ONCE);
    for (uint32_t i = 0; i < turns; i++) {
        const uint32_t waiting =
            (uint32_t)((left[0] != 0) | (left[1] != 0) << 1 | (left[2] != 0) << 2);
        const enum hx_class class = hx_pick(&picker, waiting);
        CHECK(order[i] / 2 == class);
        left[class]--;
        for (uint32_t j = i; j-- > 0;) { // the one before of this class was the other one
            if (order[j] / 2 == class) {
                CHECK(order[j] != order[i]);
                break;
            }
        }
    }
    end();
}

// Two critical clients that never stop: who was silent until then is heard within the bounds, and
// is told of the answer at once.
static void floods(void) {
    begin();
    CHECK(hx_server_run(server, 0) == HX_ERR_TIMED_OUT); // all sleep
    clients[0].floods = clients[1].floods = true;
    ask_much(&clients[0]);
    ask_much(&clients[1]);
    run(100);
    hx_consumer_sleep(&clients[4].end.in);
    CHECK(hx_channel_arm(clients[4].end.handle, HX_STATE_READABLE) == HX_OK);
    ask(&clients[4]);
    ask(&clients[2]);
    run(HX_PASSES_BACKGROUND + 1);
    CHECK(clients[2].served == 1 && clients[4].served == 1);
    ask(&clients[4]);
    sleeper = clients[4].end.handle;
    CHECK(hx_channel_arm(sleeper, HX_STATE_READABLE) == HX_OK);
    hx_consumer_awake(&clients[4].end.in);
    hx_consumer_sleep(&clients[4].end.in);
    run(HX_PASSES_BACKGROUND + 5);
    CHECK(clients[4].served == 2 && is_told);
    sleeper = 0;
    hx_consumer_awake(&clients[4].end.in);
    hx_end_close(&clients[5].end);
    run(70);
    CHECK(clients[5].gone != 0 && clients[5].gone <= turns);
    clients[0].floods = clients[1].floods = false;
    CHECK(hx_server_run(server, 0) == HX_ERR_TIMED_OUT);
    end();
}

// ---- what comes by a listener, and what is watched

static void by_listener(void) {
    handle_t listener[2], ends[2];
    struct hx_end to;
    begin();
    hx_end_close(&clients[5].end); // makes room for another one
    CHECK(hx_server_run(server, 0) == HX_ERR_TIMED_OUT);
    const struct hx_service service = service_of(&clients[5], HX_CLASS_CRITICAL);
    CHECK(hx_channel_create(SLOTS, listener) == HX_OK && hx_channel_create(SLOTS, ends) == HX_OK);
    CHECK(hx_server_listen(server, listener[0], &service) == HX_OK);
    CHECK(hx_end_open(&to, listener[1]) == HX_OK);
    const struct hx_slot message = hx_message(HX_CLASS_BACKGROUND, "", 0);
    CHECK(hx_end_send_handle(&to, &message, ends[1], 0) == HX_OK);
    CHECK(hx_server_run(server, 0) == HX_ERR_TIMED_OUT);
    greet(&clients[5], ends[0]);
    ask(&clients[5]);
    ask(&clients[3]); // normal
    turns = 0;
    CHECK(hx_server_run(server, 0) == HX_ERR_TIMED_OUT);
    CHECK(turns == 2 && order[0] == 3 && order[1] == 5);
    hx_end_close(&to);
    end();
}

static uint32_t told_states, told_count;

static void told(void *context, uint32_t states) {
    told_states |= states;
    told_count++;
    if (context != NULL && told_count == 2) {
        hx_server_unwatch(server, *(handle_t *)context);
    }
}

static void watching(void) {
    handle_t ends[2];
    begin();
    CHECK(hx_channel_create(SLOTS, ends) == HX_OK);
    CHECK(hx_server_watch(server, ends[0], HX_STATE_CLOSED, told, &ends[0]) == HX_OK);
    CHECK(hx_server_run(server, 0) == HX_ERR_TIMED_OUT && told_count == 0);
    hx_server_due(server, ends[0], HX_STATE_WRITABLE);
    CHECK(hx_server_run(server, 0) == HX_ERR_TIMED_OUT && told_count == 1);
    CHECK(told_states == HX_STATE_WRITABLE);
    clients[0].floods = true;
    ask_much(&clients[0]);
    CHECK(hx_handle_close(ends[1]) == HX_OK);
    run(70); // while a client never stops
    CHECK(told_count == 2 && (told_states & HX_STATE_CLOSED) != 0);
    run(140); // not watched any more
    CHECK(told_count == 2);
    clients[0].floods = false;
    for (uint32_t i = CLIENTS; i < HX_SERVER_CONNECTIONS; i++) {
        CHECK(hx_server_watch(server, 1000 + i, 0, told, NULL) == HX_OK);
    }
    CHECK(hx_server_watch(server, 2000, 0, told, NULL) == HX_ERR_LIMIT);
    CHECK(hx_server_watch(server, 1010, 0, told, NULL) == HX_OK); // the same again
    for (uint32_t i = CLIENTS; i < HX_SERVER_CONNECTIONS; i++) {
        hx_server_unwatch(server, 1000 + i);
    }
    CHECK(hx_handle_close(ends[0]) == HX_OK);
    end();
}

int main(void) {
    in_order();
    floods();
    by_listener();
    watching();
    return check_result();
}
