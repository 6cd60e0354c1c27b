// SPDX-License-Identifier: MIT OR Apache-2.0
// ranges.c: the list of free physical memory at boot.
#include "ranges.h"

static void remove_at(struct ranges *ranges, uint32_t index) {
    ranges->count--;
    for (uint32_t i = index; i < ranges->count; i++) {
        ranges->range[i] = ranges->range[i + 1];
    }
}

static void insert_at(struct ranges *ranges, uint32_t index, struct range range) {
    for (uint32_t i = ranges->count; i > index; i--) {
        ranges->range[i] = ranges->range[i - 1];
    }
    ranges->range[index] = range;
    ranges->count++;
}

// Adds a range, less what is there already.
static void add(struct ranges *ranges, uint64_t start, uint64_t end) {
    uint32_t at = 0;
    while (start < end && ranges->count < RANGES_MAX) {
        while (at < ranges->count && ranges->range[at].end <= start) {
            at++;
        }
        if (at == ranges->count || end <= ranges->range[at].start) {
            insert_at(ranges, at, (struct range){ start, end });
            return;
        }
        if (start < ranges->range[at].start) {
            insert_at(ranges, at, (struct range){ start, ranges->range[at].start });
            at++;
        }
        start = ranges->range[at].end;
    }
}

void ranges_exclude(struct ranges *ranges, uint64_t start, uint64_t end) {
    if (start >= end) {
        return;
    }
    start = ALIGN_DOWN(start, (uint64_t)PAGE_SIZE);
    end = end > UINT64_MAX - PAGE_MASK ? UINT64_MAX & ~(uint64_t)PAGE_MASK
                                       : ALIGN_UP(end, (uint64_t)PAGE_SIZE);
    for (uint32_t i = 0; i < ranges->count && start < end;) {
        struct range *range = &ranges->range[i];
        struct range upper = { MAX_OF(range->start, end), range->end };
        bool below = range->start < start;
        if (range->end <= start || range->start >= end) {
            i++;
            continue;
        }
        if (below) {
            range->end = start;
        }
        if (upper.start >= upper.end) {
            if (below) {
                i++;
            } else {
                remove_at(ranges, i);
            }
        } else if (!below) {
            *range = upper;
            i++;
        } else if (ranges->count < RANGES_MAX) {
            insert_at(ranges, i + 1, upper);
            i += 2;
        } else {
            if (upper.end - upper.start > range->end - range->start) {
                *range = upper;
            }
            i++;
        }
    }
}

static uint64_t end_of(const struct boot_memory *memory) {
    uint64_t base = memory->base.value;
    return memory->size_bytes > UINT64_MAX - base ? UINT64_MAX : base + memory->size_bytes;
}

void ranges_from_map(struct ranges *ranges, const struct boot_info *info, uint64_t limit) {
    ranges->count = 0;
    uint32_t count = MIN_OF(info->memory_count, BOOT_MEMORY_MAX);
    for (uint32_t i = 0; i < count; i++) {
        const struct boot_memory *memory = &info->memory[i];
        if (memory->kind != BOOT_MEMORY_USABLE || memory->base.value >= limit) {
            continue;
        }
        uint64_t start = ALIGN_UP(memory->base.value, (uint64_t)PAGE_SIZE);
        uint64_t end = ALIGN_DOWN(MIN_OF(end_of(memory), limit), (uint64_t)PAGE_SIZE);
        add(ranges, start, end);
    }
    for (uint32_t i = 0; i < count; i++) {
        if (info->memory[i].kind != BOOT_MEMORY_USABLE && info->memory[i].size_bytes != 0) {
            ranges_exclude(ranges, info->memory[i].base.value, end_of(&info->memory[i]));
        }
    }
}

static void drop_if_empty(struct ranges *ranges, uint32_t index) {
    if (ranges->range[index].start == ranges->range[index].end) {
        remove_at(ranges, index);
    }
}

bool ranges_take(struct ranges *ranges, uint64_t size, uint64_t limit, bool high,
                 uint64_t *out_start) {
    for (uint32_t n = 0; n < ranges->count; n++) {
        uint32_t i = high ? ranges->count - 1 - n : n;
        struct range *range = &ranges->range[i];
        uint64_t end = MIN_OF(range->end, limit);
        if (range->start >= end || end - range->start < size) {
            continue;
        }
        if (high && range->end <= limit) {
            range->end -= size;
            *out_start = range->end;
        } else {
            *out_start = range->start;
            range->start += size;
        }
        drop_if_empty(ranges, i);
        return true;
    }
    return false;
}

uint64_t ranges_bytes(const struct ranges *ranges) {
    uint64_t sum = 0;
    for (uint32_t i = 0; i < ranges->count; i++) {
        sum += ranges->range[i].end - ranges->range[i].start;
    }
    return sum;
}
