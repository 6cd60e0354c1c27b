// SPDX-License-Identifier: MIT OR Apache-2.0
// tests/native/router.c: services by name, between processes: both ways to be a service, each
// refusal, classes, slow, dying, lying and flooding clients and services.
// LIMIT: 240
#include "services.h"

#define ALL (ROUTER_MAY_OPEN | ROUTER_MAY_PROVIDE | ROUTER_MAY_CONNECT)

static struct user root;
static handle_t process;

static void begin(void) {
    process = start("/sbin/router", &router_wire, &root);
}

static void end(void) {
    stop(process, &root);
}

static handle_t connection(uint32_t may, const char *scope, uint32_t best) {
    handle_t handle = 0;
    NEED(router->connect(root.self, may, scope, best, &handle) == HX_OK);
    return handle;
}

static handle_t open_as(struct user *user, const char *name, uint32_t class) {
    handle_t handle = 0;
    NEED(router->open(user->self, name, class, &handle) == HX_OK);
    return handle;
}

// ---- a service of messages: gives back what it is sent, and how many it served before

#define COUNT_MAX 64u

static struct hx_loop loop;
static struct hx_peer peers[COUNT_MAX];

static void loop_begin(handle_t listener) {
    struct hx_peer *peer;
    hx_loop_init(&loop, peers, COUNT_MAX);
    NEED(hx_loop_add(&loop, listener, HX_CLASS_CRITICAL, HX_LISTEN_MESSAGES, &peer) == HX_OK);
}

// Until `us` has gone.
static void echo(struct hx_end *us, handle_t given) {
    struct user mine = use(given, &router_wire);
    struct hx_peer *peer, *parent;
    struct hx_turn turn;
    handle_t listener;
    NEED(router->provide(mine.self, "test/echo", ROUTER_CLASS_CRITICAL, &listener) == HX_OK);
    loop_begin(listener);
    hx_client_close(mine.client); // a name does not need the connection
    say(us, 1);
    NEED(hx_loop_add(&loop, us->handle, HX_CLASS_CRITICAL, HX_LISTEN_NOT, &parent) == HX_OK);
    while (hx_loop_next(&loop, TIME_NEVER, &turn) == HX_OK && turn.peer != parent) {
        if (turn.kind == HX_TURN_CLOSED) {
            hx_loop_remove(turn.peer);
        } else if (turn.peer == &peers[0]) {
            HX_IGNORE(hx_loop_accept(&loop, &turn, HX_LISTEN_REQUESTS, &peer)); // it sees that
        } else {
            hx_loop_answer(turn.peer, &turn.message);
        }
    }
}

static bool is_echoed(struct hx_end *service, uint64_t number) {
    const struct hx_slot message = hx_message(9, &number, sizeof(number));
    struct hx_slot answer;
    return hx_end_call(service, &message, &answer, hx_after(LONG_NS)) == HX_OK &&
           answer.kind == 9 && memcmp(answer.data, &number, sizeof(number)) == 0;
}

static void messages(void) {
    struct hx_end service, second;
    handle_t handle;
    begin();
    SAME(router->open(root.self, "test/echo", ROUTER_CLASS_NORMAL, &handle), HX_ERR_NOT_FOUND);
    struct hall hall = child(echo, connection(ROUTER_MAY_PROVIDE, "test/*", 0));
    SAME(hear(&hall.end), 1);
    SAME(router->provide(root.self, "test/echo", 0, &handle), HX_ERR_EXISTS);
    NEED(hx_end_open(&service, open_as(&root, "test/echo", ROUTER_CLASS_NORMAL)) == HX_OK);
    NEED(hx_end_open(&second, open_as(&root, "test/echo", ROUTER_CLASS_BACKGROUND)) == HX_OK);
    for (uint64_t i = 0; i < 200; i++) {
        NEED(is_echoed(&service, i) && is_echoed(&second, ~i));
    }
    hx_end_close(&second);
    NEED(is_echoed(&service, 5));
    NEED(kill(hall.pid, SIGKILL) == 0);
    SAME(check_wait(hall.pid), SIGKILL);
    CHECK(!is_echoed(&service, 6));
    hx_end_close(&service);
    enum hx_status status;
    do { // the listener is seen to be gone some time later; until then it takes as many as fit
        status = router->open(root.self, "test/echo", ROUTER_CLASS_NORMAL, &handle);
    } while (status == HX_ERR_WOULD_BLOCK || (status == HX_OK && hx_handle_close(handle) == HX_OK));
    SAME(status, HX_ERR_NOT_FOUND);
    SAME(router->provide(root.self, "test/echo", 0, &handle), HX_OK); // its name is free
    SAME(hx_handle_close(handle), HX_OK);
    hx_end_close(&hall.end);
    end();
}

// ---- a service that is a port: a router behind the router

static enum hx_status inner_open(void *self, const char *name, uint32_t class, handle_t *out) {
    (void)self;
    (void)out;
    return strcmp(name, "b") == 0 && class == ROUTER_CLASS_NORMAL ? HX_ERR_WOULD_BLOCK
                                                                  : HX_ERR_NOT_FOUND;
}

static enum hx_status inner_provide(void *self, const char *name, uint32_t best, handle_t *out) {
    (void)self;
    (void)name;
    (void)best;
    (void)out;
    return HX_ERR_EXISTS;
}

static enum hx_status inner_connect(void *self, uint32_t may, const char *scope, uint32_t best,
                                    handle_t *out) {
    (void)may;
    (void)scope;
    (void)best;
    (void)out;
    hx_server_stop(self);
    return HX_ERR_NO_MEMORY;
}

static void inner(struct hx_end *us, handle_t given) {
    static const struct router_ops ops = { inner_provide, inner_open, inner_connect };
    struct user mine = use(given, &router_wire);
    struct hx_server *server;
    handle_t listener;
    NEED(router->provide(mine.self, "port", ROUTER_CLASS_CRITICAL, &listener) == HX_OK);
    NEED(hx_server_create(&server) == HX_OK);
    const struct hx_service service = {
        .port = &router_wire, .ops = &ops, .self = server, .rights = HX_RIGHTS_ALL
    };
    NEED(hx_server_listen(server, listener, &service) == HX_OK);
    say(us, 1);
    SAME(hx_server_run(server, TIME_NEVER), HX_OK);
    hx_server_destroy(server);
    hx_client_close(mine.client);
}

static void port(void) {
    handle_t handle;
    begin();
    struct hall hall = child(inner, connection(ALL, "**", 0));
    SAME(hear(&hall.end), 1);
    struct user one = use(open_as(&root, "port", ROUTER_CLASS_NORMAL), &router_wire);
    struct user two = use(open_as(&root, "port", ROUTER_CLASS_BACKGROUND), &router_wire);
    SAME(router->open(one.self, "b", ROUTER_CLASS_NORMAL, &handle), HX_ERR_WOULD_BLOCK);
    SAME(router->open(two.self, "b", ROUTER_CLASS_CRITICAL, &handle), HX_ERR_NOT_FOUND);
    SAME(router->provide(two.self, "b", ROUTER_CLASS_CRITICAL, &handle), HX_ERR_EXISTS);
    SAME(router->connect(one.self, 0, "b", 0, &handle), HX_ERR_NO_MEMORY); // ends it
    ended(hall.pid);
    SAME(router->open(two.self, "b", ROUTER_CLASS_CRITICAL, &handle), HX_ERR_PEER_DIED);
    hx_client_close(one.client);
    hx_client_close(two.client);
    hx_end_close(&hall.end);
    end();
}

// ---- refusals

static void refusals(void) {
    handle_t handle, listener;
    begin();
    struct user weak = use(connection(ROUTER_MAY_OPEN, "a/*", ROUTER_CLASS_NORMAL), &router_wire);
    struct user strong = use(connection(ALL, "a/**", ROUTER_CLASS_CRITICAL), &router_wire);
    SAME(router->provide(strong.self, "a/b", ROUTER_CLASS_NORMAL, &listener), HX_OK);
    SAME(router->provide(strong.self, "a/b", ROUTER_CLASS_NORMAL, &handle), HX_ERR_EXISTS);
    SAME(router->provide(strong.self, "b", ROUTER_CLASS_NORMAL, &handle), HX_ERR_ACCESS_DENIED);
    SAME(router->provide(strong.self, "a//b", ROUTER_CLASS_NORMAL, &handle), HX_ERR_INVALID);
    SAME(router->provide(strong.self, "a/c", 7, &handle), HX_ERR_CORRUPT); // no such class
    SAME(router->provide(weak.self, "a/c", ROUTER_CLASS_NORMAL, &handle), HX_ERR_ACCESS_DENIED);
    SAME(router->connect(weak.self, 0, "a/c", ROUTER_CLASS_NORMAL, &handle), HX_ERR_ACCESS_DENIED);
    SAME(router->connect(strong.self, 0, "**", ROUTER_CLASS_NORMAL, &handle), HX_ERR_ACCESS_DENIED);
    SAME(router->open(weak.self, "a/b", ROUTER_CLASS_CRITICAL, &handle), HX_ERR_ACCESS_DENIED);
    SAME(router->open(strong.self, "a/b", ROUTER_CLASS_CRITICAL, &handle), HX_ERR_ACCESS_DENIED);
    SAME(router->open(weak.self, "a/c", ROUTER_CLASS_NORMAL, &handle), HX_ERR_NOT_FOUND);
    SAME(router->open(weak.self, "a/b/c", ROUTER_CLASS_NORMAL, &handle), HX_ERR_ACCESS_DENIED);
    SAME(router->open(weak.self, "a/*", ROUTER_CLASS_NORMAL, &handle), HX_ERR_INVALID);
    SAME(router->open(weak.self, "a/b", ROUTER_CLASS_NORMAL, &handle), HX_OK);
    SAME(hx_handle_close(handle), HX_OK);
    SAME(hx_handle_close(listener), HX_OK);
    hx_client_close(weak.client);
    hx_client_close(strong.client);
    end();
}

// A service that takes nobody; a connection that does nothing; as many as there may be.
static void limits(void) {
    handle_t handles[80], listener, handle;
    uint32_t count = 0;
    enum hx_status status;
    begin();
    SAME(router->provide(root.self, "slow", ROUTER_CLASS_CRITICAL, &listener), HX_OK);
    while ((status = router->open(root.self, "slow", 1, &handles[count])) == HX_OK) {
        NEED(++count <= ROUTER_SLOTS);
    }
    SAME(status, HX_ERR_WOULD_BLOCK);
    SAME(count, ROUTER_SLOTS);
    SAME(hx_handle_close(listener), HX_OK);
    for (uint32_t i = 0; i < count; i++) { // those who were on their way are let go
        uint32_t state = 0;
        SAME(hx_wait_one(handles[i], HX_STATE_CLOSED, hx_after(LONG_NS), &state), HX_OK);
        SAME(hx_handle_close(handles[i]), HX_OK);
    }
    count = 0;
    while ((status = router->connect(root.self, 0, "a", 0, &handles[count])) == HX_OK) {
        NEED(++count < 80);
    }
    SAME(status, HX_ERR_LIMIT);
    CHECK(count > 50);
    SAME(hx_handle_close(handles[--count]), HX_OK); // its place is found again
    while ((status = router->connect(root.self, 0, "a", 0, &handle)) == HX_ERR_LIMIT) {
    }
    SAME(status, HX_OK);
    SAME(hx_handle_close(handle), HX_OK);
    while (count != 0) {
        SAME(hx_handle_close(handles[--count]), HX_OK);
    }
    end();
}

// ---- classes

#define CLIENTS 6u
#define SENT    2000u // by each client

static void take_one(struct hx_turn *turn, uint32_t taken[COUNT_MAX]) {
    uint32_t number;
    NEED(hx_loop_next(&loop, hx_after(LONG_NS), turn) == HX_OK);
    NEED(turn->kind == HX_TURN_MESSAGE);
    memcpy(&number, turn->message.data, sizeof(number));
    NEED(number == taken[turn->peer - peers]++); // in their order
}

// All rings are full and nobody adds to them: the order is that of <libhelix/pick.h>, and those of
// a class are served alike.
static void take_in_order(uint32_t taken[COUNT_MAX]) {
    uint32_t left[HX_CLASSES] = { 2 * ROUTER_SLOTS, 2 * ROUTER_SLOTS, 2 * ROUTER_SLOTS };
    struct hx_picker picker = { 0 };
    struct hx_turn turn;
    for (uint32_t i = 0; i < CLIENTS * ROUTER_SLOTS; i++) {
        const uint32_t waiting =
            (uint32_t)((left[0] != 0) | (left[1] != 0) << 1 | (left[2] != 0) << 2);
        take_one(&turn, taken);
        NEED(turn.peer->class == hx_pick(&picker, waiting));
        left[turn.peer->class]--;
        for (uint32_t class = 0; class < HX_CLASSES; class ++) {
            const uint32_t one = taken[1 + 2 * class], other = taken[2 + 2 * class];
            NEED(one - other + 1 <= 2);
        }
    }
}

// Takes everything of six clients, two of each class.
static void counting(struct hx_end *us, handle_t given) {
    struct user mine = use(given, &router_wire);
    uint32_t taken[COUNT_MAX] = { 0 };
    struct hx_peer *peer;
    struct hx_turn turn;
    handle_t listener;
    NEED(router->provide(mine.self, "count", ROUTER_CLASS_CRITICAL, &listener) == HX_OK);
    loop_begin(listener);
    say(us, 1);
    for (uint32_t i = 0; i < CLIENTS; i++) {
        NEED(hx_loop_next(&loop, hx_after(LONG_NS), &turn) == HX_OK && turn.peer == peers);
        NEED(hx_loop_accept(&loop, &turn, HX_LISTEN_MESSAGES, &peer) == HX_OK);
        NEED(peer == &peers[1 + i]);
    }
    say(us, 2);
    SAME(hear(us), 3);
    take_in_order(taken);
    say(us, 4);
    for (uint32_t i = CLIENTS * ROUTER_SLOTS; i < CLIENTS * SENT; i++) {
        take_one(&turn, taken);
    }
    SAME(hear(us), 5);
    hx_client_close(mine.client);
}

static struct hx_slot numbered(uint32_t number) {
    return hx_message(1, &number, sizeof(number));
}

// Sends as fast as it can: is told at once that it is too fast, or waits.
static void flood(struct hx_end *us, handle_t given) {
    struct hx_end service;
    uint32_t number = 0, sent;
    struct hx_slot message = numbered(0);
    NEED(hx_end_open(&service, given) == HX_OK);
    SAME(hear(us), 1);
    while (hx_end_send(&service, &message, 1, 0, &sent) == HX_OK) {
        message = numbered(++number);
    }
    SAME(number, ROUTER_SLOTS);
    say(us, 2);
    SAME(hear(us), 3);
    for (; number < SENT; number++) {
        message = numbered(number);
        NEED(hx_end_send_all(&service, &message, 1, hx_after(LONG_NS)) == HX_OK);
    }
    say(us, 4);
    SAME(hear(us), 5);
    hx_end_close(&service);
}

static void tell_all(struct hall halls[CLIENTS], uint16_t kind) {
    for (uint32_t i = 0; i < CLIENTS; i++) {
        say(&halls[i].end, kind);
    }
}

static void hear_all(struct hall halls[CLIENTS], uint16_t kind) {
    for (uint32_t i = 0; i < CLIENTS; i++) {
        SAME(hear(&halls[i].end), kind);
    }
}

static void classes(void) {
    struct hall halls[CLIENTS];
    begin();
    struct hall hall = child(counting, connection(ALL, "**", 0));
    SAME(hear(&hall.end), 1);
    for (uint32_t i = 0; i < CLIENTS; i++) {
        halls[i] = child(flood, open_as(&root, "count", i / 2));
    }
    SAME(hear(&hall.end), 2);
    tell_all(halls, 1);
    hear_all(halls, 2); // all rings are full
    say(&hall.end, 3);
    SAME(hear(&hall.end), 4);
    tell_all(halls, 3);
    hear_all(halls, 4); // nobody starved
    say(&hall.end, 5);
    ended(hall.pid);
    tell_all(halls, 5);
    for (uint32_t i = 0; i < CLIENTS; i++) {
        ended(halls[i].pid);
        hx_end_close(&halls[i].end);
    }
    hx_end_close(&hall.end);
    end();
}

// ---- those who break rules

// Writes what no client writes, and goes on until it is cut.
static void liar(struct hx_end *us, handle_t given) {
    struct hx_end router_end;
    struct hx_slot message;
    uint32_t seed = 77, sent = 0, received;
    NEED(hx_end_open(&router_end, given) == HX_OK);
    enum hx_status status = HX_OK;
    while (status == HX_OK || status == HX_ERR_TIMED_OUT) {
        for (size_t i = 0; i < sizeof(message); i++) {
            seed = seed * 1664525u + 1013904223u;
            ((uint8_t *)&message)[i] = (uint8_t)(seed >> 24);
        }
        message.length %= HX_SLOT_BYTES + 1;
        status = hx_end_send(&router_end, &message, 1, hx_after(1000000), &sent);
    }
    SAME(status, HX_ERR_PEER_DIED);
    HX_IGNORE(hx_end_receive(&router_end, &message, 1, 0, &received)); // whatever it said
    say(us, 1);
}

// Asks without end, and takes no answer.
static void asker(struct hx_end *us, handle_t given) {
    struct user mine = use(given, &router_wire);
    handle_t handle;
    say(us, 1);
    for (;;) {
        CHECK(router->open(mine.self, "nobody", ROUTER_CLASS_CRITICAL, &handle) ==
              HX_ERR_NOT_FOUND);
    }
}

static void rules(void) {
    struct hall askers[3];
    struct hx_end service;
    begin();
    struct hall hall = child(echo, connection(ROUTER_MAY_PROVIDE, "test/*", 0));
    SAME(hear(&hall.end), 1);
    for (uint32_t i = 0; i < 3; i++) {
        askers[i] = child(asker, connection(ROUTER_MAY_OPEN, "**", 0));
        SAME(hear(&askers[i].end), 1);
    }
    for (uint32_t i = 0; i < 5; i++) {
        struct hall bad = child(liar, connection(ALL, "**", 0));
        SAME(hear(&bad.end), 1);
        ended(bad.pid);
        hx_end_close(&bad.end);
        NEED(hx_end_open(&service, open_as(&root, "test/echo", 1)) == HX_OK); // others are served
        CHECK(is_echoed(&service, i));
        hx_end_close(&service);
    }
    for (uint32_t i = 0; i < 3; i++) {
        NEED(kill(askers[i].pid, SIGKILL) == 0);
        SAME(check_wait(askers[i].pid), SIGKILL);
        hx_end_close(&askers[i].end);
    }
    hx_end_close(&hall.end); // the service ends
    ended(hall.pid);
    end();
}

static const struct check_case cases[] = {
    CASE(messages), CASE(port), CASE(refusals), CASE(limits), CASE(classes), CASE(rules),
};
CHECK_MAIN(cases)
