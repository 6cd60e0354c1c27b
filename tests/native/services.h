// SPDX-License-Identifier: MIT OR Apache-2.0
// tests/native/services.h: a router and a bus as processes of their own, and who uses them.
#pragma once

#include "native.h"

#include <helix/ports/bus_wire.h>
#include <helix/ports/router_wire.h>
#include <libhelix/broadcast.h>
#include <libhelix/client.h>
#include <libhelix/process.h>
#include <libhelix/server.h>
#include <libhelix/service.h>
#include <libhelix/wait.h>

// Longer than anything takes: where four processors share a busy one of the host, each sleep of a
// ring, which interrupts the others, takes up to 0.1 s.
#define LONG_NS 60000000000

static const struct router_ops *const router = &router_wire_client;
static const struct bus_ops *const bus = &bus_wire_client;

// A connection to one of the two.
struct user {
    struct hx_client *client;
    void *self;
};

static inline struct user use(handle_t end, const struct wire_port *port) {
    struct user user;
    NEED(hx_client_open(end, port, hx_after(LONG_NS), &user.client) == HX_OK);
    hx_client_limit(user.client, LONG_NS);
    user.self = hx_client_self(user.client);
    return user;
}

// Starts the program, whose first connection is the user's.
static inline handle_t start(const char *path, const struct wire_port *port, struct user *out) {
    static const int32_t descriptors[] = { 0, 1, 2 };
    const char *const arguments[] = { path, NULL };
    handle_t ends[2], process;
    NEED(hx_channel_create(16, ends) == HX_OK);
    NEED(hx_spawn(path, arguments, descriptors, 3, ends[1], &process) == HX_OK);
    *out = use(ends[0], port);
    return process;
}

// The last connection goes, so it ends.
static inline void stop(handle_t process, struct user *user) {
    int32_t status = -1;
    hx_client_close(user->client);
    SAME(hx_process_wait(process, hx_after(LONG_NS), &status), HX_OK);
    SAME(status, 0);
}

static inline void ended(pid_t pid) {
    SAME(check_wait(pid), 0);
}

// A channel on which a child says how far it is.
struct hall {
    struct hx_end end;
    pid_t pid;
};

static inline void say(struct hx_end *end, uint16_t kind) {
    const struct hx_slot message = hx_message(kind, "", 0);
    NEED(hx_end_send_all(end, &message, 1, hx_after(LONG_NS)) == HX_OK);
}

static inline uint16_t hear(struct hx_end *end) {
    struct hx_slot message;
    uint32_t received = 0;
    NEED(hx_end_receive(end, &message, 1, hx_after(LONG_NS), &received) == HX_OK);
    return message.kind;
}

static inline void give(struct hx_end *end, handle_t handle) {
    const struct hx_slot message = hx_message(1, "", 0);
    NEED(hx_end_send_handle(end, &message, handle, hx_after(LONG_NS)) == HX_OK);
}

static inline handle_t take(struct hx_end *end) {
    struct hx_slot message;
    uint32_t received = 0;
    handle_t handle = 0;
    NEED(hx_end_receive(end, &message, 1, hx_after(LONG_NS), &received) == HX_OK);
    NEED(hx_end_take_handle(end, &message, &handle) == HX_OK);
    return handle;
}

// A child that runs body() with an end to talk to us, and is given one handle through it.
static inline struct hall child(void (*body)(struct hx_end *us, handle_t given), handle_t given) {
    struct hall hall;
    handle_t ends[2];
    NEED(hx_channel_create(16, ends) == HX_OK);
    NEED(hx_handle_bequeath(ends[1]) == HX_OK);
    hall.pid = fork();
    NEED(hall.pid >= 0);
    if (hall.pid == 0) {
        struct hx_end us;
        handle_t end;
        NEED(hx_handle_given(&end) == HX_OK && hx_end_open(&us, end) == HX_OK);
        body(&us, take(&us));
        _exit(check_failures != 0);
    }
    NEED(hx_end_open(&hall.end, ends[0]) == HX_OK);
    give(&hall.end, given);
    return hall;
}
