// SPDX-License-Identifier: MIT OR Apache-2.0
// user/libhelix/src/client.c: the client's end of a port.
//
// One of the threads that wait is the receiver: it alone looks at what comes, and sleeps in the
// kernel. It keeps what is its own, wakes whom the rest is for, and makes one of them the receiver
// when it leaves. A thread that sends while nobody receives becomes the receiver itself, so a
// single thread sends and waits in one call of the kernel, which hands the processor to the server.
//
// The receiver sleeps under a derived handle, which is revoked to wake it when another thread finds
// that the connection is at its end.
#include <libhelix/client.h>

#include "port.h"

#include <libhelix/wait.h>

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

struct call {
    uint32_t number;           // its place, and above that how often the place was used
    bool is_open;              // [lock] somebody waits for the answer
    uint32_t is_answered;      // [lock] then *reply is it
    struct wire_parcel *reply; // [lock]
    pthread_cond_t changed;    // it is answered, or there is nobody who receives
};

struct hx_client {
    struct wire_client wire;
    struct hx_pool pool;
    struct hx_end end; // [lock] `out`; `in` is the receiver's
    handle_t waits;    // derived: the receiver's
    time_ns_t limit_ns;
    pthread_mutex_t lock;
    enum hx_status dead;            // [lock] HX_OK: it is not
    bool is_receiving;              // [lock] there is a receiver
    bool is_delivering;             // [lock] somebody takes events
    uint32_t calls_max, calls_open; // [lock] `calls_open`
    pthread_cond_t call_free;
    struct call calls[HX_CLIENT_CALLS];
    pthread_cond_t events_changed;                   // there is one, or nobody who receives
    struct wire_parcel *events;                      // [lock] a ring: `events_count` from `first`
    uint32_t events_first, events_count, events_max; // [lock]
    uint32_t event_last;                             // [lock] number of the last one that came
    uint64_t
        owed[HX_POOL_WORDS]; // [lock] bit per page: a body begins that was read, and nobody told
    uint64_t lost;           // [lock]
};

// ---- the end of a connection

static bool is_waiting(const struct call *call) {
    return call->is_open && call->is_answered == 0;
}

// Needs the lock. The first reason counts. What looks like a lie may be zeroes in the place of
// memory that was taken away.
static void die(struct hx_client *client, enum hx_status reason) {
    struct hx_handle_info info;
    if (client->dead != HX_OK) {
        return;
    }
    client->dead = reason;
    if (hx_handle_info(client->end.handle, &info) == HX_OK && info.live == 0) {
        client->dead = HX_ERR_REVOKED;
    }
    HX_IGNORE(hx_handle_revoke(client->waits)); // it may be revoked already
    for (uint32_t i = 0; i < HX_CLIENT_CALLS; i++) {
        pthread_cond_signal(&client->calls[i].changed);
    }
    pthread_cond_broadcast(&client->call_free);
    pthread_cond_signal(&client->events_changed);
}

// ---- receiving; all of it needs the lock

static void body_read(struct hx_client *client, const struct wire_message *event) {
    if (event->inline_bytes == WIRE_PAGED && event->body_page < client->pool.page_count) {
        client->owed[event->body_page / 64] |= UINT64_C(1) << event->body_page % 64;
    }
}

static enum hx_status keep_event(struct hx_client *client, const struct wire_parcel *parcel) {
    const struct wire_message *message = &parcel->message;
    if (client->events_max == 0) {
        return HX_ERR_CORRUPT;
    }
    client->lost += message->call - client->event_last - 1;
    client->event_last = message->call;
    if (client->events_count == client->events_max) {
        client->lost++;
        body_read(client, message);
        port_drop(parcel);
        return HX_OK;
    }
    client->events[(client->events_first + client->events_count++) % client->events_max] = *parcel;
    pthread_cond_signal(&client->events_changed);
    return HX_OK;
}

static enum hx_status keep(struct hx_client *client, const struct wire_parcel *parcel) {
    struct call *call = &client->calls[parcel->message.call % HX_CLIENT_CALLS];
    if (parcel->message.kind == WIRE_EVENT) {
        return keep_event(client, parcel);
    }
    if (!is_waiting(call) || call->number != parcel->message.call) {
        return HX_ERR_CORRUPT;
    }
    *call->reply = *parcel;
    call->is_answered = 1;
    pthread_cond_signal(&call->changed);
    return HX_OK;
}

// All that is there.
static void take_all(struct hx_client *client) {
    struct wire_parcel parcel;
    enum port_kind kind;
    if (client->dead != HX_OK) {
        return;
    }
    while (client->dead == HX_OK && hx_ring_ready(&client->end.in) != 0) {
        enum hx_status status = port_take(&client->end, &parcel, &kind);
        if (status == HX_OK) {
            status = kind == PORT_MESSAGE ? keep(client, &parcel) : HX_ERR_CORRUPT;
            if (status != HX_OK) {
                port_drop(&parcel);
            }
        }
        if (status != HX_OK) {
            die(client, status);
        }
    }
    if (client->end.in.broken) {
        die(client, HX_ERR_CORRUPT);
    }
    if (client->dead == HX_OK) {
        (void)hx_ring_release(&client->end.in); // a server does not sleep until there is room
    }
}

// Sleeps until something came, without the lock; with `tells` the server is told first.
static enum hx_status sleep_once(struct hx_client *client, bool tells, time_ns_t deadline) {
    struct hx_consumer *in = &client->end.in;
    hx_consumer_sleep(in);
    const uint64_t tail = in->tail, sleep = in->sleep;
    pthread_mutex_unlock(&client->lock);
    const enum hx_status status =
        tells ? hx_channel_call(client->waits, tail, sleep, deadline)
              : hx_channel_wait(client->waits, HX_STATE_READABLE, tail, sleep, deadline);
    pthread_mutex_lock(&client->lock);
    hx_consumer_awake(in);
    return status;
}

// The next receiver: whoever waits for an answer, or else for events.
static void pass_on(struct hx_client *client) {
    client->is_receiving = false;
    for (uint32_t i = 0; i < HX_CLIENT_CALLS; i++) {
        if (is_waiting(&client->calls[i])) {
            pthread_cond_signal(&client->calls[i].changed);
            return;
        }
    }
    pthread_cond_signal(&client->events_changed);
}

// Receives until *done is not 0. HX_ERR_TIMED_OUT, HX_ERR_INTERRUPTED; HX_OK also if the connection
// died.
static enum hx_status receive(struct hx_client *client, const uint32_t *done, bool tells,
                              time_ns_t deadline) {
    enum hx_status status = HX_OK;
    client->is_receiving = true;
    take_all(client);
    if (tells && *done != 0) { // then no sleep tells it
        HX_IGNORE(hx_channel_notify(client->end.handle, HX_STATE_READABLE));
    }
    while (*done == 0 && client->dead == HX_OK && status == HX_OK) {
        status = sleep_once(client, tells, deadline);
        tells = false;
        take_all(client);
        if (status != HX_OK && status != HX_ERR_TIMED_OUT && status != HX_ERR_INTERRUPTED) {
            die(client, status);
            status = HX_OK;
        }
    }
    pass_on(client);
    return status;
}

// Until somebody changed something; HX_ERR_TIMED_OUT.
static enum hx_status wait_for(struct hx_client *client, pthread_cond_t *changed,
                               time_ns_t deadline) {
    const struct timespec at = { deadline / 1000000000, deadline % 1000000000 };
    if (deadline == TIME_NEVER) {
        pthread_cond_wait(changed, &client->lock);
        return HX_OK;
    }
    return pthread_cond_timedwait(changed, &client->lock, &at) == ETIMEDOUT ? HX_ERR_TIMED_OUT
                                                                            : HX_OK;
}

// ---- calls; all of it needs the lock

static enum hx_status call_claim(struct hx_client *client, struct wire_parcel *reply,
                                 time_ns_t deadline, struct call **out_call) {
    enum hx_status status = HX_OK;
    while (client->calls_open == client->calls_max && client->dead == HX_OK && status == HX_OK) {
        status = wait_for(client, &client->call_free, deadline);
    }
    if (client->dead != HX_OK) {
        return client->dead;
    }
    if (client->calls_open == client->calls_max) {
        return status; // one that got free in the last moment is taken: nobody else was told of it
    }
    struct call *call = client->calls;
    while (call->is_open) {
        call++;
    }
    client->calls_open++;
    call->number += HX_CLIENT_CALLS;
    call->is_open = true;
    call->is_answered = 0;
    call->reply = reply;
    *out_call = call;
    return HX_OK;
}

static void call_free(struct hx_client *client, struct call *call) {
    call->is_open = false;
    client->calls_open--;
    pthread_cond_signal(&client->call_free);
}

// The answer, or why there is none.
static enum hx_status call_await(struct hx_client *client, struct call *call, bool tells,
                                 time_ns_t deadline) {
    enum hx_status status = HX_OK;
    while (call->is_answered == 0 && client->dead == HX_OK && status != HX_ERR_TIMED_OUT) {
        if (client->is_receiving) {
            status = wait_for(client, &call->changed, deadline);
        } else {
            status = receive(client, &call->is_answered, tells, deadline);
        }
        tells = false;
    }
    if (call->is_answered != 0) {
        return HX_OK;
    }
    if (client->dead == HX_OK) { // whatever comes now is nobody's: its pages may be in use again
        die(client, HX_ERR_PEER_DIED);
        return HX_ERR_TIMED_OUT;
    }
    return client->dead;
}

// Sends the request. Who is the receiver then tells the server when it goes to sleep.
static enum hx_status call_send(struct hx_client *client, const struct wire_parcel *request,
                                bool *out_is_sent) {
    struct port_sent sent;
    const enum hx_status status = port_put(&client->end, PORT_MESSAGE, &request->message,
                                           sizeof(request->message), request, &sent);
    *out_is_sent = sent.is_sent;
    if (status == HX_ERR_CORRUPT) {
        die(client, status);
    } else if (sent.must_tell && client->is_receiving) {
        HX_IGNORE(hx_channel_notify(client->end.handle, HX_STATE_READABLE)); // the receiver learns
    }
    return status;
}

static enum hx_status client_call(void *context, struct wire_parcel *request,
                                  struct wire_parcel *out_reply) {
    struct hx_client *client = context;
    const time_ns_t deadline =
        client->limit_ns == TIME_NEVER ? TIME_NEVER : hx_after(client->limit_ns);
    struct call *call;
    bool is_sent;
    pthread_mutex_lock(&client->lock);
    enum hx_status status = call_claim(client, out_reply, deadline, &call);
    if (status != HX_OK) {
        port_drop(request);
        pthread_mutex_unlock(&client->lock);
        return status;
    }
    request->message.call = call->number;
    status = call_send(client, request, &is_sent);
    if (is_sent) { // one that lacks handles is answered, too
        const enum hx_status answered = call_await(client, call, !client->is_receiving, deadline);
        status = status == HX_OK ? answered : status;
    }
    call_free(client, call);
    pthread_mutex_unlock(&client->lock);
    return status;
}

// ---- pages of the caller: those of the pool go as they are, others are copied

static bool is_in_pool(const struct hx_pool *pool, const void *page) {
    const uint8_t *at = page;
    return at >= pool->base && at < pool->base + pool->page_count * PAGE_SIZE;
}

static uint32_t page_number(const struct hx_pool *pool, const void *page) {
    return (uint32_t)((size_t)((const uint8_t *)page - pool->base) / PAGE_SIZE);
}

static enum hx_status page_share(void *context, void *page, enum wire_direction direction,
                                 uint32_t *out_number) {
    struct hx_client *client = context;
    if (is_in_pool(&client->pool, page)) {
        *out_number = page_number(&client->pool, page);
        return ((uintptr_t)page & PAGE_MASK) == 0 ? HX_OK : HX_ERR_INVALID;
    }
    if (!hx_pool_take(&client->pool, PAGE_SIZE, out_number)) {
        return HX_ERR_NO_MEMORY;
    }
    if (direction != WIRE_OUT) {
        memcpy(client->pool.base + *out_number * PAGE_SIZE, page, PAGE_SIZE);
    }
    return HX_OK;
}

static void page_unshare(void *context, void *page, enum wire_direction direction,
                         uint32_t number) {
    struct hx_client *client = context;
    if (is_in_pool(&client->pool, page)) {
        return;
    }
    if (direction != WIRE_IN) {
        memcpy(page, client->pool.base + number * PAGE_SIZE, PAGE_SIZE);
    }
    hx_pool_give(&client->pool, number, PAGE_SIZE);
}

enum hx_status hx_client_pages_take(struct hx_client *client, uint32_t count, void *pages[]) {
    for (uint32_t i = 0; i < count; i++) {
        uint32_t number;
        if (!hx_pool_take(&client->pool, PAGE_SIZE, &number)) {
            hx_client_pages_give(client, i, pages);
            return HX_ERR_NO_MEMORY;
        }
        pages[i] = client->pool.base + number * PAGE_SIZE;
    }
    return HX_OK;
}

void hx_client_pages_give(struct hx_client *client, uint32_t count, void *const pages[]) {
    for (uint32_t i = 0; i < count; i++) {
        hx_pool_give(&client->pool, page_number(&client->pool, pages[i]), PAGE_SIZE);
    }
}

static const struct wire_transport transport = {
    .call = client_call,
    .page_share = page_share,
    .page_unshare = page_unshare,
    .handle_copy = port_handle_copy,
    .handle_has = port_handle_has,
    .handle_drop = port_handle_drop,
};

// ---- events

// The next pages that the server gets back; false: none.
static bool owed_take(struct hx_client *client, struct port_read *out_read) {
    uint32_t count = 0;
    memset(out_read, 0xff, sizeof(*out_read)); // PORT_NO_PAGE
    for (uint32_t i = 0; i < HX_POOL_WORDS; i++) {
        for (; client->owed[i] != 0 && count < ARRAY_SIZE(out_read->pages); count++) {
            out_read->pages[count] = i * 64 + (uint32_t)__builtin_ctzll(client->owed[i]);
            client->owed[i] &= client->owed[i] - 1;
        }
    }
    return count != 0;
}

// Needs the lock. Later, if there is no room beside that for requests.
static void give_bodies_back(struct hx_client *client) {
    static const struct wire_parcel none;
    struct port_read read;
    struct port_sent sent = { false, false };
    bool must_tell = false;
    while (client->dead == HX_OK && port_has_room(&client->end, client->calls_max) &&
           owed_take(client, &read)) {
        if (port_put(&client->end, PORT_READ, &read, sizeof(read), &none, &sent) != HX_OK) {
            die(client, HX_ERR_CORRUPT);
        }
        must_tell |= sent.must_tell;
    }
    if (must_tell) {
        HX_IGNORE(hx_channel_notify(client->end.handle, HX_STATE_READABLE)); // the receiver learns
    }
}

// Needs the lock, and has none while a handler runs. HX_ERR_CORRUPT: one was malformed.
static enum hx_status deliver(struct hx_client *client) {
    enum hx_status status = HX_OK;
    while (client->events_count != 0 && status == HX_OK) {
        const struct wire_parcel event = client->events[client->events_first];
        client->events_first = (client->events_first + 1) % client->events_max;
        client->events_count--;
        pthread_mutex_unlock(&client->lock);
        status = wire_receive(&client->wire, &event);
        pthread_mutex_lock(&client->lock);
        if (status != HX_OK) {
            die(client, status);
        }
        body_read(client, &event.message);
        give_bodies_back(client);
    }
    return status;
}

enum hx_status hx_client_events(struct hx_client *client, time_ns_t deadline) {
    enum hx_status status = HX_OK;
    pthread_mutex_lock(&client->lock);
    if (client->is_delivering) {
        pthread_mutex_unlock(&client->lock);
        return HX_ERR_BUSY;
    }
    client->is_delivering = true;
    while (client->events_count == 0 && client->dead == HX_OK && status == HX_OK) {
        status = client->is_receiving ? wait_for(client, &client->events_changed, deadline)
                                      : receive(client, &client->events_count, false, deadline);
    }
    if (client->events_count != 0) { // also what came before the end
        status = deliver(client);
    } else if (client->dead != HX_OK) {
        status = client->dead;
    }
    client->is_delivering = false;
    pthread_mutex_unlock(&client->lock);
    return status;
}

uint64_t hx_client_lost(struct hx_client *client) {
    pthread_mutex_lock(&client->lock);
    const uint64_t lost = client->lost;
    pthread_mutex_unlock(&client->lock);
    return lost;
}

// ---- beginning and end

static void conditions_init(struct hx_client *client) {
    pthread_condattr_t monotonic;
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_mutex_init(&client->lock, NULL);
    pthread_cond_init(&client->call_free, &monotonic);
    pthread_cond_init(&client->events_changed, &monotonic);
    for (uint32_t i = 0; i < HX_CLIENT_CALLS; i++) {
        client->calls[i].number = i;
        pthread_cond_init(&client->calls[i].changed, &monotonic);
    }
    pthread_condattr_destroy(&monotonic);
}

// The server's first word, and the memory that comes with it.
static enum hx_status hello(struct hx_client *client, time_ns_t deadline,
                            struct port_hello *out_hello, handle_t *out_memory) {
    struct hx_slot slot;
    uint32_t received;
    enum hx_status status = hx_end_receive(&client->end, &slot, 1, deadline, &received);
    if (status != HX_OK) {
        return status;
    }
    if (slot.kind != PORT_HELLO || slot.length != sizeof(*out_hello) || slot.flags != 1) {
        return HX_ERR_CORRUPT;
    }
    memcpy(out_hello, slot.data, sizeof(*out_hello));
    status = hx_channel_receive(client->end.handle, out_memory);
    return status == HX_ERR_WOULD_BLOCK ? HX_ERR_CORRUPT : status;
}

// The client's version of that ABI; NULL: it has none.
static const struct hx_port_minor *minor_of(const struct hx_port_versions *versions, uint64_t abi) {
    for (uint32_t i = 0; i < versions->count; i++) {
        if (versions->minors[i].abi == abi) {
            return &versions->minors[i];
        }
    }
    return NULL;
}

// The newest version that both have. False: there is none.
static bool agree(struct wire *wire, const struct port_hello *said) {
    wire->minor = NULL;
    wire->has_newer_peer = minor_of(wire->port->versions, said->abi[0]) == NULL;
    for (uint32_t i = 0; i < PORT_VERSIONS_MAX && wire->minor == NULL; i++) {
        wire->minor = minor_of(wire->port->versions, said->abi[i]);
    }
    return wire->minor != NULL;
}

static enum hx_status pool_open(struct hx_client *client, time_ns_t deadline) {
    struct port_hello said;
    handle_t memory;
    enum hx_status status = hello(client, deadline, &said, &memory);
    if (status != HX_OK) {
        return status;
    }
    if (!agree(&client->wire.wire, &said)) {
        status = HX_ERR_BAD_IMAGE;
    } else if (said.pages > HX_POOL_PAGES_MAX || said.server_pages >= said.pages) {
        status = HX_ERR_CORRUPT;
    } else {
        status =
            port_pool_map(memory, said.pages, 0, said.pages - said.server_pages, &client->pool);
    }
    HX_IGNORE(hx_handle_close(memory)); // what is mapped stays
    return status;
}

// With the end open.
static enum hx_status client_begin(struct hx_client *client, const struct wire_port *port,
                                   time_ns_t deadline) {
    const struct wire wire = {
        .port = port, .transport = &transport, .context = client, .pool = &client->pool
    };
    const uint32_t slots = client->end.view.slots;
    void *scratch = malloc(port->event_max + 1);
    client->events_max = port->event_count != 0 ? slots : 0;
    client->events = calloc(slots, sizeof(*client->events));
    wire_client_init(&client->wire, &wire, scratch);
    if (scratch == NULL || client->events == NULL) {
        return HX_ERR_NO_MEMORY;
    }
    enum hx_status status = pool_open(client, deadline);
    if (status == HX_OK) {
        status = hx_handle_derive(client->end.handle,
                                  HX_RIGHT_SIGNAL | HX_RIGHT_WAIT | HX_RIGHT_ADMIN, &client->waits);
    }
    if (status != HX_OK && client->pool.base != NULL) {
        port_pool_unmap(&client->pool);
    }
    return status;
}

enum hx_status hx_client_open(handle_t end, const struct wire_port *port, time_ns_t deadline,
                              struct hx_client **out_client) {
    struct hx_client *client = calloc(1, sizeof(*client));
    if (client == NULL) {
        return HX_ERR_NO_MEMORY;
    }
    client->limit_ns = TIME_NEVER;
    enum hx_status status = port_end_open(&client->end, end);
    if (status != HX_OK) {
        free(client);
        return status;
    }
    client->calls_max = port_calls_max(client->end.view.slots);
    status = client_begin(client, port, deadline);
    if (status != HX_OK) {
        port_end_unmap(&client->end); // the handle stays the caller's
        free(client->wire.scratch);
        free(client->events);
        free(client);
        return status;
    }
    conditions_init(client);
    *out_client = client;
    return HX_OK;
}

void *hx_client_self(struct hx_client *client) {
    return &client->wire.targets[0];
}

void hx_client_limit(struct hx_client *client, time_ns_t span_ns) {
    client->limit_ns = span_ns;
}

void hx_client_cut(struct hx_client *client) {
    pthread_mutex_lock(&client->lock);
    die(client, HX_ERR_PEER_DIED);
    pthread_mutex_unlock(&client->lock);
}

void hx_client_close(struct hx_client *client) {
    for (uint32_t i = 0; i < client->events_count; i++) {
        port_drop(&client->events[(client->events_first + i) % client->events_max]);
    }
    port_pool_unmap(&client->pool);
    port_end_unmap(&client->end);
    HX_IGNORE(hx_handle_close(client->waits));      // it may have been revoked
    HX_IGNORE(hx_handle_close(client->end.handle)); // this, too
    free(client->wire.scratch);
    free(client->events);
    free(client);
}
