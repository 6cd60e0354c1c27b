// SPDX-License-Identifier: MIT OR Apache-2.0
// The memory map, against an array of pages where the first range to name a page wins.
#include "../src/memory.h"

#include "bytes.h"
#include "check.h"

#include <string.h>

#define PAGES 128u

static uint8_t model[PAGES]; // 0: nobody named it

static void model_add(uint64_t first, uint64_t count, enum boot_memory_kind kind) {
    for (uint64_t page = first; page < first + count; page++) {
        if (model[page] == 0) {
            model[page] = (uint8_t)kind;
        }
    }
}

static void compare(const struct boot_info *info) {
    uint8_t seen[PAGES] = { 0 };
    uint64_t previous_end = 0;
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
            uint64_t first = next_random(&state) % PAGES;
            uint64_t count = next_random(&state) % (PAGES - first + 1);
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

// A loader with more ranges than fit: the map stays sound.
static void test_full(void) {
    static struct boot_info info;
    for (uint64_t i = 0; i < BOOT_MEMORY_MAX + 20u; i++) {
        boot_memory_add(&info, i * 2 * PAGE_SIZE, PAGE_SIZE, BOOT_MEMORY_USABLE);
    }
    CHECK(info.memory_count == BOOT_MEMORY_MAX);
    CHECK(info.memory[BOOT_MEMORY_MAX - 1].base.value == (BOOT_MEMORY_MAX - 1) * 2 * PAGE_SIZE);
}

int main(void) {
    test_random();
    test_trim();
    test_holds();
    test_full();
    return check_result();
}
