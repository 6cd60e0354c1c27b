// SPDX-License-Identifier: MIT OR Apache-2.0
// Device trees: one that is good, and the same with something wrong.
#include "check.h"

#include <lib/fdt.h>

#include <string.h>

#define STRUCTURE 0x60u
#define STRINGS   0x400u
#define TOTAL     0x600u

static uint8_t block[TOTAL];
static uint32_t at;            // in the structure, from the block's start
static uint32_t strings_bytes; // in use

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

static void bytes(const char *name, const void *data, uint32_t size) {
    word(3);
    word(size);
    word(strings_bytes);
    strcpy((char *)block + STRINGS + strings_bytes, name);
    strings_bytes += (uint32_t)strlen(name) + 1;
    memcpy(block + at, data, size);
    at += (size + 3) & ~3u;
}

static void text(const char *name, const char *value) {
    bytes(name, value, (uint32_t)strlen(value) + 1);
}

static void cells(const char *name, const uint32_t *values, uint32_t count) {
    uint8_t data[64];
    for (uint32_t i = 0; i < count * 4; i++) {
        data[i] = (uint8_t)(values[i / 4] >> (24 - 8 * (i % 4)));
    }
    bytes(name, data, count * 4);
}

#define CELLS(name, ...)                                                                           \
    cells(name, (uint32_t[]){ __VA_ARGS__ }, sizeof((uint32_t[]){ __VA_ARGS__ }) / 4)

static void header_finish(void) {
    const uint32_t words[10] = { 0xd00dfeed, TOTAL, STRUCTURE, STRINGS,       0x28,
                                 17,         16,    0,         strings_bytes, at - STRUCTURE };
    for (uint32_t i = 0; i < 10; i++) {
        put_be32(i * 4, words[i]);
    }
}

// A root with two cells each, memory, a bus of one cell each with two devices, /chosen.
static void make(void) {
    memset(block, 0, sizeof(block));
    at = STRUCTURE;
    strings_bytes = 0;
    put_be32(0x2c, 0x1000); // one reserved range
    put_be32(0x34, 0x2000);
    word(4); // NOP
    node_begin("");
    CELLS("#address-cells", 2);
    CELLS("#size-cells", 2);
    CELLS("interrupt-parent", 7);
    node_begin("memory@40000000");
    text("device_type", "memory");
    CELLS("reg", 0, 0x40000000, 0, 0x8000000, 1, 0, 0, 0x1000);
    node_end();
    node_begin("bus");
    CELLS("#address-cells", 1);
    CELLS("#size-cells", 1);
    node_begin("uart@8000");
    text("status", "disabled");
    text("compatible", "arm,pl011");
    node_end();
    node_begin("uart@9000");
    text("status", "ok");
    bytes("compatible", "arm,pl011\0arm,primecell", 24);
    CELLS("reg", 0x9000, 0x1000);
    node_end();
    word(4);
    node_begin("uart@a000");
    CELLS("interrupt-parent", 9);
    bytes("compatible", "other\0arm,pl011", 16);
    CELLS("reg", 0xa000, 0x1000);
    node_end();
    node_end();
    node_begin("chosen");
    text("bootargs", "quiet");
    CELLS("start", 1, 2);
    node_end();
    node_end();
    word(9);
    header_finish();
}

static void test_good(void) {
    struct fdt fdt;
    struct fdt_node node;
    struct fdt_property property;
    uint64_t base;
    uint64_t size;
    make();
    CHECK(fdt_open(block, TOTAL, &fdt) == HX_OK && fdt.reserved_count == 1);
    fdt_reserved(&fdt, 0, &base, &size);
    CHECK(base == 0x1000 && size == 0x2000);
    CHECK(fdt_find(&fdt, "/memory", &node) && strcmp(node.name, "memory@40000000") == 0);
    CHECK(strcmp(fdt_text(&fdt, &node, "device_type"), "memory") == 0);
    CHECK(fdt_reg(&fdt, &node, 1, &base, &size) && base == 1ull << 32 && size == 0x1000);
    CHECK(!fdt_reg(&fdt, &node, 2, &base, &size));
    CHECK(fdt_find(&fdt, "/bus/uart@a000", &node) && node.depth == 2);
    CHECK(fdt_reg(&fdt, &node, 0, &base, &size) && base == 0xa000 && size == 0x1000);
    CHECK(node.interrupt_parent == 9);
    CHECK(fdt_find(&fdt, "/bus/uart@9000", &node) && node.interrupt_parent == 7);
    CHECK(!fdt_find(&fdt, "/bus/uart@b000", &node) && !fdt_find(&fdt, "/uart@9000", &node));
    CHECK(!fdt_find(&fdt, "/bus/chosen", &node));
    CHECK(fdt_find(&fdt, "/chosen", &node));
    CHECK(strcmp(fdt_text(&fdt, &node, "bootargs"), "quiet") == 0);
    CHECK(fdt_text(&fdt, &node, "absent") == NULL);
    CHECK(fdt_property(&fdt, &node, "start", &property) && fdt_number(&property, &base));
    CHECK(base == (1ull << 32 | 2));
}

static void test_walk(void) {
    static const char *const names[] = { "memory@40000000", "bus",       "uart@8000",
                                         "uart@9000",       "uart@a000", "chosen" };
    struct fdt fdt;
    struct fdt_node node;
    make();
    CHECK(fdt_open(block, TOTAL, &fdt) == HX_OK);
    fdt_root(&fdt, &node);
    CHECK(node.depth == 0 && node.name[0] == '\0');
    for (uint32_t i = 0; i < 6; i++) {
        CHECK(fdt_next(&fdt, &node) && strcmp(node.name, names[i]) == 0);
    }
    CHECK(!fdt_next(&fdt, &node));
    fdt_root(&fdt, &node);
    CHECK(fdt_next_compatible(&fdt, "arm,pl011", &node) && strcmp(node.name, "uart@9000") == 0);
    CHECK(fdt_next_compatible(&fdt, "arm,pl011", &node) && strcmp(node.name, "uart@a000") == 0);
    CHECK(!fdt_next_compatible(&fdt, "arm,pl011", &node));
}

// Each word of the block in turn becomes something else: what is still taken can be walked.
static void test_changed_words(void) {
    static const uint32_t values[] = { 0, 1, 2, 3, 9, 0x7ffffffc, UINT32_MAX };
    struct fdt fdt;
    struct fdt_node node;
    struct fdt_property property;
    uint32_t refused = 0;
    for (uint32_t offset = 0; offset < TOTAL; offset += 4) {
        for (uint32_t i = 0; i < 7; i++) {
            make();
            put_be32(offset, values[i]);
            if (fdt_open(block, TOTAL, &fdt) != HX_OK) {
                refused++;
                continue;
            }
            uint32_t nodes = 0;
            fdt_root(&fdt, &node);
            while (fdt_next(&fdt, &node)) {
                nodes++;
                CHECK(!fdt_property(&fdt, &node, "reg", &property) || property.size_bytes <= TOTAL);
            }
            CHECK(nodes <= TOTAL / 8);
        }
    }
    CHECK(refused > 100);
}

static void test_depth(uint32_t depth, enum hx_status expected) {
    struct fdt fdt;
    memset(block, 0, sizeof(block));
    at = STRUCTURE;
    strings_bytes = 0;
    for (uint32_t i = 0; i <= depth; i++) {
        node_begin(i == 0 ? "" : "a");
    }
    for (uint32_t i = 0; i <= depth; i++) {
        node_end();
    }
    word(9);
    header_finish();
    CHECK(fdt_open(block, TOTAL, &fdt) == expected);
}

static void test_bad(void) {
    struct fdt fdt;
    size_t size;
    make();
    CHECK(fdt_size(block, &size) == HX_OK && size == TOTAL);
    CHECK(fdt_open(block, TOTAL - 1, &fdt) == HX_ERR_CORRUPT);
    CHECK(fdt_open(block, FDT_HEADER_BYTES - 1, &fdt) == HX_ERR_CORRUPT);
    put_be32(4, FDT_SIZE_MAX + 1);
    CHECK(fdt_size(block, &size) == HX_ERR_CORRUPT);
    make();
    put_be32(20, 16); // an old version has no size of the structure
    CHECK(fdt_open(block, TOTAL, &fdt) == HX_ERR_CORRUPT);
    make();
    put_be32(0, 0xd00dfeee);
    CHECK(fdt_open(block, TOTAL, &fdt) == HX_ERR_CORRUPT);
    test_depth(FDT_DEPTH_MAX, HX_OK);
    test_depth(FDT_DEPTH_MAX + 1, HX_ERR_CORRUPT);
}

// A map of three entries: one of another controller, one more, and one that is cut off.
static void test_map(void) {
    uint8_t map[4 * 11];
    const uint32_t words[11] = { 0x10, 7, 0x500, 8, 0x10, 9, 0x300, 4, 0x40, 7, 0xfffffffe };
    struct fdt_property property = { map, sizeof(map) };
    uint32_t id = 1;
    for (uint32_t i = 0; i < sizeof(map); i++) {
        map[i] = (uint8_t)(words[i / 4] >> (24 - 8 * (i % 4)));
    }
    CHECK(fdt_map_id(&property, 7, 0x10, &id) && id == 0x500);
    CHECK(fdt_map_id(&property, 7, 0x17, &id) && id == 0x507);
    CHECK(!fdt_map_id(&property, 7, 0x18, &id) && !fdt_map_id(&property, 7, 0x0f, &id));
    CHECK(fdt_map_id(&property, 9, 0x13, &id) && id == 0x303);
    CHECK(!fdt_map_id(&property, 9, 0x14, &id) && !fdt_map_id(&property, 8, 0x10, &id));
    CHECK(!fdt_map_id(&property, 7, 0x40, &id)); // it has no length
    property.size_bytes = 0;
    CHECK(!fdt_map_id(&property, 7, 0x10, &id));
}

// A bridge on which the functions of a device have one number (the mask), and maps without one, or
// with an empty one.
static void test_map_masked(void) {
    struct fdt fdt;
    struct fdt_node node;
    uint32_t id = 1;
    memset(block, 0, sizeof(block));
    at = STRUCTURE;
    strings_bytes = 0;
    node_begin("");
    CELLS("iommu-map", 0x10, 7, 0x500, 8);
    CELLS("iommu-map-mask", 0xfff8);
    CELLS("msi-map", 0x10, 7, 0x600, 8);
    CELLS("other-map", 0x10, 7, 0x700, 8);
    bytes("other-map-mask", "", 0);
    node_end();
    word(9);
    header_finish();
    CHECK(fdt_open(block, TOTAL, &fdt) == HX_OK);
    fdt_root(&fdt, &node);
    CHECK(fdt_map_find(&fdt, &node, "iommu-map", 7, 0x13, &id) && id == 0x500);
    CHECK(!fdt_map_find(&fdt, &node, "iommu-map", 7, 0x0f, &id));
    CHECK(fdt_map_find(&fdt, &node, "msi-map", 7, 0x13, &id) && id == 0x603);
    CHECK(!fdt_map_find(&fdt, &node, "other-map", 7, 0x13, &id));
    CHECK(!fdt_map_find(&fdt, &node, "no-map", 7, 0x13, &id));
}

static void test_map_wraps(void) {
    const uint8_t map[16] = {
        0, 0, 0, 0, 0, 0, 0, 1, 0xff, 0xff, 0xff, 0xfe, 0xff, 0xff, 0xff, 0xff
    };
    const struct fdt_property property = { map, sizeof(map) };
    uint32_t id;
    CHECK(fdt_map_id(&property, 1, 1, &id) && id == UINT32_MAX);
    CHECK(!fdt_map_id(&property, 1, 2, &id) && !fdt_map_id(&property, 1, UINT32_MAX, &id));
}

int main(void) {
    test_map();
    test_map_masked();
    test_map_wraps();
    test_good();
    test_walk();
    test_changed_words();
    test_bad();
    return check_result();
}
