// SPDX-License-Identifier: MIT OR Apache-2.0
// Any bytes as Multiboot2 boot information.
#include "fuzz.h"

#include <lib/multiboot2.h>

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct multiboot2_info info;
    if (multiboot2_parse(data, size, &info) != HX_OK) {
        return 0;
    }
    fuzz_touch(info.command_line, strlen(info.command_line));
    fuzz_touch(info.loader_name, strlen(info.loader_name));
    fuzz_touch(info.rsdp, info.rsdp_bytes);
    for (uint32_t i = 0; i < info.memory_count; i++) {
        struct multiboot2_memory memory = multiboot2_memory_at(&info, i);
        FUZZ_ASSERT(memory.base + memory.size_bytes >= memory.base);
    }
    size_t cursor = 0;
    uint32_t modules = 0;
    struct multiboot2_module module;
    while (multiboot2_next_module(&info, &cursor, &module)) {
        FUZZ_ASSERT(module.end >= module.start);
        fuzz_touch(module.command_line, strlen(module.command_line));
        modules++;
    }
    FUZZ_ASSERT(modules == info.module_count);
    return 0;
}
