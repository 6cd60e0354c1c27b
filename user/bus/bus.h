// SPDX-License-Identifier: MIT OR Apache-2.0
// user/bus/bus.h: the bus behind helix.bus: topics, who subscribed to them, and their queues. How
// requests reach it is its owner's matter: main.c serves it over channels, a test calls its table.
// One thread.
#pragma once

#include "tree.h"

#include <helix/ports/bus_port.h>
#include <libhelix/broadcast.h>

#define BUS_TOPICS        HX_CAST_SOURCES
#define BUS_TOPICS_EACH   16u // of one connection
#define BUS_QUEUES        31u
#define BUS_CLIENTS       31u
#define BUS_PATTERNS_EACH 32u

struct bus_queue {
    struct hx_end end; // handle 0: free
    struct bus_client *owner;
    uint32_t patterns; // so many subscriptions
    struct hx_cast_mark marks[HX_CAST_SLOTS_MAX];
};

// A connection to the bus: what the port's methods get first.
struct bus_client {
    struct bus *bus; // NULL: free
    uint32_t may;    // BUS_MAY_…
    char subscribes[HX_NAME_MAX + 1], publishes[HX_NAME_MAX + 1];
    struct bus_queue *queue; // NULL: none
    bool is_blocked;         // something of it was refused, and it was not told of room since
    const struct bus_events *events;
    void *events_client;
};

struct bus_topic {
    struct bus_client *owner; // NULL: free
    struct hx_source source;
    uint64_t receivers; // a bit for each queue
};

// What the bus needs of who serves it.
struct bus_host {
    // Serves a connection, whose client has the other end. Takes the end on OK.
    enum hx_status (*admit)(void *context, handle_t end, struct bus_client *client);
    // From now on bus_look() shall be called when the queue's peer has gone and, if `room`, when
    // there is room in it. HX_ERR_LIMIT: for so many that is not possible.
    enum hx_status (*watch)(void *context, struct bus_queue *queue, bool room);
    // No longer; the queue goes.
    void (*unwatch)(void *context, struct bus_queue *queue);
    void *context;
};

struct bus {
    struct bus_host host;
    struct tree tree;
    struct hx_cast cast;
    struct bus_topic topics[BUS_TOPICS];
    struct bus_queue queues[BUS_QUEUES];
    struct bus_client clients[BUS_CLIENTS];
};

extern const struct bus_ops bus_ops;

// Zeroed storage.
void bus_init(struct bus *bus, const struct bus_host *host);

// A connection that somebody else has made: the first ones. HX_ERR_LIMIT: there is no place;
// HX_ERR_INVALID: not a pattern.
HX_MUST_CHECK enum hx_status bus_client_make(struct bus *bus, uint32_t may, const char *subscribes,
                                             const char *publishes, struct bus_client **out_client);

// A connection has gone: its topics and its queue go, too.
void bus_client_gone(struct bus_client *client);

// The rights that a connection needs for what it may do: its methods are bound with them.
rights_t bus_rights(uint32_t may);

// There may be room in a queue, or its peer has gone.
void bus_look(struct bus *bus, struct bus_queue *queue);
