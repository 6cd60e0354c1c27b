// SPDX-License-Identifier: MIT OR Apache-2.0
// user/bus/main.c: the bus as a program. Its first connection, with all rights, is the end
// that it was given when it was started; it ends when nobody is connected any more.
// WITH: bus.c tree.c
#include "bus.h"

#include <helix/ports/bus_wire.h>
#include <libhelix/server.h>

#include <stdio.h>

#define ALL (BUS_MAY_SUBSCRIBE | BUS_MAY_PUBLISH | BUS_MAY_RELY | BUS_MAY_CONNECT)

static struct bus bus;
static bool sleeps[BUS_QUEUES]; // a queue whose peer shall wake us when it has taken something

// ---- queues

static void told(void *context, uint32_t states);

static enum hx_status watch_for(struct bus_queue *queue, uint32_t states) {
    return hx_server_watch(bus.host.context, queue->end.handle, states | HX_STATE_CLOSED, told,
                           queue);
}

static void told(void *context, uint32_t states) {
    struct bus_queue *queue = context;
    bool *is_asleep = &sleeps[queue - bus.queues];
    if (*is_asleep && (states & HX_STATE_WRITABLE) != 0) {
        hx_producer_awake(&queue->end.out);
        *is_asleep = false;
        HX_IGNORE(watch_for(queue, 0)); // it is watched already
    }
    bus_look(&bus, queue);
}

// Asks the peer to say when it has taken something; a peer that has done so meanwhile is looked
// after at once.
static void await_progress(struct bus_queue *queue) {
    struct hx_producer *out = &queue->end.out;
    const uint64_t before = out->limit; // as it was when there was no room
    hx_producer_sleep(out);
    sleeps[queue - bus.queues] = true;
    if (hx_channel_arm(queue->end.handle, HX_STATE_WRITABLE) != HX_OK) {
        return; // it is told that the peer has gone
    }
    hx_ring_look_for_room(out);
    if (out->limit != before || out->broken) {
        hx_server_due(bus.host.context, queue->end.handle, HX_STATE_WRITABLE);
    }
}

static enum hx_status watch(void *context, struct bus_queue *queue, bool room) {
    (void)context;
    enum hx_status status = watch_for(queue, room ? HX_STATE_WRITABLE : 0);
    if (status == HX_OK && room && !sleeps[queue - bus.queues]) {
        await_progress(queue);
    }
    return status;
}

static void unwatch(void *context, struct bus_queue *queue) {
    sleeps[queue - bus.queues] = false;
    hx_server_unwatch(context, queue->end.handle);
}

// ---- connections

static void closed(void *self, void *client) {
    (void)client;
    bus_client_gone(self);
}

static enum hx_status admit(void *context, handle_t end, struct bus_client *client) {
    const struct hx_service service = { .port = &bus_wire,
                                        .ops = &bus_ops,
                                        .self = client,
                                        .rights = bus_rights(client->may),
                                        .closed = closed };
    return hx_server_add(context, end, &service);
}

static enum hx_status serve(void) {
    struct bus_host host = { .admit = admit, .watch = watch, .unwatch = unwatch };
    struct hx_server *server;
    struct bus_client *first;
    handle_t given;
    enum hx_status status = hx_handle_given(&given);
    if (status == HX_OK) {
        status = hx_server_create(&server);
    }
    if (status != HX_OK) {
        return status;
    }
    host.context = server;
    bus_init(&bus, &host);
    status = bus_client_make(&bus, ALL, "**", "**", &first);
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
        (void)fprintf(stderr, "bus: %s\n", hx_status_name(status));
    }
    return status != HX_OK;
}
