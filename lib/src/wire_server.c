// SPDX-License-Identifier: MIT OR Apache-2.0
// lib/src/wire_server.c: requests that come in, the calls they become, replies and events that go
// out.
#include "wire.h"

#include <lib/string.h>

void wire_server_init(struct wire_server *server, const struct wire *wire, const void *ops,
                      void *self, void *scratch) {
    memset(server, 0, sizeof(*server));
    server->wire = *wire;
    server->ops = ops;
    server->self = self;
    server->scratch = scratch;
}

// Instances ---------------------------------------------------------------------------------------

// The number of an instance: its place and how often the place was used.
static uint64_t instance_number(const struct wire_server *server, uint32_t place) {
    return (uint64_t)server->instances[place].generation << 32 | (place + 1);
}

// WIRE_INSTANCES_MAX: no such instance.
static uint32_t instance_find(const struct wire_server *server, uint64_t number) {
    uint32_t place = 0;
    while (place < WIRE_INSTANCES_MAX && (server->instances[place].instance == NULL ||
                                          instance_number(server, place) != number)) {
        place++;
    }
    return place;
}

static uint32_t instance_free(const struct wire_server *server) {
    uint32_t place = 0;
    while (place < WIRE_INSTANCES_MAX && server->instances[place].instance != NULL) {
        place++;
    }
    return place;
}

static void instance_end(struct wire_server *server, uint32_t place) {
    server->instances[place].instance = NULL;
    server->instances[place].generation++;
}

// A request ---------------------------------------------------------------------------------------

struct service {
    struct wire_server *server;
    uint8_t *scratch;
    const struct wire_method *method;
    struct wire_argument arguments[WIRE_ARGUMENTS_MAX];
    void *pages[WIRE_PAGES_MAX];
    uint32_t counts[WIRE_ARGUMENTS_MAX]; // what the module says of results without fixed size
    void *made;                          // the instance that it gives
    void *first;                         // the provider, or the instance that is called
    uint32_t place;                      // of that, or of the one that will be given
    struct wire_writer reply;
    struct wire_parcel *out; // what becomes the reply
};

// Places for the results, in the reply's body as far as their size is known before the call.
static void results_place(struct service *service) {
    for (uint32_t i = 0; i < service->method->field_count; i++) {
        const struct wire_field *field = &service->method->fields[i];
        struct wire_argument *argument = &service->arguments[i];
        uint64_t element = wire_element(field);
        if (!wire_is_answered(field)) {
            continue;
        }
        if (field->kind == WIRE_BYTES || field->kind == WIRE_ARRAY) {
            (void)wire_reserve(&service->reply, 8);
            element *= argument->count;
        }
        void *place = wire_reserve(&service->reply, MAX_OF(element, 8u));
        if (field->kind == WIRE_INSTANCE) {
            argument->data = (void *)&service->made;
        } else if (field->direction == WIRE_RESULT) {
            argument->data = place;
            argument->out_count = &service->counts[i];
        }
        if (place != NULL && !wire_is_sized(field)) {
            memset(place, 0, element); // a module may leave some of it as it is
        }
    }
}

static bool is_attach(const struct wire_port *port, const struct wire_message *request) {
    return port->event_count > 0 && request->method == WIRE_ATTACH;
}

// Which method is called; NULL: none that can be. The last one is attach(), by its own number.
static const struct wire_method *method_of(const struct wire_port *port,
                                           const struct wire_message *request) {
    const uint32_t count = port->method_count - (port->event_count > 0 ? 1u : 0u);
    const struct wire_method *method = is_attach(port, request)  ? &port->methods[count]
                                       : request->method < count ? &port->methods[request->method]
                                                                 : NULL;
    return method != NULL && method->invoke != NULL ? method : NULL;
}

// Whom the request calls by a number of the module's own.
static enum hx_status numbered_read(struct service *service, uint64_t number) {
    if (service->method->on_instance) {
        service->first = (void *)(uintptr_t)number; // NOLINT(performance-no-int-to-ptr): it was one
    }
    return service->method->on_instance == (number != 0) ? HX_OK : HX_ERR_CORRUPT;
}

// Whom the request calls, or the place for what it makes.
static enum hx_status instance_read(struct service *service, uint64_t number) {
    struct wire_server *server = service->server;
    service->first = server->self;
    if (server->wire.is_numbered) {
        return numbered_read(service, number);
    }
    service->place = instance_find(server, number);
    if (service->method->on_instance ? service->place == WIRE_INSTANCES_MAX : number != 0) {
        return HX_ERR_CORRUPT;
    }
    if (service->method->on_instance) {
        service->first = server->instances[service->place].instance;
    }
    if (wire_gives_instance(service->method)) {
        service->place = instance_free(server);
        return service->place == WIRE_INSTANCES_MAX ? HX_ERR_LIMIT : HX_OK;
    }
    return HX_OK;
}

// The arguments of a request whose method and body are known.
static enum hx_status arguments_read(struct service *service, const struct wire_parcel *request,
                                     struct wire_reader *reader) {
    struct wire_server *server = service->server;
    enum hx_status status = instance_read(service, wire_get_number(reader));
    if (status == HX_OK && is_attach(server->wire.port, &request->message)) {
        service->arguments[0].data = server;
        status = server->is_attached ? HX_ERR_LIMIT : HX_OK;
    }
    for (uint32_t i = 0; i < service->method->field_count; i++) {
        if (service->method->fields[i].kind == WIRE_PAGES) {
            service->arguments[i].data = (void *)service->pages;
        }
    }
    if (status == HX_OK &&
        !wire_decode(&server->wire, service->method, reader, request, service->arguments)) {
        status = HX_ERR_CORRUPT;
    }
    return status;
}

static enum hx_status request_read(struct service *service, const struct wire_parcel *request) {
    struct wire_server *server = service->server;
    const struct wire_port *port = server->wire.port;
    const struct wire_message *message = &request->message;
    struct wire_reader reader;
    const struct wire_method *method = method_of(port, message);
    if (message->kind != WIRE_REQUEST || method == NULL ||
        !wire_body_open(&server->wire, message, service->scratch, port->request_max, &reader)) {
        return HX_ERR_CORRUPT;
    }
    service->method = method;
    return arguments_read(service, request, &reader);
}

// What the client is told of a copy that there is none of: a handle without the declared rights is
// the module's lie, all else may be another time, or without this handle.
static enum hx_status copy_refusal(enum hx_status status) {
    switch (status) {
    case HX_OK:
        return HX_OK;
    case HX_ERR_LIMIT:
    case HX_ERR_NO_MEMORY:
    case HX_ERR_TABLE_FULL:
    case HX_ERR_REVOKED:
        return HX_ERR_LIMIT;
    default:
        return HX_ERR_CORRUPT;
    }
}

static handle_t given_handle(const struct service *service, uint32_t index) {
    handle_t given;
    memcpy(&given, service->arguments[index].data, sizeof(given));
    return given;
}

// A handle that the module gives: a copy with the declared rights goes in its place.
static enum hx_status handle_result(struct service *service, uint32_t index) {
    const struct wire *wire = &service->server->wire;
    const handle_t given = given_handle(service, index);
    enum hx_status status = wire_handle_put(wire, &service->method->fields[index], given,
                                            &service->reply, service->out);
    wire->transport->handle_drop(wire->context, given);
    return copy_refusal(status);
}

// A result that is not in its place yet: a count, an instance, what went in and comes back.
static enum hx_status result_put(struct service *service, uint32_t index) {
    struct wire_writer *reply = &service->reply;
    const struct wire_field *field = &service->method->fields[index];
    const struct wire_argument *argument = &service->arguments[index];
    const uint64_t element = wire_element(field);
    if (wire_is_sized(field)) {
        if (service->counts[index] > argument->count) {
            return HX_ERR_CORRUPT; // the module claims more than there was room for
        }
        wire_put_number(reply, service->counts[index]);
        (void)wire_reserve(reply, service->counts[index] * element);
    } else if (field->kind == WIRE_INSTANCE) {
        wire_put_number(reply, service->server->wire.is_numbered
                                   ? (uintptr_t)service->made
                                   : instance_number(service->server, service->place));
    } else if (field->kind == WIRE_HANDLE) {
        return handle_result(service, index);
    } else if (field->direction == WIRE_RESULT) {
        (void)wire_reserve(reply, element);
    } else if (field->kind == WIRE_BYTES) {
        wire_put_number(reply, argument->count);
        wire_put(reply, argument->data, argument->count);
    } else {
        wire_put(reply, argument->data, element);
    }
    return HX_OK;
}

// The method that ends an instance; NULL: none does that alone.
static const struct wire_method *end_method(const struct wire_port *port) {
    const struct wire_method *end = NULL;
    for (uint32_t i = 0; i < port->method_count; i++) {
        const struct wire_method *method = &port->methods[i];
        end = method->ends && method->field_count == 0 ? method : end;
    }
    return end;
}

static void end_invoke(const struct wire_port *port, const void *ops, void *instance) {
    const struct wire_method *end = end_method(port);
    if (instance != NULL && end != NULL) {
        HX_IGNORE(end->invoke(ops, instance, NULL)); // nobody asks
    }
}

// All results, or none: then the handles that the module gave are closed, and the instance, of
// which the client is told nothing, is at its end.
static enum hx_status results_put(struct service *service) {
    const struct wire *wire = &service->server->wire;
    enum hx_status status = HX_OK;
    service->reply.at = 8;
    for (uint32_t i = 0; i < service->method->field_count; i++) {
        const struct wire_field *field = &service->method->fields[i];
        if (!wire_is_answered(field)) {
            continue;
        }
        if (status == HX_OK) {
            status = result_put(service, i);
        } else if (field->kind == WIRE_HANDLE) {
            wire->transport->handle_drop(wire->context, given_handle(service, i));
        }
    }
    if (status != HX_OK) {
        end_invoke(wire->port, service->server->ops, service->made);
    } else if (wire_gives_instance(service->method) && !wire->is_numbered) {
        service->server->instances[service->place].instance = service->made;
    }
    return status;
}

static enum hx_status invoke(struct service *service, const struct wire_message *request) {
    struct wire_server *server = service->server;
    (void)wire_reserve(&service->reply, 8);
    results_place(service);
    if (service->reply.failed) {
        return HX_ERR_CORRUPT; // the scratch memory is not as large as the port says
    }
    enum hx_status status =
        service->method->invoke(server->ops, service->first, service->arguments);
    if (status != HX_OK) {
        return status;
    }
    server->is_attached |= is_attach(server->wire.port, request);
    if (service->method->ends && !server->wire.is_numbered) {
        instance_end(server, service->place);
    }
    return results_put(service);
}

// The reply's body to where the client wants it. False: there it cannot go.
static bool reply_place(const struct service *service, const struct wire_message *request,
                        struct wire_message *out_reply) {
    const struct wire_writer *reply = &service->reply;
    if (reply->at <= WIRE_INLINE_BYTES) {
        memcpy(out_reply->body, reply->bytes, reply->at);
        out_reply->inline_bytes = (uint8_t)reply->at;
        return true;
    }
    uint8_t *to = hx_pool_at(service->server->wire.pool, request->reply_page, reply->at);
    if (to == NULL) {
        return false;
    }
    memcpy(to, reply->bytes, reply->at);
    out_reply->inline_bytes = WIRE_PAGED;
    out_reply->body_page = request->reply_page;
    out_reply->body_bytes = reply->at;
    return true;
}

static void put_status(struct service *service, enum hx_status status) {
    uint64_t number = (uint32_t)(int32_t)status;
    if (status != HX_OK) {
        service->reply.at = 8;
        wire_handles_drop(&service->server->wire, service->out);
        service->out->handle_count = 0;
    }
    memcpy(service->reply.bytes, &number, sizeof(number));
}

static void refused_note(struct wire_server *server) {
    atomic_fetch_add_explicit(&server->refused, 1, memory_order_relaxed);
}

void wire_serve_in(struct wire_server *server, const struct wire_parcel *request,
                   struct wire_parcel *out_reply, uint8_t *scratch) {
    const struct wire_port *port = server->wire.port;
    const struct wire_message *message = &request->message;
    struct service service = { .server = server, .scratch = scratch, .out = out_reply };
    service.reply = (struct wire_writer){ scratch + ALIGN_UP(port->request_max, 8u), 0,
                                          port->reply_max, false };
    out_reply->message = (struct wire_message){ .call = message->call, .kind = WIRE_REPLY };
    out_reply->message.method = message->method;
    out_reply->handle_count = 0;
    enum hx_status status = request_read(&service, request);
    if (status == HX_ERR_CORRUPT) {
        refused_note(server);
    }
    if (status == HX_OK) {
        status = invoke(&service, message);
    } else {
        wire_handles_drop(&server->wire, request);
    }
    put_status(&service, status);
    if (!reply_place(&service, message, &out_reply->message)) {
        refused_note(server);
        put_status(&service, HX_ERR_CORRUPT);
        (void)reply_place(&service, message, &out_reply->message); // a status fits into the slot
    }
}

void wire_serve(struct wire_server *server, const struct wire_parcel *request,
                struct wire_parcel *out_reply) {
    wire_serve_in(server, request, out_reply, server->scratch);
}

void wire_server_fini(struct wire_server *server, const void *ops) {
    for (uint32_t i = 0; i < WIRE_INSTANCES_MAX; i++) {
        end_invoke(server->wire.port, ops, server->instances[i].instance);
        server->instances[i].instance = NULL;
    }
}

// Events ------------------------------------------------------------------------------------------

static enum hx_status event_send(struct wire_server *server, uint32_t event,
                                 struct wire_argument *arguments) {
    const struct wire *wire = &server->wire;
    struct wire_parcel parcel = { .message = { .method = (uint16_t)event, .kind = WIRE_EVENT } };
    struct wire_shared shared; // of nothing: an event has no pages
    uint32_t page;
    if (!hx_pool_take(wire->pool, wire->port->event_max, &page)) {
        return HX_ERR_NO_MEMORY;
    }
    struct wire_writer writer = { hx_pool_at(wire->pool, page, wire->port->event_max), 0,
                                  wire->port->event_max, false };
    enum hx_status status =
        wire_encode(wire, &wire->port->events[event], arguments, &writer, &parcel, &shared);
    if (status == HX_OK) {
        wire_body_place(&parcel.message, &writer, page);
        status = wire->transport->send(wire->context, &parcel);
    }
    if (status != HX_OK || parcel.message.inline_bytes != WIRE_PAGED) {
        hx_pool_give(wire->pool, page, wire->port->event_max);
    }
    return status;
}

void wire_event(struct wire_server *server, uint32_t event, struct wire_argument *arguments) {
    if (event_send(server, event, arguments) != HX_OK) {
        atomic_fetch_add_explicit(&server->lost, 1, memory_order_relaxed);
    }
}
