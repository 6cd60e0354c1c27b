// SPDX-License-Identifier: MIT OR Apache-2.0
// <lib/multiboot2.h>: reads the boot information of a Multiboot2 loader (Multiboot2 Specification
// 2.0, section 3.6).
//
// All of it is one block of tags, whose first word is its size. The results borrow the block, which
// must not change. Nothing outside it is read, whatever it holds.
#pragma once

#include <helix/types.h>

#define MULTIBOOT2_MAGIC        0x36d76289u // in eax at the entry
#define MULTIBOOT2_HEADER_BYTES 8u
#define MULTIBOOT2_SIZE_MAX     (1u << 20) // more is refused

// Types of memory (section 3.6.8); every other one is reserved.
#define MULTIBOOT2_MEMORY_USABLE 1u
#define MULTIBOOT2_MEMORY_ACPI   3u
#define MULTIBOOT2_MEMORY_NVS    4u
#define MULTIBOOT2_MEMORY_BAD    5u

struct multiboot2_memory {
    uint64_t base;
    uint64_t size_bytes; // base + size_bytes does not overflow
    uint32_t type;
};

struct multiboot2_module {
    uint32_t start; // physical
    uint32_t end;   // first byte behind; not below start
    const char *command_line;
};

struct multiboot2_info {
    const uint8_t *tags; // borrowed
    size_t tags_bytes;
    const char *command_line; // "" if there is none
    const char *loader_name;  // "" if there is none
    const uint8_t *memory;    // the entries of the memory map; NULL: there is none
    uint32_t memory_entry_bytes;
    uint32_t memory_count;
    uint32_t module_count;
    const uint8_t *rsdp; // a copy of ACPI's root pointer, the newer form if both are there; or NULL
    size_t rsdp_bytes;
};

// The size of the whole block, from its first MULTIBOOT2_HEADER_BYTES bytes.
// HX_ERR_CORRUPT: smaller than a header, or larger than MULTIBOOT2_SIZE_MAX.
enum hx_status multiboot2_size(const void *header, size_t *out_size_bytes);

// Checks the whole block, of which `size_bytes` bytes can be read.
// HX_ERR_CORRUPT: a tag, a string, a memory range or a module does not hold together.
enum hx_status multiboot2_parse(const void *block, size_t size_bytes,
                                struct multiboot2_info *out_info);

// Entry `index`, below info->memory_count, of the memory map.
struct multiboot2_memory multiboot2_memory_at(const struct multiboot2_info *info, uint32_t index);

// The next module; *cursor starts at 0. False at the end.
bool multiboot2_next_module(const struct multiboot2_info *info, size_t *cursor,
                            struct multiboot2_module *out_module);
