// SPDX-License-Identifier: MIT OR Apache-2.0
// io_buffer.c: moving bytes into or out of a read's or write's buffer, wherever it lies.
#include <lib/string.h>
#include <memory/usercopy.h>

void io_buffer_kernel(struct io_buffer *buffer, void *memory, size_t size_bytes) {
    *buffer = (struct io_buffer){ .kernel = true, .memory = memory, .remaining = size_bytes };
}

void io_buffer_user(struct io_buffer *buffer, struct uaddr base, size_t size_bytes) {
    // `segments` stays NULL: `one` may move with its buffer.
    *buffer = (struct io_buffer){
        .one = { base, size_bytes },
        .segment_count = 1,
        .remaining = size_bytes,
    };
}

void io_buffer_segments(struct io_buffer *buffer, const struct io_segment *segments,
                        uint32_t count) {
    *buffer = (struct io_buffer){ .segments = segments, .segment_count = count };
    for (uint32_t i = 0; i < count; i++) {
        buffer->remaining += segments[i].length;
    }
}

enum direction { PUT, TAKE, CLEAR };

static size_t move_user(struct uaddr user, void *kernel, size_t size_bytes,
                        enum direction direction) {
    switch (direction) {
    case PUT:
        return copy_to_user_partial(user, kernel, size_bytes);
    case TAKE:
        return copy_from_user_partial(kernel, user, size_bytes);
    default:
        return clear_user(user, size_bytes) == HX_OK ? size_bytes : 0;
    }
}

static void move_kernel(uint8_t *memory, void *kernel, size_t size_bytes,
                        enum direction direction) {
    switch (direction) {
    case PUT:
        memcpy(memory, kernel, size_bytes);
        break;
    case TAKE:
        memcpy(kernel, memory, size_bytes);
        break;
    default:
        memset(memory, 0, size_bytes);
        break;
    }
}

// What was moved is behind the caller; `moved` of `wanted` bytes were.
static enum hx_status advance(struct io_buffer *buffer, size_t moved, size_t wanted,
                              size_t *out_moved) {
    buffer->offset += moved;
    buffer->remaining -= moved;
    *out_moved += moved;
    return moved == wanted ? HX_OK : HX_ERR_BAD_ADDRESS;
}

static enum hx_status move_segments(struct io_buffer *buffer, uint8_t *kernel, size_t left,
                                    enum direction direction, size_t *out_moved) {
    enum hx_status status = HX_OK;
    while (left > 0 && status == HX_OK) {
        const struct io_segment *segment = &buffer->segments[buffer->segment];
        const size_t length = MIN_OF(left, segment->length - buffer->offset);
        size_t moved = 0;
        if (length != 0) {
            moved = move_user(uaddr_add(segment->base, buffer->offset), kernel, length, direction);
        }
        status = advance(buffer, moved, length, out_moved);
        if (direction != CLEAR) { // it has no kernel side
            kernel += moved;
        }
        left -= moved;
        if (buffer->offset == segment->length && left > 0) {
            buffer->segment++;
            buffer->offset = 0;
        }
    }
    return status;
}

// Inlined for each direction: most moves are of a few bytes.
static inline __attribute__((always_inline)) enum hx_status move(struct io_buffer *buffer,
                                                                 void *kernel, size_t size_bytes,
                                                                 enum direction direction,
                                                                 size_t *out_moved) {
    const size_t left = MIN_OF(size_bytes, buffer->remaining);
    *out_moved = 0;
    if (buffer->kernel) {
        move_kernel(buffer->memory + buffer->offset, kernel, left, direction);
        return advance(buffer, left, left, out_moved);
    }
    if (buffer->segments != NULL) {
        return move_segments(buffer, kernel, left, direction, out_moved);
    }
    const struct uaddr user = uaddr_add(buffer->one.base, buffer->offset);
    return advance(buffer, left != 0 ? move_user(user, kernel, left, direction) : 0, left,
                   out_moved);
}

enum hx_status io_buffer_put(struct io_buffer *buffer, const void *from, size_t size_bytes,
                             size_t *out_moved) {
    // NOLINTNEXTLINE(performance-no-int-to-ptr): only the qualifier goes
    return move(buffer, (void *)(uintptr_t)from, size_bytes, PUT, out_moved);
}

enum hx_status io_buffer_take(struct io_buffer *buffer, void *to, size_t size_bytes,
                              size_t *out_moved) {
    return move(buffer, to, size_bytes, TAKE, out_moved);
}

enum hx_status io_buffer_put_zero(struct io_buffer *buffer, size_t size_bytes, size_t *out_moved) {
    return move(buffer, NULL, size_bytes, CLEAR, out_moved);
}

size_t io_buffer_pages(struct io_buffer *buffer, size_t size_bytes, struct uaddr *out_base) {
    const struct io_segment *segments = buffer->segments != NULL ? buffer->segments : &buffer->one;
    if (buffer->kernel || buffer->remaining == 0) {
        return 0;
    }
    while (buffer->offset == segments[buffer->segment].length) { // others follow: bytes remain
        buffer->segment++;
        buffer->offset = 0;
    }
    const struct io_segment *segment = &segments[buffer->segment];
    const size_t there = MIN_OF(size_bytes, segment->length - buffer->offset);
    *out_base = uaddr_add(segment->base, buffer->offset);
    return (out_base->value & PAGE_MASK) == 0 ? there & ~(size_t)PAGE_MASK : 0;
}

void io_buffer_skip(struct io_buffer *buffer, size_t size_bytes) {
    buffer->offset += size_bytes;
    buffer->remaining -= size_bytes;
}
