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
