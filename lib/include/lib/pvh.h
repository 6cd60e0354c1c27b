// SPDX-License-Identifier: MIT OR Apache-2.0
// <lib/pvh.h>: reads the start information of the PVH boot protocol (Xen's
// public/arch-x86/hvm/start_info.h; QEMU's -kernel and microVM monitors use it).
//
// It is a chain of structures in physical memory, which the caller's callback copies out, each
// once. Every result is checked for overflow; whether an address lies in memory is the callback's
// to know.
#pragma once

#include <helix/types.h>

#define PVH_MAGIC      0x336ec578u
#define PVH_MODULE_MAX 32u
#define PVH_MEMORY_MAX 1024u

// Types of memory, as in the BIOS's map; every other one is reserved.
#define PVH_MEMORY_USABLE 1u
#define PVH_MEMORY_ACPI   3u
#define PVH_MEMORY_NVS    4u
#define PVH_MEMORY_BAD    5u

// Copies `size_bytes` bytes from physical memory to `to`; HX_ERR_BAD_ADDRESS if they are not there.
struct pvh_source {
    enum hx_status (*read)(void *context, uint64_t address, void *to, size_t size_bytes);
    void *context;
};

struct pvh_info {
    uint32_t version;
    uint64_t command_line; // address; 0: none
    uint64_t rsdp;         // address; 0: unknown
    uint64_t module_list;
    uint32_t module_count; // QEMU's first module is the initrd
    uint64_t memory_map;
    uint32_t memory_count; // 0 in version 0
};

struct pvh_memory {
    uint64_t base;
    uint64_t size_bytes; // base + size_bytes does not overflow
    uint32_t type;
};

struct pvh_module {
    uint64_t base;
    uint64_t size_bytes;   // base + size_bytes does not overflow
    uint64_t command_line; // address; 0: none
};

// Reads the start information at `address`.
// HX_ERR_CORRUPT: wrong magic, or more modules or memory ranges than the limits, or lists that wrap
// around. Errors of the callback are passed on, here and below.
enum hx_status pvh_read_info(const struct pvh_source *source, uint64_t address,
                             struct pvh_info *out_info);

// Entry `index`, below info->memory_count. HX_ERR_CORRUPT: the range wraps around.
enum hx_status pvh_read_memory(const struct pvh_source *source, const struct pvh_info *info,
                               uint32_t index, struct pvh_memory *out_memory);

// Entry `index`, below info->module_count. HX_ERR_CORRUPT: the range wraps around.
enum hx_status pvh_read_module(const struct pvh_source *source, const struct pvh_info *info,
                               uint32_t index, struct pvh_module *out_module);

// Copies the terminated text at `address` (0: an empty text) into `capacity` bytes, at least 1;
// *out_cut says that it was longer. The buffer's contents are unspecified unless HX_OK.
enum hx_status pvh_read_text(const struct pvh_source *source, uint64_t address, char *to,
                             size_t capacity, bool *out_cut);
