// SPDX-License-Identifier: MIT OR Apache-2.0
// user/bus/bus.c: topics, subscriptions, queues.
//
// A topic knows who receives it, so publishing looks at no name. Every channel is made here, so
// nobody has a capability by which he could take the bus's memory back. Nothing waits.
#include "bus.h"

#include <libhelix/wait.h>
#include <string.h>

_Static_assert(BUS_NAME_MAX == HX_NAME_MAX && BUS_BODY_MAX == HX_CAST_BODY_MAX, "as the port says");
_Static_assert(BUS_SLOTS_MIN == HX_CAST_SLOTS_MIN && BUS_SLOTS_MAX == HX_CAST_SLOTS_MAX, "too");
_Static_assert(BUS_QUEUES <= HX_CAST_RECEIVERS && BUS_QUEUES <= TREE_SUBSCRIBERS, "a bit for each");

#define CONNECTION_SLOTS 16u

void bus_init(struct bus *bus, const struct bus_host *host) {
    bus->host = *host;
    tree_init(&bus->tree);
}

rights_t bus_rights(uint32_t may) {
    return ((may & BUS_MAY_SUBSCRIBE) != 0 ? HX_RIGHT_READ : 0) |
           ((may & BUS_MAY_PUBLISH) != 0 ? HX_RIGHT_WRITE : 0) |
           ((may & BUS_MAY_CONNECT) != 0 ? HX_RIGHT_DELEGATE : 0);
}

static uint32_t place_of(const struct bus *bus, const struct bus_queue *queue) {
    return (uint32_t)(queue - bus->queues);
}

// ---- queues

static bool is_closed(handle_t end) {
    uint32_t state;
    return hx_wait_one(end, HX_STATE_CLOSED, 0, &state) == HX_OK;
}

static void topics_forget(struct bus *bus, uint32_t place) {
    for (uint32_t i = 0; i < BUS_TOPICS; i++) {
        bus->topics[i].receivers &= ~(UINT64_C(1) << place);
        hx_source_forget(&bus->topics[i].source, place);
    }
}

// Those whom a queue held up hear that it is worth trying again.
static void tell_room(struct bus *bus) {
    for (uint32_t i = 0; i < BUS_CLIENTS; i++) {
        struct bus_client *client = &bus->clients[i];
        if (client->is_blocked && client->events != NULL) {
            client->is_blocked = false;
            client->events->room(client->events_client);
        }
    }
}

static void queue_end(struct bus *bus, struct bus_queue *queue) {
    const uint32_t place = place_of(bus, queue);
    const bool is_reliable = bus->cast.outlets[place].marks != NULL;
    bus->host.unwatch(bus->host.context, queue);
    tree_remove_all(&bus->tree, place);
    topics_forget(bus, place);
    hx_cast_remove(&bus->cast, place);
    hx_end_close(&queue->end);
    queue->owner->queue = NULL;
    *queue = (struct bus_queue){ 0 };
    if (is_reliable) {
        tell_room(bus);
    }
}

void bus_look(struct bus *bus, struct bus_queue *queue) {
    struct hx_outlet *outlet = &bus->cast.outlets[place_of(bus, queue)];
    if (is_closed(queue->end.handle) || queue->end.out.broken) {
        queue_end(bus, queue);
        return;
    }
    hx_cast_tell(outlet);
    if (hx_cast_owes(outlet)) { // what woke us was not room, or the room is gone again
        HX_IGNORE(bus->host.watch(bus->host.context, queue, true)); // it is watched already
    }
    if (outlet->marks != NULL) {
        tell_room(bus);
    }
}

static enum hx_status queue_open(struct bus_client *client, struct bus_queue *queue, uint32_t slots,
                                 bool reliable, handle_t *out_end) {
    struct bus *bus = client->bus;
    handle_t ends[2];
    if (hx_channel_create(slots, ends) != HX_OK) {
        return HX_ERR_NO_MEMORY;
    }
    enum hx_status status = hx_end_open(&queue->end, ends[0]);
    if (status == HX_OK) {
        queue->owner = client;
        status = bus->host.watch(bus->host.context, queue, false);
        if (status == HX_OK) {
            hx_cast_add(&bus->cast, place_of(bus, queue), &queue->end,
                        reliable ? queue->marks : NULL);
            client->queue = queue;
            *out_end = ends[1];
            return HX_OK;
        }
        hx_end_close(&queue->end);
        *queue = (struct bus_queue){ 0 };
    } else {
        HX_IGNORE(hx_handle_close(ends[0])); // just made
    }
    HX_IGNORE(hx_handle_close(ends[1]));
    return status == HX_ERR_LIMIT ? HX_ERR_LIMIT : HX_ERR_NO_MEMORY;
}

static enum hx_status bus_listen(void *self, uint32_t slots, bool reliable, handle_t *out_queue) {
    struct bus_client *client = self;
    struct bus_queue *queue = client->bus->queues;
    if (slots < BUS_SLOTS_MIN || slots > BUS_SLOTS_MAX || !hx_ring_count_is_valid(slots)) {
        return HX_ERR_INVALID;
    }
    if (reliable && (client->may & BUS_MAY_RELY) == 0) {
        return HX_ERR_ACCESS_DENIED;
    }
    if (client->queue != NULL && is_closed(client->queue->end.handle)) {
        queue_end(client->bus, client->queue);
    }
    if (client->queue != NULL) {
        return HX_ERR_EXISTS;
    }
    while (queue < client->bus->queues + BUS_QUEUES && queue->end.handle != 0) {
        queue++;
    }
    return queue < client->bus->queues + BUS_QUEUES
               ? queue_open(client, queue, slots, reliable, out_queue)
               : HX_ERR_LIMIT;
}

// ---- subscriptions

// Who receives each topic, after a queue's subscriptions have changed.
static void topics_match(struct bus *bus) {
    for (uint32_t i = 0; i < BUS_TOPICS; i++) {
        struct bus_topic *topic = &bus->topics[i];
        if (topic->owner != NULL) {
            topic->receivers = tree_match(&bus->tree, topic->source.name);
        }
    }
}

static enum hx_status bus_subscribe(void *self, const char *pattern) {
    struct bus_client *client = self;
    struct bus_queue *queue = client->queue;
    if (!hx_pattern_is_valid(pattern)) {
        return HX_ERR_INVALID;
    }
    if (!hx_pattern_within(pattern, client->subscribes)) {
        return HX_ERR_ACCESS_DENIED;
    }
    if (queue == NULL) {
        return HX_ERR_NOT_FOUND;
    }
    if (queue->patterns == BUS_PATTERNS_EACH) {
        return HX_ERR_LIMIT;
    }
    enum hx_status status = tree_add(&client->bus->tree, pattern, place_of(client->bus, queue));
    if (status == HX_OK) {
        queue->patterns++;
        topics_match(client->bus);
    }
    return status;
}

static enum hx_status bus_unsubscribe(void *self, const char *pattern) {
    struct bus_client *client = self;
    struct bus_queue *queue = client->queue;
    if (!hx_pattern_is_valid(pattern)) {
        return HX_ERR_INVALID;
    }
    if (queue == NULL) {
        return HX_ERR_NOT_FOUND;
    }
    enum hx_status status = tree_remove(&client->bus->tree, pattern, place_of(client->bus, queue));
    if (status == HX_OK) {
        queue->patterns--;
        topics_match(client->bus);
        tell_room(client->bus); // it may have held somebody up
    }
    return status;
}

// ---- topics

static uint32_t topic_count(const struct bus_client *owner) {
    uint32_t count = 0;
    for (uint32_t i = 0; i < BUS_TOPICS; i++) {
        count += owner->bus->topics[i].owner == owner;
    }
    return count;
}

static enum hx_status bus_declare(void *self, const char *name, void **out_topic) {
    struct bus_client *client = self;
    struct bus *bus = client->bus;
    uint32_t number = 0;
    if (!hx_name_is_valid(name)) {
        return HX_ERR_INVALID;
    }
    if (!hx_pattern_has(client->publishes, name)) {
        return HX_ERR_ACCESS_DENIED;
    }
    while (number < BUS_TOPICS && bus->topics[number].owner != NULL) {
        number++;
    }
    if (number == BUS_TOPICS || topic_count(client) == BUS_TOPICS_EACH) {
        return HX_ERR_LIMIT;
    }
    struct bus_topic *topic = &bus->topics[number];
    topic->owner = client;
    hx_source_open(&topic->source, number, name);
    topic->receivers = tree_match(&bus->tree, name);
    *out_topic = topic;
    return HX_OK;
}

static enum hx_status bus_withdraw(void *self) {
    struct bus_topic *topic = self;
    hx_source_close(&topic->source);
    *topic = (struct bus_topic){ 0 };
    return HX_OK;
}

// Looks after the queues of a topic once something was sent, or could not be: those that have gone
// end, the others are watched if they are owed a word. `held`: also those who are reliable.
static void look_after(struct bus *bus, uint64_t receivers, bool held) {
    for (uint32_t i = 0; i < BUS_QUEUES; i++) {
        struct bus_queue *queue = &bus->queues[i];
        const struct hx_outlet *outlet = &bus->cast.outlets[i];
        if ((receivers >> i & 1) == 0 || outlet->end == NULL) {
            continue;
        }
        const bool holds = held && outlet->marks != NULL;
        if (holds && (is_closed(queue->end.handle) || queue->end.out.broken)) {
            queue_end(bus, queue);
        } else if (holds || hx_cast_owes(outlet)) {
            HX_IGNORE(bus->host.watch(bus->host.context, queue, true)); // it is watched already
        }
    }
}

static enum hx_status bus_publish(void *self, const void *body, uint32_t body_bytes,
                                  uint32_t *out_receivers) {
    struct bus_topic *topic = self;
    struct bus *bus = topic->owner->bus;
    enum hx_status status =
        hx_cast_send(&bus->cast, &topic->source, topic->receivers, body, body_bytes, out_receivers);
    look_after(bus, topic->receivers, status == HX_ERR_WOULD_BLOCK);
    if (status == HX_ERR_WOULD_BLOCK) { // unless who held it up has gone
        status = hx_cast_send(&bus->cast, &topic->source, topic->receivers, body, body_bytes,
                              out_receivers);
        topic->owner->is_blocked |= status == HX_ERR_WOULD_BLOCK;
    }
    return status == HX_OK || status == HX_ERR_WOULD_BLOCK || status == HX_ERR_INVALID
               ? status
               : HX_ERR_NO_MEMORY;
}

// ---- connections

static enum hx_status bus_attach(void *self, const struct bus_events *events, void *events_client) {
    struct bus_client *client = self;
    client->events = events;
    client->events_client = events_client;
    return HX_OK;
}

enum hx_status bus_client_make(struct bus *bus, uint32_t may, const char *subscribes,
                               const char *publishes, struct bus_client **out_client) {
    struct bus_client *client = bus->clients;
    if (!hx_pattern_is_valid(subscribes) || !hx_pattern_is_valid(publishes)) {
        return HX_ERR_INVALID;
    }
    while (client < bus->clients + BUS_CLIENTS && client->bus != NULL) {
        client++;
    }
    if (client == bus->clients + BUS_CLIENTS) {
        return HX_ERR_LIMIT;
    }
    *client = (struct bus_client){ .bus = bus, .may = may };
    memcpy(client->subscribes, subscribes, strlen(subscribes) + 1);
    memcpy(client->publishes, publishes, strlen(publishes) + 1);
    *out_client = client;
    return HX_OK;
}

void bus_client_gone(struct bus_client *client) {
    struct bus *bus = client->bus;
    for (uint32_t i = 0; i < BUS_TOPICS; i++) {
        if (bus->topics[i].owner == client) {
            HX_IGNORE(bus_withdraw(&bus->topics[i])); // it cannot fail
        }
    }
    if (client->queue != NULL) {
        queue_end(bus, client->queue);
    }
    *client = (struct bus_client){ 0 };
}

static enum hx_status admit(struct bus_client *client, handle_t *out_end) {
    const struct bus_host *host = &client->bus->host;
    handle_t ends[2];
    if (hx_channel_create(CONNECTION_SLOTS, ends) != HX_OK) {
        return HX_ERR_NO_MEMORY;
    }
    enum hx_status status = host->admit(host->context, ends[0], client);
    if (status != HX_OK) {
        HX_IGNORE(hx_handle_close(ends[0])); // just made, as the other one
        HX_IGNORE(hx_handle_close(ends[1]));
        return status == HX_ERR_LIMIT ? HX_ERR_LIMIT : HX_ERR_NO_MEMORY;
    }
    *out_end = ends[1];
    return HX_OK;
}

static enum hx_status bus_connect(void *self, uint32_t may, const char *subscribes,
                                  const char *publishes, handle_t *out_bus) {
    struct bus_client *client = self, *made;
    if (!hx_pattern_is_valid(subscribes) || !hx_pattern_is_valid(publishes)) {
        return HX_ERR_INVALID;
    }
    if ((may & ~client->may) != 0 || !hx_pattern_within(subscribes, client->subscribes) ||
        !hx_pattern_within(publishes, client->publishes)) {
        return HX_ERR_ACCESS_DENIED;
    }
    enum hx_status status = bus_client_make(client->bus, may, subscribes, publishes, &made);
    if (status != HX_OK) {
        return status;
    }
    status = admit(made, out_bus);
    if (status != HX_OK) {
        bus_client_gone(made);
    }
    return status;
}

const struct bus_ops bus_ops = {
    .attach = bus_attach,
    .listen = bus_listen,
    .subscribe = bus_subscribe,
    .unsubscribe = bus_unsubscribe,
    .declare = bus_declare,
    .publish = bus_publish,
    .withdraw = bus_withdraw,
    .connect = bus_connect,
};
