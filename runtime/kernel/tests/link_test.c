// SPDX-License-Identifier: MIT OR Apache-2.0
// Work on its way to a worker in ring 3 that lies, or dies, or does nothing: link.c, with stand-ins
// for what it calls. One thread: whoever waits for work plays the worker meanwhile.
#include "../link.c"

#include <check.h>
#include <stdlib.h>
#include <string.h>

#define REPLY_BYTES (2u * PAGE_SIZE)

static struct hx_env env = { .name = "test" };
static struct domain domain = { .env = &env };
static uint8_t memory[SERVICE_WORKERS_MAX * SERVICE_AREA_PAGES * PAGE_SIZE]; // of the module
static void (*play)(void);      // what the workers do while somebody waits for them
static void (*meanwhile)(void); // what happens while a worker copies
static uint32_t copies_left;    // that find the module's memory
static uint32_t deaths, added, copies;
static bool is_killed; // a worker that would wait is killed

// What it calls -----------------------------------------------------------------------------------

HX_ATTR(no_thread_safety_analysis) void spin_lock(struct spinlock *lock) {
    (void)lock;
}

HX_ATTR(no_thread_safety_analysis) void spin_unlock(struct spinlock *lock) {
    (void)lock;
}

void spinlock_init(struct spinlock *lock, const struct lock_class *lock_class) {
    (void)lock;
    (void)lock_class;
}

void waitable_init(struct waitable *waitable, uint32_t state) {
    atomic_init(&waitable->state, state);
    atomic_init(&waitable->sequence, 0);
}

void waitable_pulse(struct waitable *waitable) {
    atomic_fetch_add(&waitable->sequence, 1);
}

uint32_t waitable_sequence(const struct waitable *waitable) {
    return atomic_load(&waitable->sequence);
}

time_ns_t time_now(void) {
    return 1000;
}

// Who waits for work plays the workers; if they have nothing more to do, the time is over.
enum hx_status wait_change(struct waitable *object, uint32_t sequence, time_ns_t deadline,
                           uint32_t flags) {
    if (object == &domain.link.changed) {
        CHECK(flags == WAIT_KILLABLE && deadline == TIME_NEVER);
        return is_killed || waitable_sequence(object) == sequence ? HX_ERR_INTERRUPTED : HX_OK;
    }
    CHECK(flags == 0);
    void (*const now)(void) = play;
    play = NULL;
    if (now != NULL) {
        now();
        return HX_OK;
    }
    CHECK(deadline == 1000 + ANSWER_NS);
    return HX_ERR_TIMED_OUT;
}

static uint8_t *memory_at(struct uaddr address, size_t size_bytes) {
    void (*const now)(void) = meanwhile;
    meanwhile = NULL;
    if (now != NULL) {
        now();
    }
    copies++;
    if (copies_left == 0) {
        return NULL;
    }
    copies_left--;
    CHECK(address.value <= sizeof(memory) && size_bytes <= sizeof(memory) - address.value);
    return memory + address.value;
}

enum hx_status copy_from_user(void *to, struct uaddr from, size_t size_bytes) {
    const uint8_t *at = memory_at(from, size_bytes);
    if (at != NULL) {
        memcpy(to, at, size_bytes);
    }
    return at != NULL ? HX_OK : HX_ERR_BAD_ADDRESS;
}

enum hx_status copy_to_user(struct uaddr to, const void *from, size_t size_bytes) {
    uint8_t *at = memory_at(to, size_bytes);
    if (at != NULL) {
        memcpy(at, from, size_bytes);
    }
    return at != NULL ? HX_OK : HX_ERR_BAD_ADDRESS;
}

struct uaddr domain_area(const struct worker *worker) {
    return uaddr_make((uint64_t)worker->number * SERVICE_AREA_PAGES * PAGE_SIZE);
}

void domain_worker_add(struct domain *it) {
    CHECK(it == &domain);
    added++;
}

void domain_die(struct domain *it, const struct gate_death *death) {
    CHECK(it == &domain && strcmp(death->what, "no answer") == 0);
    deaths++;
    link_end(it);
}

// What the tests share ----------------------------------------------------------------------------

static void begin(void) {
    memset(&domain, 0, sizeof(domain));
    domain.env = &env;
    link_init(&domain.link);
    domain.worker_count = 2;
    for (uint32_t i = 0; i < domain.worker_count; i++) {
        domain.workers[i].domain = &domain;
        domain.workers[i].number = i;
    }
    memset(memory, 0, sizeof(memory));
    play = meanwhile = NULL;
    copies_left = UINT32_MAX;
    deaths = added = copies = 0;
    is_killed = false;
}

static struct worker *worker(uint32_t number) {
    return &domain.workers[number];
}

static struct service_area *area_of(uint32_t number) {
    return (struct service_area *)(void *)(memory + domain_area(worker(number)).value);
}

static uint8_t *reply_of(uint32_t number) {
    return (uint8_t *)area_of(number) + (size_t)SERVICE_PAGE_REPLY * PAGE_SIZE;
}

// A paged request of three bytes, with room for a reply of exactly so many: the sanitizer sees one
// more. Nothing of it is left when the caller has its result.
struct call {
    struct work *work;
    uint8_t *body, *reply;
};

static struct call call_make(void) {
    const struct call call = { calloc(1, sizeof(struct work)), malloc(3), malloc(REPLY_BYTES) };
    CHECK(call.work != NULL && call.body != NULL && call.reply != NULL);
    memcpy(call.body, "ask", 3);
    memset(call.reply, 0x55, REPLY_BYTES);
    *call.work = (struct work){
        .kind = SERVICE_WORK_CALL,
        .number = 7,
        .message = { .call = 42, .inline_bytes = WIRE_PAGED, .body_bytes = 3 },
        .body = call.body,
        .reply = call.reply,
        .reply_bytes = REPLY_BYTES,
    };
    return call;
}

static void call_free(const struct call *call) {
    free(call->work);
    free(call->body);
    free(call->reply);
}

static bool is_untouched(const struct call *call) {
    for (uint32_t i = 0; i < REPLY_BYTES; i++) {
        if (call->reply[i] != 0x55) {
            return false;
        }
    }
    return true;
}

// A call while the workers do that; what the caller gets, of which nothing is kept.
static enum hx_status call_while(void (*workers)(void), bool expect_untouched) {
    struct call call = call_make();
    play = workers;
    const enum hx_status status = link_do(&domain, call.work);
    CHECK(list_is_empty(&domain.link.queue));
    CHECK(is_untouched(&call) == expect_untouched);
    call_free(&call);
    return status;
}

// The worker has taken what there is, as it was given.
static void take(uint32_t number) {
    CHECK(link_next(worker(number)) == HX_OK);
    const struct service_area *area = area_of(number);
    const uint32_t first = number * SERVICE_AREA_PAGES;
    CHECK(area->kind == SERVICE_WORK_CALL && area->number == 7 && area->message.call == 42);
    CHECK(area->message.body_page == first + SERVICE_PAGE_REQUEST);
    CHECK(area->message.reply_page == first + SERVICE_PAGE_REPLY);
    CHECK(memcmp((uint8_t *)area_of(number) + (size_t)SERVICE_PAGE_REQUEST * PAGE_SIZE, "ask", 3) ==
          0);
}

// It asks for more, of which there is none.
static void answer(uint32_t number) {
    CHECK(link_next(worker(number)) == HX_ERR_PEER_DIED);
    CHECK(worker(number)->work == NULL && !worker(number)->is_copying && domain.link.idle == 0);
}

static uint32_t reply_bytes; // that the worker claims

static void take_and_answer(void) {
    take(0);
    area_of(0)->message.body_bytes = reply_bytes;
    memset(reply_of(0), 0xaa, REPLY_BYTES + PAGE_SIZE);
    answer(0);
}

// Tests -------------------------------------------------------------------------------------------

static void test_lengths(void) {
    static const uint32_t too_long[] = { REPLY_BYTES + 1, REPLY_BYTES + PAGE_SIZE, UINT32_MAX };
    begin();
    reply_bytes = REPLY_BYTES;
    CHECK(call_while(take_and_answer, false) == HX_OK && added == 1);
    reply_bytes = 0;
    CHECK(call_while(take_and_answer, true) == HX_OK);
    for (uint32_t i = 0; i < ARRAY_SIZE(too_long); i++) {
        reply_bytes = too_long[i];
        CHECK(call_while(take_and_answer, true) == HX_ERR_CORRUPT);
    }
    CHECK(deaths == 0);
}

static void answer_inline(void) {
    take(0);
    area_of(0)->message = (struct wire_message){ .call = 41, .inline_bytes = 200, .body = "x" };
    area_of(0)->message.body_bytes = UINT32_MAX;
    area_of(0)->status = INT64_MIN;
    answer(0);
}

// What is in a message is the wire's to check: a length that is no length, another's call. Here it
// is copied as it is, and nothing else is.
static void test_inline(void) {
    begin();
    struct call call = call_make();
    play = answer_inline;
    CHECK(link_do(&domain, call.work) == HX_OK && is_untouched(&call));
    CHECK(call.work->message.call == 41 && call.work->message.inline_bytes == 200);
    CHECK(call.work->message.body[0] == 'x' && call.work->reply_bytes == REPLY_BYTES);
    call_free(&call);
}

// It grows while the body is copied: what counts is what was copied before.
static void grow(void) {
    area_of(0)->message.body_bytes = UINT32_MAX;
}

static void grow_later(void) {
    meanwhile = grow;
}

static void answer_and_grow(void) {
    take(0);
    area_of(0)->message.body_bytes = 5;
    meanwhile = grow_later; // behind the first copy
    memcpy(reply_of(0), "12345", 5);
    CHECK(link_next(worker(0)) == HX_ERR_PEER_DIED);
}

static void test_grows(void) {
    begin();
    struct call call = call_make();
    play = answer_and_grow;
    CHECK(link_do(&domain, call.work) == HX_OK && call.work->message.body_bytes == 5);
    CHECK(memcmp(call.reply, "12345\x55", 6) == 0);
    call_free(&call);
}

// Twice, and before there was anything to answer: nobody is there any more who could get it.
static void test_unasked(void) {
    begin();
    area_of(0)->message = (struct wire_message){ .inline_bytes = WIRE_PAGED, .body_bytes = 1 };
    answer(0);
    CHECK(copies == 0);
    reply_bytes = 9;
    CHECK(call_while(take_and_answer, false) == HX_OK);
    copies = 0;
    answer(0);
    answer(1);
    CHECK(copies == 0);
}

static void two_take_and_the_other_answers(void) {
    take(0);
    area_of(0)->message.body_bytes = 1;
    area_of(1)->message = (struct wire_message){ .inline_bytes = WIRE_PAGED, .body_bytes = 2 };
    answer(1); // of what it never got
    CHECK(worker(0)->work != NULL && !worker(0)->work->is_done);
    answer(0);
}

static void test_of_another(void) {
    begin();
    CHECK(call_while(two_take_and_the_other_answers, false) == HX_OK);
}

static void take_only(void) {
    take(0);
}

static void nothing(void) {}

// Its caller has gone when the worker comes at last.
static void test_none(void) {
    begin();
    CHECK(call_while(nothing, true) == HX_ERR_PEER_DIED && deaths == 1);
    CHECK(call_while(NULL, true) == HX_ERR_PEER_DIED && deaths == 1); // at once
    begin();
    CHECK(call_while(take_only, true) == HX_ERR_PEER_DIED && deaths == 1);
    copies = 0;
    area_of(0)->message.body_bytes = 9;
    answer(0);
    CHECK(copies == 0);
}

static void end(void) {
    link_end(&domain);
}

static void check_not_done(void) {
    link_end(&domain);
    CHECK(worker(0)->work != NULL && !worker(0)->work->is_done);
}

static void take_and_end(void) {
    take(0);
    end();
}

// While it copies the request out, or its answer in: who waits does so until it has let go.
static void end_while_taking(void) {
    meanwhile = check_not_done;
    CHECK(link_next(worker(0)) == HX_OK && worker(0)->work == NULL);
    answer(0);
}

static void end_while_answering(void) {
    take(0);
    area_of(0)->message.body_bytes = 9;
    memset(reply_of(0), 0xaa, 9);
    meanwhile = check_not_done;
    answer(0);
}

static void test_dies(void) {
    static void (*const ends[])(void) = { end, take_and_end, end_while_taking };
    for (uint32_t i = 0; i < ARRAY_SIZE(ends); i++) {
        begin();
        CHECK(call_while(ends[i], true) == HX_ERR_PEER_DIED && deaths == 0);
        answer(0);
        CHECK(call_while(NULL, true) == HX_ERR_PEER_DIED);
    }
    begin();
    CHECK(call_while(end_while_answering, false) == HX_ERR_PEER_DIED);
}

// Its area is gone, from the n-th copy on: the request's body, itself; the answer, its body.
static void take_without_area(void) {
    CHECK(link_next(worker(0)) == HX_ERR_BAD_ADDRESS && worker(0)->work == NULL);
}

static void test_no_area(void) {
    for (uint32_t n = 0; n < 2; n++) {
        begin();
        copies_left = n;
        CHECK(call_while(take_without_area, true) == HX_ERR_PEER_DIED);
    }
    for (uint32_t n = 2; n < 4; n++) {
        begin();
        copies_left = n;
        reply_bytes = 9;
        CHECK(call_while(take_and_answer, true) == HX_ERR_CORRUPT);
    }
}

// Life
// ---------------------------------------------------------------------------------------------

static void live(void) {
    CHECK(link_next(worker(1)) == HX_OK && area_of(1)->kind == SERVICE_WORK_LIFE);
    CHECK(area_of(1)->number == SERVICE_START && area_of(1)->argument == 99);
    CHECK(link_begins(worker(1)) && !link_begins(worker(0)));
    // No call: a length that is none is not looked at, and no body is copied.
    area_of(1)->message =
        (struct wire_message){ .inline_bytes = WIRE_PAGED, .body_bytes = UINT32_MAX };
    area_of(1)->status = HX_ERR_NO_SPACE;
    copies = 0;
    CHECK(link_next(worker(1)) == HX_ERR_PEER_DIED && copies == 1 && !link_begins(worker(1)));
}

static void test_life(void) {
    begin();
    struct work work = { .kind = SERVICE_WORK_LIFE, .number = SERVICE_START, .argument = 99 };
    play = live;
    CHECK(link_do(&domain, &work) == HX_OK && work.status == HX_ERR_NO_SPACE);
}

// One waits for another's answer: each gets its own, a worker is added for each that has none.
static void nested(void) {
    take(0);
    domain.link.idle = 1; // the other one
    reply_bytes = 1;
    struct work work = { .kind = SERVICE_WORK_LIFE, .number = SERVICE_START, .argument = 99 };
    const uint32_t before = added;
    play = live;
    CHECK(link_do(&domain, &work) == HX_OK && work.status == HX_ERR_NO_SPACE && added == before);
    domain.link.idle = 0;
    area_of(0)->message.body_bytes = 1;
    answer(0);
}

static void test_two(void) {
    begin();
    CHECK(call_while(nested, false) == HX_OK && added == 1);
}

int main(void) {
    test_lengths();
    test_inline();
    test_grows();
    test_unasked();
    test_of_another();
    test_none();
    test_dies();
    test_no_area();
    test_life();
    test_two();
    return check_result();
}
