// SPDX-License-Identifier: MIT OR Apache-2.0
// A tree that holds together, or bytes that do not, as what a loader hands over: nothing beyond it
// is read, and the list of memory that comes of it is one. Of src/tree.c.
#include "../src/tree.c"

#include "fuzz_tree.h"

#include <stdlib.h>

#define TREE_AT 0x88000000u // its physical address

static uint64_t end; // of what can be reached

static void map(uint64_t base, uint64_t its_end) {
    FUZZ_ASSERT(base <= its_end);
}

static void look(const struct boot_info *info) {
    uint64_t last = 0;
    FUZZ_ASSERT(info->memory_count <= BOOT_MEMORY_MAX);
    for (uint32_t i = 0; i < info->memory_count; i++) {
        const struct boot_memory *memory = &info->memory[i];
        const uint64_t base = memory->base.value;
        FUZZ_ASSERT(memory->size_bytes != 0 && base >= last);
        FUZZ_ASSERT(memory->size_bytes - 1 <= UINT64_MAX - base);
        FUZZ_ASSERT(memory->kind != BOOT_MEMORY_USABLE || base >= PAGE_SIZE);
        FUZZ_ASSERT(memory->kind != BOOT_MEMORY_USABLE || base + memory->size_bytes <= TREE_AT ||
                    base >= info->device_tree.value + info->device_tree_bytes);
        last = base + memory->size_bytes;
        FUZZ_ASSERT(last != 0 || i + 1 == info->memory_count);
    }
    FUZZ_ASSERT(info->initrd_bytes <= UINT64_MAX - info->initrd.value);
    FUZZ_ASSERT(memchr(info->command_line, '\0', BOOT_COMMAND_MAX) != NULL);
}

static bool read_at(const uint8_t *bytes, size_t size, struct boot_info *info) {
    end = TREE_AT + size;
    const struct boot_direct direct = { (uint64_t)(uintptr_t)bytes - TREE_AT, end, map };
    *info = (struct boot_info){ 0 };
    return boot_tree_read(info, TREE_AT, &direct, NULL);
}

// The first bytes of it: none behind them is read.
static void cut(uint8_t where, struct boot_info *info) {
    const size_t size = (size_t)where * (TREE_BYTES / 256);
    uint8_t *bytes = malloc(size + 1);
    memcpy(bytes, tree.bytes, size);
    FUZZ_ASSERT(!read_at(bytes, size, info));
    free(bytes);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static const char *const nodes[] = { "memory@80000000", "reserved-memory", "chosen", "a@1",
                                         NULL };
    static const char *const properties[] = { "reg",
                                              "device_type",
                                              "bootargs",
                                              "linux,initrd-start",
                                              "linux,initrd-end",
                                              "#address-cells",
                                              "#size-cells",
                                              NULL };
    static const char *const texts[] = { "memory", "quiet init=/a", "", NULL };
    static const struct tree_words words = { nodes, properties, texts };
    static struct boot_info info;
    if (size != 0 && data[0] == 0xd0) { // as it is
        uint8_t *bytes = __builtin_assume_aligned(malloc(size), 8);
        memcpy(bytes, data, size);
        FUZZ_ASSERT(read_at(bytes, size, &info) || info.device_tree_bytes == 0);
        look(&info);
        free(bytes);
        return 0;
    }
    struct tree_input input = { data, size };
    const uint8_t end_of_cut = tree_byte(&input);
    tree_begin();
    if (tree_byte(&input) % 2 != 0) {
        tree_property("#address-cells", 4);
        tree_word(2);
        tree_property("#size-cells", 4);
        tree_word(2);
    }
    tree_fill(&input, &words);
    cut(end_of_cut, &info);
    FUZZ_ASSERT(read_at(tree.bytes, sizeof(tree.bytes), &info));
    FUZZ_ASSERT(info.device_tree_bytes == TREE_BYTES);
    look(&info);
    return 0;
}
