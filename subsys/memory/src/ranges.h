// SPDX-License-Identifier: MIT OR Apache-2.0
// ranges.h: the free physical memory at boot, as a short sorted list of page ranges.
//
// Pure. Built from the loader's map, which may be odd: unsorted, overlapping, wrapping, tiny.
#pragma once

#include <boot/boot_info.h>
#include <helix/types.h>

#define RANGES_MAX (BOOT_MEMORY_MAX + 8u)

struct range {
    uint64_t start, end; // physical, page aligned
};

struct ranges {
    struct range range[RANGES_MAX]; // by start, not overlapping, none empty
    uint32_t count;
};

// All whole usable pages of the map below `limit`, less what the map also lists as something else.
void ranges_from_map(struct ranges *ranges, const struct boot_info *info, uint64_t limit);
// Takes out [start, end), widened to whole pages. Splitting needs room: without it the smaller
// part is lost.
void ranges_exclude(struct ranges *ranges, uint64_t start, uint64_t end);
// Cuts `size` bytes (whole pages) from the bottom of the lowest range that has them below `limit`;
// with `high`, from the top of the highest range that has them. False if there is none.
bool ranges_take(struct ranges *ranges, uint64_t size, uint64_t limit, bool high,
                 uint64_t *out_start);
uint64_t ranges_bytes(const struct ranges *ranges);
