// SPDX-License-Identifier: MIT OR Apache-2.0
// user/router/router.c: names of services.
//
// Every channel is made here, so nobody has a capability by which he could take a peer's memory
// back. Nothing waits: who has gone is noticed when his name is asked for, or his place needed.
#include "router.h"

#include <libhelix/wait.h>
#include <string.h>

void router_init(struct router *router,
                 enum hx_status (*admit)(void *context, handle_t end, struct router_client *client),
                 void *context) {
    router->admit = admit;
    router->context = context;
}

rights_t router_rights(uint32_t may) {
    return ((may & ROUTER_MAY_OPEN) != 0 ? HX_RIGHT_READ : 0) |
           ((may & ROUTER_MAY_PROVIDE) != 0 ? HX_RIGHT_CREATE : 0) |
           ((may & ROUTER_MAY_CONNECT) != 0 ? HX_RIGHT_DELEGATE : 0);
}

// ---- the table of names

static void service_forget(struct router_service *service) {
    hx_end_close(&service->listener);
    *service = (struct router_service){ 0 };
}

static bool is_closed(handle_t end) {
    uint32_t state;
    return hx_wait_one(end, HX_STATE_CLOSED, 0, &state) == HX_OK;
}

// Who has that name and lives; NULL: nobody.
static struct router_service *service_find(struct router *router, const char *name) {
    for (uint32_t i = 0; i < ROUTER_SERVICES; i++) {
        struct router_service *service = &router->services[i];
        if (strcmp(service->name, name) != 0) {
            continue;
        }
        if (!is_closed(service->listener.handle)) {
            return service;
        }
        service_forget(service);
    }
    return NULL;
}

static struct router_service *service_unused(struct router *router) {
    for (uint32_t i = 0; i < ROUTER_SERVICES; i++) {
        if (router->services[i].name[0] == '\0') {
            return &router->services[i];
        }
    }
    return NULL;
}

static uint32_t service_count(const struct router_client *owner) {
    uint32_t count = 0;
    for (uint32_t i = 0; i < ROUTER_SERVICES; i++) {
        count += owner->router->services[i].owner == owner;
    }
    return count;
}

static void sweep(struct router *router) {
    for (uint32_t i = 0; i < ROUTER_SERVICES; i++) {
        struct router_service *service = &router->services[i];
        if (service->name[0] != '\0' && is_closed(service->listener.handle)) {
            service_forget(service);
        }
    }
}

// A place for one more service of this connection; NULL: there is none.
static struct router_service *service_place(const struct router_client *owner) {
    struct router_service *service = service_unused(owner->router);
    if (service == NULL || service_count(owner) >= ROUTER_SERVICES_EACH) {
        sweep(owner->router);
        service = service_unused(owner->router);
    }
    return service_count(owner) < ROUTER_SERVICES_EACH ? service : NULL;
}

// ---- methods

// Whether a connection may do something with that name and class.
static enum hx_status check(const struct router_client *client, const char *name, uint32_t class) {
    if (!hx_name_is_valid(name) || class > ROUTER_CLASS_BACKGROUND) {
        return HX_ERR_INVALID;
    }
    return hx_pattern_has(client->scope, name) && class >= client->best ? HX_OK
                                                                        : HX_ERR_ACCESS_DENIED;
}

static enum hx_status router_provide(void *self, const char *name, uint32_t best,
                                     handle_t *out_listener) {
    struct router_client *client = self;
    handle_t ends[2];
    enum hx_status status = check(client, name, best);
    if (status != HX_OK) {
        return status;
    }
    if (service_find(client->router, name) != NULL) {
        return HX_ERR_EXISTS;
    }
    struct router_service *service = service_place(client);
    if (service == NULL) {
        return HX_ERR_LIMIT;
    }
    status = hx_channel_create(ROUTER_SLOTS, ends);
    if (status != HX_OK) {
        return HX_ERR_NO_MEMORY;
    }
    if (hx_end_open(&service->listener, ends[0]) != HX_OK) {
        HX_IGNORE(hx_handle_close(ends[0])); // just made, as the other one
        HX_IGNORE(hx_handle_close(ends[1]));
        return HX_ERR_NO_MEMORY;
    }
    memcpy(service->name, name, strlen(name) + 1);
    service->best = best;
    service->owner = client;
    *out_listener = ends[1];
    return HX_OK;
}

// Hands an end to a service. WOULD_BLOCK: it has not taken those that came before; NOT_FOUND: it
// has gone, or lies, and has lost its name.
static enum hx_status announce(struct router_service *service, uint32_t class, handle_t end) {
    const struct hx_slot message = hx_message((uint16_t)class, "", 0);
    enum hx_status status = hx_end_send_handle(&service->listener, &message, end, 0);
    switch (status) {
    case HX_ERR_TIMED_OUT:
        return HX_ERR_WOULD_BLOCK;
    case HX_ERR_PEER_DIED:
    case HX_ERR_CORRUPT:
        service_forget(service);
        return HX_ERR_NOT_FOUND;
    default:
        return status;
    }
}

static enum hx_status router_open(void *self, const char *name, uint32_t class,
                                  handle_t *out_service) {
    struct router_client *client = self;
    handle_t ends[2];
    enum hx_status status = check(client, name, class);
    if (status != HX_OK) {
        return status;
    }
    struct router_service *service = service_find(client->router, name);
    if (service == NULL) {
        return HX_ERR_NOT_FOUND;
    }
    if (class < service->best) {
        return HX_ERR_ACCESS_DENIED;
    }
    if (hx_channel_create(ROUTER_SLOTS, ends) != HX_OK) {
        return HX_ERR_NO_MEMORY;
    }
    status = announce(service, class, ends[1]);
    if (status != HX_OK) {
        HX_IGNORE(hx_handle_close(ends[0])); // just made; the other one was not taken
        HX_IGNORE(hx_handle_close(ends[1]));
        return status == HX_ERR_WOULD_BLOCK || status == HX_ERR_NOT_FOUND ? status
                                                                          : HX_ERR_NO_MEMORY;
    }
    *out_service = ends[0];
    return HX_OK;
}

static enum hx_status admit(struct router_client *client, handle_t *out_end) {
    struct router *router = client->router;
    handle_t ends[2];
    if (hx_channel_create(ROUTER_SLOTS, ends) != HX_OK) {
        return HX_ERR_NO_MEMORY;
    }
    enum hx_status status = router->admit(router->context, ends[0], client);
    if (status != HX_OK) {
        HX_IGNORE(hx_handle_close(ends[0])); // just made, as the other one
        HX_IGNORE(hx_handle_close(ends[1]));
        return status == HX_ERR_LIMIT ? HX_ERR_LIMIT : HX_ERR_NO_MEMORY;
    }
    *out_end = ends[1];
    return HX_OK;
}

static enum hx_status router_connect(void *self, uint32_t may, const char *scope, uint32_t best,
                                     handle_t *out_router) {
    struct router_client *client = self, *made;
    if (!hx_pattern_is_valid(scope) || best > ROUTER_CLASS_BACKGROUND) {
        return HX_ERR_INVALID;
    }
    if ((may & ~client->may) != 0 || !hx_pattern_within(scope, client->scope) ||
        best < client->best) {
        return HX_ERR_ACCESS_DENIED;
    }
    enum hx_status status = router_client_make(client->router, may, scope, best, &made);
    if (status != HX_OK) {
        return status;
    }
    status = admit(made, out_router);
    if (status != HX_OK) {
        router_client_gone(made);
    }
    return status;
}

const struct router_ops router_ops = {
    .provide = router_provide,
    .open = router_open,
    .connect = router_connect,
};

// ---- connections

enum hx_status router_client_make(struct router *router, uint32_t may, const char *scope,
                                  uint32_t best, struct router_client **out_client) {
    struct router_client *client = router->clients;
    if (!hx_pattern_is_valid(scope)) {
        return HX_ERR_INVALID;
    }
    while (client < router->clients + ROUTER_CLIENTS && client->router != NULL) {
        client++;
    }
    if (client == router->clients + ROUTER_CLIENTS) {
        return HX_ERR_LIMIT;
    }
    *client = (struct router_client){ .router = router, .may = may, .best = best };
    memcpy(client->scope, scope, strlen(scope) + 1);
    *out_client = client;
    return HX_OK;
}

void router_client_gone(struct router_client *client) {
    for (uint32_t i = 0; i < ROUTER_SERVICES; i++) {
        if (client->router->services[i].owner == client) {
            client->router->services[i].owner = NULL;
        }
    }
    *client = (struct router_client){ 0 };
}
