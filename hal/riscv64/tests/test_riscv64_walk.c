// SPDX-License-Identifier: MIT OR Apache-2.0
// The walk through page tables of three, four and five levels, in memory of the test: physical
// addresses are the host's.
#include "../walk.h"

#include "check.h"

#include <string.h>

#define LEVELS    3u // of a root: Sv39, Sv48, Sv57
#define TABLES    16u
#define PAGE      0x123456789000u
#define ALL       (PTE_VALID | PTE_USER | PTE_READ | PTE_WRITE | PTE_KEPT)
#define READ_ONLY (ALL & ~PTE_WRITE)

static alignas(PAGE_SIZE) uint64_t tables[TABLES][TABLE_ENTRIES];
static uint32_t tables_used;
static uint32_t root_level;

static void reset(uint32_t level) {
    memset(tables, 0, sizeof(tables));
    tables_used = 1;
    root_level = level;
}

static void put(uint64_t address, uint32_t level, uint64_t entry) {
    uint64_t *entries = tables[0];
    for (uint32_t at = root_level; at > level; at--) {
        uint64_t *next = &entries[table_index(address, at)];
        if (*next == 0) {
            const uint64_t fresh = (uint64_t)(uintptr_t)tables[tables_used++];
            *next = entry_make_for(paddr_make(fresh)) | PTE_VALID;
        }
        entries = (uint64_t *)(uintptr_t)entry_page(*next).value;
    }
    entries[table_index(address, level)] = entry;
}

static bool is_reached(uint64_t address, bool is_write, uint64_t expected) {
    struct paddr at;
    return walk_reach(tables[0], root_level, 0, address, is_write, &at) && at.value == expected;
}

static bool is_refused(uint64_t address, bool is_write) {
    struct paddr at;
    return !walk_reach(tables[0], root_level, 0, address, is_write, &at);
}

// The last page of the lower half, the first one, and one whose index differs on each level.
static void test_pages(uint64_t end) {
    const uint64_t middle = (end >> 1) + 0x40201000;
    const uint64_t places[] = { end - PAGE_SIZE, 0, middle };
    for (uint32_t i = 0; i < ARRAY_SIZE(places); i++) {
        const uint64_t page = PAGE + i * PAGE_SIZE;
        put(places[i], 0, entry_make_for(paddr_make(page)) | ALL);
        CHECK(is_reached(places[i], true, page));
        CHECK(is_reached(places[i] + 0xfff, false, page + 0xfff));
    }
    CHECK(is_reached(0, false, PAGE + PAGE_SIZE)); // it is still its own
    CHECK(is_refused(PAGE_SIZE, false));
    CHECK(is_refused(middle + LARGE_BYTES, false));
    CHECK(is_refused(middle + HUGE_BYTES, false));
}

static void test_large(uint64_t end) {
    const uint64_t page = 0x40000000;
    const uint64_t at = end - HUGE_BYTES;
    put(at, 1, entry_make_for(paddr_make(page)) | ALL);
    CHECK(is_reached(at + 0x123456, true, page + 0x123456));
    CHECK(is_refused(at + LARGE_BYTES, true));
    put(at - HUGE_BYTES, 2, entry_make_for(paddr_make(page)) | READ_ONLY);
    CHECK(is_reached(at - HUGE_BYTES + 0x23456789, false, page + 0x23456789));
    CHECK(is_refused(at - HUGE_BYTES + 0x23456789, true));
}

// What a program could not do, and what is no memory.
static void test_rights(void) {
    static const struct {
        uint64_t bits;
        bool reads, writes;
    } cases[] = {
        { ALL, true, true },
        { READ_ONLY, true, false },
        { ALL & ~PTE_VALID, false, false },
        { ALL & ~PTE_USER, false, false },
        { PTE_KEPT, false, false },
        { ALL | PTE_DEVICE, false, false },
        { READ_ONLY | PTE_DEVICE, false, false },
        { PTE_VALID | PTE_USER | PTE_EXECUTE | PTE_READ | PTE_KEPT, true, false },
    };
    for (uint32_t i = 0; i < ARRAY_SIZE(cases); i++) {
        const uint64_t at = (uint64_t)i * PAGE_SIZE;
        const uint64_t entry = entry_make_for(paddr_make(PAGE)) | cases[i].bits;
        uint32_t level = 9;
        put(at, 0, entry);
        CHECK(is_refused(at, false) == !cases[i].reads);
        CHECK(is_refused(at, true) == !cases[i].writes);
        CHECK(walk_find(tables[0], root_level, 0, at, &level) == entry && level == 0);
    }
}

int main(void) {
    for (uint32_t i = 0; i < LEVELS; i++) {
        const uint64_t end = 1ull << (38 + 9 * i);
        reset(2 + i);
        test_pages(end);
        reset(2 + i);
        test_large(end);
        reset(2 + i);
        test_rights();
    }
    return check_result();
}
