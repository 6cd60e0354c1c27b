// SPDX-License-Identifier: MIT OR Apache-2.0
// tests/native/ports_lies.c: clients and servers of a port that break the rules of a connection,
// slot by slot: whoever is honest gets a status, and goes on with everybody else.
#include "../../user/libhelix/src/port.h"
#include "desk.h"

// ---- a client without the library

struct raw {
    struct hx_end end;
    uint8_t *pool;
    struct port_hello hello;
};

static struct hx_end listener;

static void raw_begin(struct raw *raw) {
    struct hx_slot first;
    handle_t ends[2], memory = 0;
    uint64_t address = 0;
    uint32_t received;
    const struct hx_slot message = hx_message(1, "", 0);
    NEED(hx_channel_create(16, ends) == HX_OK);
    NEED(hx_end_send_handle(&listener, &message, ends[1], TIME_NEVER) == HX_OK);
    NEED(hx_end_open(&raw->end, ends[0]) == HX_OK);
    NEED(hx_end_receive(&raw->end, &first, 1, TIME_NEVER, &received) == HX_OK);
    NEED(first.kind == PORT_HELLO && first.flags == 1);
    memcpy(&raw->hello, first.data, sizeof(raw->hello));
    NEED(hx_channel_receive(raw->end.handle, &memory) == HX_OK);
    NEED(hx_memory_map(memory, 0, raw->hello.pages * PAGE_SIZE,
                       HX_PROTECTION_READ | HX_PROTECTION_WRITE, &address) == HX_OK);
    SAME(hx_memory_resize(memory, 0), HX_ERR_ACCESS_DENIED); // not under the server
    raw->pool = (uint8_t *)(uintptr_t)address;
    NEED(hx_handle_close(memory) == HX_OK);
}

static void raw_end(struct raw *raw) {
    munmap(raw->pool, raw->hello.pages * PAGE_SIZE);
    hx_end_close(&raw->end);
}

static void raw_send(struct raw *raw, const struct hx_slot *slot) {
    SAME(hx_end_send_all(&raw->end, slot, 1, TIME_NEVER), HX_OK);
}

static struct hx_slot slot_of(const struct wire_message *message) {
    return hx_message(PORT_MESSAGE, message, sizeof(*message));
}

// The status in the answer to a request; HX_ERR_PEER_DIED: there was none.
static enum hx_status raw_call(struct raw *raw, const struct wire_message *message) {
    struct hx_slot slot = slot_of(message), answer;
    struct wire_message reply;
    uint32_t received;
    uint64_t status;
    raw_send(raw, &slot);
    const enum hx_status got = hx_end_receive(&raw->end, &answer, 1, TIME_NEVER, &received);
    if (got != HX_OK) {
        return got;
    }
    memcpy(&reply, answer.data, sizeof(reply));
    CHECK(reply.kind == WIRE_REPLY && reply.call == message->call);
    memcpy(&status,
           reply.inline_bytes == WIRE_PAGED ? raw->pool + (size_t)reply.body_page * PAGE_SIZE
                                            : reply.body,
           sizeof(status));
    return (enum hx_status)(int32_t)status;
}

static pid_t lies_begin(void) {
    handle_t ends[2];
    NEED(hx_channel_create(4, ends) == HX_OK);
    const pid_t server = child_with(ends[1], desk_listen);
    NEED(hx_end_open(&listener, ends[0]) == HX_OK);
    return server;
}

// The server still serves others, and ends when nobody is left.
static void lies_end(pid_t server) {
    struct raw raw;
    const struct wire_message request = { .method = DESK_METHOD_ABSENT,
                                          .kind = WIRE_REQUEST,
                                          .inline_bytes = 8 };
    raw_begin(&raw);
    SAME(raw_call(&raw, &request), HX_OK);
    raw_end(&raw);
    hx_end_close(&listener);
    SAME(check_wait(server), 0);
}

// ---- what ends the connection

static void connection_lost(const struct hx_slot *slot, uint32_t handles) {
    struct raw raw;
    struct hx_slot answer;
    uint32_t received;
    raw_begin(&raw);
    for (uint32_t i = 0; i < handles; i++) {
        NEED(hx_channel_send(raw.end.handle, event_new()) == HX_OK);
    }
    raw_send(&raw, slot);
    SAME(hx_end_receive(&raw.end, &answer, 1, TIME_NEVER, &received), HX_ERR_PEER_DIED);
    raw_end(&raw);
}

static void wrong_slots(void) {
    const pid_t server = lies_begin();
    const struct wire_message request = { .kind = WIRE_REQUEST, .inline_bytes = 8 };
    const struct hx_slot good = slot_of(&request);
    struct port_read read;
    struct hx_slot slot = good;
    slot.kind = 0;
    connection_lost(&slot, 0);
    slot.kind = PORT_HELLO; // of the wrong length
    connection_lost(&slot, 0);
    slot = hx_message(PORT_HELLO, "0123456789abcdef", sizeof(struct port_hello));
    connection_lost(&slot, 0);
    slot = good;
    slot.length--;
    connection_lost(&slot, 0);
    slot = good;
    slot.flags = HX_MESSAGE_HANDLE;
    connection_lost(&slot, 0);
    slot.flags = 1; // there is no handle
    connection_lost(&slot, 0);
    slot.flags = 13; // nor room for them
    connection_lost(&slot, 13);
    slot.flags = 0x10;
    connection_lost(&slot, 0);
    static const uint32_t pages[] = { 0, 63, 64, 1023, 1024, UINT32_MAX - 1 };
    for (size_t i = 0; i < ARRAY_SIZE(pages); i++) { // it was lent none
        memset(&read, 0xff, sizeof(read));
        read.pages[i % 3] = pages[i];
        slot = hx_message(PORT_READ, &read, sizeof(read));
        connection_lost(&slot, 0);
    }
    lies_end(server);
}

static void wrong_positions(void) {
    const pid_t server = lies_begin();
    struct raw raw;
    struct hx_slot answer;
    uint32_t received;
    raw_begin(&raw);
    atomic_store(&raw.end.out.ring->tail, raw.end.out.tail + 1000);
    NEED(hx_channel_notify(raw.end.handle, HX_STATE_READABLE) == HX_OK);
    SAME(hx_end_receive(&raw.end, &answer, 1, TIME_NEVER, &received), HX_ERR_PEER_DIED);
    raw_end(&raw);
    lies_end(server);
}

// More requests than answers that it takes: there is no room for the next answer.
static void no_room(void) {
    const pid_t server = lies_begin();
    const struct wire_message request = { .method = DESK_METHOD_ABSENT,
                                          .kind = WIRE_REQUEST,
                                          .inline_bytes = 8 };
    const struct hx_slot slot = slot_of(&request);
    struct raw raw;
    struct hx_slot answers[16];
    uint32_t received;
    enum hx_status status;
    raw_begin(&raw);
    for (uint32_t i = 0; i < 17; i++) {
        raw_send(&raw, &slot);
    }
    uint32_t state;
    NEED(hx_wait_one(raw.end.handle, HX_STATE_CLOSED, TIME_NEVER, &state) == HX_OK);
    do {
        status = hx_end_receive(&raw.end, answers, 16, TIME_NEVER, &received);
    } while (status == HX_OK);
    SAME(status, HX_ERR_PEER_DIED);
    raw_end(&raw);
    lies_end(server);
}

// ---- what is refused

static struct wire_message request_of(uint16_t method, const uint64_t *words, uint32_t count) {
    struct wire_message message = {
        .call = 7, .method = method, .kind = WIRE_REQUEST, .inline_bytes = (uint8_t)(count * 8)
    };
    memcpy(message.body, words, count * 8);
    return message;
}

#define REQUEST(method, ...)                                                                       \
    request_of(method, (const uint64_t[]){ __VA_ARGS__ },                                          \
               sizeof((const uint64_t[]){ __VA_ARGS__ }) / 8)

static void wrong_requests(void) {
    const pid_t server = lies_begin();
    struct raw raw;
    raw_begin(&raw);
    const struct wire_message good = REQUEST(DESK_METHOD_ABSENT, 0);
    struct wire_message bad[] = {
        [0] = REQUEST(DESK_METHOD_COUNT + 1, 0),
        [1] = REQUEST(UINT16_MAX, 0),
        [2] = REQUEST(DESK_METHOD_ABSENT, 1),                 // on an instance, which it is not
        [3] = REQUEST(DESK_METHOD_PUT, 1, 5),                 // no such box
        [4] = REQUEST(DESK_METHOD_PUT, UINT64_MAX, 5),        // nor this
        [5] = REQUEST(DESK_METHOD_ABSENT, 0, 0),              // too long
        [6] = REQUEST(DESK_METHOD_PUT, 0),                    // too short
        [7] = REQUEST(DESK_METHOD_SORT, 0, 401, 400),         // beyond the bound
        [8] = REQUEST(DESK_METHOD_SORT, 0, 0, 401),           // more room than there may be
        [9] = REQUEST(DESK_METHOD_TURN, 0, UINT64_MAX),       // a length that wraps
        [10] = REQUEST(DESK_METHOD_CHANGE, 0, 1, 4, 0),       // flags that are none
        [11] = REQUEST(DESK_METHOD_CHANGE, 0, 1, 2ull << 40), // a boolean of 2
        [12] = REQUEST(DESK_METHOD_ADD_UP, 0, 1, 64),         // a page behind the pool
        [13] = REQUEST(DESK_METHOD_ADD_UP, 0, 1, UINT32_MAX),
        [14] = REQUEST(DESK_METHOD_ADD_UP, 0, 9, 1), // nine pages
        [15] = REQUEST(DESK_METHOD_LEND, 0, 0, 1),   // handles that did not come
        [16] = good,
        [17] = good,
        [18] = good,
        [19] = good,
        [20] = good,
    };
    bad[16].kind = WIRE_REPLY;
    bad[17].kind = WIRE_EVENT;
    bad[18].inline_bytes = 41;
    bad[19].inline_bytes = WIRE_PAGED; // behind the pool
    bad[19].body_page = 64;
    bad[19].body_bytes = 8;
    bad[20].inline_bytes = WIRE_PAGED; // its end is
    bad[20].body_page = 63;
    bad[20].body_bytes = 4104;
    for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
        const enum hx_status status = raw_call(&raw, &bad[i]);
        if (status != HX_ERR_CORRUPT) {
            check_fail(__FILE_NAME__, __LINE__, "request %zu: %d", i, status);
        }
        NEED(raw_call(&raw, &good) == HX_OK);
    }
    // An answer that does not fit into its slot, and lies nowhere.
    struct wire_message list = REQUEST(DESK_METHOD_SORT, 0, 2, 0, 400);
    SAME(raw_call(&raw, &list), HX_OK); // that does
    memset(raw.pool, 0, PAGE_SIZE);
    const uint64_t words[] = { 0, 20 };
    memcpy(raw.pool, words, sizeof(words));
    memcpy(raw.pool + 16 + 80, &words[1], sizeof(words[1])); // behind 20 values: room for 20
    list.inline_bytes = WIRE_PAGED;
    list.body_page = 0;
    list.body_bytes = 16 + 80 + 8;
    list.reply_page = 64;
    SAME(raw_call(&raw, &list), HX_ERR_CORRUPT);
    list.reply_page = 1;
    SAME(raw_call(&raw, &list), HX_OK);
    raw_end(&raw);
    lies_end(server);
}

// Handles that no argument asks for are closed, not kept.
static void handles_too_many(void) {
    const pid_t server = lies_begin();
    struct raw raw;
    const struct wire_message request = REQUEST(DESK_METHOD_ABSENT, 0);
    const handle_t event = event_new();
    struct hx_slot answer;
    uint32_t received;
    raw_begin(&raw);
    for (int i = 0; i < 200; i++) {
        struct hx_slot slot = slot_of(&request);
        slot.flags = 1;
        NEED(hx_channel_send(raw.end.handle, derive(event, HX_RIGHTS_ALL)) == HX_OK);
        raw_send(&raw, &slot);
        NEED(hx_end_receive(&raw.end, &answer, 1, TIME_NEVER, &received) == HX_OK);
        struct wire_message reply;
        memcpy(&reply, answer.data, sizeof(reply));
        NEED((int32_t)reply.body[0] == (uint8_t)HX_ERR_CORRUPT);
    }
    raw_end(&raw);
    lies_end(server);
}

// ---- bodies that change while they are read

static _Atomic bool is_over;
static uint8_t *scribbled;

static void *scribble(void *unused) {
    uint64_t state = 88172645463325252u;
    (void)unused;
    while (!atomic_load(&is_over)) {
        state ^= state << 13, state ^= state >> 7, state ^= state << 17;
        uint32_t value = state % 3 == 0 ? (uint32_t)state : (uint32_t)(state % 450);
        memcpy(scribbled + 8 + (state >> 32) % 8 * 4, &value, sizeof(value));
    }
    return NULL;
}

static void bodies_change(void) {
    const pid_t server = lies_begin();
    struct raw raw;
    pthread_t thread;
    uint32_t corrupt = 0;
    raw_begin(&raw);
    memset(raw.pool, 0, 2 * PAGE_SIZE);
    scribbled = raw.pool;
    NEED(pthread_create(&thread, NULL, scribble, NULL) == 0);
    struct wire_message request = { .method = DESK_METHOD_SORT,
                                    .kind = WIRE_REQUEST,
                                    .inline_bytes = WIRE_PAGED,
                                    .reply_page = 1 };
    for (uint32_t i = 0; i < 400; i++) {
        request.body_bytes = 16 + ALIGN_UP(i * 4, 8u) + 8;
        const enum hx_status status = raw_call(&raw, &request);
        NEED(status == HX_OK || status == HX_ERR_CORRUPT);
        corrupt += status == HX_ERR_CORRUPT;
    }
    CHECK(corrupt != 0);
    atomic_store(&is_over, true);
    NEED(pthread_join(thread, NULL) == 0);
    raw_end(&raw);
    lies_end(server);
}

// ---- a server without the library

struct liar {
    struct hx_end end;
    handle_t memory;
    enum hx_status expected;
    void (*answer)(struct liar *liar, struct wire_message *reply, struct hx_slot *slot);
};

static void hello_fails(const struct port_hello *hello, handle_t sent, uint16_t kind, uint8_t flags,
                        enum hx_status expected) {
    struct hx_end end;
    struct hx_client *client;
    handle_t ends[2];
    struct hx_slot slot = hx_message(kind, hello, sizeof(*hello));
    slot.flags = flags;
    NEED(hx_channel_create(16, ends) == HX_OK && hx_end_open(&end, ends[1]) == HX_OK);
    NEED(sent == 0 || hx_channel_send(end.handle, sent) == HX_OK);
    NEED(hx_end_send_all(&end, &slot, 1, TIME_NEVER) == HX_OK);
    SAME(hx_client_open(ends[0], &desk_wire, TIME_NEVER, &client), expected);
    hx_end_close(&end);
    SAME(hx_handle_close(ends[0]), HX_OK); // it is still ours
}

static void wrong_hellos(void) {
    const struct port_hello good = { { DESK_PORT_ABI }, 16, 4 };
    struct port_hello bad = good;
    bad.abi[0]++;
    hello_fails(&bad, memory_with(1), PORT_HELLO, 1, HX_ERR_BAD_IMAGE);
    bad = good;
    bad.pages = 4;
    hello_fails(&bad, memory_with(1), PORT_HELLO, 1, HX_ERR_CORRUPT);
    bad.pages = 0;
    hello_fails(&bad, memory_with(1), PORT_HELLO, 1, HX_ERR_CORRUPT);
    bad.pages = HX_POOL_PAGES_MAX + 1;
    hello_fails(&bad, memory_with(1), PORT_HELLO, 1, HX_ERR_CORRUPT);
    hello_fails(&good, memory_with(1), PORT_HELLO, 1, HX_ERR_INVALID); // it is shorter
    hello_fails(&good, event_new(), PORT_HELLO, 1, HX_ERR_BAD_HANDLE);
    hello_fails(&good, 0, PORT_HELLO, 1, HX_ERR_CORRUPT);
    hello_fails(&good, memory_with(1), PORT_HELLO, 0, HX_ERR_CORRUPT);
    hello_fails(&good, memory_with(1), PORT_MESSAGE, 1, HX_ERR_CORRUPT);
}

static void *liar_main(void *context) {
    struct liar *liar = context;
    struct hx_slot slot;
    uint32_t received;
    while (hx_end_receive(&liar->end, &slot, 1, TIME_NEVER, &received) == HX_OK) {
        struct wire_message reply;
        memcpy(&reply, slot.data, sizeof(reply));
        reply.kind = WIRE_REPLY;
        reply.inline_bytes = 16; // HX_OK, and a number
        memset(reply.body, 0, sizeof(reply.body));
        slot.flags = 0;
        liar->answer(liar, &reply, &slot);
        memcpy(slot.data, &reply, sizeof(reply));
        HX_IGNORE(hx_end_send_all(&liar->end, &slot, 1, TIME_NEVER)); // it may have hung up
    }
    return NULL;
}

static void number_unknown(struct liar *liar, struct wire_message *reply, struct hx_slot *slot) {
    (void)liar, (void)slot;
    reply->call += 32;
}

static void place_unknown(struct liar *liar, struct wire_message *reply, struct hx_slot *slot) {
    (void)liar, (void)slot;
    reply->call++;
}

static void other_method(struct liar *liar, struct wire_message *reply, struct hx_slot *slot) {
    (void)liar, (void)slot;
    reply->method++;
}

static void other_status(struct liar *liar, struct wire_message *reply, struct hx_slot *slot) {
    const uint64_t status = (uint32_t)HX_ERR_RESTART;
    (void)liar, (void)slot;
    memcpy(reply->body, &status, sizeof(status));
    reply->inline_bytes = 8;
}

static void twice(struct liar *liar, struct wire_message *reply, struct hx_slot *slot) {
    struct hx_slot first = *slot;
    memcpy(first.data, reply, sizeof(*reply));
    NEED(hx_end_send_all(&liar->end, &first, 1, TIME_NEVER) == HX_OK);
}

static void with_handle(struct liar *liar, struct wire_message *reply, struct hx_slot *slot) {
    (void)reply;
    NEED(hx_channel_send(liar->end.handle, event_new()) == HX_OK);
    slot->flags = 1;
}

static void too_long(struct liar *liar, struct wire_message *reply, struct hx_slot *slot) {
    (void)liar, (void)slot;
    reply->inline_bytes = WIRE_PAGED;
    reply->body_bytes = 4096 * 16;
}

static void wrong_kind(struct liar *liar, struct wire_message *reply, struct hx_slot *slot) {
    (void)liar, (void)reply;
    slot->kind = PORT_READ;
}

// A position that cannot be.
static void wrong_tail(struct liar *liar, struct wire_message *reply, struct hx_slot *slot) {
    (void)reply, (void)slot;
    liar->end.out.tail += 100000;
}

// The pool has no pages any more: its memory was cut under the client.
static void cut_short(struct liar *liar, struct wire_message *reply, struct hx_slot *slot) {
    (void)reply, (void)slot;
    SAME(hx_memory_resize(liar->memory, PAGE_SIZE), HX_OK);
}

static void unasked_event(struct liar *liar, struct wire_message *reply, struct hx_slot *slot) {
    struct wire_message event = { .call = 1, .kind = WIRE_EVENT, .inline_bytes = 8 };
    const struct hx_slot first = hx_message(PORT_MESSAGE, &event, sizeof(event));
    (void)reply, (void)slot;
    NEED(hx_end_send_all(&liar->end, &first, 1, TIME_NEVER) == HX_OK);
}

static void lie(void (*answer)(struct liar *liar, struct wire_message *reply, struct hx_slot *slot),
                enum hx_status first, enum hx_status second) {
    const struct port_hello hello = { { DESK_PORT_ABI }, 16, 4 };
    struct hx_slot slot = hx_message(PORT_HELLO, &hello, sizeof(hello));
    struct liar liar = { .answer = answer };
    struct hx_client *client;
    pthread_t thread;
    handle_t ends[2];
    uint64_t value = 0;
    static uint8_t bytes[3][PAGE_SIZE];
    void *const pages[] = { bytes[0], bytes[1], bytes[2] };
    slot.flags = 1;
    NEED(hx_channel_create(16, ends) == HX_OK && hx_end_open(&liar.end, ends[1]) == HX_OK);
    NEED(hx_memory_create(16 * PAGE_SIZE, &liar.memory) == HX_OK);
    NEED(hx_channel_send(liar.end.handle, derive(liar.memory, HX_RIGHTS_ALL)) == HX_OK);
    NEED(hx_end_send_all(&liar.end, &slot, 1, TIME_NEVER) == HX_OK);
    NEED(hx_client_open(ends[0], &desk_wire, TIME_NEVER, &client) == HX_OK);
    NEED(pthread_create(&thread, NULL, liar_main, &liar) == 0);
    SAME(desk->absent(hx_client_self(client), &value), first);
    SAME(desk->absent(hx_client_self(client), &value), second);
    HX_IGNORE(desk->fill(hx_client_self(client), 1, pages, 3)); // what there is of the pool
    if (answer == unasked_event) {
        SAME(hx_client_events(client, 0), HX_ERR_CORRUPT);
    }
    hx_client_close(client);
    NEED(pthread_join(thread, NULL) == 0);
    hx_end_close(&liar.end);
    NEED(hx_handle_close(liar.memory) == HX_OK);
}

static void wrong_answers(void) {
    lie(number_unknown, HX_ERR_CORRUPT, HX_ERR_CORRUPT);
    lie(place_unknown, HX_ERR_CORRUPT, HX_ERR_CORRUPT);
    lie(other_method, HX_ERR_CORRUPT, HX_ERR_CORRUPT);
    lie(other_status, HX_ERR_CORRUPT, HX_ERR_CORRUPT);
    lie(with_handle, HX_ERR_CORRUPT, HX_ERR_CORRUPT);
    lie(too_long, HX_ERR_CORRUPT, HX_ERR_CORRUPT);
    lie(wrong_kind, HX_ERR_CORRUPT, HX_ERR_CORRUPT);
    lie(wrong_tail, HX_ERR_CORRUPT, HX_ERR_CORRUPT);
    lie(unasked_event, HX_OK, HX_OK);
    lie(cut_short, HX_OK, HX_OK);
}

// The second answer comes with or after the first: the call has its result, and the next one not.
static void answered_twice(void) {
    lie(twice, HX_OK, HX_ERR_CORRUPT);
}

static const struct check_case cases[] = {
    CASE(wrong_slots),    CASE(wrong_positions),  CASE(no_room),
    CASE(wrong_requests), CASE(handles_too_many), CASE(bodies_change),
    CASE(wrong_hellos),   CASE(wrong_answers),    CASE(answered_twice),
};
CHECK_MAIN(cases)
