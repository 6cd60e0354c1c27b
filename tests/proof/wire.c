// SPDX-License-Identifier: MIT OR Apache-2.0
// BY: cbmc --unwind 12 --unwindset wire_valid:1 --object-bits 12
// wire.c: whatever the other side sends, the reader of requests and events stays inside of it, and
// what it lets through keeps all bounds. lib/src/wire.c: opening a body, an argument of each kind
// with a handle behind it, all checks but structures in structures; all bodies of up to 24 bytes.
#include "../../lib/src/wire.c"

void *malloc(size_t size); // cbmc's own: any bytes

#define BYTES_MAX 24u
#define BOUND_MAX 4u

#define PROVE(condition) __CPROVER_assert(condition, #condition)
// Must be possible, or the proof says nothing: tools/helix/suite_proof.py wants it to fail.
#define REACHED(number) __CPROVER_assert(at != (number), "REACHED " #number)

// Any value.
uint32_t nondet_u32(void);
bool nondet_bool(void);

static uint32_t any_below(uint32_t below) {
    const uint32_t value = nondet_u32();
    __CPROVER_assume(value < below);
    return value;
}

void *memchr(const void *bytes, int byte, size_t size) {
    const uint8_t *at = bytes;
    for (size_t i = 0; i < size; i++) {
        if (at[i] == (uint8_t)byte) {
            return (void *)&at[i];
        }
    }
    return NULL;
}

// Descriptions ------------------------------------------------------------------------------------

static const uint32_t listed[] = { 1, 7 };
static const struct wire_check checks[] = {
    { .kind = WIRE_CHECK_ENUM, .count = 1, .limit = 2, .values = listed },
    { .kind = WIRE_CHECK_FLAGS, .offset = 4, .count = 1, .limit = 3 },
};
static const struct wire_layout record = { .size_bytes = 8, .check_count = 2, .checks = checks };
static const struct wire_check text_check = { .kind = WIRE_CHECK_TEXT, .count = 1, .limit = 3 };
static const struct wire_layout text = { .size_bytes = 8, .check_count = 1, .checks = &text_check };

struct given_record {
    uint32_t one, flags;
};

// One of each kind that a request can have. Told apart by their places, so that what depends on
// them is known and the solver is left with the bytes.
static const struct wire_field fields[] = {
    { .kind = WIRE_VALUE, .direction = WIRE_IN, .layout = &wire_bool },
    { .kind = WIRE_VALUE, .direction = WIRE_INOUT, .layout = &record },
    { .kind = WIRE_VALUE, .direction = WIRE_IN, .layout = &text },
    { .kind = WIRE_TEXT, .direction = WIRE_IN, .bound = BOUND_MAX },
    { .kind = WIRE_STRING, .direction = WIRE_IN, .bound = BOUND_MAX },
    { .kind = WIRE_BYTES, .direction = WIRE_INOUT, .bound = BOUND_MAX },
    { .kind = WIRE_BYTES, .direction = WIRE_RESULT, .bound = BOUND_MAX },
    { .kind = WIRE_ARRAY, .direction = WIRE_IN, .bound = 2, .layout = &record },
    { .kind = WIRE_PAGES, .direction = WIRE_OUT, .bound = BOUND_MAX },
    { .kind = WIRE_HANDLE, .direction = WIRE_IN },
};
#define FIELDS ARRAY_SIZE(fields)

// The other side ----------------------------------------------------------------------------------

static bool handle_has(void *context, handle_t handle, rights_t rights) {
    (void)context;
    (void)handle;
    (void)rights;
    return nondet_bool();
}

static const struct wire_transport transport = { .handle_has = handle_has };

// The proof ---------------------------------------------------------------------------------------

static uint8_t scratch[BYTES_MAX];
static uint8_t *body; // exactly as long as it says
static void *pages[BOUND_MAX];
static uint8_t pool_bytes[2 * PAGE_SIZE];

static bool is_inside(const void *data, uint64_t size, uint32_t length) {
    const uint8_t *at = data;
    return at >= body && at + size <= body + length;
}

static void check_value(const struct wire_field *field, const uint8_t *at) {
    if (field->layout == &wire_bool) {
        PROVE(*at <= 1);
    } else if (field->layout == &record) {
        struct given_record given;
        memcpy(&given, at, sizeof(given));
        PROVE((given.one == 1 || given.one == 7) && given.flags <= 3);
    } else if (field->layout == &text) {
        PROVE(at[0] <= 3 && at[1] == 0 && at[2] == 0 && at[3] == 0 && at[4 + at[0]] == 0);
    }
}

static void check_pages(const struct wire_argument *argument) {
    for (uint32_t i = 0; i < argument->count; i++) {
        PROVE(pages[i] == pool_bytes || pages[i] == pool_bytes + PAGE_SIZE);
    }
}

static struct wire_parcel parcel;

static bool is_one_of_the_parcels(const void *data) {
    handle_t handle;
    memcpy(&handle, data, sizeof(handle));
    for (uint32_t i = 0; i < parcel.handle_count; i++) {
        if (parcel.handles[i] == handle) {
            return true;
        }
    }
    return false;
}

static void check_argument(const struct wire_field *field, const struct wire_argument *argument,
                           uint32_t length) {
    const uint64_t size = (uint64_t)argument->count * wire_element(field);
    if (field->kind == WIRE_PAGES) {
        PROVE(argument->count <= field->bound);
        check_pages(argument);
    } else if (field->direction == WIRE_RESULT) {
        PROVE(!wire_is_sized(field) || argument->count <= field->bound);
    } else if (field->kind == WIRE_HANDLE) {
        PROVE(is_inside(argument->data, sizeof(uint64_t), length));
        PROVE(is_one_of_the_parcels(argument->data));
    } else if (field->kind == WIRE_VALUE) {
        PROVE(is_inside(argument->data, wire_element(field), length));
        check_value(field, argument->data);
    } else {
        PROVE(argument->count <= field->bound && is_inside(argument->data, size, length));
    }
    if (field->kind == WIRE_STRING && wire_is_sent(field)) {
        PROVE(is_inside(argument->data, size + 1, length));
        PROVE(((const char *)argument->data)[size] == 0);
    }
    if (field->kind == WIRE_ARRAY && wire_is_sent(field) && argument->count > 1) {
        check_value(field, (const uint8_t *)argument->data + wire_element(field));
    }
}

// A method with this argument and a handle behind it.
static bool prove_arguments(const struct wire_field *field) {
    struct hx_pool pool = { .base = pool_bytes, .page_count = 2 };
    const struct wire wire = { .transport = &transport, .pool = &pool };
    const struct wire_field both[2] = { *field, { .kind = WIRE_HANDLE, .direction = WIRE_IN } };
    const struct wire_method method = { .fields = both, .field_count = 2 };
    struct wire_argument arguments[2] = { { .data = (void *)pages } };
    const uint32_t length = any_below(BYTES_MAX + 1);
    body = malloc(length);
    __CPROVER_assume(body != NULL);
    struct wire_reader reader = { body, 0, length, false };
    parcel.handle_count = any_below(3);
    parcel.handles[0] = nondet_u32();
    parcel.handles[1] = nondet_u32();
    if (!wire_decode(&wire, &method, &reader, &parcel, arguments)) {
        return false;
    }
    PROVE(reader.at == reader.length && reader.length == length);
    PROVE(parcel.handle_count == (field->kind == WIRE_HANDLE ? 2 : 1));
    check_argument(&both[0], &arguments[0], length);
    check_argument(&both[1], &arguments[1], length);
    return true;
}

// Any slot, and any bytes in the pool.
static bool prove_body(void) {
    struct hx_pool pool = { .base = pool_bytes, .page_count = 2 };
    const struct wire wire = { .transport = &transport, .pool = &pool };
    struct wire_message message;
    struct wire_reader reader;
    const uint32_t capacity = any_below(BYTES_MAX + 1);
    __CPROVER_havoc_object(&message);
    if (!wire_body_open(&wire, &message, scratch, capacity, &reader)) {
        return false;
    }
    PROVE(reader.bytes == scratch && reader.at == 0 && reader.length <= capacity);
    PROVE(message.inline_bytes != WIRE_PAGED || message.body_page < 2 || reader.length == 0);
    return true;
}

static void reached(uint32_t at) {
    REACHED(0);
    REACHED(1);
    REACHED(2);
    REACHED(3);
    REACHED(4);
    REACHED(5);
    REACHED(6);
    REACHED(7);
    REACHED(8);
    REACHED(9);
    REACHED(10);
}

int main(void) {
    for (uint32_t i = 0; i <= FIELDS; i++) {
        if (nondet_bool()) {
            if (i == FIELDS ? prove_body() : prove_arguments(&fields[i])) {
                reached(i);
            }
            return 0;
        }
    }
    return 0;
}
