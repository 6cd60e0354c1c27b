// SPDX-License-Identifier: MIT OR Apache-2.0
// Tests of ranges.c: odd and hostile memory maps, against an array of pages.
#include "../src/ranges.h"
#include "check.h"

#include <string.h>

#define PAGES 64u
#define LIMIT (PAGES * PAGE_SIZE)

static void check_order(const struct ranges *ranges) {
    CHECK(ranges->count <= RANGES_MAX);
    for (uint32_t i = 0; i < ranges->count; i++) {
        const struct range *range = &ranges->range[i];
        CHECK(range->start < range->end && ((range->start | range->end) & PAGE_MASK) == 0);
        CHECK(i == 0 || ranges->range[i - 1].end <= range->start);
    }
}

static bool contains(const struct ranges *ranges, uint64_t page) {
    for (uint32_t i = 0; i < ranges->count; i++) {
        if (page * PAGE_SIZE >= ranges->range[i].start && page * PAGE_SIZE < ranges->range[i].end) {
            return true;
        }
    }
    return false;
}

static struct boot_info info;
static struct ranges ranges;

static void random_map(void) {
    bool usable[PAGES] = { false };
    memset(&info, 0, sizeof info);
    info.memory_count = (uint32_t)random_number(12);
    for (uint32_t i = 0; i < info.memory_count; i++) {
        struct boot_memory *memory = &info.memory[i];
        memory->base.value = random_number(LIMIT);
        memory->size_bytes = random_number(8) == 0 ? UINT64_MAX - random_number(LIMIT)
                                                   : random_number(12 * PAGE_SIZE);
        memory->kind = random_number(3) == 0 ? BOOT_MEMORY_RESERVED : BOOT_MEMORY_USABLE;
    }
    for (uint32_t kind = 0; kind < 2; kind++) {
        for (uint32_t i = 0; i < info.memory_count; i++) {
            const struct boot_memory *memory = &info.memory[i];
            bool use = memory->kind == BOOT_MEMORY_USABLE;
            if (use != (kind == 0)) {
                continue;
            }
            unsigned __int128 end = (unsigned __int128)memory->base.value + memory->size_bytes;
            for (uint64_t page = 0; page < PAGES; page++) {
                unsigned __int128 start = (unsigned __int128)page * PAGE_SIZE;
                if (use ? memory->base.value <= start && start + PAGE_SIZE <= end
                        : memory->base.value < start + PAGE_SIZE && start < end) {
                    usable[page] = use;
                }
            }
        }
    }
    ranges_from_map(&ranges, &info, LIMIT);
    check_order(&ranges);
    for (uint64_t page = 0; page < PAGES; page++) {
        CHECK(contains(&ranges, page) == usable[page]);
    }
    uint64_t start = random_number(LIMIT);
    uint64_t end = random_number(8) == 0 ? UINT64_MAX : start + random_number(8 * PAGE_SIZE);
    ranges_exclude(&ranges, start, end);
    check_order(&ranges);
    for (uint64_t page = 0; page < PAGES; page++) {
        bool out = start < end && page * PAGE_SIZE < end && (page + 1) * PAGE_SIZE > start;
        CHECK(contains(&ranges, page) == (usable[page] && !out));
    }
}

static void random_take(void) {
    uint64_t before = ranges_bytes(&ranges);
    uint64_t size = (1 + random_number(4)) * PAGE_SIZE;
    uint64_t limit = random_number(2) == 0 ? UINT64_MAX : random_number(LIMIT) & ~PAGE_MASK;
    uint64_t start;
    if (ranges_take(&ranges, size, limit, random_number(2) == 0, &start)) {
        CHECK(start + size <= limit && ranges_bytes(&ranges) == before - size);
        check_order(&ranges);
        for (uint64_t page = start / PAGE_SIZE; page < (start + size) / PAGE_SIZE; page++) {
            CHECK(!contains(&ranges, page));
        }
    } else {
        CHECK(ranges_bytes(&ranges) == before);
    }
}

// More holes than the list has room for: some memory is lost, nothing else happens.
static void crowded(void) {
    memset(&info, 0, sizeof info);
    info.memory_count = UINT32_MAX; // more than there are
    for (uint32_t i = 0; i < BOOT_MEMORY_MAX; i++) {
        info.memory[i].base.value = (uint64_t)i * 64 * PAGE_SIZE;
        info.memory[i].size_bytes = 32 * PAGE_SIZE;
        info.memory[i].kind = BOOT_MEMORY_USABLE;
    }
    ranges_from_map(&ranges, &info, UINT64_MAX);
    for (uint64_t i = 0; i < BOOT_MEMORY_MAX; i++) {
        ranges_exclude(&ranges, (i * 64 + 8) * PAGE_SIZE, (i * 64 + 9) * PAGE_SIZE);
        check_order(&ranges);
    }
    for (uint64_t i = 0; i < BOOT_MEMORY_MAX; i++) {
        CHECK(!contains(&ranges, i * 64 + 8));
    }
}

int main(void) {
    for (uint32_t round = 0; round < 20000; round++) {
        random_map();
        for (uint32_t i = 0; i < 4; i++) {
            random_take();
        }
    }
    crowded();
    return 0;
}
