// SPDX-License-Identifier: MIT OR Apache-2.0
// tests/native/failures_services.c: the router and the bus with each allocation of the kernel
// failing in turn while they serve somebody, who is told, or cut; others are served as before.
// WITH: ../../user/router/router.c ../../user/bus/bus.c ../../user/bus/tree.c
// LIMIT: 240
#include "../../user/bus/bus.h"
#include "../../user/router/router.h"
#include "failing.h"
#include "services.h"

// A connection whose scope is this word is none: the service's next allocations fail from now on,
// the first one in the first round, the second in the second, or no more.
#define ARM "arm"
#define OFF "off"

static struct router the_router;
static struct bus the_bus;
static struct hx_server *server;
static uint64_t before;
static int nth;

// HX_ERR_INVALID: nothing failed since it was armed; it is over.
static enum hx_status command(const char *word) {
    if (strcmp(word, ARM) == 0) {
        before = failures();
        fail_nth(++nth);
        return HX_ERR_NO_MEMORY;
    }
    fail_nth(0);
    return failures() == before ? HX_ERR_INVALID : HX_ERR_NO_MEMORY;
}

static bool is_command(const char *word) {
    return strcmp(word, ARM) == 0 || strcmp(word, OFF) == 0;
}

// ---- the services, in processes of their own

static enum hx_status router_connect_or(void *self, uint32_t may, const char *scope, uint32_t best,
                                        handle_t *out) {
    return is_command(scope) ? command(scope) : router_ops.connect(self, may, scope, best, out);
}

static void router_closed(void *self, void *client) {
    (void)client;
    router_client_gone(self);
}

static enum hx_status router_admit(void *context, handle_t end, struct router_client *client) {
    static struct router_ops ops;
    ops = router_ops;
    ops.connect = router_connect_or;
    const struct hx_service service = { .port = &router_wire,
                                        .ops = &ops,
                                        .self = client,
                                        .rights = HX_RIGHTS_ALL,
                                        .closed = router_closed };
    return hx_server_add(context, end, &service);
}

static void serve(void) {
    enum hx_status status;
    do { // a wait may fail, too
        status = hx_server_run(server, TIME_NEVER);
    } while (status != HX_OK);
}

static void run_router(handle_t given) {
    struct router_client *first = NULL;
    control = open("/proc/helix/fail_nth", O_RDWR);
    NEED(control >= 0 && hx_server_create(&server) == HX_OK);
    router_init(&the_router, router_admit, server);
    NEED(router_client_make(&the_router, 7, "**", 0, &first) == HX_OK);
    NEED(router_admit(server, given, first) == HX_OK);
    serve();
}

static enum hx_status bus_connect_or(void *self, uint32_t may, const char *subscribes,
                                     const char *publishes, handle_t *out) {
    return is_command(subscribes) ? command(subscribes)
                                  : bus_ops.connect(self, may, subscribes, publishes, out);
}

static void bus_closed(void *self, void *client) {
    (void)client;
    bus_client_gone(self);
}

static enum hx_status bus_admit(void *context, handle_t end, struct bus_client *client) {
    static struct bus_ops ops;
    ops = bus_ops;
    ops.connect = bus_connect_or;
    const struct hx_service service = { .port = &bus_wire,
                                        .ops = &ops,
                                        .self = client,
                                        .rights = HX_RIGHTS_ALL,
                                        .closed = bus_closed };
    return hx_server_add(context, end, &service);
}

static enum hx_status watch(void *context, struct bus_queue *queue, bool is_wanted) {
    (void)context;
    (void)queue;
    (void)is_wanted;
    return HX_OK;
}

static void unwatch(void *context, struct bus_queue *queue) {
    (void)context;
    (void)queue;
}

static void run_bus(handle_t given) {
    struct bus_host host = { bus_admit, watch, unwatch, NULL };
    struct bus_client *first = NULL;
    control = open("/proc/helix/fail_nth", O_RDWR);
    NEED(control >= 0 && hx_server_create(&server) == HX_OK);
    host.context = server;
    bus_init(&the_bus, &host);
    NEED(bus_client_make(&the_bus, 15, "**", "**", &first) == HX_OK);
    NEED(bus_admit(server, given, first) == HX_OK);
    serve();
}

// ---- who uses them

// What a victim may be told: CORRUPT is a result that could not be handed over.
static bool is_told(enum hx_status status) {
    return status == HX_OK || status == HX_ERR_NO_MEMORY || status == HX_ERR_LIMIT ||
           status == HX_ERR_CORRUPT || status == HX_ERR_PEER_DIED;
}

static void close_if(enum hx_status status, const handle_t *handle) {
    CHECK(is_told(status));
    if (status == HX_OK) {
        SAME(hx_handle_close(*handle), HX_OK);
    }
}

static void use_router(void *self) {
    handle_t listener, handle;
    const enum hx_status status = router->provide(self, "a", 1, &listener);
    CHECK(is_told(status) || status == HX_ERR_EXISTS); // it could not see that that one has gone
    if (status == HX_OK) {
        close_if(router->open(self, "a", 1, &handle), &handle);
        SAME(hx_handle_close(listener), HX_OK);
    }
    close_if(router->connect(self, 0, "a", 1, &handle), &handle);
}

static void router_goes_on(void *self) {
    handle_t listener, handle;
    enum hx_status status;
    do { // the end that was closed in the round before is gone some time later
        status = router->provide(self, "b", 1, &listener);
    } while (status == HX_ERR_EXISTS);
    NEED(status == HX_OK);
    NEED(router->open(self, "b", 1, &handle) == HX_OK && hx_handle_close(handle) == HX_OK);
    NEED(router->connect(self, 7, "**", 0, &handle) == HX_OK && hx_handle_close(handle) == HX_OK);
    NEED(hx_handle_close(listener) == HX_OK);
}

static void router_case(void) {
    handle_t ends[2], end;
    uint32_t rounds = 0;
    enum hx_status status;
    NEED(hx_channel_create(16, ends) == HX_OK);
    const pid_t pid = child_with(ends[1], run_router);
    struct user root = use(ends[0], &router_wire);
    do {
        NEED(router->connect(root.self, 7, "**", 0, &end) == HX_OK);
        struct user victim = use(end, &router_wire);
        SAME(router->connect(root.self, 0, ARM, 0, &end), HX_ERR_NO_MEMORY);
        use_router(victim.self);
        status = router->connect(root.self, 0, OFF, 0, &end);
        NEED(status == HX_ERR_NO_MEMORY || status == HX_ERR_INVALID);
        router_goes_on(root.self);
        hx_client_close(victim.client);
        NEED(++rounds < MOST);
    } while (status == HX_ERR_NO_MEMORY);
    CHECK(rounds > 10);
    hx_client_close(root.client);
    ended(pid);
}

static void use_bus(void *self, struct hx_inlet *others) {
    static uint8_t body[1000];
    struct hx_event event;
    handle_t queue, handle;
    void *topic;
    uint32_t receivers;
    const enum hx_status status = bus->listen(self, 16, false, &queue);
    CHECK(is_told(status));
    if (status == HX_OK) {
        CHECK(is_told(bus->subscribe(self, "a")));
    }
    if (bus->declare(self, "a", &topic) == HX_OK) {
        const enum hx_status published = bus->publish(topic, body, sizeof(body), &receivers);
        CHECK(is_told(published));
        if (published == HX_OK) { // it came, or its loss is told by the next one
            HX_IGNORE(hx_inlet_next(others, body, sizeof(body), 0, &event));
        }
    }
    close_if(bus->connect(self, 0, "a", "a", &handle), &handle);
    close_if(status, &queue);
}

// `others` gets what is published, and knows what it lost.
static void bus_goes_on(struct user *root, void *topic, struct hx_inlet *others) {
    static uint8_t body[1000], found[1000];
    struct hx_event event;
    uint32_t receivers;
    handle_t handle;
    memset(body, 7, sizeof(body));
    NEED(bus->publish(topic, body, sizeof(body), &receivers) == HX_OK);
    NEED(receivers >= 1);
    do {
        NEED(hx_inlet_next(others, found, sizeof(found), hx_after(LONG_NS), &event) == HX_OK);
    } while (event.name == NULL || strcmp(event.name, "a/b") != 0);
    NEED(event.length == sizeof(body) && memcmp(found, body, sizeof(body)) == 0);
    NEED(bus->connect(root->self, 0, "a", "a", &handle) == HX_OK);
    NEED(hx_handle_close(handle) == HX_OK);
}

static void bus_case(void) {
    static struct hx_inlet others;
    handle_t ends[2], end;
    void *topic = NULL;
    uint32_t rounds = 0;
    enum hx_status status;
    NEED(hx_channel_create(16, ends) == HX_OK);
    const pid_t pid = child_with(ends[1], run_bus);
    struct user root = use(ends[0], &bus_wire);
    NEED(bus->listen(root.self, 64, false, &end) == HX_OK && hx_inlet_open(&others, end) == HX_OK);
    NEED(bus->subscribe(root.self, "**") == HX_OK);
    NEED(bus->declare(root.self, "a/b", &topic) == HX_OK);
    do {
        NEED(bus->connect(root.self, 15, "**", "**", &end) == HX_OK);
        struct user victim = use(end, &bus_wire);
        SAME(bus->connect(root.self, 0, ARM, "a", &end), HX_ERR_NO_MEMORY);
        use_bus(victim.self, &others);
        status = bus->connect(root.self, 0, OFF, "a", &end);
        NEED(status == HX_ERR_NO_MEMORY || status == HX_ERR_INVALID);
        bus_goes_on(&root, topic, &others);
        hx_client_close(victim.client);
        NEED(++rounds < MOST);
    } while (status == HX_ERR_NO_MEMORY);
    CHECK(rounds > 10);
    hx_inlet_close(&others);
    hx_client_close(root.client);
    ended(pid);
}

static const struct check_case cases[] = {
    { "router", router_case },
    { "bus", bus_case },
};
CHECK_MAIN(cases)
