// SPDX-License-Identifier: MIT OR Apache-2.0
// wire_test.c: messages of every method and event of every port: what is sent arrives, what is
// answered comes back, and each message that is cut, too long, or altered is refused, both ways.
#include "wire_model.h"

#include <helix/ports/all_wire.h>
#include <helix/ports/char_wire.h>
#include <helix/ports/console_wire.h>
#include <helix/ports/fs_wire.h>

#define ROUNDS 40u

// A port whose methods are all done here, so that arguments can be compared by their description.
static struct wire_method methods[64], events[8];
static struct wire_port port;

static struct {
    const struct wire_method *method;
    const struct model_arguments *sent;
    struct model_arguments answered;
    enum hx_status answer;
    uint32_t calls;
} expected;

static void compare(const struct wire_field *field, const struct wire_argument *sent,
                    const struct wire_argument *got) {
    size_t size = (size_t)sent->count * model_element(field);
    if (field->kind == WIRE_PAGES) {
        MODEL_CHECK(got->count == sent->count);
        for (uint32_t i = 0; i < sent->count && field->direction != WIRE_OUT; i++) {
            MODEL_CHECK(memcmp(((void **)got->data)[i], ((void **)sent->data)[i], PAGE_SIZE) == 0);
        }
    } else if (field->direction == WIRE_IN || field->direction == WIRE_INOUT) {
        MODEL_CHECK(field->kind == WIRE_VALUE || field->kind == WIRE_HANDLE ||
                    got->count == sent->count);
        MODEL_CHECK(memcmp(got->data, sent->data, size) == 0);
    } else if (field->kind == WIRE_BYTES || field->kind == WIRE_ARRAY) {
        MODEL_CHECK(got->count == sent->count); // the capacity
    }
}

// What the module answers: random results, within the capacities.
static void answer(const struct wire_field *field, struct wire_argument *to, uint32_t index) {
    struct wire_argument *kept = &expected.answered.list[index];
    if (field->kind == WIRE_INSTANCE) {
        *(void **)to->data = &expected;
    } else if (field->direction == WIRE_RESULT || field->direction == WIRE_INOUT) {
        if (field->kind == WIRE_BYTES || field->kind == WIRE_ARRAY) {
            kept->count =
                field->direction == WIRE_INOUT ? to->count : MIN_OF(kept->count, to->count);
            if (field->direction == WIRE_RESULT) {
                *to->out_count = kept->count;
            }
        }
        if (field->kind != WIRE_PAGES) {
            memcpy(to->data, kept->data, (size_t)kept->count * model_element(field));
        }
    }
}

static enum hx_status invoke(const void *table, void *first, struct wire_argument *arguments) {
    const struct wire_method *method = expected.method;
    (void)table;
    MODEL_CHECK(first == &expected);
    expected.calls++;
    for (uint32_t i = 0; i < method->field_count; i++) {
        const struct wire_field *field = &method->fields[i];
        if (field->direction == WIRE_IN || field->direction == WIRE_INOUT) {
            model_touch(field, &arguments[i]);
        }
        compare(field, &expected.sent->list[i], &arguments[i]);
        if (expected.answer == HX_OK) {
            answer(field, &arguments[i], i);
        }
    }
    return expected.answer;
}

static void port_take(const struct wire_port *from) {
    port = *from;
    memcpy(methods, from->methods, from->method_count * sizeof(methods[0]));
    for (uint32_t i = 0; i < port.method_count; i++) {
        methods[i].invoke = methods[i].invoke != NULL ? invoke : NULL;
    }
    for (uint32_t i = 0; i < port.event_count; i++) {
        events[i] = from->events[i];
        events[i].invoke = invoke;
    }
    port.methods = methods;
    port.events = events;
}

// Answers that fit: an INOUT comes back as long as it went.
static void answers_make(const struct wire_method *method, const struct model_arguments *sent) {
    model_make(&expected.answered, method);
    for (uint32_t i = 0; i < method->field_count; i++) {
        if (method->fields[i].direction == WIRE_INOUT && method->fields[i].kind == WIRE_BYTES) {
            struct wire_argument *kept = &expected.answered.list[i];
            free(kept->data);
            kept->count = sent->list[i].count;
            kept->data = calloc(kept->count + 1, 1);
        }
    }
}

static void results_check(const struct wire_method *method, const struct model_arguments *sent) {
    for (uint32_t i = 0; i < method->field_count; i++) {
        const struct wire_field *field = &method->fields[i];
        const struct wire_argument *kept = &expected.answered.list[i];
        if (field->direction == WIRE_RESULT &&
            (field->kind == WIRE_BYTES || field->kind == WIRE_ARRAY)) {
            MODEL_CHECK(sent->counts[i] == kept->count);
        }
        if ((field->direction == WIRE_RESULT || field->direction == WIRE_INOUT) &&
            field->kind != WIRE_PAGES && field->kind != WIRE_INSTANCE) {
            MODEL_CHECK(memcmp(sent->list[i].data, kept->data,
                               (size_t)kept->count * model_element(field)) == 0);
        }
    }
}

static struct wire_target *target_of(struct model *model, const struct wire_method *method) {
    if (!method->on_instance) {
        return &model->client.targets[0];
    }
    model->server.instances[0].instance = &expected;
    atomic_store(&model->client.targets[1].id,
                 (uint64_t)model->server.instances[0].generation << 32 | 1);
    return &model->client.targets[1];
}

static enum hx_status call(struct model *model, uint32_t number, struct model_arguments *sent) {
    const struct wire_method *method = &port.methods[number];
    expected.method = method;
    expected.sent = sent;
    for (uint32_t i = 0; i < WIRE_INSTANCES_MAX; i++) {
        model->server.instances[i].instance = NULL;
        atomic_store(&model->client.targets[i + 1].id, 0);
    }
    return wire_call(target_of(model, method), number, sent->list);
}

static bool is_attach(uint32_t number) {
    return port.event_count > 0 && number == port.method_count - 1;
}

// The handles that a call sends, or gets.
static int64_t handles_of(const struct wire_method *method, enum wire_direction direction) {
    int64_t count = 0;
    for (uint32_t i = 0; i < method->field_count; i++) {
        count += method->fields[i].kind == WIRE_HANDLE && method->fields[i].direction == direction;
    }
    return count;
}

static void test_round(struct model *model, uint32_t number, enum hx_status answered) {
    struct model_arguments sent;
    const struct wire_method *method = &port.methods[number];
    model_make(&sent, method);
    answers_make(method, &sent);
    expected.answer = answered;
    expected.calls = 0;
    model->handles = 0;
    enum hx_status status = call(model, number, &sent);
    if (status != answered) {
        (void)fprintf(stderr, "method %u: %d instead of %d\n", number, status, answered);
    }
    MODEL_CHECK(status == answered);
    MODEL_CHECK(expected.calls == 1);
    MODEL_CHECK(model->handles == handles_of(method, WIRE_IN)); // the module's
    if (answered == HX_OK) {
        results_check(method, &sent);
    }
    model_free(&sent, method);
    model_free(&expected.answered, method);
}

// Cutting -----------------------------------------------------------------------------------------

static bool cut_reply;
static uint32_t whole; // length of the body that was cut; 0: it was not longer than the cut

static void cut(struct model *model, struct wire_message *message) {
    if ((message->kind == WIRE_REPLY) != cut_reply) {
        return;
    }
    bool is_paged = message->inline_bytes == WIRE_PAGED;
    uint32_t length = is_paged ? message->body_bytes : message->inline_bytes;
    whole = length;
    if (is_paged) {
        message->body_bytes = model->cut < length ? model->cut : length + 1 + model->cut % 64;
    } else {
        message->inline_bytes = (uint8_t)(model->cut < length ? model->cut : length + 1);
    }
}

// Each shorter body, and one that is longer, is refused.
static void test_cut(struct model *model, uint32_t number, bool reply) {
    const struct wire_method *method = &port.methods[number];
    cut_reply = reply;
    model->meddle = cut;
    model->cut = 0;
    do {
        struct model_arguments sent;
        uint64_t seed = model_seed;
        model_make(&sent, method);
        answers_make(method, &sent);
        expected.answer = HX_OK;
        expected.calls = 0;
        model->handles = 0;
        MODEL_CHECK(call(model, number, &sent) == HX_ERR_CORRUPT);
        MODEL_CHECK(expected.calls == (reply ? 1 : 0));
        // What was sent is the module's, or nobody's; what it gave is nobody's.
        MODEL_CHECK(model->handles ==
                    (reply ? handles_of(method, WIRE_IN) - handles_of(method, WIRE_RESULT) : 0));
        for (uint32_t i = 0; i < method->field_count; i++) {
            MODEL_CHECK(sent.counts[i] == UINT32_MAX); // untouched
        }
        MODEL_CHECK(sent.instance == NULL);
        model_free(&sent, method);
        model_free(&expected.answered, method);
        model_seed = seed; // the same message again
    } while (model->cut++ < whole && model->cut < 3000);
    model->meddle = NULL;
    (void)model_random();
}

// Altering ----------------------------------------------------------------------------------------

static void alter(struct model *model, struct wire_message *message) {
    uint8_t *bytes = (uint8_t *)message;
    const uint16_t method = message->method;
    if ((message->kind == WIRE_REPLY) == cut_reply) {
        bytes[model->cut] ^= (uint8_t)(1 + model_random() % 255);
    }
    if (message->method < port.method_count) {
        message->method = method; // another method is another test's
    }
}

// Whatever byte of a slot is altered: the call ends, and nothing leaks. Comparisons are off.
static enum hx_status invoke_blindly(const void *table, void *first,
                                     struct wire_argument *arguments) {
    (void)table;
    (void)first;
    for (uint32_t i = 0; i < expected.method->field_count; i++) {
        const struct wire_field *field = &expected.method->fields[i];
        if (field->kind == WIRE_INSTANCE) {
            *(void **)arguments[i].data = &expected;
        }
    }
    return HX_OK;
}

static void test_altered(struct model *model, uint32_t number, bool reply) {
    struct wire_method *method = &methods[number];
    method->invoke = invoke_blindly;
    cut_reply = reply;
    model->meddle = alter;
    for (model->cut = 4; model->cut < sizeof(struct wire_message); model->cut++) {
        struct model_arguments sent;
        model_make(&sent, method);
        enum hx_status status = call(model, number, &sent);
        (void)status; // an altered value may be a right one
        model_free(&sent, method);
    }
    method->invoke = invoke;
    model->meddle = NULL;
}

// Everything --------------------------------------------------------------------------------------

static void test_events(struct model *model) {
    model->client.events = &expected;
    model->client.events_client = &expected;
    for (uint32_t i = 0; i < port.event_count * ROUNDS; i++) {
        const struct wire_method *event = &port.events[i % port.event_count];
        struct model_arguments sent;
        model_make(&sent, event);
        expected.method = event;
        expected.sent = &sent;
        expected.answer = HX_OK;
        expected.calls = 0;
        wire_event(&model->server, i % port.event_count, sent.list);
        MODEL_CHECK(expected.calls == 1 && model->server.lost == 0);
        cut_reply = false;
        model->meddle = cut;
        model->cut = (uint32_t)model_random() % 8;
        wire_event(&model->server, i % port.event_count, sent.list);
        MODEL_CHECK(expected.calls == 1 && model->server.lost == 1);
        atomic_store_explicit(&model->server.lost, 0, memory_order_relaxed);
        model->meddle = NULL;
        model_free(&sent, event);
    }
}

static void test_port(const struct wire_port *from, const char *name) {
    struct model model;
    port_take(from);
    model_init(&model, &port, NULL, &expected);
    for (uint32_t i = 0; i < port.method_count; i++) {
        if (is_attach(i) || port.methods[i].invoke == NULL) {
            continue;
        }
        for (uint32_t round = 0; round < ROUNDS; round++) {
            test_round(&model, i, HX_OK);
            if (port.methods[i].fail_count > 0) {
                test_round(&model, i, port.methods[i].fails[round % port.methods[i].fail_count]);
            }
        }
        for (uint32_t round = 0; round < 3; round++) {
            test_cut(&model, i, false);
            test_cut(&model, i, true);
            test_altered(&model, i, false);
            test_altered(&model, i, true);
        }
    }
    test_events(&model);
    model_fini(&model);
    (void)printf("%s: %u methods, %u events\n", name, port.method_count, port.event_count);
}

// A status that the method cannot give, more results than there was room for, a full pool.
static void test_answers(void) {
    struct model model;
    struct model_arguments sent;
    port_take(&fs_wire);
    model_init(&model, &port, NULL, &expected);
    const struct wire_method *method = &port.methods[FS_METHOD_READDIR];
    model_make(&sent, method);
    answers_make(method, &sent);
    expected.answer = HX_ERR_RESTART; // the personality would do the call again for ever
    MODEL_CHECK(call(&model, FS_METHOD_READDIR, &sent) == HX_ERR_CORRUPT);
    model.transport = HX_ERR_PEER_DIED;
    MODEL_CHECK(call(&model, FS_METHOD_READDIR, &sent) == HX_ERR_PEER_DIED);
    atomic_store_explicit(&model.client_pool.used[0], UINT64_MAX, memory_order_relaxed);
    MODEL_CHECK(call(&model, FS_METHOD_READDIR, &sent) == HX_ERR_NO_MEMORY);
    atomic_store_explicit(&model.client_pool.used[0], ~MODEL_CLIENT_MASK, memory_order_relaxed);
    model_free(&sent, method);
    model_free(&expected.answered, method);
    model_fini(&model);
}

// Results that cannot go --------------------------------------------------------------------------

#define GIVEN 3u // handles

static uint32_t made, ended, claimed;

static enum hx_status give(const void *table, void *first, struct wire_argument *arguments) {
    (void)table;
    (void)first;
    for (uint32_t i = 0; i <= GIVEN; i++) {
        const handle_t given = ~(handle_t)0;
        if (i == 1) {
            *(void **)arguments[i].data = &expected;
        } else {
            memcpy(arguments[i].data, &given, sizeof(given));
        }
    }
    *arguments[GIVEN + 1].out_count = claimed;
    made++;
    return HX_OK;
}

static enum hx_status end(const void *table, void *first, struct wire_argument *arguments) {
    (void)table;
    MODEL_CHECK(first == &expected && arguments == NULL);
    ended++;
    return HX_OK;
}

static uint32_t instances(const struct model *model) {
    uint32_t count = 0;
    for (uint32_t i = 0; i < WIRE_INSTANCES_MAX; i++) {
        count += model->server.instances[i].instance != NULL;
    }
    return count;
}

static enum hx_status call_give(struct model *model, uint32_t copy_nth, enum hx_status copy) {
    struct model_arguments sent;
    model_make(&sent, &methods[0]);
    sent.list[GIVEN + 1].count = 2;
    model->handles = 0;
    model->copy_nth = copy_nth;
    model->copy = copy;
    enum hx_status status = call(model, 0, &sent);
    MODEL_CHECK((sent.instance != NULL) == (status == HX_OK));
    model_free(&sent, &methods[0]);
    return status;
}

// One result cannot go: what went before and what would come behind is nobody's, the instance is at
// its end, and its place free. Each copy of a handle, by each of its refusals, and a count that is
// a lie.
static void test_results(void) {
    static const struct {
        enum hx_status copy, told;
    } refusals[] = {
        { HX_ERR_LIMIT, HX_ERR_LIMIT },        { HX_ERR_NO_MEMORY, HX_ERR_LIMIT },
        { HX_ERR_TABLE_FULL, HX_ERR_LIMIT },   { HX_ERR_REVOKED, HX_ERR_LIMIT },
        { HX_ERR_BAD_HANDLE, HX_ERR_CORRUPT }, { HX_ERR_ACCESS_DENIED, HX_ERR_CORRUPT },
    };
    static const struct wire_field fields[GIVEN + 2] = {
        { WIRE_HANDLE, WIRE_RESULT, 0, NULL, HX_RIGHT_READ },
        { WIRE_INSTANCE, WIRE_RESULT, 0, NULL, 0 },
        { WIRE_HANDLE, WIRE_RESULT, 0, NULL, HX_RIGHT_READ },
        { WIRE_HANDLE, WIRE_RESULT, 0, NULL, HX_RIGHT_READ },
        { WIRE_ARRAY, WIRE_RESULT, 4, &wire_u64, 0 },
    };
    struct model model;
    port_take(&all_wire);
    port.method_count = 2;
    methods[0] = (struct wire_method){ .invoke = give, .fields = fields, .field_count = GIVEN + 2 };
    methods[1] = (struct wire_method){ .invoke = end, .on_instance = true, .ends = true };
    port.event_count = 0;
    model_init(&model, &port, NULL, &expected);
    claimed = 2;
    MODEL_CHECK(call_give(&model, 0, HX_OK) == HX_OK && instances(&model) == 1 && ended == 0);
    MODEL_CHECK(model.handles == 0); // as many copies as handles that were given
    for (uint32_t i = 0; i < ARRAY_SIZE(refusals); i++) {
        for (uint32_t nth = 1; nth <= GIVEN; nth++) {
            const uint32_t before = ended;
            MODEL_CHECK(call_give(&model, nth, refusals[i].copy) == refusals[i].told);
            MODEL_CHECK(model.handles == -(int64_t)GIVEN); // no copy is left
            MODEL_CHECK(ended == before + 1 && instances(&model) == 0);
        }
    }
    claimed = 3;
    MODEL_CHECK(call_give(&model, 0, HX_OK) == HX_ERR_CORRUPT && model.handles == -(int64_t)GIVEN);
    MODEL_CHECK(instances(&model) == 0 && made == ended + 1);
    model_fini(&model);
}

int main(void) {
    test_port(&all_wire, "all");
    test_port(&char_wire, "char");
    test_port(&console_wire, "console");
    test_port(&fs_wire, "fs");
    test_answers();
    test_results();
    return 0;
}
