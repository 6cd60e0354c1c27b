// SPDX-License-Identifier: MIT OR Apache-2.0
// typed_test.c: a module of a port with everything in it, called by its typed operations through
// messages: the generated ends on both sides, instances, events, handles, rights, absent methods.
#include "wire_model.h"

#include <check.h>
#include <helix/ports/all_wire.h>

static struct model model;
static const struct all_ops *const ops = &all_wire_client;
static const struct all_events *told; // what attach() got
static void *told_client;
static int boxes[WIRE_INSTANCES_MAX + 2];
static uint32_t open_boxes;
static uint32_t ticks, items_done;

// The module --------------------------------------------------------------------------------------

static enum hx_status attach(void *self, const struct all_events *events, void *client) {
    CHECK(self == &model);
    told = events;
    told_client = client;
    return HX_OK;
}

static enum hx_status scalars(void *self, uint8_t a, uint16_t b, uint32_t c, uint64_t d, int32_t e,
                              int64_t f, bool g, time_ns_t h, uint64_t i, uint32_t j, uint32_t k,
                              int64_t *out_sum) {
    CHECK(self == &model && g && k == ALL_SAFE && j == BASE_BLUE && i == 9 && h == TIME_NEVER);
    *out_sum = a + b + c + (int64_t)d + e + f;
    return HX_OK;
}

static enum hx_status box_open(void *self, struct all_name name, const char *label, void **out_box,
                               struct all_item *out_first) {
    CHECK(self == &model && name.length == 3 && memcmp(name.text, "one", 3) == 0);
    CHECK(strcmp(label, "a label") == 0);
    if (open_boxes == ARRAY_SIZE(boxes)) {
        return HX_ERR_NO_MEMORY;
    }
    *out_box = &boxes[open_boxes++];
    *out_first = (struct all_item){ .id = 77, .name_length = 2, .name = "ab", .label = "lab" };
    out_first->pairs[0].colour = out_first->pairs[1].colour = BASE_RED;
    return HX_OK;
}

static enum hx_status put(void *box, const struct all_item *item, uint32_t how, uint32_t *out_twice,
                          bool *out_valid, uint32_t *out_colour) {
    CHECK(box == &boxes[0] && item->id == 5 && how == ALL_FAST);
    *out_twice = item->half * 2u;
    *out_valid = true;
    *out_colour = BASE_GREEN;
    return HX_OK;
}

static enum hx_status list(void *box, uint32_t from, bool *out_more, struct all_item *items,
                           uint32_t capacity, uint32_t *out_count) {
    CHECK(box == &boxes[0] && capacity == 2);
    for (uint32_t i = 0; i < capacity; i++) {
        items[i].id = from + i;
        items[i].pairs[0].colour = items[i].pairs[1].colour = BASE_RED;
        items[i].valid = true;
        items[i].name_length = 0;
    }
    *out_more = true;
    *out_count = capacity;
    return HX_OK;
}

static enum hx_status sort(void *box, const int32_t *values, uint32_t count, const bool *flags,
                           uint32_t flag_count) {
    (void)box;
    CHECK(count == 2 && values[1] == -2 && flag_count == 1 && flags[0]);
    return HX_OK;
}

static enum hx_status turn(void *box, void *data, uint32_t size) {
    uint8_t *bytes = data;
    (void)box;
    CHECK(size == 3);
    uint8_t first = bytes[0];
    bytes[0] = bytes[2];
    bytes[2] = first;
    return HX_OK;
}

static enum hx_status change(void *box, struct all_item *item, bool *out_changed) {
    (void)box;
    item->id++;
    *out_changed = true;
    return HX_OK;
}

static enum hx_status give(void *box, handle_t event, handle_t memory, bool last) {
    (void)box;
    CHECK(event == (HX_RIGHT_SIGNAL | HX_RIGHT_WAIT) && memory == HX_RIGHT_READ && last);
    return HX_OK;
}

static enum hx_status take(void *box, uint32_t which, handle_t *out_event, uint32_t *out_number,
                           handle_t *out_memory) {
    (void)box;
    *out_event = HX_RIGHT_SIGNAL | HX_RIGHT_WAIT;
    *out_memory = which == 0 ? HX_RIGHT_READ | HX_RIGHT_MAP : HX_RIGHT_READ;
    *out_number = 5;
    return which == 2 ? HX_ERR_IO : HX_OK;
}

static enum hx_status read_pages(void *box, uint64_t first, void *const *pages, uint32_t count) {
    (void)box;
    for (uint32_t i = 0; i < count; i++) {
        memset(pages[i], (int)(first + i), PAGE_SIZE);
    }
    return HX_OK;
}

static enum hx_status write_pages(void *box, uint64_t first, const void *const *pages,
                                  uint32_t count) {
    (void)box;
    for (uint32_t i = 0; i < count; i++) {
        CHECK(((const uint8_t *)pages[i])[PAGE_SIZE - 1] == (uint8_t)(first + i));
    }
    return HX_OK;
}

static enum hx_status swap_pages(void *box, void *const *pages, uint32_t count) {
    (void)box;
    CHECK(count == 2);
    uint8_t byte = ((uint8_t *)pages[0])[7];
    ((uint8_t *)pages[0])[7] = ((uint8_t *)pages[1])[7];
    ((uint8_t *)pages[1])[7] = byte;
    return HX_OK;
}

static enum hx_status start(void *box, const struct all_item *items, uint32_t count,
                            uint32_t *out_accepted) {
    (void)box;
    told->done(told_client, items, count, 3);
    told->tick(told_client);
    told->handed(told_client, HX_RIGHT_READ | HX_RIGHT_WRITE, 8);
    *out_accepted = count;
    return HX_OK;
}

static enum hx_status panic_now(void *self, uint32_t code) {
    (void)self;
    (void)code;
    return HX_OK;
}

static const struct all_ops module_ops = {
    .attach = attach,
    .scalars = scalars,
    .open = box_open,
    .put = put,
    .list = list,
    .sort = sort,
    .turn = turn,
    .change = change,
    .give = give,
    .take = take,
    .read_pages = read_pages,
    .write_pages = write_pages,
    .swap_pages = swap_pages,
    .start = start,
    .panic_now = panic_now,
};

// The client --------------------------------------------------------------------------------------

static void done(void *client, const struct all_item *items, uint32_t count, uint32_t left) {
    CHECK(client == &ticks && left == 3 && items[count - 1].id == 40 + count);
    items_done += count;
}

static void tick(void *client) {
    CHECK(client == &ticks);
    ticks++;
}

static void handed(void *client, handle_t memory, uint32_t number) {
    CHECK(client == &ticks && (memory & HX_RIGHT_READ) != 0 && number == 8);
    ticks++;
}

static const struct all_events client_events = { done, tick, handed };

static struct all_item item_of(uint64_t id) {
    struct all_item item = { .id = id, .half = 21 };
    item.pairs[0].colour = item.pairs[1].colour = BASE_RED;
    return item;
}

static void test_values(void *self, void *box) {
    int64_t sum = 0;
    uint32_t twice, colour;
    bool flag = false;
    struct all_item item = item_of(5);
    CHECK(ops->scalars(self, 1, 2, 3, 4, -5, -6, true, TIME_NEVER, 9, BASE_BLUE, ALL_SAFE, &sum) ==
          HX_OK);
    CHECK(sum == -1);
    CHECK(ops->put(box, &item, ALL_FAST, &twice, &flag, &colour) == HX_OK);
    CHECK(twice == 42 && flag && colour == BASE_GREEN);
    CHECK(ops->change(box, &item, &flag) == HX_OK && item.id == 6 && flag);
    item.pairs[1].colour = 5; // no colour: the other side does not take it
    CHECK(ops->put(box, &item, ALL_FAST, &twice, &flag, &colour) == HX_ERR_CORRUPT);
    CHECK(ops->put(box, &item, ALL_FAST << 5, &twice, &flag, &colour) == HX_ERR_CORRUPT);
}

static void test_lists(void *box) {
    struct all_item items[2];
    const int32_t values[301] = { 1, -2 };
    const bool flags[] = { true };
    uint8_t bytes[5001] = { 1, 2, 3 };
    uint32_t count = 0;
    bool more = false;
    CHECK(ops->list(box, 30, &more, items, 2, &count) == HX_OK);
    CHECK(more && count == 2 && items[1].id == 31 && items[1].valid);
    CHECK(ops->look(box, 30, &more, items, 2, &count) == HX_OK && count == 2); // list does it
    CHECK(ops->sort(box, values, 2, flags, 1) == HX_OK);
    CHECK(ops->sort(box, values, 301, flags, 1) == HX_ERR_INVALID);
    CHECK(ops->turn(box, bytes, 3) == HX_OK && bytes[0] == 3 && bytes[2] == 1);
    CHECK(ops->fill(box, bytes, 5000, &count) == HX_ERR_NO_SPACE); // absent
    CHECK(ops->fill(box, bytes, 5001, &count) == HX_ERR_INVALID);
    CHECK(ops->drain(box, bytes, 100, &count) == HX_OK && count == 0);
    CHECK(ops->panic_now(box, 1) == HX_ERR_NOT_SUPPORTED);
}

static void test_pages(void *box) {
    static uint8_t pages[3][PAGE_SIZE];
    void *const list_of[] = { pages[0], pages[1], pages[2] };
    const void *const again[] = { pages[0], pages[1], pages[2] };
    CHECK(ops->read_pages(box, 100, list_of, 3) == HX_OK);
    CHECK(pages[0][0] == 100 && pages[2][PAGE_SIZE - 1] == 102);
    CHECK(ops->write_pages(box, 100, again, 3) == HX_OK);
    CHECK(ops->swap_pages(box, list_of, 2) == HX_OK && pages[0][7] == 101 && pages[1][7] == 100);
    pages[0][7] = 100;
    pages[1][7] = 101;
    // A pool with ever more room: each page in turn is the one that is not there.
    enum hx_status status = HX_ERR_NO_MEMORY;
    for (uint32_t room = 0; status != HX_OK && room < 40; room++) {
        uint64_t used = ~((UINT64_C(1) << room) - 1);
        atomic_store_explicit(&model.client_pool.used[0], used, memory_order_relaxed);
        status = ops->write_pages(box, 100, again, 3);
        CHECK(status == HX_OK ? room > 3 : status == HX_ERR_NO_MEMORY);
        CHECK(atomic_load_explicit(&model.client_pool.used[0], memory_order_relaxed) == used);
    }
    CHECK(status == HX_OK);
    atomic_store_explicit(&model.client_pool.used[0], ~MODEL_CLIENT_MASK, memory_order_relaxed);
}

static void forge_second(struct model *of, struct wire_message *message) {
    (void)of;
    if (message->kind == WIRE_REQUEST) {
        message->body[16 + 7] ^= 0xff;
    }
}

static void test_handles(void *box) {
    CHECK(ops->give(box, HX_RIGHT_SIGNAL | HX_RIGHT_WAIT, HX_RIGHT_READ, true) == HX_OK);
    CHECK(model.handles == 2);
    CHECK(ops->give(box, HX_RIGHT_SIGNAL, HX_RIGHT_READ, true) == HX_ERR_ACCESS_DENIED);
    CHECK(ops->give(box, HX_RIGHT_SIGNAL | HX_RIGHT_WAIT, 0, true) == HX_ERR_ACCESS_DENIED);
    CHECK(model.handles == 2); // the first copy was closed
    model.meddle = forge_second;
    CHECK(ops->give(box, HX_RIGHT_SIGNAL | HX_RIGHT_WAIT, HX_RIGHT_READ, true) == HX_ERR_CORRUPT);
    CHECK(model.handles == 2); // both were closed
    model.meddle = NULL;
    model.handles = 0;
}

static void forge_result(struct model *of, struct wire_message *message) {
    (void)of;
    if (message->kind == WIRE_REPLY) {
        message->body[8] ^= 1; // behind the status: the first one's number
    }
}

static void test_handles_back(void *box) {
    handle_t event = 0, memory = 0;
    uint32_t number = 0;
    CHECK(ops->take(box, 0, &event, &number, &memory) == HX_OK);
    CHECK(event == (HX_RIGHT_SIGNAL | HX_RIGHT_WAIT) && memory == (HX_RIGHT_READ | HX_RIGHT_MAP));
    CHECK(number == 5 && model.handles == 0); // two copies came, the module's own are closed
    event = 0;
    CHECK(ops->take(box, 1, &event, &number, &memory) == HX_ERR_CORRUPT); // a right is missing
    CHECK(ops->take(box, 2, &event, &number, &memory) == HX_ERR_IO);
    CHECK(event == 0 && model.handles == -2); // of the first of the two; the other gave none
    model.handles = 0;
    model.meddle = forge_result;
    CHECK(ops->take(box, 0, &event, &number, &memory) == HX_ERR_CORRUPT);
    CHECK(event == 0 && model.handles == -2); // the copies are closed, too
    model.meddle = NULL;
    model.handles = 0;
}

static void test_events(void *self, void *box) {
    struct all_item items[] = { item_of(41), item_of(42) };
    uint32_t accepted = 0;
    CHECK(ops->attach(self, &client_events, &ticks) == HX_OK && told != NULL);
    CHECK(ops->attach(self, &client_events, &ticks) == HX_ERR_LIMIT); // once a connection
    CHECK(ops->start(box, items, 2, &accepted) == HX_OK && accepted == 2);
    CHECK(items_done == 2 && ticks == 2 && model.server.lost == 0);
}

static void test_instances(void *self, void *box) {
    struct all_name name = { "one", 3 };
    struct all_item first;
    void *more[WIRE_INSTANCES_MAX];
    uint32_t count;
    for (uint32_t i = 1; i < WIRE_INSTANCES_MAX; i++) {
        CHECK(ops->open(self, name, "a label", &more[i], &first) == HX_OK);
    }
    CHECK(ops->open(self, name, "a label", &more[0], &first) == HX_ERR_LIMIT);
    struct wire_target *target = more[3];
    uint64_t old = atomic_load_explicit(&target->id, memory_order_relaxed);
    CHECK(ops->close(more[3]) == HX_OK); // absent, and it ends
    CHECK(ops->drain(more[3], NULL, 0, &count) == HX_ERR_CORRUPT);
    CHECK(ops->open(self, name, "a label", &more[0], &first) == HX_OK && more[0] == more[3]);
    CHECK(ops->close(box) == HX_OK);
    // An old number of a place that is used again is nobody's.
    target = more[0];
    const uint64_t now = atomic_load_explicit(&target->id, memory_order_relaxed);
    CHECK((uint32_t)now == (uint32_t)old && now != old);
    atomic_store_explicit(&target->id, old, memory_order_relaxed);
    CHECK(ops->drain(more[0], NULL, 0, &count) == HX_ERR_CORRUPT);
}

// What no honest peer sends
// ------------------------------------------------------------------------

static struct wire_message crafted_reply(uint32_t page, const uint64_t *words, uint32_t bytes) {
    struct wire_message message = { .kind = WIRE_REPLY, .inline_bytes = WIRE_PAGED };
    message.body_page = (uint16_t)page;
    message.body_bytes = bytes;
    memcpy(model.pool + page * PAGE_SIZE, words, bytes);
    return message;
}

// A reply, whole in itself, with one byte more than there was room for.
static void answer_too_much(struct model *of, struct wire_message *message) {
    static uint32_t reply_page;
    const uint64_t words[16] = { HX_OK, 101 };
    (void)of;
    if (message->kind == WIRE_REQUEST) {
        reply_page = message->reply_page;
    } else {
        uint16_t method = message->method;
        *message = crafted_reply(reply_page, words, 16 + 101);
        message->method = method;
    }
}

static void test_hostile_server(void *box) {
    uint8_t data[101] = { 0 };
    uint32_t length = 7;
    data[100] = 9;
    model.meddle = answer_too_much;
    CHECK(ops->drain(box, data, 100, &length) == HX_ERR_CORRUPT && length == 7 && data[100] == 9);
    model.meddle = NULL;
}

static void refuse(struct wire_message request, uint64_t refused) {
    const struct wire_parcel parcel = { .message = request };
    struct wire_parcel reply;
    uint64_t status;
    wire_serve(&model.server, &parcel, &reply);
    memcpy(&status, reply.message.body, sizeof(status));
    CHECK(reply.message.inline_bytes == 8 && (int32_t)status == HX_ERR_CORRUPT);
    CHECK(atomic_load_explicit(&model.server.refused, memory_order_relaxed) == refused);
}

static void test_hostile_client(void) {
    uint64_t words[200] = { 1, 301 }; // the box, one value more than there may be
    words[2 + 151] = 1;               // one flag
    struct wire_message request = crafted_reply(0, words, (2 + 151 + 1) * 8 + 1);
    uint64_t refused = atomic_load_explicit(&model.server.refused, memory_order_relaxed);
    request.kind = WIRE_REQUEST;
    request.method = ALL_METHOD_SORT;
    refuse(request, refused + 1);
    request.body_page = MODEL_POOL_PAGES - 1; // its end lies behind the pool
    request.body_bytes = PAGE_SIZE + 8;
    refuse(request, refused + 2);
    request.body_page = MODEL_POOL_PAGES;
    refuse(request, refused + 3);
    request.body_bytes = all_wire.request_max + 1;
    refuse(request, refused + 4);
    request.method = ALL_METHOD_PANIC_NOW; // never outside of the kernel
    request.inline_bytes = 8;
    refuse(request, refused + 5);
    request.method = UINT16_MAX;
    refuse(request, refused + 6);
}

static uint32_t boxes_ended;

static enum hx_status box_end(void *box) {
    CHECK(box >= (void *)boxes && box < (void *)&boxes[open_boxes]);
    boxes_ended++;
    return HX_OK;
}

// The client has gone with instances open.
static void test_gone(void) {
    struct all_ops ending = module_ops, bound;
    uint32_t open = 0;
    for (uint32_t i = 0; i < WIRE_INSTANCES_MAX; i++) {
        open += model.server.instances[i].instance != NULL;
    }
    ending.close = box_end;
    CHECK(all_wire.ops_bytes == sizeof(bound) && all_wire.versions->minors[0].abi == ALL_PORT_ABI);
    CHECK(all_wire.bind(&bound, &ending, HX_RIGHTS_ALL) == HX_OK);
    wire_server_fini(&model.server, &bound);
    CHECK(open > 1 && boxes_ended == open);
    wire_server_fini(&model.server, &bound);
    CHECK(boxes_ended == open);
}

static void test_rights(void) {
    static struct model poor;
    struct all_ops bound;
    uint32_t count = 0;
    void *box;
    struct all_item first;
    struct all_name name = { "one", 3 };
    CHECK(all_bind(&bound, &module_ops, HX_RIGHT_WRITE) == HX_OK);
    model_init(&poor, &all_wire, &bound, &model);
    CHECK(ops->open(&poor.client.targets[0], name, "a label", &box, &first) ==
          HX_ERR_ACCESS_DENIED);
    CHECK(ops->drain(&poor.client.targets[0], NULL, 0, &count) == HX_ERR_CORRUPT); // no instance
    model_fini(&poor);
}

int main(void) {
    struct all_ops bound;
    struct all_name name = { "one", 3 };
    struct all_item first;
    void *self = &model.client.targets[0];
    void *box = NULL;
    CHECK(all_bind(&bound, &module_ops, ~(rights_t)0) == HX_OK);
    model_init(&model, &all_wire, &bound, &model);
    CHECK(ops->open(self, name, "a label", &box, &first) == HX_OK && box != NULL);
    CHECK(first.id == 77 && strcmp(first.name, "ab") == 0 && strcmp(first.label, "lab") == 0);
    name.length = 21;
    CHECK(ops->open(self, name, "a label", &box, &first) == HX_ERR_INVALID);
    test_values(self, box);
    test_lists(box);
    test_pages(box);
    test_handles(box);
    test_handles_back(box);
    test_events(self, box);
    test_hostile_server(box);
    test_hostile_client();
    test_instances(self, box);
    test_rights();
    test_gone();
    model_fini(&model);
    return check_result();
}
