// SPDX-License-Identifier: MIT OR Apache-2.0
// Multiboot2 blocks: one as GRUB makes it, then each refusal by one change.
#include "bytes.h"
#include "check.h"

#include <lib/multiboot2.h>

#include <stdlib.h>
#include <string.h>

static uint8_t block[1024];
static size_t block_bytes;

// Appends a tag and returns where its contents start.
static size_t tag(uint32_t type, const void *contents, size_t size) {
    put_u32(block + block_bytes, type);
    put_u32(block + block_bytes + 4, (uint32_t)size + 8);
    memset(block + block_bytes + 8, 0, ALIGN_UP(size, (size_t)8));
    memcpy(block + block_bytes + 8, contents, size);
    size_t start = block_bytes + 8;
    block_bytes += 8 + ALIGN_UP(size, (size_t)8);
    return start;
}

static size_t command_at, module_at, memory_at, old_at, new_at;

static void make(void) {
    block_bytes = 8;
    command_at = tag(1, "console=ttyS0", 14);
    tag(2, "GRUB", 5);
    uint8_t module[] = "\0\0\x10\0\0\x80\x10\0initrd";
    module_at = tag(3, module, sizeof(module));
    uint8_t memory[8 + 2 * 24] = { 0 };
    put_u32(memory, 24);
    put_u64(memory + 8 + 8, 0x9f000);
    put_u32(memory + 8 + 16, MULTIBOOT2_MEMORY_USABLE);
    put_u64(memory + 8 + 24, UINT64_C(0xfffffffffffff000));
    put_u64(memory + 8 + 32, 0xfff);
    put_u32(memory + 8 + 40, 2);
    memory_at = tag(6, memory, sizeof(memory));
    tag(99, "unknown", 7);
    uint8_t rsdp[36] = "RSD PTR ";
    old_at = tag(14, rsdp, 20);
    new_at = tag(15, rsdp, 36);
    tag(3, "\0\0\x20\0\0\0\x20\0", 9);
    tag(0, "", 0);
    put_u32(block, (uint32_t)block_bytes);
    put_u32(block + 4, 0);
}

// Parses a copy of exactly `size` bytes and uses all that comes out.
static enum hx_status parse(size_t size) {
    uint8_t *copy = malloc(size);
    memcpy(copy, block, size);
    struct multiboot2_info info;
    enum hx_status status = multiboot2_parse(copy, size, &info);
    if (status == HX_OK) {
        size_t used = strlen(info.command_line) + strlen(info.loader_name) + info.rsdp_bytes;
        for (size_t i = 0; i < info.rsdp_bytes; i++) {
            used += info.rsdp[i];
        }
        for (uint32_t i = 0; i < info.memory_count; i++) {
            struct multiboot2_memory memory = multiboot2_memory_at(&info, i);
            CHECK(memory.base + memory.size_bytes >= memory.base);
        }
        size_t cursor = 0;
        uint32_t modules = 0;
        struct multiboot2_module module;
        while (multiboot2_next_module(&info, &cursor, &module)) {
            CHECK(module.end >= module.start);
            used += strlen(module.command_line);
            modules++;
        }
        CHECK(modules == info.module_count && used != 1);
    }
    free(copy);
    return status;
}

static void test_good(void) {
    struct multiboot2_info info;
    make();
    size_t size;
    CHECK(multiboot2_size(block, &size) == HX_OK && size == block_bytes);
    CHECK(parse(block_bytes) == HX_OK);
    CHECK(multiboot2_parse(block, sizeof(block), &info) == HX_OK);
    CHECK(strcmp(info.command_line, "console=ttyS0") == 0 && strcmp(info.loader_name, "GRUB") == 0);
    CHECK(info.memory_count == 2 && info.module_count == 2);
    struct multiboot2_memory memory = multiboot2_memory_at(&info, 0);
    CHECK(memory.base == 0 && memory.size_bytes == 0x9f000 && memory.type == 1);
    CHECK(multiboot2_memory_at(&info, 1).base == UINT64_C(0xfffffffffffff000));
    size_t cursor = 0;
    struct multiboot2_module module;
    CHECK(multiboot2_next_module(&info, &cursor, &module) && module.start == 0x100000);
    CHECK(module.end == 0x108000 && strcmp(module.command_line, "initrd") == 0);
    CHECK(multiboot2_next_module(&info, &cursor, &module) && module.start == 0x200000);
    CHECK(!multiboot2_next_module(&info, &cursor, &module));
    CHECK(info.rsdp == block + new_at && info.rsdp_bytes == 36);
    block_bytes = 8; // nothing but the end
    tag(0, "", 0);
    put_u32(block, (uint32_t)block_bytes);
    CHECK(multiboot2_parse(block, sizeof(block), &info) == HX_OK);
    CHECK(info.command_line[0] == 0 && info.memory == NULL && info.rsdp == NULL);
}

#define REFUSED(change)                                                                            \
    do {                                                                                           \
        make();                                                                                    \
        change;                                                                                    \
        CHECK(parse(block_bytes) == HX_ERR_CORRUPT);                                               \
    } while (0)

static void test_refusals(void) {
    REFUSED(put_u32(block, 7));                           // smaller than its head
    REFUSED(put_u32(block, (uint32_t)block_bytes + 1));   // larger than what is there
    REFUSED(put_u32(block, UINT32_MAX));                  // absurd
    REFUSED(put_u32(block, (uint32_t)block_bytes - 8));   // without an end
    REFUSED(put_u32(block + command_at - 4, 7));          // a tag smaller than its head
    REFUSED(put_u32(block + command_at - 4, UINT32_MAX)); // a tag beyond the end
    REFUSED(put_u32(block + command_at - 4, 8 + 13));     // a text without terminator
    REFUSED(put_u32(block + command_at - 4, 8));          // no text at all
    REFUSED(put_u32(block + module_at + 4, 0xfffff));     // a module that ends before its start
    REFUSED(put_u32(block + memory_at, 0));               // entries of no size
    REFUSED(put_u32(block + memory_at, 16));              // entries that are too small
    REFUSED(put_u32(block + memory_at, 28));              // entries that are not aligned
    REFUSED(put_u64(block + memory_at + 8 + 32, 0x1000)); // memory that wraps around
    REFUSED(put_u32(block + old_at - 4, 8 + 19));         // a root pointer that is too short
    REFUSED(put_u32(block + new_at - 4, 8 + 35));
    make();
    for (size_t size = 0; size < block_bytes; size++) {
        CHECK(parse(size) == HX_ERR_CORRUPT);
    }
    for (size_t bit = 0; bit < block_bytes * 8; bit++) {
        block[bit / 8] ^= (uint8_t)(1u << bit % 8);
        enum hx_status status = parse(block_bytes);
        CHECK(status == HX_OK || status == HX_ERR_CORRUPT);
        block[bit / 8] ^= (uint8_t)(1u << bit % 8);
    }
}

int main(void) {
    test_good();
    test_refusals();
    return check_result();
}
