// SPDX-License-Identifier: MIT OR Apache-2.0
// lib/src/wire_client.c: calls that go out as requests, replies and events that come in.
#include "wire.h"

#include <lib/string.h>

#define TARGET_CLAIMED UINT64_MAX // nobody has its number yet

void wire_client_init(struct wire_client *client, const struct wire *wire, void *scratch) {
    memset(client, 0, sizeof(*client));
    client->wire = *wire;
    client->scratch = scratch;
    for (uint32_t i = 0; i < ARRAY_SIZE(client->targets); i++) {
        client->targets[i].client = client;
    }
}

// Instances ---------------------------------------------------------------------------------------

static struct wire_target *target_claim(struct wire_client *client) {
    for (uint32_t i = 1; i < ARRAY_SIZE(client->targets); i++) {
        uint64_t free = 0;
        if (atomic_compare_exchange_strong_explicit(&client->targets[i].id, &free, TARGET_CLAIMED,
                                                    memory_order_relaxed, memory_order_relaxed)) {
            return &client->targets[i];
        }
    }
    return NULL;
}

static void target_set(struct wire_target *target, uint64_t id) {
    // Relaxed: who gets the pointer gets it from the caller.
    atomic_store_explicit(&target->id, id, memory_order_relaxed);
}

// A call ------------------------------------------------------------------------------------------

struct call {
    struct wire_target *target;
    const struct wire_method *method;
    struct wire_argument *arguments;
    struct wire_target *made; // for an instance that the call may give
    struct wire_parcel request, reply;
    struct wire_shared shared;
    uint32_t page;        // of the pool, for request and reply
    uint64_t place_bytes; // that were taken there
};

// Most bytes of the reply to these arguments; both ends count the same.
static uint64_t reply_bytes(const struct call *call) {
    uint64_t size = 8;
    for (uint32_t i = 0; i < call->method->field_count; i++) {
        const struct wire_field *field = &call->method->fields[i];
        const struct wire_argument *argument = &call->arguments[i];
        if (!wire_is_answered(field)) {
            continue;
        }
        bool is_counted = field->kind == WIRE_BYTES || field->kind == WIRE_ARRAY;
        uint64_t count = is_counted ? MIN_OF(argument->count, field->bound) : 1;
        uint64_t element = field->kind == WIRE_INSTANCE ? 8 : wire_element(field);
        size += (is_counted ? 8 : 0) + ALIGN_UP(count * element, WIRE_ALIGN);
    }
    return size;
}

static enum hx_status request_make(struct call *call) {
    const struct wire *wire = &call->target->client->wire;
    uint64_t request_bytes = ALIGN_UP((uint64_t)wire->port->request_max, PAGE_SIZE);
    call->place_bytes =
        request_bytes + (wire->transport->takes_most ? wire->port->reply_max : reply_bytes(call));
    if (!hx_pool_take(wire->pool, call->place_bytes, &call->page)) {
        return HX_ERR_NO_MEMORY;
    }
    struct wire_writer writer = { hx_pool_at(wire->pool, call->page, request_bytes), 0,
                                  wire->port->request_max, false };
    wire_put_number(&writer, atomic_load_explicit(&call->target->id, memory_order_relaxed));
    enum hx_status status =
        wire_encode(wire, call->method, call->arguments, &writer, &call->request, &call->shared);
    if (status != HX_OK) {
        hx_pool_give(wire->pool, call->page, call->place_bytes);
        return status;
    }
    wire_body_place(&call->request.message, &writer, call->page);
    call->request.message.reply_page = (uint16_t)(call->page + request_bytes / PAGE_SIZE);
    return HX_OK;
}

static void request_end(struct call *call) {
    const struct wire *wire = &call->target->client->wire;
    wire_unshare(wire, &call->shared);
    hx_pool_give(wire->pool, call->page, call->place_bytes);
}

// The reply's body, where this side told the other to put it.
static bool reply_open(struct call *call, struct wire_reader *reader) {
    const struct wire *wire = &call->target->client->wire;
    struct wire_message *reply = &call->reply.message;
    if (reply->kind != WIRE_REPLY || reply->method != call->request.message.method) {
        return false;
    }
    if (reply->inline_bytes != WIRE_PAGED) {
        *reader = (struct wire_reader){ reply->body, 0, reply->inline_bytes, false };
        return reply->inline_bytes <= WIRE_INLINE_BYTES;
    }
    uint64_t room = reply_bytes(call);
    uint8_t *bytes = hx_pool_at(wire->pool, call->request.message.reply_page, room);
    *reader = (struct wire_reader){ bytes, 0, reply->body_bytes, false };
    return bytes != NULL && reply->body_bytes <= room;
}

static bool is_answer(const struct wire_method *method, enum hx_status status) {
    for (uint32_t i = 0; i < method->fail_count; i++) {
        if (method->fails[i] == status) {
            return true;
        }
    }
    return status == HX_OK || status == HX_ERR_ACCESS_DENIED || status == HX_ERR_LIMIT ||
           status == HX_ERR_CORRUPT;
}

// Results -----------------------------------------------------------------------------------------

// Copies a result to where the caller wants it, and checks the copy. Counts and instances are told
// only when all of the reply was checked.
static void result_get(struct call *call, uint32_t index, struct wire_reader *reader,
                       uint64_t *out_number) {
    const struct wire_field *field = &call->method->fields[index];
    struct wire_argument *argument = &call->arguments[index];
    uint64_t count = 1;
    if (field->kind == WIRE_INSTANCE || field->kind == WIRE_HANDLE) {
        *out_number = wire_get_number(reader);
        reader->failed |=
            field->kind == WIRE_INSTANCE && (*out_number == 0 || *out_number == TARGET_CLAIMED);
        return;
    }
    if (field->kind == WIRE_BYTES || field->kind == WIRE_ARRAY) {
        count = wire_get_number(reader);
        reader->failed |=
            field->direction == WIRE_INOUT ? count != argument->count : count > argument->count;
        *out_number = count;
    }
    if (reader->failed) {
        return;
    }
    uint32_t element = wire_element(field);
    wire_get(reader, argument->data, count * element);
    for (uint64_t i = 0; field->layout != NULL && i < count && !reader->failed; i++) {
        reader->failed = !wire_valid(field->layout, (uint8_t *)argument->data + i * element);
    }
}

// What the caller gets of an instance that the module gave.
static void *instance_told(const struct call *call, uint64_t number) {
    if (call->made == NULL) {
        return (void *)(uintptr_t)number; // NOLINT(performance-no-int-to-ptr): a number
    }
    target_set(call->made, number);
    return call->made;
}

static void results_tell(struct call *call, const uint64_t *numbers) {
    for (uint32_t i = 0; i < call->method->field_count; i++) {
        const struct wire_field *field = &call->method->fields[i];
        if (wire_is_sized(field)) {
            *call->arguments[i].out_count = (uint32_t)numbers[i];
        } else if (field->kind == WIRE_INSTANCE) {
            *(void **)call->arguments[i].data = instance_told(call, numbers[i]);
        } else if (field->kind == WIRE_HANDLE && field->direction == WIRE_RESULT) {
            *(handle_t *)call->arguments[i].data = call->reply.handles[numbers[i]];
        }
    }
}

// Whether the handles that came are those of the results, with the rights that they must have.
static bool has_handles(const struct call *call, enum hx_status status, const uint64_t *numbers) {
    const struct wire *wire = &call->target->client->wire;
    const struct wire_parcel *reply = &call->reply;
    uint32_t next = 0;
    for (uint32_t i = 0; status == HX_OK && i < call->method->field_count; i++) {
        const struct wire_field *field = &call->method->fields[i];
        if (field->kind != WIRE_HANDLE || field->direction != WIRE_RESULT) {
            continue;
        }
        if (numbers[i] != next || next >= reply->handle_count ||
            !wire->transport->handle_has(wire->context, reply->handles[next], field->rights)) {
            return false;
        }
        next++;
    }
    return next == reply->handle_count;
}

static enum hx_status reply_read(struct call *call) {
    struct wire_reader reader;
    uint64_t numbers[WIRE_ARGUMENTS_MAX] = { 0 };
    if (!reply_open(call, &reader)) {
        return HX_ERR_CORRUPT;
    }
    uint64_t number = wire_get_number(&reader);
    enum hx_status status = (enum hx_status)(int32_t)number;
    reader.failed |= number > UINT32_MAX;
    for (uint32_t i = 0; status == HX_OK && i < call->method->field_count; i++) {
        if (wire_is_answered(&call->method->fields[i])) {
            result_get(call, i, &reader, &numbers[i]);
        }
    }
    if (!wire_is_whole(&reader) || !is_answer(call->method, status) ||
        !has_handles(call, status, numbers)) {
        return HX_ERR_CORRUPT;
    }
    if (status == HX_OK) {
        results_tell(call, numbers);
    }
    return status;
}

// The ends ----------------------------------------------------------------------------------------

static enum hx_status call_make(struct call *call) {
    const struct wire *wire = &call->target->client->wire;
    enum hx_status status = request_make(call);
    if (status != HX_OK) {
        return status;
    }
    status = wire->transport->call(wire->context, &call->request, &call->reply);
    if (status == HX_OK) {
        status = reply_read(call);
    }
    if (status != HX_OK) {
        wire_handles_drop(wire, &call->reply);
    }
    request_end(call);
    return status;
}

static enum hx_status call_send(struct call *call) {
    const struct wire *wire = &call->target->client->wire;
    enum hx_status status =
        wire->transport->enter != NULL ? wire->transport->enter(wire->context) : HX_OK;
    if (status != HX_OK) {
        return status;
    }
    status = call_make(call);
    if (wire->transport->leave != NULL) {
        wire->transport->leave(wire->context);
    }
    return status;
}

static uint16_t wire_number(const struct wire_port *port, uint32_t method) {
    const bool is_attach = port->event_count > 0 && method == port->method_count - 1;
    return (uint16_t)(is_attach ? WIRE_ATTACH : method);
}

enum hx_status wire_call(struct wire_target *target, uint32_t method,
                         struct wire_argument *arguments) {
    const struct wire *wire = &target->client->wire;
    const struct wire_method *what = &wire->port->methods[method];
    struct call call;
    if (wire->minor != NULL && method >= wire->minor->methods && what->absent != HX_OK) {
        return what->absent;
    }
    call.target = target;
    call.method = what;
    call.arguments = arguments;
    call.made = NULL;
    call.request.message =
        (struct wire_message){ .method = wire_number(wire->port, method), .kind = WIRE_REQUEST };
    call.request.handle_count = call.reply.handle_count = 0;
    if (wire_gives_instance(what) && !wire->is_numbered) {
        call.made = target_claim(target->client);
        if (call.made == NULL) {
            return HX_ERR_LIMIT;
        }
    }
    enum hx_status status = call_send(&call);
    if (status != HX_OK && call.made != NULL) {
        target_set(call.made, 0);
    }
    if (status == HX_OK && what->ends) {
        target_set(target, 0);
    }
    return status;
}

enum hx_status wire_call_numbered(struct wire_client *client, uint64_t number, uint32_t method,
                                  struct wire_argument *arguments) {
    struct wire_target target = { .client = client };
    target_set(&target, number);
    return wire_call(&target, method, arguments);
}

enum hx_status wire_attach(struct wire_target *target, const void *events, void *client) {
    target->client->events = events;
    target->client->events_client = client;
    struct wire_argument none[WIRE_ARGUMENTS_MAX] = { 0 };
    return wire_call(target, target->client->wire.port->method_count - 1, none);
}

// Which event it is; NULL: none, or malformed.
static const struct wire_method *event_read(struct wire_client *client, const struct wire *wire,
                                            const struct wire_parcel *event, uint8_t *scratch,
                                            struct wire_argument *arguments) {
    const struct wire_port *port = wire->port;
    const struct wire_message *message = &event->message;
    struct wire_reader reader;
    if (client->events == NULL || message->kind != WIRE_EVENT ||
        message->method >= port->event_count ||
        !wire_body_open(wire, message, scratch, port->event_max, &reader)) {
        return NULL;
    }
    const struct wire_method *what = &port->events[message->method];
    return wire_decode(wire, what, &reader, event, arguments) ? what : NULL;
}

// Of a later version than the client's: it is nothing to it.
static bool is_unknown(const struct wire *wire, const struct wire_message *message) {
    return wire->has_newer_peer && message->kind == WIRE_EVENT &&
           message->method >= wire->port->event_count;
}

enum hx_status wire_receive_in(struct wire_client *client, const struct wire_parcel *event,
                               struct hx_pool *pool, uint8_t *scratch) {
    struct wire_argument arguments[WIRE_ARGUMENTS_MAX] = { 0 };
    struct wire wire = client->wire;
    wire.pool = pool;
    const struct wire_method *what = event_read(client, &wire, event, scratch, arguments);
    if (what == NULL) {
        wire_handles_drop(&wire, event);
        return is_unknown(&wire, &event->message) ? HX_OK : HX_ERR_CORRUPT;
    }
    return what->invoke(client->events, client->events_client, arguments);
}

enum hx_status wire_receive(struct wire_client *client, const struct wire_parcel *event) {
    return wire_receive_in(client, event, client->wire.pool, client->scratch);
}
