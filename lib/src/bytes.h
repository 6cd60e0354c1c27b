// SPDX-License-Identifier: MIT OR Apache-2.0
// bytes.h: little-endian numbers at any address, for the parsers of this folder. The caller has
// checked that the bytes are there.
#pragma once

#include <helix/types.h>

static inline uint16_t read_u16(const uint8_t *from) {
    return (uint16_t)(from[0] | (from[1] << 8));
}

static inline uint32_t read_u32(const uint8_t *from) {
    return (uint32_t)read_u16(from) | (uint32_t)read_u16(from + 2) << 16;
}

static inline uint64_t read_u64(const uint8_t *from) {
    return (uint64_t)read_u32(from) | (uint64_t)read_u32(from + 4) << 32;
}

static inline void write_u32(uint8_t *to, uint32_t value) {
    to[0] = (uint8_t)value;
    to[1] = (uint8_t)(value >> 8);
    to[2] = (uint8_t)(value >> 16);
    to[3] = (uint8_t)(value >> 24);
}

// Whether the `size` bytes at `offset` lie inside `limit` bytes.
static inline bool range_fits(uint64_t offset, uint64_t size, uint64_t limit) {
    return offset <= limit && size <= limit - offset;
}
