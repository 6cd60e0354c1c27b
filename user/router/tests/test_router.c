// SPDX-License-Identifier: MIT OR Apache-2.0
// test_router.c: the router's table, called directly: each refusal, names that are lost, limits,
// and each allocation failing.
#include "../router.h"

#include "check.h"
#include "fake.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ALL (ROUTER_MAY_OPEN | ROUTER_MAY_PROVIDE | ROUTER_MAY_CONNECT)

static struct router router;
static struct router_client *root;
static struct router_client *admitted; // by the last connect()
static handle_t admitted_end;
static enum hx_status refuses;

static enum hx_status admit(void *context, handle_t end, struct router_client *client) {
    CHECK(context == &router);
    if (refuses == HX_OK) {
        admitted = client;
        admitted_end = end;
    }
    return refuses;
}

static void begin(void) {
    memset(&router, 0, sizeof(router));
    router_init(&router, admit, &router);
    CHECK(router_client_make(&router, ALL, "**", ROUTER_CLASS_CRITICAL, &root) == HX_OK);
}

// Everything goes, and nothing is left.
static void end(void) {
    for (uint32_t i = 0; i < ROUTER_SERVICES; i++) {
        if (router.services[i].name[0] != '\0') {
            hx_end_close(&router.services[i].listener);
        }
    }
    CHECK(fake_handles() == 0);
}

static enum hx_status provide(struct router_client *client, const char *name, struct hx_end *out) {
    handle_t listener;
    enum hx_status status = router_ops.provide(client, name, ROUTER_CLASS_NORMAL, &listener);
    if (status == HX_OK) {
        CHECK(hx_end_open(out, listener) == HX_OK);
    }
    return status;
}

static enum hx_status open_normal(struct router_client *client, const char *name, handle_t *out) {
    return router_ops.open(client, name, ROUTER_CLASS_NORMAL, out);
}

// The client that a listener was told of, and its class.
static uint32_t accept(struct hx_end *listener, struct hx_end *out) {
    struct hx_slot message;
    handle_t handle = 0;
    uint32_t received = 0;
    CHECK(hx_end_receive(listener, &message, 1, 0, &received) == HX_OK);
    CHECK(hx_end_take_handle(listener, &message, &handle) == HX_OK);
    CHECK(hx_end_open(out, handle) == HX_OK);
    return message.kind;
}

static void together(void) {
    const struct hx_slot hello = hx_message(3, "hello", 5);
    struct hx_end listener, service, client;
    struct hx_slot got;
    handle_t handle;
    uint32_t received = 0;
    begin();
    CHECK(provide(root, "helix.block/vda", &listener) == HX_OK);
    CHECK(router_ops.open(root, "helix.block/vda", ROUTER_CLASS_BACKGROUND, &handle) == HX_OK);
    CHECK(hx_end_open(&client, handle) == HX_OK);
    CHECK(accept(&listener, &service) == ROUTER_CLASS_BACKGROUND);
    CHECK(hx_end_send_all(&client, &hello, 1, 0) == HX_OK);
    CHECK(hx_end_receive(&service, &got, 1, 0, &received) == HX_OK && got.kind == 3);
    hx_end_close(&service);
    CHECK(hx_end_receive(&client, &got, 1, 0, &received) == HX_ERR_PEER_DIED);
    hx_end_close(&client);
    hx_end_close(&listener);
    end();
}

static void refusals(void) {
    struct hx_end listener, other;
    struct router_client *weak = NULL;
    struct router_ops bound;
    handle_t handle;
    begin();
    CHECK(router_client_make(&router, 0, "a//b", 0, &weak) == HX_ERR_INVALID);
    CHECK(router_client_make(&router, ROUTER_MAY_OPEN, "disk/*", ROUTER_CLASS_NORMAL, &weak) ==
          HX_OK);
    CHECK(provide(root, "disk/a", &listener) == HX_OK);
    CHECK(provide(root, "disk/a", &other) == HX_ERR_EXISTS);
    CHECK(provide(root, "disk/*", &other) == HX_ERR_INVALID);
    CHECK(provide(root, "", &other) == HX_ERR_INVALID);
    CHECK(provide(weak, "net/a", &other) == HX_ERR_ACCESS_DENIED); // not within its scope
    CHECK(router_ops.provide(weak, "disk/b", ROUTER_CLASS_CRITICAL, &handle) ==
          HX_ERR_ACCESS_DENIED);
    CHECK(router_ops.provide(root, "disk/b", 3, &handle) == HX_ERR_INVALID);
    CHECK(open_normal(root, "disk/", &handle) == HX_ERR_INVALID);
    CHECK(open_normal(root, "disk/b", &handle) == HX_ERR_NOT_FOUND);
    CHECK(open_normal(weak, "net/a", &handle) == HX_ERR_ACCESS_DENIED);
    CHECK(router_ops.open(root, "disk/a", ROUTER_CLASS_CRITICAL, &handle) ==
          HX_ERR_ACCESS_DENIED); // the service takes normal clients at best
    CHECK(router_ops.open(weak, "disk/a", ROUTER_CLASS_CRITICAL, &handle) == HX_ERR_ACCESS_DENIED);
    CHECK(router_ops.open(weak, "disk/a", 3, &handle) == HX_ERR_INVALID);
    // What a connection may not do at all, its table refuses.
    CHECK(router_bind(&bound, &router_ops, router_rights(weak->may)) == HX_OK);
    CHECK(bound.provide(weak, "disk/c", ROUTER_CLASS_NORMAL, &handle) == HX_ERR_ACCESS_DENIED);
    CHECK(bound.connect(weak, 0, "disk/*", ROUTER_CLASS_NORMAL, &handle) == HX_ERR_ACCESS_DENIED);
    CHECK(router_bind(&bound, &router_ops, router_rights(ROUTER_MAY_PROVIDE)) == HX_OK);
    CHECK(bound.open(root, "disk/a", ROUTER_CLASS_NORMAL, &handle) == HX_ERR_ACCESS_DENIED);
    CHECK(router_rights(ALL) == (HX_RIGHT_READ | HX_RIGHT_CREATE | HX_RIGHT_DELEGATE));
    hx_end_close(&listener);
    end();
}

static void connections(void) {
    struct router_client *half = NULL;
    handle_t handle, ignored;
    begin();
    CHECK(router_client_make(&router, ROUTER_MAY_OPEN | ROUTER_MAY_CONNECT, "disk/**",
                             ROUTER_CLASS_NORMAL, &half) == HX_OK);
    CHECK(router_ops.connect(half, ALL, "disk/**", ROUTER_CLASS_NORMAL, &handle) ==
          HX_ERR_ACCESS_DENIED);
    CHECK(router_ops.connect(half, 0, "**", ROUTER_CLASS_NORMAL, &handle) == HX_ERR_ACCESS_DENIED);
    CHECK(router_ops.connect(half, 0, "disk/*", ROUTER_CLASS_CRITICAL, &handle) ==
          HX_ERR_ACCESS_DENIED);
    CHECK(router_ops.connect(half, 0, "disk//", ROUTER_CLASS_NORMAL, &handle) == HX_ERR_INVALID);
    CHECK(router_ops.connect(half, 0, "disk/*", 3, &handle) == HX_ERR_INVALID);
    CHECK(router_ops.connect(half, ROUTER_MAY_OPEN, "disk/*", ROUTER_CLASS_BACKGROUND, &handle) ==
          HX_OK);
    CHECK(admitted->may == ROUTER_MAY_OPEN && strcmp(admitted->scope, "disk/*") == 0);
    CHECK(admitted->best == ROUTER_CLASS_BACKGROUND);
    CHECK(open_normal(admitted, "disk/a", &ignored) == HX_ERR_ACCESS_DENIED);
    CHECK(hx_handle_close(handle) == HX_OK && hx_handle_close(admitted_end) == HX_OK);
    router_client_gone(admitted);
    CHECK(admitted->router == NULL);
    refuses = HX_ERR_LIMIT; // by who serves it: nothing stays
    CHECK(router_ops.connect(half, 0, "disk/*", ROUTER_CLASS_NORMAL, &handle) == HX_ERR_LIMIT);
    refuses = HX_ERR_REVOKED;
    CHECK(router_ops.connect(half, 0, "disk/*", ROUTER_CLASS_NORMAL, &handle) == HX_ERR_NO_MEMORY);
    refuses = HX_OK;
    CHECK(fake_handles() == 0);
    uint32_t made = 0;
    enum hx_status status = HX_OK;
    while (made <= ROUTER_CLIENTS && status == HX_OK) {
        status = router_client_make(&router, 0, "a", 0, &half);
        made += status == HX_OK;
    }
    CHECK(status == HX_ERR_LIMIT && made == ROUTER_CLIENTS - 2);
    CHECK(router_ops.connect(root, 0, "a", 0, &handle) == HX_ERR_LIMIT);
    end();
}

// A service that closes its listener, or lies there, has lost its name.
static void losing_names(void) {
    struct hx_end listener, again;
    handle_t handle;
    begin();
    CHECK(provide(root, "a", &listener) == HX_OK);
    hx_end_close(&listener);
    CHECK(open_normal(root, "a", &handle) == HX_ERR_NOT_FOUND);
    CHECK(provide(root, "a", &listener) == HX_OK);
    hx_end_close(&listener);
    CHECK(provide(root, "a", &listener) == HX_OK); // nobody had noticed
    CHECK(provide(root, "a", &again) == HX_ERR_EXISTS);
    for (uint32_t i = 0; i < ROUTER_SLOTS; i++) { // each message of these is let go
        CHECK(open_normal(root, "a", &handle) == HX_OK && hx_handle_close(handle) == HX_OK);
    }
    atomic_store(&listener.in.ring->head, 1000);
    CHECK(open_normal(root, "a", &handle) == HX_ERR_NOT_FOUND);
    CHECK(provide(root, "a", &again) == HX_OK);
    hx_end_close(&again);
    hx_end_close(&listener);
    end();
}

// A service that takes no clients: who comes is told, and others' services are as before.
static void slow_service(void) {
    struct hx_end slow, quick, ends[2];
    handle_t handles[ROUTER_SLOTS + 1], handle;
    begin();
    CHECK(provide(root, "slow", &slow) == HX_OK && provide(root, "quick", &quick) == HX_OK);
    for (uint32_t i = 0; i < ROUTER_SLOTS; i++) {
        CHECK(open_normal(root, "slow", &handles[i]) == HX_OK);
    }
    CHECK(open_normal(root, "slow", &handle) == HX_ERR_WOULD_BLOCK);
    CHECK(open_normal(root, "quick", &handle) == HX_OK && hx_handle_close(handle) == HX_OK);
    CHECK(accept(&quick, &ends[0]) == ROUTER_CLASS_NORMAL);
    CHECK(accept(&slow, &ends[1]) == ROUTER_CLASS_NORMAL);
    CHECK(open_normal(root, "slow", &handles[ROUTER_SLOTS]) == HX_OK);
    for (uint32_t i = 0; i <= ROUTER_SLOTS; i++) {
        CHECK(hx_handle_close(handles[i]) == HX_OK);
    }
    hx_end_close(&ends[0]);
    hx_end_close(&ends[1]);
    hx_end_close(&slow);
    hx_end_close(&quick);
    end();
}

// As many as one connection may have, and as many as there may be.
static void limits(void) {
    static struct hx_end listeners[ROUTER_SERVICES];
    struct router_client *client = NULL;
    struct hx_end other;
    char name[16];
    begin();
    for (uint32_t i = 0; i < ROUTER_SERVICES; i++) {
        if (i % ROUTER_SERVICES_EACH == 0) {
            CHECK(client == NULL || provide(client, "more", &other) == HX_ERR_LIMIT);
            CHECK(router_client_make(&router, ALL, "**", 0, &client) == HX_OK);
        }
        (void)snprintf(name, sizeof(name), "s%u", i);
        CHECK(provide(client, name, &listeners[i]) == HX_OK);
    }
    CHECK(provide(root, "more", &other) == HX_ERR_LIMIT);
    hx_end_close(&listeners[17]); // nobody asks for it, but its place is found
    CHECK(provide(root, "more", &listeners[17]) == HX_OK);
    hx_end_close(&listeners[ROUTER_SERVICES - 1]);
    CHECK(provide(client, "again", &listeners[ROUTER_SERVICES - 1]) == HX_OK); // its own
    router_client_gone(client);
    CHECK(provide(root, "s120", &other) == HX_ERR_EXISTS); // what it provides stays
    for (uint32_t i = 0; i < ROUTER_SERVICES; i++) {
        hx_end_close(&listeners[i]);
    }
    end();
}

static void failures(void) {
    for (uint32_t nth = 1;; nth++) {
        const uint32_t before = fake_failures();
        struct hx_end listener = { 0 };
        handle_t handles[2] = { 0 }, listening;
        begin();
        fake_fail_nth(nth);
        enum hx_status status = router_ops.provide(root, "a", ROUTER_CLASS_NORMAL, &listening);
        CHECK(status == HX_OK || status == HX_ERR_NO_MEMORY);
        const bool is_there = status == HX_OK;
        status = open_normal(root, "a", &handles[0]);
        CHECK(status == HX_OK || status == (is_there ? HX_ERR_NO_MEMORY : HX_ERR_NOT_FOUND));
        status = router_ops.connect(root, 0, "a", 0, &handles[1]);
        CHECK(status == HX_OK || status == HX_ERR_NO_MEMORY);
        fake_fail_nth(0);
        if (status == HX_OK) {
            CHECK(hx_handle_close(handles[1]) == HX_OK && hx_handle_close(admitted_end) == HX_OK);
        }
        if (handles[0] != 0) {
            CHECK(hx_handle_close(handles[0]) == HX_OK);
        }
        if (is_there) { // it is as if nothing had been
            CHECK(hx_end_open(&listener, listening) == HX_OK);
            CHECK(open_normal(root, "a", &handles[0]) == HX_OK);
            CHECK(hx_handle_close(handles[0]) == HX_OK);
            hx_end_close(&listener);
        }
        end();
        if (fake_failures() == before) {
            CHECK(nth > 4);
            break;
        }
    }
}

int main(void) {
    together();
    refusals();
    connections();
    losing_names();
    slow_service();
    limits();
    failures();
    return check_result();
}
