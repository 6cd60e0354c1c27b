// SPDX-License-Identifier: MIT OR Apache-2.0
// core/log_ring.c: see log_ring.h.
#include "log_ring.h"

void log_ring_append(struct log_ring *ring, const char *text, size_t length) {
    for (size_t i = 0; i < length; i++) {
        ring->bytes[(ring->end + i) & (ring->capacity - 1)] = text[i];
    }
    ring->end += length;
}

size_t log_ring_read(const struct log_ring *ring, uint64_t *position, char *buffer,
                     size_t capacity) {
    uint64_t from = *position;
    if (ring->end > ring->capacity && from < ring->end - ring->capacity) {
        from = ring->end - ring->capacity;
    }
    if (from > ring->end) {
        from = ring->end;
    }
    size_t length = (size_t)MIN_OF(ring->end - from, (uint64_t)capacity);
    for (size_t i = 0; i < length; i++) {
        buffer[i] = ring->bytes[(from + i) & (ring->capacity - 1)];
    }
    *position = from + length;
    return length;
}

static char byte_at(const struct log_ring *ring, uint64_t position) {
    return ring->bytes[position & (ring->capacity - 1)];
}

// Where the first whole line is that was not overwritten, if a line began at `position`.
static uint64_t line_begin(const struct log_ring *ring, uint64_t position) {
    if (ring->end - position <= ring->capacity) {
        return position;
    }
    position = ring->end - ring->capacity;
    while (position < ring->end && byte_at(ring, position) != '\n') {
        position++;
    }
    return MIN_OF(position + 1, ring->end);
}

size_t log_ring_line(const struct log_ring *ring, uint64_t *position, char *line, size_t capacity,
                     int *level) {
    uint64_t from = line_begin(ring, *position);
    size_t length = 0;
    if (ring->end - from >= 3 && byte_at(ring, from) == '<' && byte_at(ring, from + 2) == '>') {
        *level = byte_at(ring, from + 1) - '0';
        from += 3;
    }
    while (from < ring->end && length < capacity && (length == 0 || line[length - 1] != '\n')) {
        line[length++] = byte_at(ring, from++);
    }
    *position = from;
    return length;
}
