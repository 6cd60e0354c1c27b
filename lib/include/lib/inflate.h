// SPDX-License-Identifier: MIT OR Apache-2.0
// <lib/inflate.h>: decompresses gzip members (RFC 1952, RFC 1951), by zlib.
//
// One member a call; what follows it in the input is left alone. Header, checksum and size are
// verified. The input is hostile: the result is then HX_ERR_CORRUPT, never worse. Working memory
// (about 8 KiB; with a sink 72 KiB in three blocks) comes from the caller and has gone back when
// the call returns. Needs about 1 KiB of stack. May run for as long as the input is long.
#pragma once

#include <helix/types.h>

// Where working memory comes from; allocate returns NULL when there is none.
struct inflate_memory {
    void *(*allocate)(void *context, size_t size_bytes);
    void (*release)(void *context, void *block, size_t size_bytes);
    void *context;
};

// Takes the next piece of the result; anything but HX_OK ends the decompression with that status.
typedef enum hx_status (*inflate_sink_t)(void *context, const uint8_t *bytes, size_t size_bytes);

// Whether a gzip member that this system can read starts here: magic and the method "deflate".
bool gzip_is_member(const void *bytes, size_t size_bytes);

// The size that the last four of `size_bytes` bytes state for the result, modulo 2^32: a hint for
// how much to allocate, if one member fills the input. It is not checked. 0 if the input is too
// short to be a member.
uint32_t gzip_size_hint(const void *bytes, size_t size_bytes);

// The caller's buffer for a result.
struct inflate_buffer {
    void *bytes;
    size_t capacity;
    size_t written; // set on HX_OK
};

// Decompresses one member into a buffer; *out_consumed is the member's size.
// HX_ERR_CORRUPT: not a member, damaged, or cut short. HX_ERR_RANGE: the buffer is too small.
// HX_ERR_NO_MEMORY: no working memory. Unless HX_OK, the buffer's contents are unspecified.
enum hx_status gzip_to_buffer(const struct inflate_memory *memory, const void *from,
                              size_t size_bytes, struct inflate_buffer *to, size_t *out_consumed);

// Decompresses one member piece by piece into a sink; pieces have at most 32 KiB. What the sink was
// given is verified only when the call returns HX_OK. Errors as above, without HX_ERR_RANGE, and
// whatever the sink returns.
enum hx_status gzip_to_sink(const struct inflate_memory *memory, const void *from,
                            size_t size_bytes, inflate_sink_t sink, void *sink_context,
                            size_t *out_consumed);
