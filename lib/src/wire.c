// SPDX-License-Identifier: MIT OR Apache-2.0
// lib/src/wire.c: bodies of messages: items, checks of what they hold, arguments.
#include "wire.h"

#include <lib/string.h>

// Items -------------------------------------------------------------------------------------------

void *wire_reserve(struct wire_writer *writer, uint64_t size) {
    uint64_t start = ALIGN_UP((uint64_t)writer->at, WIRE_ALIGN);
    if (writer->failed || start > writer->capacity || size > writer->capacity - start) {
        writer->failed = true;
        return NULL;
    }
    memset(writer->bytes + writer->at, 0, start - writer->at);
    writer->at = (uint32_t)(start + size);
    return writer->bytes + start;
}

void wire_put(struct wire_writer *writer, const void *bytes, uint64_t size) {
    void *to = wire_reserve(writer, size);
    if (to != NULL && size > 0) {
        memcpy(to, bytes, size);
    }
}

void wire_put_number(struct wire_writer *writer, uint64_t number) {
    wire_put(writer, &number, sizeof(number));
}

void *wire_take(struct wire_reader *reader, uint64_t size) {
    uint64_t start = ALIGN_UP((uint64_t)reader->at, WIRE_ALIGN);
    if (reader->failed || start > reader->length || size > reader->length - start) {
        reader->failed = true;
        return NULL;
    }
    reader->at = (uint32_t)(start + size);
    return reader->bytes + start;
}

void wire_get(struct wire_reader *reader, void *to, uint64_t size) {
    const void *from = wire_take(reader, size);
    if (from == NULL) {
        memset(to, 0, size);
    } else if (size > 0) {
        memcpy(to, from, size);
    }
}

uint64_t wire_get_number(struct wire_reader *reader) {
    uint64_t number;
    wire_get(reader, &number, sizeof(number));
    return number;
}

bool wire_is_whole(const struct wire_reader *reader) {
    return !reader->failed && reader->at == reader->length;
}

// Checks ------------------------------------------------------------------------------------------

static uint32_t word_at(const uint8_t *bytes) {
    uint32_t word;
    memcpy(&word, bytes, sizeof(word));
    return word;
}

static bool is_listed(const struct wire_check *check, uint32_t value) {
    for (uint64_t i = 0; i < check->limit; i++) {
        if (check->values[i] == value) {
            return true;
        }
    }
    return false;
}

static bool is_text(const uint8_t *bytes, uint64_t limit) {
    uint32_t length = word_at(bytes);
    return length <= limit && bytes[sizeof(length) + length] == 0;
}

static bool holds(const struct wire_check *check, const uint8_t *bytes) {
    switch (check->kind) {
    case WIRE_CHECK_BOOL:
        return *bytes <= 1;
    case WIRE_CHECK_ENUM:
        return is_listed(check, word_at(bytes));
    case WIRE_CHECK_FLAGS:
        return (word_at(bytes) & ~check->limit) == 0;
    case WIRE_CHECK_TEXT:
        return is_text(bytes, check->limit);
    case WIRE_CHECK_STRING:
        return memchr(bytes, 0, check->limit + 1) != NULL;
    case WIRE_CHECK_STRUCT:
        return wire_valid(check->layout, bytes);
    }
    return false;
}

bool wire_valid(const struct wire_layout *layout, const void *bytes) {
    for (uint32_t i = 0; i < layout->check_count; i++) {
        const struct wire_check *check = &layout->checks[i];
        const uint8_t *at = (const uint8_t *)bytes + check->offset;
        for (uint32_t j = 0; j < check->count; j++, at += check->stride) {
            if (!holds(check, at)) {
                return false;
            }
        }
    }
    return true;
}

static const struct wire_check is_bool = { .kind = WIRE_CHECK_BOOL, .count = 1 };

const struct wire_layout wire_u8 = { .size_bytes = 1 };
const struct wire_layout wire_u16 = { .size_bytes = 2 };
const struct wire_layout wire_u32 = { .size_bytes = 4 };
const struct wire_layout wire_u64 = { .size_bytes = 8 };
const struct wire_layout wire_bool = { .size_bytes = 1, .check_count = 1, .checks = &is_bool };

// Encoding ----------------------------------------------------------------------------------------

static enum hx_status share_pages(const struct wire *wire, const struct wire_field *field,
                                  const struct wire_argument *argument, struct wire_writer *writer,
                                  struct wire_shared *shared) {
    void *const *pages = (void *const *)argument->data;
    wire_put_number(writer, argument->count);
    uint32_t *to = wire_reserve(writer, (uint64_t)argument->count * sizeof(uint32_t));
    shared->direction = field->direction;
    for (uint32_t i = 0; to != NULL && i < argument->count; i++) {
        enum hx_status status = wire->transport->page_share(wire->context, pages[i],
                                                            shared->direction, &shared->numbers[i]);
        if (status != HX_OK) {
            return status;
        }
        shared->pages[shared->count++] = pages[i];
        to[i] = shared->numbers[i];
    }
    return HX_OK;
}

void wire_unshare(const struct wire *wire, const struct wire_shared *shared) {
    for (uint32_t i = 0; i < shared->count; i++) {
        wire->transport->page_unshare(wire->context, shared->pages[i], shared->direction,
                                      shared->numbers[i]);
    }
}

enum hx_status wire_handle_put(const struct wire *wire, const struct wire_field *field,
                               handle_t handle, struct wire_writer *writer,
                               struct wire_parcel *parcel) {
    handle_t *copy = &parcel->handles[parcel->handle_count];
    enum hx_status status =
        wire->transport->handle_copy(wire->context, handle, field->rights, copy);
    if (status == HX_OK) {
        wire_put_number(writer, parcel->handle_count++);
    }
    return status;
}

void wire_handles_drop(const struct wire *wire, const struct wire_parcel *parcel) {
    for (uint32_t i = 0; i < parcel->handle_count; i++) {
        wire->transport->handle_drop(wire->context, parcel->handles[i]);
    }
}

// Bytes, an array, a text: the count and the elements; a string with its zero.
static void put_counted(const struct wire_field *field, const struct wire_argument *argument,
                        struct wire_writer *writer) {
    uint64_t size = (uint64_t)argument->count * wire_element(field);
    wire_put_number(writer, argument->count);
    wire_put(writer, argument->data, size + (field->kind == WIRE_STRING ? 1 : 0));
}

static enum hx_status encode_one(const struct wire *wire, const struct wire_field *field,
                                 struct wire_argument *argument, struct wire_writer *writer,
                                 struct wire_parcel *parcel, struct wire_shared *shared) {
    if (field->kind == WIRE_STRING) {
        const char *end = memchr(argument->data, 0, (size_t)field->bound + 1);
        argument->count = end == NULL ? UINT32_MAX : (uint32_t)(end - (char *)argument->data);
    }
    if (wire_is_sized(field)) {
        argument->count = MIN_OF(argument->count, field->bound);
        wire_put_number(writer, argument->count);
        return HX_OK;
    }
    if (field->kind != WIRE_VALUE && field->kind != WIRE_HANDLE &&
        field->direction != WIRE_RESULT && argument->count > field->bound) {
        return HX_ERR_INVALID;
    }
    if (field->kind == WIRE_PAGES) {
        return share_pages(wire, field, argument, writer, shared);
    }
    if (!wire_is_sent(field)) {
        return HX_OK;
    }
    if (field->kind == WIRE_HANDLE) {
        return wire_handle_put(wire, field, *(const handle_t *)argument->data, writer, parcel);
    }
    if (field->kind == WIRE_VALUE) {
        wire_put(writer, argument->data, wire_element(field));
    } else {
        put_counted(field, argument, writer);
    }
    return HX_OK;
}

enum hx_status wire_encode(const struct wire *wire, const struct wire_method *method,
                           struct wire_argument *arguments, struct wire_writer *writer,
                           struct wire_parcel *parcel, struct wire_shared *out_shared) {
    enum hx_status status = HX_OK;
    out_shared->count = 0;
    for (uint32_t i = 0; status == HX_OK && i < method->field_count; i++) {
        status = encode_one(wire, &method->fields[i], &arguments[i], writer, parcel, out_shared);
    }
    if (status == HX_OK && writer->failed) {
        status = HX_ERR_INVALID;
    }
    if (status != HX_OK) {
        wire_unshare(wire, out_shared);
        wire_handles_drop(wire, parcel);
    }
    return status;
}

// Decoding ----------------------------------------------------------------------------------------

static bool are_valid(const struct wire_field *field, const uint8_t *bytes, uint32_t count) {
    for (uint32_t i = 0; field->layout != NULL && i < count; i++) {
        if (!wire_valid(field->layout, bytes + (size_t)i * field->layout->size_bytes)) {
            return false;
        }
    }
    return true;
}

// The count of an argument; more than the bound is none at all.
static uint32_t take_count(const struct wire_field *field, struct wire_reader *reader) {
    uint64_t count = wire_get_number(reader);
    if (count > field->bound) {
        reader->failed = true;
        return 0;
    }
    return (uint32_t)count;
}

static void take_counted(const struct wire_field *field, struct wire_reader *reader,
                         struct wire_argument *argument) {
    uint32_t zero = field->kind == WIRE_STRING;
    argument->count = take_count(field, reader);
    uint8_t *bytes = wire_take(reader, (uint64_t)argument->count * wire_element(field) + zero);
    argument->data = bytes;
    if (bytes != NULL && zero != 0) {
        reader->failed |= memchr(bytes, 0, (size_t)argument->count + 1) != bytes + argument->count;
    }
    reader->failed |= bytes != NULL && !are_valid(field, bytes, argument->count);
}

static void *page_at(const struct wire *wire, uint32_t number) {
    return wire->transport->page_at != NULL ? wire->transport->page_at(wire->context, number)
                                            : hx_pool_at(wire->pool, number, PAGE_SIZE);
}

// Page numbers become pointers, in memory of the reader's that was set aside for them.
static void take_pages(const struct wire *wire, const struct wire_field *field,
                       struct wire_reader *reader, struct wire_argument *argument) {
    argument->count = take_count(field, reader);
    const uint32_t *numbers = wire_take(reader, (uint64_t)argument->count * sizeof(uint32_t));
    void **pages = (void **)argument->data;
    for (uint32_t i = 0; numbers != NULL && i < argument->count; i++) {
        pages[i] = page_at(wire, numbers[i]);
        reader->failed |= pages[i] == NULL;
    }
}

static void take_value(const struct wire_field *field, struct wire_reader *reader,
                       struct wire_argument *argument) {
    argument->data = wire_take(reader, wire_element(field));
    reader->failed |= argument->data != NULL && !are_valid(field, argument->data, 1);
}

static void decode_one(const struct wire *wire, const struct wire_field *field,
                       struct wire_reader *reader, struct wire_argument *argument) {
    if (wire_is_sized(field)) {
        argument->count = take_count(field, reader);
    } else if (field->kind == WIRE_PAGES) {
        take_pages(wire, field, reader, argument);
    } else if (!wire_is_sent(field)) {
        return;
    } else if (field->kind == WIRE_HANDLE) {
        argument->data = wire_take(reader, sizeof(uint64_t));
    } else if (field->kind == WIRE_VALUE) {
        take_value(field, reader, argument);
    } else {
        take_counted(field, reader, argument);
    }
}

// Last, when nothing else can be wrong any more: the parcel's handles, in the order of the fields,
// take the places of their numbers.
static bool take_handles(const struct wire *wire, const struct wire_method *method,
                         const struct wire_parcel *parcel, const struct wire_argument *arguments) {
    uint32_t next = 0;
    for (uint32_t i = 0; i < method->field_count; i++) {
        const struct wire_field *field = &method->fields[i];
        uint64_t number;
        if (field->kind != WIRE_HANDLE || !wire_is_sent(field)) {
            continue;
        }
        memcpy(&number, arguments[i].data, sizeof(number));
        if (number != next || next >= parcel->handle_count ||
            !wire->transport->handle_has(wire->context, parcel->handles[next], field->rights)) {
            return false;
        }
        memcpy(arguments[i].data, &parcel->handles[next++], sizeof(handle_t));
    }
    return next == parcel->handle_count;
}

bool wire_decode(const struct wire *wire, const struct wire_method *method,
                 struct wire_reader *reader, const struct wire_parcel *parcel,
                 struct wire_argument *arguments) {
    for (uint32_t i = 0; i < method->field_count; i++) {
        decode_one(wire, &method->fields[i], reader, &arguments[i]);
    }
    return wire_is_whole(reader) && take_handles(wire, method, parcel, arguments);
}

// Bodies ----------------------------------------------------------------------------------------

void wire_body_place(struct wire_message *message, const struct wire_writer *writer,
                     uint32_t page) {
    message->body_page = (uint16_t)page;
    message->body_bytes = writer->at;
    message->inline_bytes = WIRE_PAGED;
    if (writer->at <= WIRE_INLINE_BYTES) {
        message->inline_bytes = (uint8_t)writer->at;
        memcpy(message->body, writer->bytes, writer->at);
    }
}

bool wire_body_open(const struct wire *wire, const struct wire_message *message, uint8_t *scratch,
                    uint32_t capacity, struct wire_reader *out_reader) {
    const uint8_t *from = message->body;
    uint32_t length = message->inline_bytes;
    if (message->inline_bytes == WIRE_PAGED) {
        length = message->body_bytes;
        from = length <= capacity ? hx_pool_at(wire->pool, message->body_page, length) : NULL;
    } else if (length > WIRE_INLINE_BYTES || length > capacity) {
        from = NULL;
    }
    if (from == NULL) {
        return false;
    }
    memcpy(scratch, from, length); // the only time that shared memory is read
    *out_reader = (struct wire_reader){ scratch, 0, length, false };
    return true;
}

bool wire_gives_instance(const struct wire_method *method) {
    for (uint32_t i = 0; i < method->field_count; i++) {
        if (method->fields[i].kind == WIRE_INSTANCE) {
            return true;
        }
    }
    return false;
}
