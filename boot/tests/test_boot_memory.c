// SPDX-License-Identifier: MIT OR Apache-2.0
// The memory map, against an array of pages where the first range to name a page wins.
#include "../src/memory.h"

#include "bytes.h"
#include "check.h"

#include <string.h>

#define PAGES 4096u
#define FEW   128u // where ranges overlap a lot

static uint8_t model[PAGES]; // 0: nobody named it

static void model_add(uint64_t first, uint64_t count, enum boot_memory_kind kind) {
    for (uint64_t page = first; page < first + count; page++) {
        if (model[page] == 0) {
            model[page] = (uint8_t)kind;
        }
    }
}

static void compare(const struct boot_info *info) {
    static uint8_t seen[PAGES];
    uint64_t previous_end = 0;
    memset(seen, 0, sizeof(seen));
    for (uint32_t i = 0; i < info->memory_count; i++) {
        const struct boot_memory *entry = &info->memory[i];
        CHECK(entry->size_bytes > 0);
        CHECK(entry->base.value >= previous_end); // sorted, not overlapping
        previous_end = entry->base.value + entry->size_bytes;
        for (uint64_t at = entry->base.value; at < previous_end; at += PAGE_SIZE) {
            seen[at / PAGE_SIZE] = (uint8_t)entry->kind;
        }
    }
    CHECK(memcmp(seen, model, sizeof(seen)) == 0);
}

static void test_random(void) {
    static struct boot_info info;
    uint64_t state = 1;
    for (int round = 0; round < 2000; round++) {
        memset(&info, 0, sizeof(info));
        memset(model, 0, sizeof(model));
        for (int step = 0; step < 12; step++) {
            uint64_t first = next_random(&state) % FEW;
            uint64_t count = next_random(&state) % (FEW - first + 1);
            enum boot_memory_kind kind = 1 + next_random(&state) % 4;
            boot_memory_add(&info, first * PAGE_SIZE, count * PAGE_SIZE, kind);
            model_add(first, count, kind);
            compare(&info);
        }
    }
}

// Bytes in ranges of several kinds, with a hole and with what is reserved.
static void test_holds(void) {
    static struct boot_info info;
    boot_memory_add(&info, 0x1000, 0x1000, BOOT_MEMORY_RESERVED);
    boot_memory_add(&info, 0x3000, 0x1000, BOOT_MEMORY_ACPI);
    boot_memory_add(&info, 0x2000, 0x3000, BOOT_MEMORY_USABLE);
    boot_memory_add(&info, 0x6000, 0x1000, BOOT_MEMORY_USABLE);
    CHECK(boot_memory_holds(&info, paddr_make(0x2000), 0x3000));
    CHECK(boot_memory_holds(&info, paddr_make(0x2fff), 2));
    CHECK(!boot_memory_holds(&info, paddr_make(0x1fff), 2));
    CHECK(!boot_memory_holds(&info, paddr_make(0x4fff), 2));
    CHECK(!boot_memory_holds(&info, paddr_make(0x4000), 0x3000));
    CHECK(boot_memory_holds(&info, paddr_make(0x6fff), 1));
    CHECK(!boot_memory_holds(&info, paddr_make(0x7000), 1));
    CHECK(!boot_memory_holds(&info, paddr_make(0x6000), UINT64_MAX - 0x5000));
    CHECK(!boot_memory_holds(&info, paddr_make(0x6000), UINT64_MAX - 0x6000));
}

// Usable memory shrinks to whole pages; other kinds keep their bytes.
static void test_trim(void) {
    static struct boot_info info;
    boot_memory_add(&info, 0x9fc00, 0x400, BOOT_MEMORY_RESERVED);
    boot_memory_add(&info, 0x1234, 0x9fc00 - 0x1234, BOOT_MEMORY_USABLE);
    CHECK(info.memory_count == 2);
    CHECK(info.memory[0].base.value == 0x2000);
    CHECK(info.memory[0].size_bytes == 0x9f000 - 0x2000);
    CHECK(info.memory[1].base.value == 0x9fc00);
    boot_memory_add(&info, 0x100800, 0x900, BOOT_MEMORY_USABLE);           // less than a page
    boot_memory_add(&info, UINT64_MAX - 0x800, 0x700, BOOT_MEMORY_USABLE); // in the last page
    CHECK(info.memory_count == 2);
}

// Neighbours of a kind are one entry, in whatever order they come.
static void test_neighbours(void) {
    static struct boot_info info;
    boot_memory_add(&info, 0x3000, 0x1000, BOOT_MEMORY_USABLE);
    boot_memory_add(&info, 0x1000, 0x1000, BOOT_MEMORY_USABLE);
    boot_memory_add(&info, 0x2000, 0x1000, BOOT_MEMORY_USABLE);
    boot_memory_add(&info, 0, 0x1000, BOOT_MEMORY_RESERVED);
    boot_memory_add(&info, 0x5000, 0x1000, BOOT_MEMORY_USABLE);
    CHECK(info.memory_count == 3);
    CHECK(info.memory[1].base.value == 0x1000 && info.memory[1].size_bytes == 0x3000);
}

// A loader with more usable ranges than fit: the smallest are left out, and counted.
static void test_full(void) {
    static struct boot_info info;
    const uint64_t span = 64 * PAGE_SIZE;
    uint64_t left_out = 0;
    for (uint64_t i = 0; i < BOOT_MEMORY_MAX + 19u; i++) {
        const uint64_t npages = i < 20 ? 1 + i % 3 : 4 + i % 7;
        left_out += i < 20 ? npages * PAGE_SIZE : 0;
        boot_memory_add(&info, i * span, npages * PAGE_SIZE, BOOT_MEMORY_USABLE);
    }
    CHECK(info.memory_count == BOOT_MEMORY_MAX - 1);
    CHECK(info.memory[0].base.value == 20 * span);
    CHECK(info.memory_left_out_bytes == left_out && info.memory_joined == 0);
    boot_memory_add(&info, (BOOT_MEMORY_MAX + 19u) * span, span, BOOT_MEMORY_USABLE);
    CHECK(info.memory[BOOT_MEMORY_MAX - 2].size_bytes == span);
}

// With more ranges than fit that are not for use, none of them is used, whoever names it later.
static void test_full_reserved(void) {
    static struct boot_info info;
    const uint64_t end = (BOOT_MEMORY_MAX + 20u) * 4 * PAGE_SIZE;
    memset(model, 0, sizeof(model));
    for (uint64_t at = 0; at < end; at += 4 * PAGE_SIZE) {
        boot_memory_add(&info, at, PAGE_SIZE, BOOT_MEMORY_RESERVED);
        model_add(at / PAGE_SIZE, 1, BOOT_MEMORY_RESERVED);
    }
    CHECK(info.memory_count == BOOT_MEMORY_MAX - 1 && info.memory_joined == 21);
    boot_memory_add(&info, 0, end + 100 * PAGE_SIZE, BOOT_MEMORY_USABLE);
    for (uint32_t i = 0; i < info.memory_count; i++) {
        const struct boot_memory *entry = &info.memory[i];
        for (uint64_t at = 0; at < entry->size_bytes; at += PAGE_SIZE) {
            CHECK(entry->kind != BOOT_MEMORY_USABLE ||
                  model[(entry->base.value + at) / PAGE_SIZE] == 0);
        }
    }
    const struct boot_memory *last = &info.memory[info.memory_count - 1];
    CHECK(last->kind == BOOT_MEMORY_USABLE && last->size_bytes == 103 * PAGE_SIZE);
}

// Where a usable page of the model is missing, it is counted; no other page is ever usable.
static void compare_full(const struct boot_info *info) {
    static uint8_t seen[PAGES];
    uint64_t missing = 0;
    memset(seen, 0, sizeof(seen));
    CHECK(info->memory_count < BOOT_MEMORY_MAX);
    for (uint32_t i = 0; i < info->memory_count; i++) {
        const struct boot_memory *entry = &info->memory[i];
        CHECK(i == 0 ||
              entry->base.value >= info->memory[i - 1].base.value + info->memory[i - 1].size_bytes);
        memset(seen + entry->base.value / PAGE_SIZE, (int)entry->kind,
               entry->size_bytes / PAGE_SIZE);
    }
    for (uint32_t page = 0; page < PAGES; page++) {
        CHECK(seen[page] != BOOT_MEMORY_USABLE || model[page] == BOOT_MEMORY_USABLE);
        CHECK(model[page] == 0 || model[page] == BOOT_MEMORY_USABLE || seen[page] != 0);
        missing += model[page] == BOOT_MEMORY_USABLE && seen[page] != BOOT_MEMORY_USABLE;
    }
    CHECK(info->memory_joined != 0 || missing * PAGE_SIZE <= info->memory_left_out_bytes);
}

static void test_random_full(void) {
    static struct boot_info info;
    uint64_t state = 2;
    uint32_t full = 0;
    for (int round = 0; round < 40; round++) {
        memset(&info, 0, sizeof(info));
        memset(model, 0, sizeof(model));
        for (int step = 0; step < 600; step++) {
            const uint64_t first = next_random(&state) % (PAGES - 8);
            const uint64_t count = 1 + next_random(&state) % 8;
            // Mostly usable ones, or mostly others.
            const enum boot_memory_kind kind = next_random(&state) % 8 < (unsigned)(round % 2) * 7
                                                   ? BOOT_MEMORY_USABLE
                                                   : 2 + next_random(&state) % 3;
            boot_memory_add(&info, first * PAGE_SIZE, count * PAGE_SIZE, kind);
            model_add(first, count, kind);
        }
        compare_full(&info);
        full += info.memory_left_out_bytes != 0 || info.memory_joined != 0;
    }
    CHECK(full == 40);
}

int main(void) {
    test_random();
    test_trim();
    test_holds();
    test_neighbours();
    test_full();
    test_full_reserved();
    test_random_full();
    return check_result();
}
