// SPDX-License-Identifier: MIT OR Apache-2.0
// PVH start information, in a small model of physical memory.
#include "bytes.h"
#include "check.h"

#include <lib/pvh.h>

#include <string.h>

#define INFO    0x100u
#define MODULES 0x200u
#define MEMORY  0x300u
#define TEXT    0x3c5u

static uint8_t memory[0x400];

static enum hx_status read_memory(void *context, uint64_t address, void *to, size_t size_bytes) {
    (void)context;
    if (address > sizeof(memory) || size_bytes > sizeof(memory) - address) {
        return HX_ERR_BAD_ADDRESS;
    }
    memcpy(to, memory + address, size_bytes);
    return HX_OK;
}

static const struct pvh_source source = { .read = read_memory };

static void make(void) {
    memset(memory, 0, sizeof(memory));
    put_u32(memory + INFO, PVH_MAGIC);
    put_u32(memory + INFO + 4, 1);
    put_u32(memory + INFO + 12, 2);
    put_u64(memory + INFO + 16, MODULES);
    put_u64(memory + INFO + 24, TEXT);
    put_u64(memory + INFO + 32, 0xe0000);
    put_u64(memory + INFO + 40, MEMORY);
    put_u32(memory + INFO + 48, 3);
    put_u64(memory + MODULES + 32, 0x1000000);
    put_u64(memory + MODULES + 40, 0x1234);
    put_u64(memory + MODULES + 48, TEXT);
    put_u64(memory + MEMORY + 24, 0x100000);
    put_u64(memory + MEMORY + 32, 0x7f00000);
    put_u32(memory + MEMORY + 40, PVH_MEMORY_USABLE);
    strcpy((char *)memory + TEXT, "console=ttyS0 quiet");
}

static void test_good(void) {
    struct pvh_info info;
    make();
    CHECK(pvh_read_info(&source, INFO, &info) == HX_OK && info.version == 1);
    CHECK(info.command_line == TEXT && info.rsdp == 0xe0000);
    CHECK(info.module_count == 2 && info.memory_count == 3);
    struct pvh_module module;
    CHECK(pvh_read_module(&source, &info, 1, &module) == HX_OK);
    CHECK(module.base == 0x1000000 && module.size_bytes == 0x1234 && module.command_line == TEXT);
    struct pvh_memory range;
    CHECK(pvh_read_memory(&source, &info, 1, &range) == HX_OK);
    CHECK(range.base == 0x100000 && range.size_bytes == 0x7f00000 && range.type == 1);
    put_u32(memory + INFO + 4, 0); // version 0 ends before the memory map
    CHECK(pvh_read_info(&source, INFO, &info) == HX_OK && info.memory_count == 0);
    memcpy(memory + sizeof(memory) - 40, memory + INFO, 40);
    CHECK(pvh_read_info(&source, sizeof(memory) - 40, &info) == HX_OK);
}

static void test_text(void) {
    char text[64];
    bool cut = true;
    make();
    CHECK(pvh_read_text(&source, TEXT, text, sizeof(text), &cut) == HX_ERR_BAD_ADDRESS || !cut);
    CHECK(pvh_read_text(&source, TEXT, text, 59, &cut) == HX_OK && !cut);
    CHECK(strcmp(text, "console=ttyS0 quiet") == 0);
    CHECK(pvh_read_text(&source, TEXT, text, 8, &cut) == HX_OK && cut);
    CHECK(strcmp(text, "console") == 0);
    CHECK(pvh_read_text(&source, TEXT, text, 20, &cut) == HX_OK && !cut);
    CHECK(pvh_read_text(&source, TEXT, text, 19, &cut) == HX_OK && cut && strlen(text) == 18);
    CHECK(pvh_read_text(&source, TEXT, text, 1, &cut) == HX_OK && cut && text[0] == 0);
    CHECK(pvh_read_text(&source, 0, text, 8, &cut) == HX_OK && !cut && text[0] == 0);
    memset(memory + TEXT, 'x', sizeof(memory) - TEXT); // not terminated before memory's end
    CHECK(pvh_read_text(&source, TEXT, text, sizeof(text), &cut) == HX_ERR_BAD_ADDRESS);
}

#define REFUSED(change)                                                                            \
    do {                                                                                           \
        struct pvh_info refused;                                                                   \
        make();                                                                                    \
        change;                                                                                    \
        CHECK(pvh_read_info(&source, INFO, &refused) == HX_ERR_CORRUPT);                           \
    } while (0)

static void test_refusals(void) {
    struct pvh_info info;
    REFUSED(memory[INFO] = 0);
    REFUSED(put_u32(memory + INFO + 12, PVH_MODULE_MAX + 1));
    REFUSED(put_u32(memory + INFO + 48, PVH_MEMORY_MAX + 1));
    REFUSED(put_u64(memory + INFO + 16, UINT64_MAX - 62)); // the list of modules wraps around
    REFUSED(put_u64(memory + INFO + 40, UINT64_MAX - 70)); // the memory map wraps around
    make();
    CHECK(pvh_read_info(&source, sizeof(memory) - 39, &info) == HX_ERR_BAD_ADDRESS);
    CHECK(pvh_read_info(&source, UINT64_MAX, &info) == HX_ERR_BAD_ADDRESS);
    memcpy(memory + sizeof(memory) - 50, memory + INFO, 50); // version 1 is cut
    CHECK(pvh_read_info(&source, sizeof(memory) - 50, &info) == HX_ERR_BAD_ADDRESS);
    make();
    put_u64(memory + INFO + 16, sizeof(memory));
    put_u64(memory + INFO + 40, sizeof(memory));
    CHECK(pvh_read_info(&source, INFO, &info) == HX_OK);
    struct pvh_module module;
    struct pvh_memory range;
    CHECK(pvh_read_module(&source, &info, 0, &module) == HX_ERR_BAD_ADDRESS);
    CHECK(pvh_read_memory(&source, &info, 0, &range) == HX_ERR_BAD_ADDRESS);
    make();
    put_u64(memory + MODULES + 8, 1);
    put_u64(memory + MODULES, UINT64_MAX);
    put_u64(memory + MEMORY + 8, 1);
    put_u64(memory + MEMORY, UINT64_MAX);
    CHECK(pvh_read_info(&source, INFO, &info) == HX_OK);
    CHECK(pvh_read_module(&source, &info, 0, &module) == HX_ERR_CORRUPT);
    CHECK(pvh_read_memory(&source, &info, 0, &range) == HX_ERR_CORRUPT);
}

int main(void) {
    test_good();
    test_text();
    test_refusals();
    return check_result();
}
