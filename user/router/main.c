// SPDX-License-Identifier: MIT OR Apache-2.0
// user/router/main.c: the router as a program. Its first connection, with all rights, is the end
// that it was given when it was started; it ends when nobody is connected any more.
// WITH: router.c
#include "router.h"

#include <helix/ports/router_wire.h>
#include <libhelix/server.h>

#include <stdio.h>

#define ALL (ROUTER_MAY_OPEN | ROUTER_MAY_PROVIDE | ROUTER_MAY_CONNECT)

static struct router router;

static void closed(void *self, void *client) {
    (void)client;
    router_client_gone(self);
}

static enum hx_status admit(void *context, handle_t end, struct router_client *client) {
    const struct hx_service service = { .port = &router_wire,
                                        .ops = &router_ops,
                                        .self = client,
                                        .rights = router_rights(client->may),
                                        .closed = closed };
    return hx_server_add(context, end, &service);
}

static enum hx_status serve(void) {
    struct hx_server *server;
    struct router_client *first;
    handle_t given;
    enum hx_status status = hx_handle_given(&given);
    if (status == HX_OK) {
        status = hx_server_create(&server);
    }
    if (status != HX_OK) {
        return status;
    }
    router_init(&router, admit, server);
    status = router_client_make(&router, ALL, "**", ROUTER_CLASS_CRITICAL, &first);
    if (status == HX_OK) {
        status = admit(server, given, first);
    }
    while (status == HX_OK || status == HX_ERR_INTERRUPTED) {
        status = hx_server_run(server, TIME_NEVER);
        if (status == HX_OK) {
            return HX_OK;
        }
    }
    return status;
}

int main(void) {
    enum hx_status status = serve();
    if (status != HX_OK) {
        (void)fprintf(stderr, "router: %s\n", hx_status_name(status));
    }
    return status != HX_OK;
}
