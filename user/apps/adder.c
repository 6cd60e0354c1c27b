// SPDX-License-Identifier: MIT OR Apache-2.0
// user/apps/adder.c: a port (adder.port) that one process serves and another uses over a channel:
// typed calls, an instance, an event.
#include "app.h"

#include <helix/ports/adder_wire.h>
#include <libhelix/client.h>
#include <libhelix/server.h>

// ---- the server

struct sum {
    uint64_t total, limit;
};

static const struct adder_events *events;
static void *listener; // who gets them

static enum hx_status attach(void *self, const struct adder_events *to, void *client) {
    (void)self;
    events = to;
    listener = client;
    return HX_OK;
}

static enum hx_status begin(void *self, uint64_t limit, void **out_sum) {
    struct sum *sum = calloc(1, sizeof(*sum));
    (void)self;
    if (sum == NULL) {
        return HX_ERR_NO_MEMORY;
    }
    sum->limit = limit;
    *out_sum = sum;
    return HX_OK;
}

static enum hx_status add(void *instance, const uint64_t *values, uint32_t count,
                          uint64_t *out_total) {
    struct sum *sum = instance;
    const uint64_t before = sum->total;
    for (uint32_t i = 0; i < count; i++) {
        sum->total += values[i];
    }
    if (before <= sum->limit && sum->total > sum->limit && events != NULL) {
        events->passed(listener, sum->limit);
    }
    *out_total = sum->total;
    return HX_OK;
}

static enum hx_status end(void *sum) {
    free(sum);
    return HX_OK;
}

static int server(void) {
    static const struct adder_ops ops = { attach, begin, add, end };
    const struct hx_service service = { .port = &adder_wire, .ops = &ops, .rights = HX_RIGHTS_ALL };
    struct hx_server *made;
    handle_t given = 0;
    NEED(hx_handle_given(&given));
    NEED(hx_server_create(&made));
    NEED(hx_server_add(made, given, &service));
    NEED(hx_server_run(made, TIME_NEVER)); // until its client has gone
    hx_server_destroy(made);
    return 0;
}

// ---- the client

static void passed(void *client, uint64_t limit) {
    *(uint64_t *)client = limit;
}

int main(int argc, char **argv) {
    static const struct adder_events handlers = { passed };
    const struct adder_ops *ops = &adder_wire_client;
    const uint64_t values[] = { 10, 20, 30 };
    struct hx_client *client;
    handle_t end_handle = 0;
    void *sum = NULL;
    uint64_t total = 0, limit = 0;
    (void)argv;
    if (argc > 1) {
        return server();
    }
    const handle_t process = app_spawn("server", &end_handle);
    NEED(hx_client_open(end_handle, &adder_wire, TIME_NEVER, &client));
    NEED(ops->attach(hx_client_self(client), &handlers, &limit));
    NEED(ops->begin(hx_client_self(client), 100, &sum));
    NEED(ops->add(sum, values, 3, &total));
    ALWAYS(total == 60 && hx_client_events(client, 0) == HX_ERR_TIMED_OUT);
    NEED(ops->add(sum, values, 3, &total));
    NEED(hx_client_events(client, TIME_NEVER));
    ALWAYS(total == 120 && limit == 100);
    NEED(ops->end(sum));
    hx_client_close(client);
    ALWAYS(app_end(process) == 0);
    printf("the sum is %llu\n", (unsigned long long)total);
    return 0;
}
