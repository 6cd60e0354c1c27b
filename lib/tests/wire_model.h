// SPDX-License-Identifier: MIT OR Apache-2.0
// "wire_model.h": a connection within one program, arguments that are made up from the description
// of a method, and a server that compares what it gets with what was sent. For tests and fuzz
// targets.
#pragma once

#include <lib/wire.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MODEL_POOL_PAGES   64u
#define MODEL_CLIENT_PAGES 48u // of the pool; the rest is the server's
#define MODEL_CLIENT_MASK  UINT64_C(0x0000ffffffffffff)
#define MODEL_BYTES_MAX    (128u * 1024)

// What must hold, in a test and in a fuzz target alike.
#define MODEL_CHECK(condition)                                                                     \
    do {                                                                                           \
        if (!(condition)) {                                                                        \
            (void)fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #condition);                  \
            abort();                                                                               \
        }                                                                                          \
    } while (0)

struct model {
    struct wire_client client;
    struct wire_server server;
    struct hx_pool client_pool, server_pool;
    uint8_t *pool; // of both
    void *client_scratch, *server_scratch;
    enum hx_status transport; // what call() fails with
    int64_t handles;          // copies that were made and not dropped
    uint32_t copy_nth;        // this copy from now on (1: the next) fails; 0: none does
    enum hx_status copy;      // with that
    uint64_t calls;
    // Changes a message on its way; may be NULL.
    void (*meddle)(struct model *model, struct wire_message *message);
    uint32_t cut; // for meddle
};

// The transport -----------------------------------------------------------------------------------

static enum hx_status model_call(void *context, struct wire_parcel *request,
                                 struct wire_parcel *out_reply) {
    struct model *model = context;
    struct wire_parcel parcel = *request;
    if (model->transport != HX_OK) {
        model->handles -= request->handle_count;
        return model->transport;
    }
    if (model->meddle != NULL) {
        model->meddle(model, &parcel.message);
    }
    wire_serve(&model->server, &parcel, out_reply);
    if (model->meddle != NULL) {
        model->meddle(model, &out_reply->message);
    }
    return HX_OK;
}

static enum hx_status model_send(void *context, struct wire_parcel *event) {
    struct model *model = context;
    struct wire_parcel parcel = *event;
    if (model->meddle != NULL) {
        model->meddle(model, &parcel.message);
    }
    enum hx_status status = wire_receive(&model->client, &parcel);
    if (status == HX_OK && event->message.inline_bytes == WIRE_PAGED) {
        hx_pool_give(&model->server_pool, event->message.body_page,
                     model->server.wire.port->event_max);
    }
    return status;
}

// The pool holds a copy while a page is shared.
static enum hx_status model_share(void *context, void *page, enum wire_direction direction,
                                  uint32_t *out_number) {
    struct model *model = context;
    if (!hx_pool_take(&model->client_pool, PAGE_SIZE, out_number)) {
        return HX_ERR_NO_MEMORY;
    }
    if (direction != WIRE_OUT) {
        memcpy(model->pool + *out_number * PAGE_SIZE, page, PAGE_SIZE);
    }
    return HX_OK;
}

static void model_unshare(void *context, void *page, enum wire_direction direction,
                          uint32_t number) {
    struct model *model = context;
    if (direction != WIRE_IN) {
        memcpy(page, model->pool + number * PAGE_SIZE, PAGE_SIZE);
    }
    hx_pool_give(&model->client_pool, number, PAGE_SIZE);
}

// A handle has the rights that its number says.
static enum hx_status model_handle_copy(void *context, handle_t handle, rights_t rights,
                                        handle_t *out_copy) {
    struct model *model = context;
    if (model->copy_nth != 0 && --model->copy_nth == 0) {
        return model->copy;
    }
    if ((handle & rights) != rights) {
        return HX_ERR_ACCESS_DENIED;
    }
    model->handles++;
    *out_copy = handle;
    return HX_OK;
}

static bool model_handle_has(void *context, handle_t handle, rights_t rights) {
    (void)context;
    return (handle & rights) == rights;
}

static void model_handle_drop(void *context, handle_t handle) {
    struct model *model = context;
    (void)handle;
    model->handles--;
}

static const struct wire_transport model_transport = {
    .call = model_call,
    .send = model_send,
    .page_share = model_share,
    .page_unshare = model_unshare,
    .handle_copy = model_handle_copy,
    .handle_has = model_handle_has,
    .handle_drop = model_handle_drop,
};

// A connection as it is at first, over the same memory.
static inline void model_reset(struct model *model, const struct wire_port *port, const void *ops,
                               void *self) {
    hx_pool_init(&model->client_pool, model->pool, MODEL_POOL_PAGES, 0, MODEL_CLIENT_PAGES);
    hx_pool_init(&model->server_pool, model->pool, MODEL_POOL_PAGES, MODEL_CLIENT_PAGES,
                 MODEL_POOL_PAGES - MODEL_CLIENT_PAGES);
    const struct wire near = {
        .port = port, .transport = &model_transport, .context = model, .pool = &model->client_pool
    };
    const struct wire far = {
        .port = port, .transport = &model_transport, .context = model, .pool = &model->server_pool
    };
    wire_client_init(&model->client, &near, model->client_scratch);
    wire_server_init(&model->server, &far, ops, self, model->server_scratch);
}

static inline void model_init(struct model *model, const struct wire_port *port, const void *ops,
                              void *self) {
    memset(model, 0, sizeof(*model));
    model->pool = aligned_alloc(PAGE_SIZE, MODEL_POOL_PAGES * PAGE_SIZE);
    model->client_scratch = malloc(port->event_max);
    model->server_scratch = malloc(ALIGN_UP(port->request_max, 8u) + port->reply_max);
    MODEL_CHECK(model->pool != NULL && model->client_scratch != NULL);
    MODEL_CHECK(model->server_scratch != NULL);
    memset(model->pool, 0xa5, MODEL_POOL_PAGES * PAGE_SIZE);
    model_reset(model, port, ops, self);
}

static inline void model_fini(struct model *model) {
    MODEL_CHECK(atomic_load_explicit(&model->client_pool.used[0], memory_order_relaxed) ==
                ~MODEL_CLIENT_MASK);
    MODEL_CHECK(atomic_load_explicit(&model->server_pool.used[0], memory_order_relaxed) ==
                MODEL_CLIENT_MASK);
    free(model->pool);
    free(model->client_scratch);
    free(model->server_scratch);
}

// Made-up arguments -------------------------------------------------------------------------------

static uint64_t model_seed = 1;

static inline uint64_t model_random(void) { // Marsaglia, xorshift64
    model_seed ^= model_seed << 13;
    model_seed ^= model_seed >> 7;
    model_seed ^= model_seed << 17;
    return model_seed;
}

static inline void model_fill(const struct wire_layout *layout, uint8_t *bytes);

static inline void model_mend(const struct wire_check *check, uint8_t *at) {
    uint32_t word = (uint32_t)model_random();
    switch (check->kind) {
    case WIRE_CHECK_BOOL:
        *at &= 1;
        return;
    case WIRE_CHECK_ENUM:
        word = check->values[word % check->limit];
        break;
    case WIRE_CHECK_FLAGS:
        word &= (uint32_t)check->limit;
        break;
    case WIRE_CHECK_TEXT:
        word = (uint32_t)(word % (check->limit + 1));
        at[4 + word] = 0;
        break;
    case WIRE_CHECK_STRING:
        at[word % (check->limit + 1)] = 0;
        return;
    case WIRE_CHECK_STRUCT:
        model_fill(check->layout, at);
        return;
    }
    memcpy(at, &word, sizeof(word));
}

// Random bytes that hold what the layout says.
static inline void model_fill(const struct wire_layout *layout, uint8_t *bytes) {
    for (uint32_t i = 0; i < layout->size_bytes; i++) {
        bytes[i] = (uint8_t)model_random();
    }
    for (uint32_t i = 0; i < layout->check_count; i++) {
        for (uint32_t j = 0; j < layout->checks[i].count; j++) {
            model_mend(&layout->checks[i],
                       bytes + layout->checks[i].offset + j * layout->checks[i].stride);
        }
    }
}

struct model_arguments {
    struct wire_argument list[WIRE_ARGUMENTS_MAX];
    uint32_t counts[WIRE_ARGUMENTS_MAX];
    void *instance;
};

static inline uint32_t model_element(const struct wire_field *field) {
    return field->layout != NULL        ? field->layout->size_bytes
           : field->kind == WIRE_HANDLE ? (uint32_t)sizeof(handle_t)
                                        : 1;
}

static inline void model_make_pages(struct wire_argument *argument) {
    void **pages = calloc(argument->count + 1, sizeof(void *));
    for (uint32_t i = 0; i < argument->count; i++) {
        pages[i] = aligned_alloc(PAGE_SIZE, PAGE_SIZE);
        memset(pages[i], (int)model_random(), PAGE_SIZE);
    }
    argument->data = (void *)pages;
}

static inline void model_make_one(struct model_arguments *made, uint32_t index,
                                  const struct wire_field *field) {
    struct wire_argument *argument = &made->list[index];
    bool is_one = field->kind == WIRE_VALUE || field->kind == WIRE_HANDLE;
    uint32_t few = model_random() % 4 == 0 ? UINT32_MAX : 7;
    uint32_t most = MIN_OF(field->bound, few);
    argument->count = is_one ? 1 : (uint32_t)(model_random() % (most + 1));
    argument->out_count = &made->counts[index];
    made->counts[index] = UINT32_MAX;
    if (field->kind == WIRE_PAGES) {
        argument->count = MIN_OF(argument->count, 4u);
        model_make_pages(argument);
        return;
    }
    if (field->kind == WIRE_INSTANCE) {
        argument->data = (void *)&made->instance;
        return;
    }
    uint32_t element = model_element(field);
    uint8_t *bytes = calloc((size_t)argument->count + 1, element);
    for (uint32_t i = 0; i < argument->count * element; i++) {
        bytes[i] = (uint8_t)(1 + model_random() % 255);
    }
    for (uint32_t i = 0; field->layout != NULL && i < argument->count; i++) {
        model_fill(field->layout, bytes + (size_t)i * element);
    }
    if (field->kind == WIRE_HANDLE) {
        handle_t handle = (handle_t)(field->rights | 1u << 20);
        memcpy(bytes, &handle, sizeof(handle));
    }
    argument->data = bytes;
}

static inline void model_make(struct model_arguments *made, const struct wire_method *method) {
    memset(made, 0, sizeof(*made));
    for (uint32_t i = 0; i < method->field_count; i++) {
        model_make_one(made, i, &method->fields[i]);
    }
}

static inline void model_free(struct model_arguments *made, const struct wire_method *method) {
    for (uint32_t i = 0; i < method->field_count; i++) {
        struct wire_argument *argument = &made->list[i];
        for (uint32_t j = 0; method->fields[i].kind == WIRE_PAGES && j < argument->count; j++) {
            free(((void **)argument->data)[j]);
        }
        if (method->fields[i].kind != WIRE_INSTANCE) {
            free(argument->data);
        }
    }
}

// Reads every byte that an argument promises, and checks what its description does.
static inline void model_touch(const struct wire_field *field,
                               const struct wire_argument *argument) {
    volatile uint8_t sum = 0;
    bool is_one = field->kind == WIRE_VALUE || field->kind == WIRE_HANDLE;
    uint32_t count = is_one ? 1 : argument->count;
    MODEL_CHECK(is_one || count <= field->bound);
    if (field->kind == WIRE_PAGES) {
        for (uint32_t i = 0; i < count; i++) {
            sum = (uint8_t)(sum + ((uint8_t **)argument->data)[i][PAGE_SIZE - 1]);
        }
        return;
    }
    const uint8_t *bytes = argument->data;
    for (size_t i = 0; i < (size_t)count * model_element(field) + (field->kind == WIRE_STRING);
         i++) {
        sum = (uint8_t)(sum + bytes[i]);
    }
    for (uint32_t i = 0; field->layout != NULL && i < count; i++) {
        MODEL_CHECK(wire_valid(field->layout, bytes + (size_t)i * model_element(field)));
    }
    if (field->kind == WIRE_STRING) {
        MODEL_CHECK(strlen((const char *)bytes) == count);
    }
}
