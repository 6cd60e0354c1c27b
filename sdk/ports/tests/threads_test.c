// SPDX-License-Identifier: MIT OR Apache-2.0
// threads_test.c: one client of the isolated form used by many threads: each gets its own results,
// its own instance, and the pool is whole at the end.
#include "wire_model.h"

#include <helix/ports/mailbox_wire.h>
#include <pthread.h>

#define THREADS 8u
#define ROUNDS  400u

static struct model model;
static pthread_mutex_t serving = PTHREAD_MUTEX_INITIALIZER; // the server takes one at a time
static const struct mailbox_ops *const ops = &mailbox_wire_client;
static int box_of[256]; // by the owner's first letter

static enum hx_status attach(void *self, const struct mailbox_events *events, void *client) {
    (void)self;
    (void)events;
    (void)client;
    return HX_OK;
}

static enum hx_status box_open(void *self, const char *owner, void **out_box) {
    (void)self;
    *out_box = &box_of[(uint8_t)owner[0]];
    return HX_OK;
}

static enum hx_status box_send(void *box, const struct mailbox_letter *letters, uint32_t count,
                               uint32_t *out_accepted) {
    for (uint32_t i = 0; i < count; i++) {
        MODEL_CHECK(&box_of[letters[i].sent] == box);
    }
    *out_accepted = count;
    return HX_OK;
}

static enum hx_status box_peek(void *box, struct mailbox_letter *letters, uint32_t capacity,
                               uint32_t *out_count) {
    memset(letters, 0, capacity * sizeof(*letters));
    for (uint32_t i = 0; i < capacity; i++) {
        letters[i].sent = (int *)box - box_of;
    }
    *out_count = capacity;
    return HX_OK;
}

static enum hx_status box_attach_pages(void *box, const void *const *pages, uint32_t count) {
    (void)box;
    (void)pages;
    (void)count;
    return HX_ERR_NO_SPACE;
}

static const struct mailbox_ops module_ops = {
    .attach = attach,
    .open = box_open,
    .send = box_send,
    .peek = box_peek,
    .attach_pages = box_attach_pages,
};

static enum hx_status call_locked(void *context, struct wire_parcel *request,
                                  struct wire_parcel *out_reply) {
    (void)pthread_mutex_lock(&serving);
    enum hx_status status = model_call(context, request, out_reply);
    (void)pthread_mutex_unlock(&serving);
    return status;
}

static void one_round(uint32_t me) {
    const char owner[2] = { (char)('a' + me), 0 };
    struct mailbox_letter letters[3] = { { .sent = owner[0] }, { .sent = owner[0] } };
    uint32_t count = 0;
    void *box = NULL;
    enum hx_status status = ops->open(&model.client.targets[0], owner, &box);
    while (status == HX_ERR_NO_MEMORY) { // the others have the pool
        status = ops->open(&model.client.targets[0], owner, &box);
    }
    MODEL_CHECK(status == HX_OK);
    do {
        status = ops->send(box, letters, 2, &count);
    } while (status == HX_ERR_NO_MEMORY);
    MODEL_CHECK(status == HX_OK && count == 2);
    do {
        status = ops->peek(box, letters, 3, &count);
    } while (status == HX_ERR_NO_MEMORY);
    MODEL_CHECK(status == HX_OK && count == 3 && letters[2].sent == owner[0]);
    do {
        status = ops->close(box);
    } while (status == HX_ERR_NO_MEMORY);
    MODEL_CHECK(status == HX_OK);
}

static void *run(void *index) {
    for (uint32_t i = 0; i < ROUNDS; i++) {
        one_round((uint32_t)(uintptr_t)index);
    }
    return NULL;
}

int main(void) {
    struct mailbox_ops bound;
    pthread_t threads[THREADS];
    struct wire_transport transport = model_transport;
    MODEL_CHECK(mailbox_bind(&bound, &module_ops, ~(rights_t)0) == HX_OK);
    model_init(&model, &mailbox_wire, &bound, &model);
    transport.call = call_locked;
    model.client.wire.transport = &transport;
    for (uintptr_t i = 0; i < THREADS; i++) {
        MODEL_CHECK(pthread_create(&threads[i], NULL, run, (void *)i) == 0);
    }
    for (uint32_t i = 0; i < THREADS; i++) {
        MODEL_CHECK(pthread_join(threads[i], NULL) == 0);
    }
    MODEL_CHECK(atomic_load_explicit(&model.server.refused, memory_order_relaxed) == 0);
    model_fini(&model);
    return 0;
}
