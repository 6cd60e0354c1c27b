// SPDX-License-Identifier: MIT OR Apache-2.0
// <memory/usercopy.h>: the one place where user memory is touched.
//
// Thread context, no spin lock held, outside every gate (asserted). Each user structure is copied
// in exactly once. All return HX_OK or HX_ERR_BAD_ADDRESS; after a failure of a copy to the kernel
// the destination is undefined.
#pragma once

#include <helix/types.h>

enum hx_status copy_from_user(void *to, struct uaddr from, size_t size_bytes);
enum hx_status copy_to_user(struct uaddr to, const void *from, size_t size_bytes);
enum hx_status clear_user(struct uaddr to, size_t size_bytes);
// The same, saying how much was copied before a bad page.
size_t copy_from_user_partial(void *to, struct uaddr from, size_t size_bytes);
size_t copy_to_user_partial(struct uaddr to, const void *from, size_t size_bytes);
// A zero-terminated string; HX_ERR_NAME_TOO_LONG if `capacity` has no room for it and its zero.
enum hx_status copy_string_from_user(char *to, struct uaddr from, size_t capacity,
                                     size_t *out_length);
enum hx_status user_load32(struct uaddr from, uint32_t *out_value);
enum hx_status user_cas32(struct uaddr at, uint32_t expected, uint32_t desired,
                          uint32_t *out_found);

// Where the bytes of a read or write go or come from: user segments, or kernel memory.
#define IO_SEGMENTS_MAX 1024u

struct io_segment {
    struct uaddr base;
    uint64_t length;
};

struct io_buffer {
    bool kernel;                       // else user
    uint8_t *memory;                   // kernel
    const struct io_segment *segments; // user; kernel memory that the caller keeps
    struct io_segment one;             // storage for the usual single segment
    uint32_t segment_count;
    uint32_t segment;   // current
    uint64_t offset;    // in the current segment, or in memory
    uint64_t remaining; // bytes left in all
};

void io_buffer_kernel(struct io_buffer *buffer, void *memory, size_t size_bytes);
void io_buffer_user(struct io_buffer *buffer, struct uaddr base, size_t size_bytes);
void io_buffer_segments(struct io_buffer *buffer, const struct io_segment *segments,
                        uint32_t count); // lengths were checked to add up without overflow
// Move min(size, remaining) bytes and advance. HX_ERR_BAD_ADDRESS: *out_moved bytes were moved
// before the bad page.
enum hx_status io_buffer_put(struct io_buffer *buffer, const void *from, size_t size_bytes,
                             size_t *out_moved); // into the buffer (a read)
enum hx_status io_buffer_take(struct io_buffer *buffer, void *to, size_t size_bytes,
                              size_t *out_moved); // out of the buffer (a write)
// How many bytes, up to `size_bytes`, are whole pages of the program's memory, one behind the
// other, where the buffer stands; 0: none. *out_base: the first one.
size_t io_buffer_pages(struct io_buffer *buffer, size_t size_bytes, struct uaddr *out_base);
// Advances over bytes that io_buffer_pages() told of and somebody else moved.
void io_buffer_skip(struct io_buffer *buffer, size_t size_bytes);
enum hx_status io_buffer_put_zero(struct io_buffer *buffer, size_t size_bytes, size_t *out_moved);
