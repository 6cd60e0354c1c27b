// SPDX-License-Identifier: MIT OR Apache-2.0
// Any bytes as physical memory, with PVH's start information at address 0.
#include "fuzz.h"

#include <lib/pvh.h>

#include <string.h>

struct memory {
    const uint8_t *bytes;
    size_t size;
};

static enum hx_status read_memory(void *context, uint64_t address, void *to, size_t size_bytes) {
    const struct memory *memory = context;
    if (address > memory->size || size_bytes > memory->size - address) {
        return HX_ERR_BAD_ADDRESS;
    }
    memcpy(to, memory->bytes + address, size_bytes);
    return HX_OK;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct memory memory = { data, size };
    const struct pvh_source source = { read_memory, &memory };
    struct pvh_info info;
    if (pvh_read_info(&source, 0, &info) != HX_OK) {
        return 0;
    }
    FUZZ_ASSERT(info.module_count <= PVH_MODULE_MAX && info.memory_count <= PVH_MEMORY_MAX);
    for (uint32_t i = 0; i < info.memory_count; i++) {
        struct pvh_memory range;
        if (pvh_read_memory(&source, &info, i, &range) == HX_OK) {
            FUZZ_ASSERT(range.base + range.size_bytes >= range.base);
        }
    }
    for (uint32_t i = 0; i < info.module_count; i++) {
        struct pvh_module module;
        if (pvh_read_module(&source, &info, i, &module) == HX_OK) {
            FUZZ_ASSERT(module.base + module.size_bytes >= module.base);
        }
    }
    char text[100];
    bool cut;
    if (pvh_read_text(&source, info.command_line, text, sizeof(text), &cut) == HX_OK) {
        FUZZ_ASSERT(memchr(text, '\0', sizeof(text)) != NULL);
    }
    return 0;
}
