// SPDX-License-Identifier: MIT OR Apache-2.0
// core/log_ring.h: the bytes of the log: the last `capacity` of all that was ever written,
// addressed by position since the start. Pure; the caller's lock guards it.
#pragma once

#include <helix/types.h>

struct log_ring {
    char *bytes;
    size_t capacity; // a power of two
    uint64_t end;    // position behind the last byte
};

// Appends, overwriting the oldest.
void log_ring_append(struct log_ring *ring, const char *text, size_t length);
// Copies from *position on, or from the oldest byte that is left if that is later, at most
// `capacity` bytes; sets *position behind what was copied. Returns how many.
size_t log_ring_read(const struct log_ring *ring, uint64_t *position, char *buffer,
                     size_t capacity);
// Copies the line at *position, or the first whole one behind it if that was overwritten, without
// its "<level>"; sets *position behind it and *level. Of a line that is longer than `capacity`
// the rest comes as the next one, which has the same level. Returns its bytes; 0: there is none.
size_t log_ring_line(const struct log_ring *ring, uint64_t *position, char *line, size_t capacity,
                     int *level);
