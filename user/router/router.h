// SPDX-License-Identifier: MIT OR Apache-2.0
// user/router/router.h: the router behind helix.router: names of services, and who may use them.
// How requests reach it is its owner's matter: main.c serves it over channels, a test calls its
// table. One thread.
#pragma once

#include <helix/ports/router_port.h>
#include <libhelix/end.h>
#include <libhelix/name.h>

#define ROUTER_SERVICES      128u
#define ROUTER_SERVICES_EACH 16u // of one connection
#define ROUTER_CLIENTS       62u

// A connection to the router: what the port's methods get first.
struct router_client {
    struct router *router; // NULL: free
    uint32_t may;          // ROUTER_MAY_…
    uint32_t best;         // the most urgent class, ROUTER_CLASS_…
    char scope[HX_NAME_MAX + 1];
};

struct router_service {
    char name[HX_NAME_MAX + 1]; // "": free
    uint32_t best;
    struct router_client *owner; // NULL: that connection has gone
    struct hx_end listener;      // its other end is the service's
};

struct router {
    struct router_service services[ROUTER_SERVICES];
    struct router_client clients[ROUTER_CLIENTS];
    // Serves a connection, whose client has the other end. Takes the end on OK.
    enum hx_status (*admit)(void *context, handle_t end, struct router_client *client);
    void *context;
};

extern const struct router_ops router_ops;

// Zeroed storage.
void router_init(struct router *router,
                 enum hx_status (*admit)(void *context, handle_t end, struct router_client *client),
                 void *context);

// A connection that somebody else has made: the first ones. HX_ERR_LIMIT: there is no place;
// HX_ERR_INVALID: not a pattern.
HX_MUST_CHECK enum hx_status router_client_make(struct router *router, uint32_t may,
                                                const char *scope, uint32_t best,
                                                struct router_client **out_client);

// A connection has gone; its services stay.
void router_client_gone(struct router_client *client);

// The rights that a connection needs for what it may do: its methods are bound with them.
rights_t router_rights(uint32_t may);
