// SPDX-License-Identifier: MIT OR Apache-2.0
// "fuzz_wire.h": a hostile peer of FUZZ_PORT, on both ends. The input is one slot and the pool
// behind it; it goes to the server as a request, to the client as a reply to a call of each method,
// and to the client as an event. What gets through must be as its description says.
#pragma once

#include "../tests/wire_model.h"

#include <fuzz.h>

static struct wire_method methods[64], events[16];
static struct wire_port port;
static const struct wire_method *called;
static struct wire_parcel answer;

// Touches what came in and answers with places that it was given.
static enum hx_status invoke(const void *table, void *first, struct wire_argument *arguments) {
    (void)table;
    (void)first;
    for (uint32_t i = 0; i < called->field_count; i++) {
        const struct wire_field *field = &called->fields[i];
        if (field->kind == WIRE_INSTANCE) {
            *(void **)arguments[i].data = &port;
        } else if (field->direction != WIRE_RESULT) {
            model_touch(field, &arguments[i]);
        } else if (field->kind == WIRE_HANDLE) {
            const handle_t handle = (handle_t)HX_RIGHTS_ALL;
            memcpy(arguments[i].data, &handle, sizeof(handle));
        } else if (field->kind == WIRE_BYTES || field->kind == WIRE_ARRAY) {
            memset(arguments[i].data, 0, (size_t)arguments[i].count * model_element(field));
            *arguments[i].out_count = arguments[i].count;
        }
    }
    return HX_OK;
}

static enum hx_status reply_with_input(void *context, struct wire_parcel *request,
                                       struct wire_parcel *out_reply) {
    struct model *model = context;
    *out_reply = answer;
    out_reply->message.kind = WIRE_REPLY;
    out_reply->message.method = request->message.method;
    model->handles += (int64_t)answer.handle_count - request->handle_count;
    return HX_OK;
}

static void take_port(void) {
    port = FUZZ_PORT;
    memcpy(methods, port.methods, port.method_count * sizeof(methods[0]));
    for (uint32_t i = 0; i < port.method_count; i++) {
        methods[i].invoke = methods[i].invoke != NULL ? invoke : NULL;
    }
    for (uint32_t i = 0; i < port.event_count; i++) {
        events[i] = port.events[i];
        events[i].invoke = invoke;
    }
    port.methods = methods;
    port.events = events;
}

static void serve(struct model *model, const struct wire_parcel *parcel) {
    const struct wire_message *message = &parcel->message;
    struct wire_parcel reply;
    model->server.instances[0].instance = &port;
    called = message->method < port.method_count ? &methods[message->method]
             : message->method == WIRE_ATTACH    ? &methods[port.method_count - 1]
                                                 : NULL;
    wire_serve(&model->server, parcel, &reply);
    FUZZ_ASSERT(reply.message.kind == WIRE_REPLY && reply.message.call == message->call);
    FUZZ_ASSERT(reply.handle_count <= WIRE_ARGUMENTS_MAX);
}

static void call_all(struct model *model) {
    struct wire_transport transport = model_transport;
    transport.call = reply_with_input;
    model->client.wire.transport = &transport;
    for (uint32_t i = 0; i < port.method_count; i++) {
        struct model_arguments sent;
        const struct wire_method *method = &methods[i];
        model_make(&sent, method);
        memset(model->client.targets, 0, sizeof(model->client.targets));
        for (uint32_t j = 0; j < ARRAY_SIZE(model->client.targets); j++) {
            model->client.targets[j].client = &model->client;
        }
        enum hx_status status = wire_call(&model->client.targets[0], i, sent.list);
        for (uint32_t j = 0; j < method->field_count; j++) {
            const struct wire_field *field = &method->fields[j];
            if (status == HX_OK && field->kind != WIRE_INSTANCE) {
                bool is_sized = field->direction == WIRE_RESULT &&
                                (field->kind == WIRE_BYTES || field->kind == WIRE_ARRAY);
                FUZZ_ASSERT(!is_sized || sent.counts[j] <= sent.list[j].count);
                uint32_t made = sent.list[j].count;
                sent.list[j].count = is_sized ? sent.counts[j] : made;
                model_touch(field, &sent.list[j]);
                sent.list[j].count = made;
            }
        }
        model_free(&sent, method);
    }
    model->client.wire.transport = &model_transport;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static struct model model;
    size_t head = MIN_OF(size, sizeof(answer.message));
    if (model.pool == NULL) {
        take_port();
        model_init(&model, &port, NULL, &port);
    }
    model_reset(&model, &port, NULL, &port);
    memset(model.pool, 0, 8 * PAGE_SIZE);
    model_seed = 1 + size;
    memset(&answer, 0, sizeof(answer));
    memcpy(&answer.message, data, head);
    answer.handle_count = answer.message.call % 4;
    for (uint32_t i = 0; i < answer.handle_count; i++) {
        answer.handles[i] = (answer.message.call >> (8 + i) & 1) != 0 ? (handle_t)HX_RIGHTS_ALL : 0;
    }
    memcpy(model.pool, data + head, MIN_OF(size - head, 8 * PAGE_SIZE));
    serve(&model, &answer);
    model.client.events = &port;
    called = answer.message.method < port.event_count ? &events[answer.message.method] : NULL;
    FUZZ_ASSERT(wire_receive(&model.client, &answer) != HX_OK || called != NULL);
    call_all(&model);
    FUZZ_ASSERT(atomic_load_explicit(&model.client_pool.used[0], memory_order_relaxed) ==
                ~MODEL_CLIENT_MASK);
    return 0;
}
