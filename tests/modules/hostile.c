// SPDX-License-Identifier: MIT OR Apache-2.0
// hostile.c: for ring 3: /dev/hostile does what the letter says that is written to it, behind the
// back of its SDK: calls of the kernel that it may not make, and wrong ones of those that it may. A
// read says how many of the answers to these were not as they must be.
#include <helix/env.h>
#include <helix/ports/char_port.h>
#include <lib/string.h>
#include <libhelix_arch/syscall.h>
#include <runtime/service.h>

// NOLINTBEGIN(performance-no-int-to-ptr): that is what it does

#define KERNEL_ADDRESS (~(uintptr_t)0xffff)
#define NOWHERE        ((uintptr_t)0x7fff0000)

static struct hx_env *env;
static uint32_t wrong;

static int64_t call(uint64_t number, uint64_t a, uint64_t b, uint64_t c) {
    return libhelix_syscall(number, a, b, c, 0, 0, 0);
}

static void expect(int64_t found, int64_t wanted, const char *what) {
    if (found != wanted) {
        hx_log(env, HX_LOG_ERROR, "%s gives %lld", what, (long long)found);
        wrong++;
    }
}

static uint64_t at(const void *address) {
    return (uintptr_t)address;
}

static struct service_area *area(void) {
    return (struct service_area *)(uintptr_t)call(SERVICE_AREA, 0, 0, 0);
}

// ---- that it dies of

static void reads_kernel(void) {
    (void)*(volatile const char *)KERNEL_ADDRESS;
}

static void writes_host(void) {
    *(volatile uint8_t *)(uintptr_t)hx_log = 0;
}

static void runs_data(void) {
    static uint8_t code[16];
    ((void (*)(void))(uintptr_t)code)();
}

static void overflows(void) {
    volatile uint8_t *stack = (volatile uint8_t *)__builtin_frame_address(0);
    for (uint32_t i = 0; i < 128u << 10; i += 64) {
        stack[-(int64_t)i] = 1;
    }
}

static void loops(void) {
    for (volatile uint32_t i = 0;; i++) {
    }
}

static void eats_memory(void) {
    for (;;) {
        const int64_t address = call(SERVICE_MEMORY, 1u << 26, 0, 0);
        volatile uint8_t *pages = (volatile uint8_t *)(uintptr_t)address;
        for (uint64_t i = 0; address > 0 && i < 1u << 26; i += PAGE_SIZE) {
            pages[i] = 1;
        }
    }
}

// ---- that the kernel answers with a refusal

static void provides_wrongly(void) {
    static const char port[SERVICE_NAME_BYTES] = "helix.char", slot[SERVICE_NAME_BYTES] = "other";
    static const char sched[SERVICE_NAME_BYTES] = "helix.sched", none[SERVICE_NAME_BYTES] = "";
    char endless[SERVICE_NAME_BYTES];
    memset(endless, 'x', sizeof(endless));
    expect(call(SERVICE_PROVIDE, at(port), at(slot), 0), HX_ERR_INVALID, "a number twice");
    expect(call(SERVICE_PROVIDE, at(port), at(slot), SERVICE_SLOTS_MAX), HX_ERR_INVALID, "its end");
    expect(call(SERVICE_PROVIDE, at(port), at(slot), UINT64_MAX), HX_ERR_INVALID, "the last one");
    expect(call(SERVICE_PROVIDE, at(endless), at(slot), 2), HX_ERR_INVALID, "an endless port");
    expect(call(SERVICE_PROVIDE, at(port), at(endless), 3), HX_ERR_INVALID, "an endless slot");
    expect(call(SERVICE_PROVIDE, at(port), at(none), 4), HX_ERR_INVALID, "a slot without a name");
    expect(call(SERVICE_PROVIDE, NOWHERE, at(slot), 5), HX_ERR_BAD_ADDRESS, "no port");
    expect(call(SERVICE_PROVIDE, at(port), KERNEL_ADDRESS, 6), HX_ERR_BAD_ADDRESS, "no slot");
    expect(call(SERVICE_PROVIDE, at(sched), at(slot), 7), HX_ERR_NOT_SUPPORTED, "another port");
}

static void provides_late(void) {
    static const char port[] = "helix.char", slot[] = "late";
    expect(call(SERVICE_PROVIDE, at(port), at(slot), 8), HX_ERR_BUSY, "a port that comes late");
}

static void tells_wrongly(void) {
    struct wire_message message = { .kind = WIRE_EVENT };
    expect(call(SERVICE_EVENT, 9, at(&message), 0), HX_ERR_INVALID, "an event of no slot");
    expect(call(SERVICE_EVENT, UINT64_MAX, at(&message), 0), HX_ERR_INVALID, "of the last one");
    expect(call(SERVICE_EVENT, 0, NOWHERE, 0), HX_ERR_BAD_ADDRESS, "an event nowhere");
    expect(call(SERVICE_EVENT, 0, KERNEL_ADDRESS, 0), HX_ERR_BAD_ADDRESS, "an event of the kernel");
    expect(call(SERVICE_EVENT, 0, at(&message), 0), HX_ERR_CORRUPT, "an event of a port with none");
    message.inline_bytes = WIRE_PAGED;
    message.body_bytes = UINT32_MAX;
    expect(call(SERVICE_EVENT, 0, at(&message), 0), HX_ERR_CORRUPT, "a long event");
    message.body_bytes = 0;
    message.body_page = UINT16_MAX;
    expect(call(SERVICE_EVENT, 0, at(&message), 0), HX_ERR_CORRUPT, "an event behind the pool");
}

static void asks_wrongly(void) {
    uint8_t bytes[8];
    expect(call(SERVICE_LOG, 0, at("x"), SERVICE_LINE_BYTES), HX_ERR_INVALID, "a long line");
    expect(call(SERVICE_LOG, 0, NOWHERE, 8), HX_ERR_BAD_ADDRESS, "a line nowhere");
    expect(call(SERVICE_LOG, UINT64_MAX, at("\033[2J\n\x7f two"), 11), HX_OK, "a line");
    expect(call(SERVICE_MEMORY, 0, 0, 0), HX_ERR_INVALID, "no memory");
    expect(call(SERVICE_MEMORY, UINT64_MAX, 0, 0), HX_ERR_INVALID, "all memory");
    expect(call(SERVICE_GIVE, 1, PAGE_SIZE, 0), HX_ERR_INVALID, "an odd address back");
    expect(call(SERVICE_WAIT, NOWHERE, 0, 0), HX_ERR_BAD_ADDRESS, "a word nowhere");
    expect(call(SERVICE_WAIT, KERNEL_ADDRESS, 0, 0), HX_ERR_BAD_ADDRESS, "a word of the kernel");
    // Its manifest asks for nothing.
    expect(call(SERVICE_RANDOM, at(bytes), 8, 0), HX_ERR_ACCESS_DENIED, "random bytes");
    expect(call(SERVICE_ENTROPY, at(bytes), 8, 0), HX_ERR_ACCESS_DENIED, "entropy");
    expect(call(SERVICE_RANDOM, at(bytes), SERVICE_RANDOM_MAX + 1, 0), HX_ERR_INVALID, "many");
    expect(call(SERVICE_ENTROPY, NOWHERE, 8, 0), HX_ERR_BAD_ADDRESS, "entropy nowhere");
    expect(call(SERVICE_IN8, 0x70, 0, 0), 0xff, "a port of the machine");
    expect(call(SERVICE_IN8, 0x10000, 0, 0), HX_ERR_INVALID, "none");
    expect(call(SERVICE_OUT8, 0x70, 0x100, 0), HX_ERR_INVALID, "a large value");
}

static int64_t arena(enum service_arena what, uint64_t above, uint64_t b, uint64_t c) {
    return call(SERVICE_ARENA, above << 32 | what, b, c);
}

// ---- of the arena

static void reads_wrongly(void) {
    static uint8_t room[SERVICE_STATE_MAX];
    expect(arena(SERVICE_ARENA_READ, 0, at(room), 8), HX_ERR_INVALID, "no room");
    expect(arena(SERVICE_ARENA_READ, 0, at(room), UINT64_MAX), HX_ERR_INVALID, "too much room");
    expect(arena(SERVICE_ARENA_READ, UINT32_MAX, at(room), 64), 0, "behind all objects");
    expect(arena(SERVICE_ARENA_READ, 0, KERNEL_ADDRESS, 64), HX_ERR_BAD_ADDRESS, "the kernel's");
    expect(arena(SERVICE_ARENA_READ, 0, at(room), sizeof(struct service_object)),
           sizeof(struct service_object), "a head");
    expect(arena(SERVICE_ARENA_READ, 0, at(room), sizeof(room)),
           (int64_t)sizeof(struct service_object) + 8, "an object");
}

static void updates_wrongly(void) {
    static const uint64_t bytes = 1;
    const uint64_t one = 5ull << 32 | 8;
    const uint64_t mine = (uint64_t)arena(SERVICE_ARENA_MAKE, 0, 0, 0);
    const uint64_t other = (uint64_t)arena(SERVICE_ARENA_MAKE, 0, 0, 0);
    expect(arena(SERVICE_ARENA_COMMIT, HX_UPDATES_ISOLATED, 0, 0), HX_ERR_INVALID, "none");
    expect(arena(SERVICE_ARENA_COMMIT, UINT32_MAX, 0, 0), HX_ERR_INVALID, "the last one");
    expect(arena(SERVICE_ARENA_COMMIT, other + 1, 0, 0), HX_ERR_INVALID, "one that is not there");
    expect(call(SERVICE_ARENA, mine << 32 | 99, 0, 0), HX_ERR_INVALID, "nothing");
    expect(arena(SERVICE_ARENA_NEW, mine, UINT32_MAX, at(&bytes)), HX_ERR_INVALID, "a large one");
    expect(arena(SERVICE_ARENA_CHANGE, mine, 0, at(&bytes)), HX_ERR_NOT_FOUND, "number 0");
    expect(arena(SERVICE_ARENA_CHANGE, mine, UINT64_MAX, at(&bytes)), HX_ERR_NOT_FOUND, "the last");
    expect(arena(SERVICE_ARENA_FREE, mine, 77, 0), HX_ERR_NOT_FOUND, "no object");
    const uint64_t number = (uint64_t)arena(SERVICE_ARENA_NEW, mine, one, NOWHERE);
    expect(arena(SERVICE_ARENA_CHANGE, other, number, at(&bytes)), HX_ERR_NO_MEMORY, "another's");
    expect(arena(SERVICE_ARENA_FREE, other, number, 0), HX_ERR_NO_MEMORY, "another's to free");
    expect(arena(SERVICE_ARENA_COMMIT, mine, 0, 0), HX_ERR_BAD_ADDRESS, "bytes nowhere");
    expect(arena(SERVICE_ARENA_CHANGE, mine, number, at(&bytes)), HX_ERR_NOT_FOUND, "rolled back");
    expect(arena(SERVICE_ARENA_NEW, mine, one, KERNEL_ADDRESS) > 0, 1, "an object");
    expect(arena(SERVICE_ARENA_COMMIT, mine, 0, 0), HX_ERR_BAD_ADDRESS, "bytes of the kernel");
    expect(arena(SERVICE_ARENA_NEW, mine, one, at(&bytes)) > 0, 1, "an object that lasts");
    expect(arena(SERVICE_ARENA_COMMIT, mine, 0, 0), HX_OK, "its commit");
    expect(arena(SERVICE_ARENA_END, other, 0, 0), HX_OK, "an end");
    expect(arena(SERVICE_ARENA_ABORT, other, 0, 0), HX_ERR_INVALID, "one that has ended");
    reads_wrongly();
}

// As many as there may be, and as much.
static void updates_much(void) {
    static uint8_t bytes[SERVICE_OBJECT_MAX];
    int64_t made = 0;
    uint64_t count = 0;
    while (made >= 0 && count <= HX_UPDATES_ISOLATED) {
        made = arena(SERVICE_ARENA_MAKE, 0, 0, 0);
        count++;
    }
    expect(made, HX_ERR_LIMIT, "too many updates");
    for (count = 0; count < SERVICE_UPDATE_STEPS; count++) {
        expect(arena(SERVICE_ARENA_NEW, 0, 1ull << 32 | 8, at(bytes)) > 0, 1, "one of many");
    }
    expect(arena(SERVICE_ARENA_NEW, 0, 1ull << 32 | 8, at(bytes)), HX_ERR_LIMIT, "one too many");
    expect(arena(SERVICE_ARENA_FREE, 0, 1, 0), HX_ERR_LIMIT, "one too many to free");
    expect(arena(SERVICE_ARENA_ABORT, 0, 0, 0), HX_OK, "all of them back");
    for (count = 0, made = 1; made > 0 && count < 1u << 20; count++) {
        made = arena(SERVICE_ARENA_NEW, count >> 10, 1ull << 32 | sizeof(bytes), at(bytes));
    }
    expect(made, HX_ERR_NO_MEMORY, "too much memory");
}

// ---- that makes its answers nonsense

static void answers_early(void) {
    (void)call(SERVICE_NEXT, 0, 0, 0); // the request is the answer
}

static void answers_much(void) {
    area()->message.kind = WIRE_REPLY;
    area()->message.inline_bytes = WIRE_PAGED;
    area()->message.body_bytes = UINT32_MAX;
    (void)call(SERVICE_NEXT, 0, 0, 0);
}

static void loses_area(void) {
    (void)call(SERVICE_GIVE, at(area()), PAGE_SIZE, 0);
    (void)call(SERVICE_NEXT, 0, 0, 0);
}

static void does(char what) {
    switch (what) {
    case 'k':
        return reads_kernel();
    case 'h':
        return writes_host();
    case 'x':
        return runs_data();
    case 'o':
        return overflows();
    case 's':
        return loops();
    case 'm':
        return eats_memory();
    case 'l': // a call of Linux's on each machine
        return (void)call(64, 1, at("out"), 3);
    case 'n': // native: closes a handle
        return (void)call(4096, 1, 0, 0);
    case 'u': // behind the last of its own
        return (void)call(SERVICE_CALL_END, 0, 0, 0);
    case 'p':
        return provides_late();
    case 'e':
        return tells_wrongly();
    case 'a':
        return asks_wrongly();
    case 'c':
        return updates_wrongly();
    case 'C':
        return updates_much();
    case 'r':
        return answers_early();
    case 'b':
        return answers_much();
    case 'g':
        return loses_area();
    default:
        return;
    }
}

// ---- the device

static enum hx_status hostile_describe(void *self, struct char_node *to, uint32_t capacity,
                                       uint32_t *out_count) {
    static const struct char_node node = { "hostile", 241, 0, 0666, 0 };
    (void)self;
    *out_count = MIN_OF(capacity, 1u);
    memcpy(to, &node, *out_count * sizeof(node));
    return HX_OK;
}

static enum hx_status hostile_read(void *self, uint32_t minor, uint64_t offset, void *buffer,
                                   uint32_t capacity, uint32_t *out_length) {
    (void)self;
    (void)minor;
    (void)offset;
    *out_length = MIN_OF(capacity, 1u);
    memset(buffer, '0' + (int)MIN_OF(wrong, 9u), *out_length);
    return HX_OK;
}

static enum hx_status hostile_write(void *self, uint32_t minor, uint64_t offset, const void *data,
                                    uint32_t length, uint32_t *out_length) {
    (void)self;
    (void)minor;
    (void)offset;
    does(*(const char *)data);
    *out_length = length;
    return HX_OK;
}

static const struct char_ops ops = {
    .describe = hostile_describe,
    .read = hostile_read,
    .write = hostile_write,
};

static enum hx_status hostile_init(struct hx_env *its, void **out_self) {
    env = its;
    *out_self = its;
    enum hx_status status = hx_port_provide(its, "helix.char", "hostile", &ops, its);
    provides_wrongly();
    return status;
}

static const struct hx_port_provided provides[] = { CHAR_PORT_PROVIDED };
static enum hx_status hostile_import(void *self, uint32_t schema) {
    (void)self;
    return schema == 1 ? HX_OK : HX_ERR_CORRUPT;
}

static const struct hx_module_ops operations = { .init = hostile_init,
                                                 .import_state = hostile_import };

HX_MODULE(hostile, .name = "hostile", .version = { 1, 0, 0 }, .phase = HX_PHASE_NORMAL,
          .provides = provides, .provides_count = ARRAY_SIZE(provides), .arena_version = 1,
          .ops = &operations);

// NOLINTEND(performance-no-int-to-ptr)
