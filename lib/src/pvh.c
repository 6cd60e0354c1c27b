// SPDX-License-Identifier: MIT OR Apache-2.0
// pvh.c: struct hvm_start_info and what hangs on it; the offsets are those of Xen's
// public/arch-x86/hvm/start_info.h.
#include "bytes.h"

#include <lib/pvh.h>
#include <lib/string.h>

#define INFO_BYTES_0 40u // version 0
#define INFO_BYTES_1 56u // with the memory map
#define MODULE_BYTES 32u
#define MEMORY_BYTES 24u
#define TEXT_STEP    64u // divides a page, so that a step does not touch one page too many

// Whether `count` entries at `address` end below 2^64.
static bool list_is_valid(uint64_t address, uint32_t count, uint32_t entry_bytes) {
    return (uint64_t)count * entry_bytes <= UINT64_MAX - address;
}

enum hx_status pvh_read_info(const struct pvh_source *source, uint64_t address,
                             struct pvh_info *out_info) {
    uint8_t bytes[INFO_BYTES_1] = { 0 };
    enum hx_status status = source->read(source->context, address, bytes, INFO_BYTES_0);
    if (status != HX_OK) {
        return status;
    }
    uint32_t version = read_u32(bytes + 4);
    if (read_u32(bytes) != PVH_MAGIC || address > UINT64_MAX - INFO_BYTES_1) {
        return HX_ERR_CORRUPT;
    }
    if (version >= 1) {
        status = source->read(source->context, address + INFO_BYTES_0, bytes + INFO_BYTES_0,
                              INFO_BYTES_1 - INFO_BYTES_0);
        if (status != HX_OK) {
            return status;
        }
    }
    struct pvh_info info = {
        .version = version,
        .module_count = read_u32(bytes + 12),
        .module_list = read_u64(bytes + 16),
        .command_line = read_u64(bytes + 24),
        .rsdp = read_u64(bytes + 32),
        .memory_map = read_u64(bytes + 40),
        .memory_count = read_u32(bytes + 48),
    };
    if (info.module_count > PVH_MODULE_MAX || info.memory_count > PVH_MEMORY_MAX ||
        !list_is_valid(info.module_list, info.module_count, MODULE_BYTES) ||
        !list_is_valid(info.memory_map, info.memory_count, MEMORY_BYTES)) {
        return HX_ERR_CORRUPT;
    }
    *out_info = info;
    return HX_OK;
}

enum hx_status pvh_read_memory(const struct pvh_source *source, const struct pvh_info *info,
                               uint32_t index, struct pvh_memory *out_memory) {
    uint8_t bytes[MEMORY_BYTES];
    uint64_t address = info->memory_map + (uint64_t)index * MEMORY_BYTES;
    enum hx_status status = source->read(source->context, address, bytes, sizeof(bytes));
    if (status != HX_OK) {
        return status;
    }
    struct pvh_memory memory = { .base = read_u64(bytes),
                                 .size_bytes = read_u64(bytes + 8),
                                 .type = read_u32(bytes + 16) };
    if (memory.size_bytes > UINT64_MAX - memory.base) {
        return HX_ERR_CORRUPT;
    }
    *out_memory = memory;
    return HX_OK;
}

enum hx_status pvh_read_module(const struct pvh_source *source, const struct pvh_info *info,
                               uint32_t index, struct pvh_module *out_module) {
    uint8_t bytes[MODULE_BYTES];
    uint64_t address = info->module_list + (uint64_t)index * MODULE_BYTES;
    enum hx_status status = source->read(source->context, address, bytes, sizeof(bytes));
    if (status != HX_OK) {
        return status;
    }
    struct pvh_module module = { .base = read_u64(bytes),
                                 .size_bytes = read_u64(bytes + 8),
                                 .command_line = read_u64(bytes + 16) };
    if (module.size_bytes > UINT64_MAX - module.base) {
        return HX_ERR_CORRUPT;
    }
    *out_module = module;
    return HX_OK;
}

enum hx_status pvh_read_text(const struct pvh_source *source, uint64_t address, char *to,
                             size_t capacity, bool *out_cut) {
    size_t length = 0;
    while (address != 0 && length < capacity) {
        size_t step = MIN_OF((size_t)(TEXT_STEP - address % TEXT_STEP), capacity - length);
        enum hx_status status = source->read(source->context, address, to + length, step);
        if (status != HX_OK) {
            return status;
        }
        if (memchr(to + length, '\0', step) != NULL) {
            *out_cut = false;
            return HX_OK;
        }
        length += step;
        address += step; // wraps to 0 at the end of memory, and so ends
    }
    *out_cut = length == capacity;
    to[MIN_OF(length, capacity - 1)] = '\0';
    return HX_OK;
}
