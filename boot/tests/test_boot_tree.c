// SPDX-License-Identifier: MIT OR Apache-2.0
// What a device tree says to whoever boots: of src/tree.c, beside a direct map that writes down
// what it was asked for.
#include "../src/tree.c"

#include "check.h"

#include <string.h>

#define TREE       0x88000000u // where it lies in the memory of the test
#define STRUCTURE  0x100u
#define STRINGS    0x600u
#define TREE_BYTES 0x800u
#define MAPS       8u

static alignas(8) uint8_t block[TREE_BYTES];
static uint32_t at;            // in the structure, from the block's start
static uint32_t strings_bytes; // in use
static uint32_t reserved;      // entries of the tree's own list

static struct boot_info info;
static struct {
    uint64_t base, end;
} maps[MAPS];
static uint32_t map_count;

static void map(uint64_t base, uint64_t end) {
    CHECK(map_count < MAPS);
    maps[map_count].base = base;
    maps[map_count++].end = end;
}

static void put_be32(uint32_t offset, uint32_t value) {
    for (uint32_t i = 0; i < 4; i++) {
        block[offset + i] = (uint8_t)(value >> (24 - 8 * i));
    }
}

static void word(uint32_t value) {
    put_be32(at, value);
    at += 4;
}

static void node_begin(const char *name) {
    word(1);
    strcpy((char *)block + at, name);
    at += (uint32_t)(strlen(name) + 4) & ~3u;
}

static void node_end(void) {
    word(2);
}

static void property(const char *name, uint32_t size) {
    word(3);
    word(size);
    word(strings_bytes);
    strcpy((char *)block + STRINGS + strings_bytes, name);
    strings_bytes += (uint32_t)strlen(name) + 1;
}

static void text(const char *name, const char *value) {
    property(name, (uint32_t)strlen(value) + 1);
    strcpy((char *)block + at, value);
    at += (uint32_t)(strlen(value) + 4) & ~3u;
}

static void number(const char *name, uint64_t value) {
    property(name, 8);
    word((uint32_t)(value >> 32));
    word((uint32_t)value);
}

static void reg(uint64_t base, uint64_t size_bytes) {
    property("reg", 16);
    word((uint32_t)(base >> 32));
    word((uint32_t)base);
    word((uint32_t)(size_bytes >> 32));
    word((uint32_t)size_bytes);
}

static void reserve(uint64_t base, uint64_t size_bytes) {
    const uint32_t entry = 0x28 + 16 * reserved++;
    put_be32(entry, (uint32_t)(base >> 32));
    put_be32(entry + 4, (uint32_t)base);
    put_be32(entry + 8, (uint32_t)(size_bytes >> 32));
    put_be32(entry + 12, (uint32_t)size_bytes);
}

// Memory at 0x80000000, as much as that.
static void tree_begin(uint64_t size_bytes) {
    memset(block, 0, sizeof(block));
    at = STRUCTURE;
    strings_bytes = 0;
    reserved = 0;
    node_begin("");
    property("#address-cells", 4);
    word(2);
    property("#size-cells", 4);
    word(2);
    node_begin("memory@80000000");
    text("device_type", "memory");
    reg(0x80000000, size_bytes);
    node_end();
}

static void initrd(uint64_t base, uint64_t end) {
    node_begin("chosen");
    number("linux,initrd-start", base);
    number("linux,initrd-end", end);
    node_end();
}

static bool tree_read(const struct boot_info *firmware) {
    const struct boot_direct direct = { (uint64_t)(uintptr_t)block - TREE, 1ull << 32, map };
    node_end();
    word(9);
    const uint32_t words[10] = { 0xd00dfeed, TREE_BYTES, STRUCTURE, STRINGS,       0x28,
                                 17,         16,         0,         strings_bytes, at - STRUCTURE };
    for (uint32_t i = 0; i < 10; i++) {
        put_be32(i * 4, words[i]);
    }
    memset(&info, 0, sizeof(info));
    map_count = 0;
    return boot_tree_read(&info, TREE, &direct, firmware);
}

// What the page at an address is; 0: nobody named it.
static uint32_t kind_at(uint64_t address) {
    for (uint32_t i = 0; i < info.memory_count; i++) {
        const struct boot_memory *entry = &info.memory[i];
        CHECK(entry->base.value % PAGE_SIZE == 0 && entry->size_bytes % PAGE_SIZE == 0);
        if (address >= entry->base.value && address - entry->base.value < entry->size_bytes) {
            return entry->kind;
        }
    }
    return 0;
}

static void test_plain(void) {
    tree_begin(0x10000000);
    initrd(0x84000100, 0x84000900);
    CHECK(tree_read(NULL));
    CHECK(info.device_tree.value == TREE && info.device_tree_bytes == TREE_BYTES);
    CHECK(info.initrd.value == 0x84000100 && info.initrd_bytes == 0x800);
    CHECK(kind_at(0) == BOOT_MEMORY_RESERVED && kind_at(TREE) == BOOT_MEMORY_ACPI);
    CHECK(kind_at(0x84000000) == BOOT_MEMORY_USABLE && kind_at(0x8fffffff) == BOOT_MEMORY_USABLE);
    CHECK(kind_at(0x90000000) == 0);
    CHECK(map_count == 3 && maps[2].base == 0x80000000 && maps[2].end == 0x90000000);
}

// A loader that reserves the tree and the archive, which are read all the same, with what lies
// between them and behind.
static void test_reserved_by_the_loader(void) {
    tree_begin(0x10000000);
    reserve(0x84000100, 0x1800);
    reserve(TREE - 0x800, 0x10000);
    initrd(0x84000100, 0x84002f00);
    CHECK(tree_read(NULL));
    CHECK(kind_at(0x84000000) == BOOT_MEMORY_ACPI && kind_at(0x84001000) == BOOT_MEMORY_ACPI);
    CHECK(kind_at(0x84002000) == BOOT_MEMORY_USABLE); // of the archive, too, and given back
    CHECK(kind_at(TREE) == BOOT_MEMORY_ACPI);
    CHECK(kind_at(TREE - 1) == BOOT_MEMORY_RESERVED &&
          kind_at(TREE - 0x1001) != BOOT_MEMORY_RESERVED);
    CHECK(kind_at(TREE + 0x1000) == BOOT_MEMORY_RESERVED);
    CHECK(kind_at(TREE + 0xf7ff) == BOOT_MEMORY_RESERVED);
    CHECK(boot_memory_holds(&info, info.initrd, info.initrd_bytes));
}

// What is reserved is so in whole pages.
static void test_parts_of_pages(void) {
    tree_begin(0x10000000);
    reserve(0x85000800, 0x1000);
    reserve(0x86000000, 1);
    reserve(0x87000000, 0);
    reserve(UINT64_MAX - 5, 100);
    node_begin("reserved-memory");
    property("#address-cells", 4);
    word(2);
    property("#size-cells", 4);
    word(2);
    node_begin("secure@87800ffe");
    reg(0x87800ffe, 4);
    node_end();
    node_end();
    CHECK(tree_read(NULL));
    CHECK(kind_at(0x85000000) == BOOT_MEMORY_RESERVED &&
          kind_at(0x85001fff) == BOOT_MEMORY_RESERVED);
    CHECK(kind_at(0x84ffffff) == BOOT_MEMORY_USABLE && kind_at(0x85002000) == BOOT_MEMORY_USABLE);
    CHECK(kind_at(0x86000fff) == BOOT_MEMORY_RESERVED && kind_at(0x86001000) == BOOT_MEMORY_USABLE);
    CHECK(kind_at(0x87000000) == BOOT_MEMORY_USABLE);
    CHECK(kind_at(0x87800000) == BOOT_MEMORY_RESERVED &&
          kind_at(0x87801fff) == BOOT_MEMORY_RESERVED);
    CHECK(kind_at(0x87802000) == BOOT_MEMORY_USABLE);
}

// Memory that the tree lists for others: QEMU's virt with secure=on has one such node in front.
static void test_memory_of_others(void) {
    static const char *const words[] = { "disabled", "reserved", "fail", "fail-sss", "okay2", "" };
    for (uint32_t i = 0; i < 6; i++) {
        tree_begin(0x10000000);
        node_begin("secram@e000000");
        text("secure-status", "okay");
        text("status", words[i]);
        reg(0xe000000, 0x1000000);
        text("device_type", "memory");
        node_end();
        CHECK(tree_read(NULL));
        CHECK(kind_at(0xe000000) == 0 && map_count == 3);
        CHECK(kind_at(0x84000000) == BOOT_MEMORY_USABLE);
    }
    tree_begin(0x10000000);
    node_begin("memory@e000000");
    text("status", "okay");
    text("device_type", "memory");
    reg(0xe000000, 0x1000000);
    node_end();
    CHECK(tree_read(NULL));
    CHECK(kind_at(0xe000000) == BOOT_MEMORY_USABLE && map_count == 4);
}

// A firmware's archive and memory in place of the tree's; what the tree reserves stays so.
static void test_firmware(void) {
    static struct boot_info firmware;
    boot_memory_add(&firmware, 0x80000000, 0x8000000, BOOT_MEMORY_USABLE);
    firmware.initrd = paddr_make(0x81000000);
    firmware.initrd_bytes = 0x1000;
    firmware.memory_left_out_bytes = 0x3000;
    firmware.memory_joined = 2;
    tree_begin(0x10000000);
    reserve(0x81000000, 0x2000);
    initrd(0x84000000, 0x84001000);
    CHECK(tree_read(&firmware));
    CHECK(info.memory_left_out_bytes == 0x3000 && info.memory_joined == 2);
    CHECK(info.initrd.value == 0x81000000 && info.initrd_bytes == 0x1000);
    CHECK(kind_at(0x81000000) == BOOT_MEMORY_ACPI && kind_at(0x81001000) == BOOT_MEMORY_RESERVED);
    CHECK(kind_at(0x87fff000) == BOOT_MEMORY_USABLE && kind_at(0x88800000) == 0);
}

int main(void) {
    test_plain();
    test_reserved_by_the_loader();
    test_parts_of_pages();
    test_memory_of_others();
    test_firmware();
    return check_result();
}
