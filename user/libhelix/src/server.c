// SPDX-License-Identifier: MIT OR Apache-2.0
// user/libhelix/src/server.c: the server's end of ports.
//
// With one connection the server answers and waits for the next request in one call of the kernel,
// which hands the processor back to the client. With several it waits for all of them at once: each
// that has nothing to say is put to sleep once (is_asleep) and stays so until it has.
#include <libhelix/server.h>

#include "port.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#define POOL_PAGES 64u // if the service does not say

#define LOOK_EVERY 64u // turns, after which it is seen who has gone, or what is watched

struct connection {
    struct hx_server *server;
    struct hx_service service;
    struct hx_end end; // `in` is the server's thread's
    bool listens;      // connections come here, and nothing else
    bool is_asleep;    // the peer was told that it must wake us
    bool untold;       // there are answers that the peer was not woken for
    bool is_over;      // to be taken off the list
    struct wire_server wire;
    struct hx_pool pool;
    void *bound, *whole; // tables of the service's operations: with its rights, with all
    void *scratch;
    pthread_mutex_t lock; // of end.out and what is behind it
    bool is_closed;       // [lock] takes no events any more
    uint32_t events_sent; // [lock]
};

struct watch {
    handle_t handle; // 0: free
    uint32_t states, due;
    void (*told)(void *context, uint32_t states);
    void *context;
};

struct hx_server {
    struct connection *connections[HX_SERVER_CONNECTIONS];
    uint32_t count;
    struct watch watches[HX_SERVER_CONNECTIONS];
    uint32_t watch_count;
    struct hx_picker picker;
    uint32_t last[HX_CLASSES]; // who had the last turn
    uint32_t turns;            // since the last wait
    bool stops;
    uint64_t refused; // by connections that have ended
};

static void tell(struct connection *connection) {
    connection->untold = false;
    HX_IGNORE(hx_channel_notify(connection->end.handle, HX_STATE_READABLE)); // it may have gone
}

// Whether the server waits for one connection and nothing else.
static bool is_alone(const struct hx_server *server) {
    return server->count == 1 && server->watch_count == 0;
}

// ---- events, on any thread

static bool has_room(struct connection *connection) {
    return port_has_room(&connection->end, port_calls_max(connection->end.view.slots));
}

// Needs the lock.
static enum hx_status event_put(struct connection *connection, struct wire_parcel *event,
                                struct port_sent *out_sent) {
    struct wire_message *message = &event->message;
    *out_sent = (struct port_sent){ false, false };
    if (connection->is_closed || !has_room(connection)) {
        port_drop(event);
        return HX_ERR_WOULD_BLOCK;
    }
    const uint64_t lost = atomic_load_explicit(&connection->wire.lost, memory_order_relaxed);
    message->call = connection->events_sent + 1 + (uint32_t)lost;
    if (message->inline_bytes == WIRE_PAGED) {
        hx_pool_lend(&connection->pool, message->body_page, connection->service.port->event_max);
    }
    enum hx_status status =
        port_put(&connection->end, PORT_MESSAGE, message, sizeof(*message), event, out_sent);
    connection->events_sent += out_sent->is_sent;
    return out_sent->is_sent ? HX_OK : status;
}

static enum hx_status event_send(void *context, struct wire_parcel *event) {
    struct connection *connection = context;
    struct port_sent sent;
    pthread_mutex_lock(&connection->lock);
    enum hx_status status = event_put(connection, event, &sent);
    pthread_mutex_unlock(&connection->lock);
    if (sent.must_tell) {
        HX_IGNORE(hx_channel_notify(connection->end.handle, HX_STATE_READABLE)); // it may be gone
    }
    return status;
}

static const struct wire_transport transport = {
    .send = event_send,
    .handle_copy = port_handle_copy,
    .handle_has = port_handle_has,
    .handle_drop = port_handle_drop,
};

// The client has read the bodies of events. False: of some that it does not have.
static bool bodies_read(struct connection *connection, const struct port_read *read) {
    for (uint32_t i = 0; i < ARRAY_SIZE(read->pages); i++) {
        if (read->pages[i] != PORT_NO_PAGE &&
            hx_pool_back(&connection->pool, read->pages[i], connection->service.port->event_max) !=
                HX_OK) {
            return false;
        }
    }
    return true;
}

// ---- requests

// False: the client breaks the rules.
static bool reply_put(struct connection *connection, struct wire_parcel *reply) {
    struct port_sent sent;
    pthread_mutex_lock(&connection->lock);
    enum hx_status status = port_put(&connection->end, PORT_MESSAGE, &reply->message,
                                     sizeof(reply->message), reply, &sent);
    pthread_mutex_unlock(&connection->lock);
    connection->untold |= sent.must_tell;
    if (connection->untold && !is_alone(connection->server)) {
        tell(connection); // with one connection, the next wait does that
    }
    return status == HX_OK;
}

static bool request_serve(struct connection *connection, const struct wire_parcel *request) {
    struct wire_parcel reply;
    wire_serve(&connection->wire, request, &reply);
    return reply_put(connection, &reply);
}

// A handle that came is a connection, or is closed.
static bool end_take(struct connection *connection) {
    struct hx_slot slot;
    handle_t end;
    if (hx_ring_get(&connection->end.in, &slot) != HX_OK) {
        return false;
    }
    struct hx_service service = connection->service;
    service.class = slot.kind <= HX_CLASS_BACKGROUND ? slot.kind : HX_CLASS_BACKGROUND;
    if (hx_end_take_handle(&connection->end, &slot, &end) == HX_OK &&
        hx_server_add(connection->server, end, &service) != HX_OK) {
        HX_IGNORE(hx_handle_close(end)); // whose end it was sees that
    }
    return true;
}

static bool message_take(struct connection *connection) {
    struct wire_parcel parcel;
    enum port_kind kind;
    if (connection->listens) {
        return end_take(connection);
    }
    if (port_take(&connection->end, &parcel, &kind) != HX_OK) {
        return false;
    }
    if (kind == PORT_MESSAGE) {
        return request_serve(connection, &parcel);
    }
    struct port_read read;
    memcpy(&read, &parcel.message, sizeof(read));
    port_drop(&parcel);
    return kind == PORT_READ && bodies_read(connection, &read);
}

// ---- turns

static void awake(struct connection *connection) {
    if (connection->is_asleep) {
        hx_consumer_awake(&connection->end.in);
        connection->is_asleep = false;
    }
}

static bool has_message(struct connection *connection) {
    struct hx_consumer *in = &connection->end.in;
    const bool yes = !connection->is_over && hx_ring_ready(in) != 0;
    if (in->broken && !connection->is_over) {
        connection->is_over = true;
        connection->server->refused++;
    }
    return yes;
}

// Whose message comes next: of the class that does, the first one behind who had the last turn.
// NULL: nobody has said anything.
static struct connection *next_turn(struct hx_server *server) {
    uint32_t classes = 0;
    for (uint32_t i = 0; i < server->count; i++) {
        if (has_message(server->connections[i])) {
            classes |= 1u << server->connections[i]->service.class;
        }
    }
    if (classes == 0) {
        return NULL;
    }
    const enum hx_class class = hx_pick(&server->picker, classes);
    uint32_t *last = &server->last[class];
    do {
        *last = (*last + 1) % server->count;
    } while (server->connections[*last]->service.class != class ||
             !has_message(server->connections[*last]));
    return server->connections[*last];
}

static void serve(struct connection *connection) {
    struct hx_consumer *in = &connection->end.in;
    awake(connection);
    if (connection->untold) {
        tell(connection);
    }
    connection->is_over = !message_take(connection);
    connection->server->refused += connection->is_over;
    if (hx_ring_release(in)) {
        HX_IGNORE(hx_channel_notify(connection->end.handle, HX_STATE_WRITABLE)); // it may be gone
    }
}

// ---- waiting

// Of the only connection; tells the peer.
static enum hx_status sleep_at(struct connection *connection, time_ns_t deadline) {
    struct hx_consumer *in = &connection->end.in;
    const handle_t handle = connection->end.handle;
    awake(connection);
    hx_consumer_sleep(in);
    enum hx_status status =
        connection->untold
            ? hx_channel_call(handle, in->tail, in->sleep, deadline)
            : hx_channel_wait(handle, HX_STATE_READABLE, in->tail, in->sleep, deadline);
    connection->untold = false;
    hx_consumer_awake(in);
    if (status == HX_OK || status == HX_ERR_TIMED_OUT || status == HX_ERR_INTERRUPTED) {
        return status;
    }
    connection->is_over = true;
    return HX_OK;
}

// Whether there is still nothing, and the peer will wake us when there is.
static bool put_to_sleep(struct connection *connection) {
    struct hx_consumer *in = &connection->end.in;
    if (connection->untold) {
        tell(connection);
    }
    if (connection->is_asleep) {
        return true;
    }
    hx_consumer_sleep(in);
    connection->is_asleep = true;
    if (hx_channel_arm(connection->end.handle, HX_STATE_READABLE) != HX_OK) {
        connection->is_over = true; // revoked
        return false;
    }
    if (!hx_consumer_must_wait(in)) {
        awake(connection);
        return false;
    }
    return true;
}

// `state` is what a wait found.
static void wake_up(struct connection *connection, uint32_t state) {
    if ((state & HX_STATE_REVOKED) != 0) {
        connection->is_over = true;
    } else if (state != 0) {
        awake(connection);
        connection->is_over =
            (state & HX_STATE_CLOSED) != 0 && hx_ring_ready(&connection->end.in) == 0;
    }
}

// One wait for all connections and all that is watched.
static enum hx_status look(struct hx_server *server, time_ns_t deadline) {
    struct hx_wait_item items[HX_SERVER_CONNECTIONS];
    struct watch *watches[HX_SERVER_CONNECTIONS];
    uint32_t ready, count = server->count;
    for (uint32_t i = 0; i < server->count; i++) {
        items[i] = (struct hx_wait_item){ .handle = server->connections[i]->end.handle,
                                          .mask = HX_STATE_READABLE | HX_STATE_CLOSED };
    }
    for (uint32_t i = 0; i < HX_SERVER_CONNECTIONS; i++) {
        struct watch *watch = &server->watches[i];
        if (watch->handle != 0) {
            items[count] = (struct hx_wait_item){ .handle = watch->handle, .mask = watch->states };
            watches[count++] = watch;
        }
    }
    const enum hx_status status = hx_wait(items, count, deadline, &ready);
    for (uint32_t i = 0; status == HX_OK && i < count; i++) {
        if (i < server->count) {
            wake_up(server->connections[i], items[i].out_state);
        } else {
            watches[i]->due |= items[i].out_state;
        }
    }
    server->turns = 0;
    return status;
}

static enum hx_status sleep_at_all(struct hx_server *server, time_ns_t deadline) {
    bool all = true;
    for (uint32_t i = 0; i < server->count; i++) {
        all &= put_to_sleep(server->connections[i]);
    }
    return all ? look(server, deadline) : HX_OK;
}

// ---- what is watched

static struct watch *watch_find(struct hx_server *server, handle_t handle) {
    for (uint32_t i = 0; i < HX_SERVER_CONNECTIONS; i++) {
        if (server->watches[i].handle == handle) {
            return &server->watches[i];
        }
    }
    return NULL;
}

enum hx_status hx_server_watch(struct hx_server *server, handle_t handle, uint32_t states,
                               void (*told)(void *context, uint32_t states), void *context) {
    struct watch *watch = watch_find(server, handle);
    if (watch == NULL) {
        if (server->count + server->watch_count >= HX_SERVER_CONNECTIONS) {
            return HX_ERR_LIMIT;
        }
        watch = watch_find(server, 0);
        server->watch_count++;
        *watch = (struct watch){ .handle = handle };
    }
    watch->states = states;
    watch->told = told;
    watch->context = context;
    return HX_OK;
}

void hx_server_due(struct hx_server *server, handle_t handle, uint32_t states) {
    struct watch *watch = watch_find(server, handle);
    if (watch != NULL) {
        watch->due |= states;
    }
}

void hx_server_unwatch(struct hx_server *server, handle_t handle) {
    struct watch *watch = watch_find(server, handle);
    if (watch != NULL) {
        *watch = (struct watch){ 0 };
        server->watch_count--;
    }
}

static void tell_watchers(struct hx_server *server) {
    for (uint32_t i = 0; i < HX_SERVER_CONNECTIONS && server->watch_count != 0; i++) {
        struct watch *watch = &server->watches[i];
        const uint32_t due = watch->due;
        watch->due = 0;
        if (due != 0) {
            watch->told(watch->context, due);
        }
    }
}

// ---- connections

static void connection_free(struct connection *connection) {
    free(connection->bound);
    free(connection->whole);
    free(connection->scratch);
    free(connection);
}

static void connection_end(struct connection *connection) {
    struct hx_server *server = connection->server;
    const struct hx_service *service = &connection->service;
    pthread_mutex_lock(&connection->lock);
    connection->is_closed = true;
    pthread_mutex_unlock(&connection->lock);
    if (!connection->listens) {
        wire_server_fini(&connection->wire, connection->whole);
        if (service->closed != NULL) {
            service->closed(service->self, connection->wire.is_attached ? &connection->wire : NULL);
        }
        server->refused += atomic_load_explicit(&connection->wire.refused, memory_order_relaxed);
        port_pool_unmap(&connection->pool);
    }
    port_end_unmap(&connection->end);
    HX_IGNORE(hx_handle_close(connection->end.handle)); // it may have been revoked
    connection_free(connection);
}

static void take_off(struct hx_server *server) {
    for (uint32_t i = server->count; i-- > 0;) {
        struct connection *connection = server->connections[i];
        if (connection->is_over) {
            server->connections[i] = server->connections[--server->count];
            connection_end(connection);
        }
    }
}

enum hx_status hx_server_run(struct hx_server *server, time_ns_t deadline) {
    while (server->count != 0 && !server->stops) {
        if (server->turns++ >= LOOK_EVERY) {
            HX_IGNORE(look(server, 0)); // what cannot be seen now is seen later
        }
        tell_watchers(server);
        struct connection *connection = next_turn(server);
        enum hx_status status = HX_OK;
        if (connection != NULL) {
            serve(connection);
        } else {
            status = is_alone(server) ? sleep_at(server->connections[0], deadline)
                                      : sleep_at_all(server, deadline);
        }
        take_off(server);
        if (status != HX_OK) {
            return status;
        }
    }
    for (uint32_t i = 0; i < server->count; i++) {
        if (server->connections[i]->untold) {
            tell(server->connections[i]);
        }
    }
    server->stops = false;
    return HX_OK;
}

void hx_server_stop(struct hx_server *server) {
    server->stops = true;
}

uint64_t hx_server_refused(const struct hx_server *server) {
    uint64_t refused = server->refused;
    for (uint32_t i = 0; i < server->count; i++) {
        refused +=
            atomic_load_explicit(&server->connections[i]->wire.refused, memory_order_relaxed);
    }
    return refused;
}

// ---- beginning and end

// How many pages are the server's, for bodies of events: for up to four, and no more than a
// quarter.
static uint32_t event_pages(const struct wire_port *port, uint32_t pages) {
    const uint32_t each = (uint32_t)hx_pool_pages_of(port->event_max);
    return port->event_count == 0 ? 0 : MAX_OF(each, MIN_OF(4 * each, pages / 4));
}

static bool is_enough(const struct wire_port *port, uint32_t pages, uint32_t server_pages) {
    return pages <= HX_POOL_PAGES_MAX &&
           hx_pool_pages_of(port->request_max) + hx_pool_pages_of(port->reply_max) + server_pages <=
               pages;
}

// The memory that both share, and the first word to the client.
static enum hx_status pool_make(struct connection *connection) {
    const struct wire_port *port = connection->service.port;
    const uint32_t asked = connection->service.pool_pages;
    const uint32_t pages = asked != 0 ? asked : POOL_PAGES, mine = event_pages(port, pages);
    struct port_hello hello = { .pages = pages, .server_pages = mine };
    struct wire_parcel with = { .handle_count = 1 };
    struct port_sent sent;
    handle_t memory;
    if (!is_enough(port, pages, mine)) {
        return HX_ERR_INVALID;
    }
    for (uint32_t i = 0; i < MIN_OF(port->versions->count, PORT_VERSIONS_MAX); i++) {
        hello.abi[i] = port->versions->minors[i].abi;
    }
    enum hx_status status = hx_memory_create(pages * PAGE_SIZE, &memory);
    if (status != HX_OK) {
        return status;
    }
    status = port_pool_map(memory, pages, pages - mine, mine, &connection->pool);
    if (status == HX_OK) {
        status = port_handle_copy(NULL, memory, HX_RIGHT_READ | HX_RIGHT_WRITE | HX_RIGHT_MAP,
                                  &with.handles[0]);
    }
    HX_IGNORE(hx_handle_close(memory)); // what is mapped stays
    if (status == HX_OK) {
        status = port_put(&connection->end, PORT_HELLO, &hello, sizeof(hello), &with, &sent);
    }
    if (status == HX_OK && sent.must_tell) {
        tell(connection);
    }
    if (status != HX_OK && connection->pool.base != NULL) {
        port_pool_unmap(&connection->pool);
    }
    return status;
}

static enum hx_status tables_make(struct connection *connection) {
    const struct hx_service *service = &connection->service;
    const struct wire_port *port = service->port;
    const struct wire wire = {
        .port = port, .transport = &transport, .context = connection, .pool = &connection->pool
    };
    connection->bound = malloc(port->ops_bytes);
    connection->whole = malloc(port->ops_bytes);
    connection->scratch = malloc(ALIGN_UP((size_t)port->request_max, 8u) + port->reply_max);
    if (connection->bound == NULL || connection->whole == NULL || connection->scratch == NULL) {
        return HX_ERR_NO_MEMORY;
    }
    enum hx_status status = port->bind(connection->bound, service->ops, service->rights);
    if (status == HX_OK) {
        status = port->bind(connection->whole, service->ops, HX_RIGHTS_ALL);
    }
    wire_server_init(&connection->wire, &wire, connection->bound, service->self,
                     connection->scratch);
    return status;
}

static enum hx_status connection_add(struct hx_server *server, handle_t end,
                                     const struct hx_service *service, bool listens) {
    struct connection *connection = calloc(1, sizeof(*connection));
    enum hx_status status = HX_ERR_LIMIT;
    if (connection == NULL) {
        return HX_ERR_NO_MEMORY;
    }
    connection->server = server;
    connection->service = *service;
    connection->listens = listens;
    pthread_mutex_init(&connection->lock, NULL);
    if (server->count + server->watch_count < HX_SERVER_CONNECTIONS) {
        status = listens ? HX_OK : tables_make(connection);
    }
    if (status == HX_OK) {
        status = port_end_open(&connection->end, end);
    }
    if (status != HX_OK) {
        connection_free(connection);
        return status;
    }
    status = listens ? HX_OK : pool_make(connection);
    if (status != HX_OK) {
        port_end_unmap(&connection->end); // the handle stays the caller's
        connection_free(connection);
        return status;
    }
    server->connections[server->count++] = connection;
    return HX_OK;
}

enum hx_status hx_server_create(struct hx_server **out_server) {
    struct hx_server *server = calloc(1, sizeof(*server));
    if (server == NULL) {
        return HX_ERR_NO_MEMORY;
    }
    *out_server = server;
    return HX_OK;
}

enum hx_status hx_server_add(struct hx_server *server, handle_t end,
                             const struct hx_service *service) {
    return connection_add(server, end, service, false);
}

enum hx_status hx_server_listen(struct hx_server *server, handle_t end,
                                const struct hx_service *service) {
    return connection_add(server, end, service, true);
}

void hx_server_destroy(struct hx_server *server) {
    while (server->count != 0) {
        connection_end(server->connections[--server->count]);
    }
    free(server);
}
