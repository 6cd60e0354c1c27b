// SPDX-License-Identifier: MIT OR Apache-2.0
// The ports of a module in ring 3 that lies, as the kernel's callers see them: slot.c and the
// client of a port that portgen made (helix.char), with stand-ins for what they call.
#include "../../service/ports.c"
#include "../slot.c"

#include <check.h>
#include <helix/ports/char_port.h>
#include <setjmp.h>
#include <stdlib.h>
#include <string.h>

#define WHAT "what it read"

static struct hx_env env = { .name = "test" };
static struct process own;
static struct domain domain = { .env = &env, .process = &own };
static const struct char_ops *ops; // that callers have
static void *self;
static enum hx_status agreed;                      // about the version of the port
static const struct process *caller;               // NULL: the kernel itself
static enum hx_status (*serve)(struct work *work); // what the module does
static uint32_t allocations_left, deepest;
static jmp_buf waiting;

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

enum hx_status wait_change(struct waitable *object, uint32_t sequence, time_ns_t deadline,
                           uint32_t flags) {
    CHECK(waitable_sequence(object) == sequence && deadline == TIME_NEVER && flags == 0);
    longjmp(waiting, 1);
}

struct process *process_current(void) {
    return (struct process *)caller;
}

void *heap_alloc(size_t size_bytes, enum memory_mode mode) {
    (void)mode;
    if (allocations_left == 0) {
        return NULL;
    }
    allocations_left--;
    return aligned_alloc(PAGE_SIZE, ALIGN_UP(size_bytes, (size_t)PAGE_SIZE));
}

void *heap_alloc_zero(size_t size_bytes, enum memory_mode mode) {
    void *memory = heap_alloc(size_bytes, mode);
    return memory != NULL ? memset(memory, 0, size_bytes) : NULL;
}

void heap_free(void *memory) {
    free(memory);
}

struct gate *gate_current(void) {
    return NULL; // helix.char has no instances
}

enum hx_status env_port_agree(const struct hx_env *of, const char *port,
                              const struct hx_port_versions **out_versions,
                              const struct hx_port_minor **out_minor) {
    CHECK(of == &env && strcmp(port, "helix.char") == 0);
    *out_versions = &char_versions;
    *out_minor = &char_versions.minors[0];
    return agreed;
}

enum hx_status env_port_provide(struct hx_env *of, const char *port, const char *slot,
                                const void *operations, void *its) {
    CHECK(of == &env && strcmp(port, "helix.char") == 0 && strcmp(slot, "slot") == 0);
    ops = operations;
    self = its;
    return HX_OK;
}

// helix.char lends nothing.
struct lender *lender_create(struct domain *it, struct wire_target *target) {
    (void)it;
    (void)target;
    abort();
}

const void *lender_operations(void) {
    abort();
}

uint32_t lender_name(const struct lender *lender, const void *page) {
    (void)lender;
    (void)page;
    abort();
}

enum hx_status link_do(struct domain *it, struct work *work) {
    CHECK(it == &domain && work->kind == SERVICE_WORK_CALL && work->number == 3);
    return serve(work);
}

// Replies -----------------------------------------------------------------------------------------

// A status, a length, and as many bytes, as a server writes them.
static uint32_t body_make(uint8_t *to, uint64_t length) {
    const uint64_t status = HX_OK;
    memcpy(to, &status, 8);
    memcpy(to + 8, &length, 8);
    memcpy(to + 16, WHAT, sizeof(WHAT));
    return 16 + (uint32_t)sizeof(WHAT);
}

static struct wire_message reply_to(const struct work *work) {
    struct wire_message reply = { .kind = WIRE_REPLY, .method = work->message.method };
    reply.inline_bytes = (uint8_t)body_make(reply.body, sizeof(WHAT));
    return reply;
}

static enum hx_status answers(struct work *work) {
    work->message = reply_to(work);
    return HX_OK;
}

// All that it may write, to the last byte: the sanitizer sees more.
static enum hx_status answers_in_pages(struct work *work) {
    struct wire_message reply = reply_to(work);
    memset(work->reply, 0xaa, work->reply_bytes);
    reply.body_bytes = body_make(work->reply, sizeof(WHAT));
    reply.inline_bytes = WIRE_PAGED;
    reply.body_page = UINT16_MAX; // who asks, knows where
    work->message = reply;
    return HX_OK;
}

static struct wire_message lie;
static uint64_t lie_length;

static enum hx_status lies(struct work *work) {
    const uint16_t method = work->message.method;
    memset(work->reply, 0xaa, work->reply_bytes);
    (void)body_make(work->reply, lie_length);
    work->message = lie;
    work->message.method += method;
    return HX_OK;
}

static enum hx_status read_it(uint32_t *out_length) {
    static char buffer[64];
    memset(buffer, 0, sizeof(buffer));
    *out_length = 99;
    const enum hx_status status = ops->read(self, 0, 0, buffer, sizeof(buffer), out_length);
    CHECK(status != HX_OK || memcmp(buffer, WHAT, sizeof(WHAT)) == 0);
    return status;
}

static const struct slot *the_slot(void) {
    return slot_at(&domain, 3);
}

// Tests -------------------------------------------------------------------------------------------

static void begin(void) {
    allocations_left = UINT32_MAX;
    caller = NULL;
    CHECK(slot_provide(&domain, "helix.char", "slot", 3) == HX_OK);
}

static void end(void) {
    CHECK(the_slot()->calls[0] == 0 && the_slot()->calls[1] == 0);
    slots_free(&domain);
    memset(domain.slots, 0, sizeof(domain.slots));
}

static void test_provide(void) {
    for (uint32_t n = 0; n < 2; n++) {
        allocations_left = n;
        CHECK(slot_provide(&domain, "helix.char", "slot", 3) == HX_ERR_NO_MEMORY);
        CHECK(the_slot() == NULL);
    }
    begin();
    CHECK(slot_provide(&domain, "helix.char", "slot", 3) == HX_ERR_INVALID); // twice
    ops = NULL;
    agreed = HX_ERR_BAD_IMAGE;
    CHECK(slot_provide(&domain, "helix.char", "slot", 5) == HX_ERR_BAD_IMAGE && ops == NULL);
    agreed = HX_OK;
    CHECK(slot_provide(&domain, "helix.char", "slot", SERVICE_SLOTS_MAX) == HX_ERR_INVALID);
    CHECK(slot_provide(&domain, "helix.char", "slot", UINT32_MAX) == HX_ERR_INVALID);
    CHECK(slot_provide(&domain, "helix.sched", "slot", 4) == HX_ERR_NOT_SUPPORTED);
    CHECK(slot_at(&domain, 4) == NULL && slot_at(&domain, UINT32_MAX) == NULL);
    end();
}

static void test_answers(void) {
    uint32_t length;
    begin();
    serve = answers;
    CHECK(read_it(&length) == HX_OK && length == sizeof(WHAT));
    serve = answers_in_pages;
    CHECK(read_it(&length) == HX_OK && length == sizeof(WHAT));
    end();
}

// Nothing of it gets to the caller.
static void test_lies(void) {
    struct wire_message honest = { .kind = WIRE_REPLY };
    honest.inline_bytes = (uint8_t)body_make(honest.body, sizeof(WHAT));
    struct wire_message paged = { .kind = WIRE_REPLY,
                                  .inline_bytes = WIRE_PAGED,
                                  .body_bytes = 16 + sizeof(WHAT) };
    struct wire_message wrong[9];
    for (uint32_t i = 0; i < ARRAY_SIZE(wrong); i++) {
        wrong[i] = i < 6 ? honest : paged;
    }
    wrong[0].kind = WIRE_REQUEST;
    wrong[1].kind = WIRE_EVENT;
    wrong[2].method = 1; // of another call
    wrong[3].inline_bytes = 0;
    wrong[4].inline_bytes = WIRE_INLINE_BYTES + 1;
    wrong[5].inline_bytes -= 8;
    wrong[6].body_bytes = 0;
    wrong[7].body_bytes = 16; // less than it says itself
    wrong[8].body_bytes = UINT32_MAX;
    begin();
    serve = lies;
    lie_length = sizeof(WHAT);
    for (uint32_t i = 0; i < ARRAY_SIZE(wrong); i++) {
        uint32_t length;
        lie = wrong[i];
        CHECK(read_it(&length) == HX_ERR_CORRUPT && length == 99);
    }
    lie = paged;
    for (uint32_t i = 0; i < 2; i++) { // more than the caller has room for
        uint32_t length;
        lie_length = i == 0 ? 65 : UINT64_MAX;
        CHECK(read_it(&length) == HX_ERR_CORRUPT && length == 99);
    }
    end();
}

static enum hx_status is_refused(struct work *work) {
    (void)work;
    return HX_ERR_PEER_DIED;
}

static void test_dies(void) {
    uint32_t length;
    begin();
    serve = is_refused;
    CHECK(read_it(&length) == HX_ERR_PEER_DIED && length == 99);
    end();
}

// A call in the middle of a call, and so on, until one has to wait.
static enum hx_status calls_again(struct work *work) {
    uint32_t length;
    const uint32_t from_inside = caller == &own;
    deepest = MAX_OF(deepest, the_slot()->calls[from_inside]);
    if (the_slot()->calls[from_inside] < CALLS_MAX) {
        CHECK(read_it(&length) == HX_OK);
    } else if (from_inside == 0) {
        caller = &own; // its own workers have places of their own
        CHECK(read_it(&length) == HX_OK);
        caller = NULL;
    } else if (setjmp(waiting) == 0) {
        (void)read_it(&length);
        CHECK(false); // it has to wait
    }
    return answers(work);
}

static void test_crowd(void) {
    uint32_t length;
    begin();
    serve = calls_again;
    deepest = 0;
    CHECK(read_it(&length) == HX_OK && deepest == CALLS_MAX);
    end();
}

// The memory of a call is its own: whatever fits into one reply leaves the request of the next one
// as it is.
static struct work *outer;

static enum hx_status fills_the_other(struct work *work) {
    memset(outer->reply, 0xaa, outer->reply_bytes);
    CHECK(work->message.inline_bytes == WIRE_PAGED && work->message.body_bytes > PAGE_SIZE / 2);
    for (uint32_t i = PAGE_SIZE / 4; i < PAGE_SIZE / 2; i++) {
        CHECK(work->body[i] == 'w');
    }
    return HX_ERR_PEER_DIED;
}

static enum hx_status writes_meanwhile(struct work *work) {
    static char bytes[PAGE_SIZE];
    uint32_t length;
    memset(bytes, 'w', sizeof(bytes));
    outer = work;
    serve = fills_the_other;
    CHECK(ops->write(self, 0, 0, bytes, sizeof(bytes), &length) == HX_ERR_PEER_DIED);
    return answers(work);
}

static void test_apart(void) {
    uint32_t length;
    begin();
    serve = writes_meanwhile;
    CHECK(read_it(&length) == HX_OK);
    end();
}

static void test_events(void) {
    struct worker worker = { .domain = &domain };
    uint8_t *event = malloc(2 * (size_t)SERVICE_PAGE_REPLY * PAGE_SIZE);
    struct wire_message message = { .kind = WIRE_EVENT, .inline_bytes = WIRE_PAGED };
    worker.event = event;
    begin();
    CHECK(slot_event_bytes(&domain, 3) == char_wire.event_max);
    CHECK(slot_event_bytes(&domain, 4) == 0);
    CHECK(slot_event_bytes(&domain, UINT32_MAX) == 0);
    CHECK(slot_event(&worker, 4, &message) == HX_ERR_INVALID);
    CHECK(slot_event(&worker, UINT32_MAX, &message) == HX_ERR_INVALID);
    message.body_bytes = UINT32_MAX;
    CHECK(slot_event(&worker, 3, &message) == HX_ERR_CORRUPT); // the port has none
    end();
    free(event);
}

int main(void) {
    test_provide();
    test_answers();
    test_lies();
    test_dies();
    test_crowd();
    test_apart();
    test_events();
    return check_result();
}
