// SPDX-License-Identifier: MIT OR Apache-2.0
// tests/native/ports.c: a port over a channel: each kind of argument, threads, several clients,
// instances, events, handles, limits; deaths and revocation in the middle of calls.
// RUN: musl glibc
#include "desk.h"

#include <sched.h>

// ---- arguments

static void values(void) {
    struct desk_user user;
    struct desk_item item = { .id = 6, .tiny = 1 };
    const struct desk_name name = { "you", 3 }, nobody = { "all", 3 };
    int64_t sum = 0;
    uint64_t value = 7;
    bool flag = true;
    desk_begin(&user, 16);
    SAME(desk->scalars(user.self, 1, -2, 3, true, 4, DESK_FAST | DESK_SAFE, &sum, &flag), HX_OK);
    SAME(sum, 7);
    CHECK(!flag);
    SAME(desk->change(user.self, &item, &flag), HX_OK);
    CHECK(flag && item.id == 7);
    SAME(desk->greet(user.self, name, "a label", &item), HX_OK);
    CHECK(item.id == 7 && item.valid && item.how == DESK_SAFE);
    SAME(desk->greet(user.self, nobody, "", &item), HX_ERR_NOT_FOUND);
    SAME(desk->remove(user.self), HX_ERR_ACCESS_DENIED);
    SAME(desk->absent(user.self, &value), HX_OK);
    SAME(value, 0);
    item.how = 2; // no such flag: the server does not take it
    SAME(desk->change(user.self, &item, &flag), HX_ERR_CORRUPT);
    desk_end(&user);
}

static void lists(void) {
    struct desk_user user;
    static int32_t many[400], sorted[401];
    uint8_t bytes[301];
    int32_t least = 0;
    uint32_t count = 0;
    desk_begin(&user, 16);
    for (int32_t i = 0; i < 400; i++) {
        many[i] = (i * 7919) % 400 - 100;
    }
    SAME(desk->sort(user.self, many, 400, &least, sorted, 400, &count), HX_OK);
    CHECK(least == -100 && count == 400);
    for (int32_t i = 0; i < 400; i++) {
        NEED(sorted[i] == i - 100);
    }
    SAME(desk->sort(user.self, many, 2, &least, sorted, 1, &count), HX_OK);
    CHECK(count == 1 && sorted[0] == least);
    SAME(desk->sort(user.self, many, 0, &least, sorted, 0, &count), HX_OK);
    SAME(count, 0);
    SAME(desk->sort(user.self, many, 401, &least, sorted, 400, &count), HX_ERR_INVALID);
    for (uint32_t i = 0; i < sizeof(bytes); i++) {
        bytes[i] = (uint8_t)i;
    }
    SAME(desk->turn(user.self, bytes, 300), HX_OK);
    CHECK(bytes[0] == (uint8_t)299 && bytes[299] == 0 && bytes[300] == (uint8_t)300);
    desk_end(&user);
}

static void pages(void) {
    struct desk_user user;
    static uint8_t memory[3][PAGE_SIZE];
    void *const all[] = { memory[0], memory[1], memory[2] };
    const void *const read[] = { memory[0], memory[1], memory[2] };
    uint64_t sum = 0;
    desk_begin(&user, 16);
    SAME(desk->fill(user.self, 20, all, 3), HX_OK);
    CHECK(memory[0][0] == 20 && memory[2][PAGE_SIZE - 1] == 22);
    SAME(desk->add_up(user.self, read, 3, &sum), HX_OK);
    SAME(sum, (20 + 21 + 22) * PAGE_SIZE);
    SAME(desk->swap(user.self, all, 2), HX_OK);
    CHECK(memory[0][17] == 21 && memory[1][17] == 20 && memory[2][17] == 22);
    for (int i = 0; i < 100; i++) { // the pool is whole after each
        NEED(desk->add_up(user.self, read, 3, &sum) == HX_OK);
    }
    desk_end(&user);
}

// Pages of the pool: the server has the same ones, and calls take no others for them.
static struct {
    void *page;
    void *self;
    handle_t entered, leave;
    uint8_t seen;
} marked;

static void *mark(void *unused) {
    (void)unused;
    SAME(desk->mark(marked.self, marked.entered, marked.leave, &marked.page, 1, &marked.seen),
         HX_OK);
    return NULL;
}

static void pages_shared(void) {
    struct desk_user user;
    void *all[60];
    uint64_t sum = 0;
    uint32_t state, count = 0;
    pthread_t thread;
    desk_begin(&user, 16);
    while (hx_client_pages_take(user.client, 1, &all[count]) == HX_OK) {
        count++;
    }
    CHECK(count >= 48); // of 64; the others are for events
    SAME(desk->add_up(user.self, (const void *const *)all, 4, &sum), HX_ERR_NO_MEMORY);
    hx_client_pages_give(user.client, 2, &all[count - 2]); // for the messages, and no more
    SAME(desk->fill(user.self, 3, all, 4), HX_OK);
    SAME(desk->add_up(user.self, (const void *const *)all, 4, &sum), HX_OK);
    SAME(sum, (3 + 4 + 5 + 6) * PAGE_SIZE);
    void *inside = (uint8_t *)all[0] + 8;
    SAME(desk->add_up(user.self, (const void *const *)&inside, 1, &sum), HX_ERR_INVALID);
    SAME(hx_client_pages_take(user.client, 3, &all[count - 2]), HX_ERR_NO_MEMORY);
    marked.page = all[0];
    marked.self = user.self;
    marked.entered = event_new();
    marked.leave = event_new();
    NEED(pthread_create(&thread, NULL, mark, NULL) == 0);
    NEED(hx_wait_one(marked.entered, DESK_STATE, TIME_NEVER, &state) == HX_OK);
    volatile uint8_t *byte = marked.page;
    SAME(*byte, 1); // before the answer
    *byte = 2;
    SAME(hx_event_update(marked.leave, 0, DESK_STATE), HX_OK);
    NEED(pthread_join(thread, NULL) == 0);
    SAME(marked.seen, 2);
    desk_end(&user);
}

static void handles(void) {
    struct desk_user user;
    struct hx_handle_info info;
    uint64_t word = 0;
    handle_t got = 0;
    const handle_t memory = memory_with(77);
    const handle_t lame = derive(memory, HX_RIGHT_READ | HX_RIGHT_DELEGATE | HX_RIGHT_ADMIN);
    const handle_t kept = derive(memory, HX_RIGHT_READ | HX_RIGHT_MAP);
    desk_begin(&user, 16);
    for (int i = 0; i < 40; i++) { // more than may be on their way at once
        NEED(desk->lend(user.self, memory, lame, &word) == HX_OK);
    }
    SAME(word, 77);
    SAME(desk->lend(user.self, lame, lame, &word), HX_ERR_ACCESS_DENIED);   // it must be mapped
    SAME(desk->lend(user.self, memory, kept, &word), HX_ERR_ACCESS_DENIED); // without DELEGATE
    SAME(desk->lend(user.self, memory, 0, &word), HX_ERR_BAD_HANDLE);
    SAME(hx_handle_revoke(lame), HX_OK);
    SAME(desk->lend(user.self, memory, lame, &word), HX_ERR_REVOKED);
    SAME(word_in(memory), 77); // all of it is still ours
    SAME(desk->borrow(user.self, 99, &got, &word), HX_OK);
    SAME(word, PAGE_SIZE);
    SAME(word_in(got), 99);
    SAME(hx_handle_info(got, &info), HX_OK);
    SAME(info.rights, HX_RIGHT_READ | HX_RIGHT_MAP | HX_RIGHT_DELEGATE);
    SAME(desk->borrow(user.self, 0, &got, &word), HX_ERR_CORRUPT); // the server breaks its word
    desk_end(&user);
}

static void instances(void) {
    struct desk_user user;
    void *boxes[WIRE_INSTANCES_MAX + 1];
    uint64_t total = 0;
    uint32_t count = 0;
    desk_begin(&user, 16);
    for (uint32_t i = 0; i < WIRE_INSTANCES_MAX; i++) {
        NEED(desk->open(user.self, &boxes[i]) == HX_OK);
    }
    SAME(desk->open(user.self, &boxes[WIRE_INSTANCES_MAX]), HX_ERR_LIMIT);
    SAME(desk->put(boxes[3], 5, &total), HX_OK);
    SAME(desk->put(boxes[3], 6, &total), HX_OK);
    SAME(total, 11);
    SAME(desk->put(boxes[4], 1, &total), HX_OK);
    SAME(total, 1);
    SAME(desk->close(boxes[3]), HX_OK);
    SAME(desk->put(boxes[3], 1, &total), HX_ERR_CORRUPT);
    SAME(desk->open(user.self, &boxes[3]), HX_OK);
    SAME(desk->put(boxes[3], 1, &total), HX_OK);
    SAME(total, 1);
    SAME(desk->boxes(user.self, &count), HX_OK);
    SAME(count, WIRE_INSTANCES_MAX);
    desk_end(&user); // the server sees that none is left: they end with the connection
}

// ---- events

static struct {
    uint64_t ticks, told, bytes, words, jobs, results, hints;
} seen;

static void on_tick(void *client, uint64_t number) {
    CHECK(client == &seen);
    seen.ticks += number;
}

static void on_told(void *client, uint64_t number, const void *data, uint32_t size) {
    CHECK(client == &seen);
    seen.told++;
    seen.bytes += size;
    CHECK(size != 0 && ((const uint8_t *)data)[size - 1] == (uint8_t)size);
    CHECK(number != 0);
}

static void on_handed(void *client, handle_t memory) {
    CHECK(client == &seen);
    seen.words += word_in(memory);
    SAME(hx_handle_close(memory), HX_OK);
}

static void on_done(void *client, uint64_t job, uint64_t result) {
    CHECK(client == &seen);
    seen.jobs += job;
    seen.results += result;
}

static void on_hint(void *client, uint64_t value) {
    CHECK(client == &seen);
    seen.hints += value;
}

static const struct desk_events handlers = { on_tick, on_told, on_handed, on_done, on_hint };

static void events(void) {
    struct desk_user user;
    uint8_t data[3000];
    memset(data, 0, sizeof(data));
    data[2999] = (uint8_t)3000;
    memset(&seen, 0, sizeof(seen));
    desk_begin(&user, 16);
    SAME(desk->attach(user.self, &handlers, &seen), HX_OK);
    SAME(desk->attach(user.self, &handlers, &seen), HX_ERR_LIMIT);
    SAME(hx_client_events(user.client, 0), HX_ERR_TIMED_OUT);
    SAME(desk->tell(user.self, 3, NULL, 0), HX_OK);
    SAME(seen.ticks, 0); // nobody asked for them yet
    SAME(hx_client_events(user.client, TIME_NEVER), HX_OK);
    SAME(seen.ticks, 1 + 2 + 3);
    for (int i = 0; i < 50; i++) { // bodies in the pool, which come back
        NEED(desk->tell(user.self, 2, data, 3000) == HX_OK);
        NEED(hx_client_events(user.client, TIME_NEVER) == HX_OK);
    }
    SAME(seen.told, 100);
    SAME(seen.bytes, 300000);
    SAME(desk->hand(user.self, 1234), HX_OK);
    SAME(hx_client_events(user.client, TIME_NEVER), HX_OK);
    SAME(seen.words, 1234);
    SAME(hx_client_lost(user.client), 0);
    desk_end(&user);
}

// Who does not take events loses them, and goes on.
static void events_lost(void) {
    struct desk_user user;
    uint64_t value;
    memset(&seen, 0, sizeof(seen));
    desk_begin(&user, 8);
    SAME(desk->attach(user.self, &handlers, &seen), HX_OK);
    SAME(desk->tell(user.self, 100, NULL, 0), HX_OK); // 4 of the 8 slots are for answers
    for (int i = 0; i < 20; i++) {
        NEED(desk->tell(user.self, 1, NULL, 0) == HX_OK);
        NEED(desk->absent(user.self, &value) == HX_OK);
    }
    SAME(hx_client_events(user.client, 0), HX_OK);
    CHECK(seen.ticks >= 1 + 2 + 3 + 4 && hx_client_lost(user.client) >= 100);
    const uint64_t before = seen.ticks;
    SAME(desk->tell(user.self, 1, NULL, 0), HX_OK);
    SAME(hx_client_events(user.client, TIME_NEVER), HX_OK);
    SAME(seen.ticks, before + 1);
    desk_end(&user);
}

// What another thread of the server completes.
static void requests(void) {
    struct desk_user user;
    memset(&seen, 0, sizeof(seen));
    desk_begin(&user, 64);
    SAME(desk->attach(user.self, &handlers, &seen), HX_OK);
    for (uint64_t i = 1; i <= 10; i++) {
        SAME(desk->start(user.self, i, 100 * i), HX_OK);
    }
    while (seen.jobs < 55) {
        NEED(hx_client_events(user.client, TIME_NEVER) == HX_OK);
    }
    SAME(seen.results, 2 * 5500);
    desk_end(&user);
}

// ---- many

static uint64_t rounds = 200; // of each thread

static void *use(void *context) {
    void *self = context, *box = NULL;
    uint64_t total = 0;
    int32_t values[200], sorted[200], least = 0;
    uint32_t count = 0;
    for (int32_t i = 0; i < 200; i++) {
        values[i] = 200 - i;
    }
    NEED(desk->open(self, &box) == HX_OK);
    for (uint64_t i = 1; i <= rounds; i++) {
        NEED(desk->put(box, i, &total) == HX_OK);
        NEED(total == i * (i + 1) / 2);
        values[199] = (int32_t)i;
        NEED(desk->sort(self, values, 200, &least, sorted, 200, &count) == HX_OK);
        NEED(count == 200 && least == (i < 2 ? (int32_t)i : 2) && sorted[0] == least);
    }
    NEED(desk->close(box) == HX_OK);
    return NULL;
}

static void threads_use(void *self, int count) {
    pthread_t threads[6];
    for (int i = 0; i < count; i++) {
        NEED(pthread_create(&threads[i], NULL, use, self) == 0);
    }
    for (int i = 0; i < count; i++) {
        NEED(pthread_join(threads[i], NULL) == 0);
    }
}

static void threads(void) {
    struct desk_user user;
    desk_begin(&user, 16);
    threads_use(user.self, 4);
    desk_end(&user);
    desk_begin(&user, 4); // two calls at once: the others wait for their turn
    threads_use(user.self, 4);
    desk_end(&user);
}

struct holding {
    void *self;
    handle_t entered, leave;
};

static void *be_held(void *context) {
    const struct holding *holding = context;
    SAME(desk->hold(holding->self, holding->entered, holding->leave), HX_OK);
    return NULL;
}

// The receiver gets its answer and leaves, while another thread waits behind it.
static void receivers(void) {
    struct desk_user user;
    desk_begin(&user, 16);
    for (int round = 0; round < 30; round++) {
        struct holding calls[2];
        pthread_t threads[2];
        uint32_t state;
        for (int i = 0; i < 2; i++) {
            calls[i] = (struct holding){ user.self, event_new(), event_new() };
        }
        NEED(pthread_create(&threads[0], NULL, be_held, &calls[0]) == 0);
        NEED(hx_wait_one(calls[0].entered, DESK_STATE, TIME_NEVER, &state) == HX_OK);
        NEED(pthread_create(&threads[1], NULL, be_held, &calls[1]) == 0);
        for (int i = 0; i < round; i++) {
            sched_yield(); // most times the second one waits by now
        }
        for (int i = 0; i < 2; i++) {
            NEED(hx_wait_one(calls[i].entered, DESK_STATE, TIME_NEVER, &state) == HX_OK);
            NEED(hx_event_update(calls[i].leave, 0, DESK_STATE) == HX_OK);
            NEED(pthread_join(threads[i], NULL) == 0);
            NEED(hx_handle_close(calls[i].entered) == HX_OK);
            NEED(hx_handle_close(calls[i].leave) == HX_OK);
        }
    }
    desk_end(&user);
}

static void *take_events(void *context) {
    struct hx_client *client = context;
    enum hx_status status;
    do {
        status = hx_client_events(client, TIME_NEVER);
    } while (status == HX_OK);
    SAME(status, HX_ERR_PEER_DIED);
    return NULL;
}

// A thread that only waits for events is the receiver of what the others wait for.
static void threads_and_events(void) {
    struct desk_user user;
    pthread_t waiting;
    memset(&seen, 0, sizeof(seen));
    desk_begin(&user, 64);
    SAME(desk->attach(user.self, &handlers, &seen), HX_OK);
    NEED(pthread_create(&waiting, NULL, take_events, user.client) == 0);
    SAME(desk->start(user.self, 1, 1), HX_OK);
    threads_use(user.self, 4);
    SAME(desk->start(user.self, 1, 1), HX_OK);
    hx_client_cut(user.client);
    NEED(pthread_join(waiting, NULL) == 0);
    SAME(desk->start(user.self, 1, 1), HX_ERR_PEER_DIED);
    desk_end(&user);
}

static handle_t sent_handle(struct hx_end *end) {
    struct hx_slot message;
    handle_t handle = 0;
    uint32_t received;
    NEED(hx_end_receive(end, &message, 1, TIME_NEVER, &received) == HX_OK);
    NEED(hx_end_take_handle(end, &message, &handle) == HX_OK);
    return handle;
}

static void send_handle(struct hx_end *end, handle_t handle) {
    const struct hx_slot message = hx_message(1, "", 0);
    NEED(hx_end_send_handle(end, &message, handle, TIME_NEVER) == HX_OK);
}

static void *use_as_client(void *context) {
    struct hx_client *client;
    handle_t *end = context;
    NEED(hx_client_open(*end, &desk_wire, TIME_NEVER, &client) == HX_OK);
    use(hx_client_self(client));
    void *box; // left open
    NEED(desk->open(hx_client_self(client), &box) == HX_OK);
    hx_client_close(client);
    return NULL;
}

// One server, which is sent the ends of its clients; they come and go.
static void clients(void) {
    handle_t ends[2], pairs[6][2];
    struct hx_end listener;
    pthread_t threads[6];
    rounds = 40; // a server of many interrupts the processors of each that it waits for
    NEED(hx_channel_create(4, ends) == HX_OK);
    const pid_t server = child_with(ends[1], desk_listen);
    NEED(hx_end_open(&listener, ends[0]) == HX_OK);
    for (int i = 0; i < 6; i++) {
        NEED(hx_channel_create(16, pairs[i]) == HX_OK);
        send_handle(&listener, pairs[i][1]);
        NEED(pthread_create(&threads[i], NULL, use_as_client, &pairs[i][0]) == 0);
    }
    for (int i = 0; i < 6; i++) {
        NEED(pthread_join(threads[i], NULL) == 0);
    }
    hx_end_close(&listener); // the last who could bring a client
    SAME(check_wait(server), 0);
}

// ---- ends

static struct held {
    struct desk_user user;
    handle_t entered, leave;
    enum hx_status status;
    pthread_t threads[4];
} held;

static void *hold(void *unused) {
    (void)unused;
    held.status = desk->hold(held.user.self, held.entered, held.leave);
    return NULL;
}

static void *wait_behind(void *unused) {
    uint64_t value;
    (void)unused;
    const enum hx_status status = desk->absent(held.user.self, &value);
    return (void *)(intptr_t)status;
}

// One thread's call is being served, three wait behind it.
static void hold_begin(void) {
    uint32_t state;
    held.entered = event_new();
    held.leave = event_new();
    NEED(pthread_create(&held.threads[0], NULL, hold, NULL) == 0);
    NEED(hx_wait_one(held.entered, DESK_STATE, TIME_NEVER, &state) == HX_OK);
    for (int i = 1; i < 4; i++) {
        NEED(pthread_create(&held.threads[i], NULL, wait_behind, NULL) == 0);
    }
}

static void hold_end(enum hx_status status) {
    void *result;
    NEED(pthread_join(held.threads[0], NULL) == 0);
    SAME(held.status, status);
    for (int i = 1; i < 4; i++) {
        NEED(pthread_join(held.threads[i], &result) == 0);
        SAME((enum hx_status)(intptr_t)result, status);
    }
}

static void server_dies(void) {
    uint64_t value;
    desk_begin(&held.user, 16);
    hold_begin();
    SAME(kill(held.user.server, SIGKILL), 0);
    hold_end(HX_ERR_PEER_DIED);
    SAME(desk->absent(held.user.self, &value), HX_ERR_PEER_DIED);
    SAME(hx_client_events(held.user.client, TIME_NEVER), HX_ERR_PEER_DIED);
    hx_client_close(held.user.client);
    CHECK(WIFSIGNALED(check_wait(held.user.server)));
}

static void call_and_wait(handle_t given) {
    struct hx_end parent;
    struct hx_client *client;
    void *box;
    NEED(hx_end_open(&parent, given) == HX_OK);
    NEED(hx_client_open(sent_handle(&parent), &desk_wire, TIME_NEVER, &client) == HX_OK);
    NEED(desk->open(hx_client_self(client), &box) == HX_OK);
    const handle_t entered = sent_handle(&parent), leave = sent_handle(&parent);
    HX_IGNORE(desk->hold(hx_client_self(client), entered, leave)); // it does not come back
}

// Killed while its call is being served: the server goes on, and ends what it had open.
static void client_dies(void) {
    handle_t ends[2], pairs[2][2], callers[2];
    struct hx_end listener, to_caller;
    struct hx_client *client;
    uint32_t count = 0, state;
    const handle_t entered = event_new(), leave = event_new();
    NEED(hx_channel_create(4, ends) == HX_OK);
    const pid_t server = child_with(ends[1], desk_listen);
    NEED(hx_end_open(&listener, ends[0]) == HX_OK);
    for (int i = 0; i < 2; i++) {
        NEED(hx_channel_create(16, pairs[i]) == HX_OK);
        send_handle(&listener, pairs[i][1]);
    }
    NEED(hx_client_open(pairs[1][0], &desk_wire, TIME_NEVER, &client) == HX_OK);
    NEED(hx_channel_create(4, callers) == HX_OK);
    const pid_t caller = child_with(callers[1], call_and_wait);
    NEED(hx_end_open(&to_caller, callers[0]) == HX_OK);
    send_handle(&to_caller, pairs[0][0]);
    send_handle(&to_caller, derive(entered, HX_RIGHTS_ALL));
    send_handle(&to_caller, derive(leave, HX_RIGHTS_ALL));
    NEED(hx_wait_one(entered, DESK_STATE, TIME_NEVER, &state) == HX_OK);
    SAME(kill(caller, SIGKILL), 0);
    CHECK(WIFSIGNALED(check_wait(caller)));
    SAME(hx_event_update(leave, 0, DESK_STATE), HX_OK);
    do { // the server has seen it some time later
        NEED(desk->boxes(hx_client_self(client), &count) == HX_OK);
    } while (count != 0);
    hx_client_close(client);
    hx_end_close(&listener);
    SAME(check_wait(server), 0);
}

static void revoked(void) {
    handle_t ends[2];
    uint64_t value;
    NEED(hx_channel_create(16, ends) == HX_OK);
    const handle_t lent = derive(ends[0], HX_RIGHTS_ALL);
    const handle_t mine = derive(lent, HX_RIGHTS_ALL);
    held.user.server = child_with(ends[1], desk_serve);
    NEED(hx_client_open(mine, &desk_wire, TIME_NEVER, &held.user.client) == HX_OK);
    held.user.self = hx_client_self(held.user.client);
    hold_begin();
    SAME(hx_handle_revoke(lent), HX_OK);
    hold_end(HX_ERR_REVOKED);
    SAME(desk->absent(held.user.self, &value), HX_ERR_REVOKED);
    hx_client_close(held.user.client);
    SAME(hx_event_update(held.leave, 0, DESK_STATE), HX_OK);
    SAME(hx_handle_close(lent), HX_OK);
    SAME(hx_handle_close(ends[0]), HX_OK);
    SAME(check_wait(held.user.server), 0);
}

// Taken away while nobody is in a call: the next one finds no memory, and is told why.
static void revoked_before(void) {
    handle_t ends[2];
    int64_t sum;
    bool flag;
    NEED(hx_channel_create(16, ends) == HX_OK);
    const handle_t lent = derive(ends[0], HX_RIGHTS_ALL);
    const handle_t mine = derive(lent, HX_RIGHTS_ALL);
    held.user.server = child_with(ends[1], desk_serve);
    NEED(hx_client_open(mine, &desk_wire, TIME_NEVER, &held.user.client) == HX_OK);
    held.user.self = hx_client_self(held.user.client);
    SAME(desk->scalars(held.user.self, 1, 2, 3, true, 4, 0, &sum, &flag), HX_OK);
    SAME(hx_handle_revoke(lent), HX_OK);
    SAME(desk->scalars(held.user.self, 1, 2, 3, true, 4, 0, &sum, &flag), HX_ERR_REVOKED);
    SAME(hx_client_events(held.user.client, TIME_NEVER), HX_ERR_REVOKED);
    hx_client_close(held.user.client);
    SAME(hx_handle_close(lent), HX_OK);
    SAME(hx_handle_close(ends[0]), HX_OK);
    SAME(check_wait(held.user.server), 0);
}

// The server's end is taken away: it goes on, or here ends, as if its client had gone.
static void server_revoked(void) {
    handle_t ends[2];
    int64_t sum;
    bool flag;
    NEED(hx_channel_create(16, ends) == HX_OK);
    const handle_t lent = derive(ends[1], HX_RIGHTS_ALL);
    held.user.server = child_with(derive(lent, HX_RIGHTS_ALL), desk_serve);
    NEED(hx_client_open(ends[0], &desk_wire, TIME_NEVER, &held.user.client) == HX_OK);
    held.user.self = hx_client_self(held.user.client);
    SAME(desk->scalars(held.user.self, 1, 2, 3, true, 4, 0, &sum, &flag), HX_OK);
    SAME(hx_handle_revoke(lent), HX_OK);
    SAME(check_wait(held.user.server), 0);
    SAME(hx_handle_close(lent), HX_OK);
    SAME(hx_handle_close(ends[1]), HX_OK);
    SAME(desk->scalars(held.user.self, 1, 2, 3, true, 4, 0, &sum, &flag), HX_ERR_PEER_DIED);
    hx_client_close(held.user.client);
}

static void limits(void) {
    uint64_t value;
    desk_begin(&held.user, 16);
    hx_client_limit(held.user.client, 50000000);
    SAME(desk->absent(held.user.self, &value), HX_OK);
    held.entered = event_new();
    held.leave = event_new();
    SAME(desk->hold(held.user.self, held.entered, held.leave), HX_ERR_TIMED_OUT);
    SAME(desk->absent(held.user.self, &value), HX_ERR_PEER_DIED);
    SAME(hx_event_update(held.leave, 0, DESK_STATE), HX_OK);
    desk_end(&held.user);
}

// ---- versions

// What portgen made of the port when it was 1.0: the first methods and events, and attach().
static const struct wire_port *desk_1_0(void) {
    static struct wire_method methods[DESK_METHOD_COUNT + 1];
    static struct hx_port_versions versions;
    static struct wire_port port;
    const uint32_t count = desk_wire.versions->minors[1].methods;
    SAME(desk_wire.versions->count, 2);
    SAME(count, DESK_METHOD_COUNT - 1);
    versions = (struct hx_port_versions){ "test.desk", 1, 1, &desk_wire.versions->minors[1] };
    memcpy(methods, desk_wire.methods, count * sizeof(methods[0]));
    methods[count] = desk_wire.methods[DESK_METHOD_COUNT]; // attach()
    port = desk_wire;
    port.methods = methods;
    port.method_count = count + 1;
    port.event_count--;
    port.versions = &versions;
    return &port;
}

static void serve_1_0(handle_t end) {
    struct hx_service service = desk_service;
    struct hx_server *server;
    service.port = desk_1_0();
    NEED(hx_server_create(&server) == HX_OK && hx_server_add(server, end, &service) == HX_OK);
    SAME(hx_server_run(server, TIME_NEVER), HX_OK);
    hx_server_destroy(server);
}

static void versions_begin(struct desk_user *user, void (*serve)(handle_t end),
                           const struct wire_port *port) {
    handle_t ends[2];
    memset(&seen, 0, sizeof(seen));
    rounds = 4;
    NEED(hx_channel_create(16, ends) == HX_OK);
    user->server = child_with(ends[1], serve);
    NEED(hx_client_open(ends[0], port, TIME_NEVER, &user->client) == HX_OK);
    user->self = hx_client_self(user->client);
    (void)use(user->self);
    SAME(desk->attach(user->self, &handlers, &seen), HX_OK);
    SAME(desk->tell(user->self, 3, NULL, 0), HX_OK);
    SAME(hx_client_events(user->client, TIME_NEVER), HX_OK);
    SAME(seen.ticks, 1 + 2 + 3);
}

static void same_version(void) {
    struct desk_user user;
    uint64_t twice;
    versions_begin(&user, desk_serve, &desk_wire);
    SAME(desk->hint(user.self, 21, &twice), HX_OK);
    SAME(twice, 42);
    SAME(hx_client_events(user.client, TIME_NEVER), HX_OK);
    SAME(seen.hints, 21);
    desk_end(&user);
}

// What the server can and the client does not know, the client does not hear.
static void older_client(void) {
    struct desk_user user;
    versions_begin(&user, desk_serve, desk_1_0());
    SAME(desk->tell(user.self, DESK_HINTS, NULL, 0), HX_OK);
    SAME(hx_client_events(user.client, TIME_NEVER), HX_OK);
    SAME(seen.ticks, 6 + 1 + 2 + 3 + 4 + 5);
    SAME(seen.hints, 0);
    SAME(hx_client_lost(user.client), 0);
    (void)use(user.self);
    desk_end(&user);
}

// What the server does not know, the client is told without asking it.
static void older_server(void) {
    struct desk_user user;
    uint64_t twice = 7;
    versions_begin(&user, serve_1_0, &desk_wire);
    SAME(desk->hint(user.self, 21, &twice), HX_ERR_NOT_SUPPORTED);
    SAME(twice, 7);
    (void)use(user.self);
    SAME(desk->remove(user.self), HX_ERR_ACCESS_DENIED);
    desk_end(&user);
}

// ---- beginnings

static void beginnings(void) {
    handle_t ends[2];
    struct hx_client *client;
    struct hx_server *server;
    const struct hx_port_minor different = { 1, 0, DESK_PORT_ABI + 1, 0 };
    const struct hx_port_versions versions = { "test.desk", 1, 1, &different };
    struct wire_port other = desk_wire;
    struct desk_ops holes = desk_ops;
    const struct hx_service broken = { .port = &desk_wire, .ops = &holes };
    other.versions = &versions;
    holes.put = NULL;
    NEED(hx_channel_create(16, ends) == HX_OK && hx_server_create(&server) == HX_OK);
    SAME(hx_client_open(ends[0], &desk_wire, hx_after(1000000), &client), HX_ERR_TIMED_OUT);
    SAME(hx_server_add(server, ends[1], &broken), HX_ERR_BAD_IMAGE);
    SAME(hx_server_add(server, 12345, &desk_service), HX_ERR_BAD_HANDLE);
    SAME(hx_server_add(server, ends[1], &desk_service), HX_OK);
    SAME(hx_client_open(ends[0], &other, TIME_NEVER, &client), HX_ERR_BAD_IMAGE);
    SAME(hx_server_run(server, hx_after(1000000)), HX_ERR_TIMED_OUT);
    SAME(hx_handle_close(ends[0]), HX_OK);
    SAME(hx_server_run(server, TIME_NEVER), HX_OK);
    NEED(hx_channel_create(16, ends) == HX_OK);
    SAME(hx_server_add(server, ends[1], &desk_service), HX_OK);
    hx_server_destroy(server);
    SAME(desk_gone, 2);
    NEED(hx_handle_close(ends[0]) == HX_OK && hx_channel_create(16, ends) == HX_OK);
    NEED(hx_handle_close(ends[1]) == HX_OK);
    SAME(hx_client_open(ends[0], &desk_wire, TIME_NEVER, &client), HX_ERR_PEER_DIED);
}

static const struct check_case cases[] = {
    CASE(values),         CASE(lists),          CASE(pages),        CASE(pages_shared),
    CASE(handles),        CASE(instances),      CASE(events),       CASE(events_lost),
    CASE(requests),       CASE(threads),        CASE(receivers),    CASE(threads_and_events),
    CASE(clients),        CASE(server_dies),    CASE(client_dies),  CASE(revoked),
    CASE(revoked_before), CASE(server_revoked), CASE(limits),       CASE(beginnings),
    CASE(same_version),   CASE(older_client),   CASE(older_server),
};
CHECK_MAIN(cases)
