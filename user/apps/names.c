// SPDX-License-Identifier: MIT OR Apache-2.0
// user/apps/names.c: services by name. The parent starts a router (helix.router) and a service, and
// is a client itself: it finds the service by its name, sees its death, and that its name is free.
#include "app.h"

#include <helix/ports/router_wire.h>
#include <libhelix/client.h>
#include <libhelix/service.h>

static const struct router_ops *const router = &router_wire_client;

static void *connected(handle_t end) {
    struct hx_client *client;
    NEED(hx_client_open(end, &router_wire, TIME_NEVER, &client));
    return hx_client_self(client);
}

// ---- a service: gives back what it is sent, in capital letters

static void to_upper(struct hx_slot *message) {
    for (uint32_t i = 0; i < message->length; i++) {
        const uint8_t c = message->data[i];
        message->data[i] = c >= 'a' && c <= 'z' ? (uint8_t)(c - 'a' + 'A') : c;
    }
}

static _Noreturn void upper(void) {
    static struct hx_peer peers[8];
    struct hx_peer *listener, *client;
    struct hx_end parent;
    struct hx_loop loop;
    struct hx_turn turn;
    handle_t clients;
    app_parent(&parent);
    NEED(router->provide(connected(app_receive_handle(&parent)), "upper", ROUTER_CLASS_NORMAL,
                         &clients));
    hx_loop_init(&loop, peers, 8);
    NEED(hx_loop_add(&loop, clients, HX_CLASS_CRITICAL, HX_LISTEN_MESSAGES, &listener));
    app_send(&parent, 1, "", 0);
    for (;;) { // until it is killed
        NEED(hx_loop_next(&loop, TIME_NEVER, &turn));
        if (turn.kind == HX_TURN_CLOSED) {
            hx_loop_remove(turn.peer);
        } else if (turn.peer == listener) {
            NEED(hx_loop_accept(&loop, &turn, HX_LISTEN_REQUESTS, &client));
        } else {
            to_upper(&turn.message);
            hx_loop_answer(turn.peer, &turn.message);
        }
    }
}

// ---- the parent, which is a client itself

// The router, whose first connection is ours.
static handle_t start_router(struct hx_client **out_client) {
    static const int32_t descriptors[] = { 0, 1, 2 };
    const char *const arguments[] = { "router", NULL };
    handle_t ends[2] = { 0 }, process = 0;
    NEED(hx_channel_create(16, ends));
    NEED(hx_spawn("/sbin/router", arguments, descriptors, 3, ends[1], &process));
    NEED(hx_client_open(ends[0], &router_wire, TIME_NEVER, out_client));
    return process;
}

int main(int argc, char **argv) {
    (void)argv;
    if (argc > 1) {
        upper();
    }
    struct hx_client *client;
    struct hx_end worker, service;
    struct hx_slot message = hx_message(1, "found by name", 13);
    uint32_t n = 0;
    handle_t end = 0;
    const handle_t router_process = start_router(&client);
    void *root = hx_client_self(client);
    const handle_t process = app_start("upper", &worker);
    ALWAYS(router->open(root, "upper", ROUTER_CLASS_NORMAL, &end) == HX_ERR_NOT_FOUND); // not yet
    NEED(router->connect(root, ROUTER_MAY_PROVIDE, "upper", ROUTER_CLASS_NORMAL, &end));
    app_send_handle(&worker, 1, end); // it may provide that name, and nothing else
    ALWAYS(app_receive(&worker).kind == 1);
    ALWAYS(router->provide(root, "upper", ROUTER_CLASS_NORMAL, &end) == HX_ERR_EXISTS);
    NEED(router->open(root, "upper", ROUTER_CLASS_NORMAL, &end));
    NEED(hx_end_open(&service, end));
    NEED(hx_end_call(&service, &message, &message, TIME_NEVER));
    ALWAYS(message.length == 13 && memcmp(message.data, "FOUND BY NAME", 13) == 0);
    NEED(hx_process_kill(process)); // its clients see it, and its name is free
    ALWAYS(hx_end_receive(&service, &message, 1, TIME_NEVER, &n) == HX_ERR_PEER_DIED);
    ALWAYS(app_end(process) == 9);
    enum hx_status status;
    do { // the router sees it some time later
        status = router->provide(root, "upper", ROUTER_CLASS_NORMAL, &end);
    } while (status == HX_ERR_EXISTS);
    NEED(status);
    NEED(hx_handle_close(end));
    hx_client_close(client); // the last one
    ALWAYS(app_end(router_process) == 0);
    printf("found by name, and gone\n");
    return 0;
}
