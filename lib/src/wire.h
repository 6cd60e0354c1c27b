// SPDX-License-Identifier: MIT OR Apache-2.0
// lib/src/wire.h: writing and reading bodies; shared by both ends.
//
// Each item starts at a multiple of 8. A request has the instance's number and then its arguments;
// a reply the status and, if it is HX_OK, the results; an event its arguments.
#pragma once

#include <lib/wire.h>

#define WIRE_ALIGN ((uint64_t)8)

struct wire_writer {
    uint8_t *bytes;
    uint32_t at, capacity;
    bool failed; // something did not fit
};

// Over memory that the other side may change: each byte is read once.
struct wire_reader {
    uint8_t *bytes;
    uint32_t at, length;
    bool failed; // something was missing or not valid
};

// Place for `size` bytes; NULL and failed if there is none.
void *wire_reserve(struct wire_writer *writer, uint64_t size);
void wire_put(struct wire_writer *writer, const void *bytes, uint64_t size);
void wire_put_number(struct wire_writer *writer, uint64_t number);
// The next `size` bytes, where they are; NULL and failed if there are fewer.
void *wire_take(struct wire_reader *reader, uint64_t size);
// Copies them; zeroes if there are fewer.
void wire_get(struct wire_reader *reader, void *to, uint64_t size);
uint64_t wire_get_number(struct wire_reader *reader);
// Nothing failed and nothing is left.
bool wire_is_whole(const struct wire_reader *reader);

static inline bool wire_is_sent(const struct wire_field *field) {
    return field->direction == WIRE_IN || field->direction == WIRE_INOUT;
}

static inline bool wire_is_answered(const struct wire_field *field) {
    return (field->direction == WIRE_RESULT || field->direction == WIRE_INOUT) &&
           field->kind != WIRE_PAGES;
}

// A result whose size only the call tells.
static inline bool wire_is_sized(const struct wire_field *field) {
    return field->direction == WIRE_RESULT &&
           (field->kind == WIRE_BYTES || field->kind == WIRE_ARRAY);
}

static inline uint32_t wire_element(const struct wire_field *field) {
    return field->kind == WIRE_ARRAY || field->kind == WIRE_VALUE ? field->layout->size_bytes
           : field->kind == WIRE_HANDLE                           ? 8
                                                                  : 1;
}

// What a request shares until it was answered.
struct wire_shared {
    void *pages[WIRE_PAGES_MAX];
    uint32_t numbers[WIRE_PAGES_MAX];
    uint32_t count;
    enum wire_direction direction;
};

// All arguments of a request or an event into its body. HX_ERR_INVALID: beyond a bound. What was
// shared is shared no more if it fails; else until wire_unshare().
enum hx_status wire_encode(const struct wire *wire, const struct wire_method *method,
                           struct wire_argument *arguments, struct wire_writer *writer,
                           struct wire_parcel *parcel, struct wire_shared *out_shared);
void wire_unshare(const struct wire *wire, const struct wire_shared *shared);
// A copy of a handle into the parcel, and its number there into the body.
enum hx_status wire_handle_put(const struct wire *wire, const struct wire_field *field,
                               handle_t handle, struct wire_writer *writer,
                               struct wire_parcel *parcel);
// Closes all handles of a parcel.
void wire_handles_drop(const struct wire *wire, const struct wire_parcel *parcel);
// The arguments of a request or event, out of private memory, which they then point into. False:
// malformed; the handles are still the parcel's.
bool wire_decode(const struct wire *wire, const struct wire_method *method,
                 struct wire_reader *reader, const struct wire_parcel *parcel,
                 struct wire_argument *arguments);

// Lets a body that was written travel: in the slot if it is short, else from the pool's `page`.
void wire_body_place(struct wire_message *message, const struct wire_writer *writer, uint32_t page);
// Copies the body of a message that came into private memory; shared memory is read once. False: it
// lies outside of the pool or is longer than `capacity`.
bool wire_body_open(const struct wire *wire, const struct wire_message *message, uint8_t *scratch,
                    uint32_t capacity, struct wire_reader *out_reader);

bool wire_gives_instance(const struct wire_method *method);
