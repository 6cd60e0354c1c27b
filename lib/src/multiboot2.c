// SPDX-License-Identifier: MIT OR Apache-2.0
// multiboot2.c: a walk over the tags (Multiboot2 Specification 2.0, section 3.6). A tag is {type,
// size, contents}, padded to 8 bytes; the one of type 0 ends the list.
#include "bytes.h"

#include <lib/multiboot2.h>
#include <lib/string.h>

#define TAG_END         0u
#define TAG_COMMAND     1u
#define TAG_LOADER_NAME 2u
#define TAG_MODULE      3u
#define TAG_MEMORY      6u
#define TAG_ACPI_OLD    14u
#define TAG_ACPI_NEW    15u

#define TAG_HEAD           8u
#define MODULE_HEAD        16u
#define MEMORY_HEAD        16u
#define MEMORY_ENTRY_BYTES 24u
#define RSDP_OLD_BYTES     20u
#define RSDP_NEW_BYTES     36u

struct tag {
    uint32_t type;
    uint32_t size_bytes;
    const uint8_t *bytes; // with its head
};

enum hx_status multiboot2_size(const void *header, size_t *out_size_bytes) {
    uint32_t size = read_u32(header);
    if (size < MULTIBOOT2_HEADER_BYTES || size > MULTIBOOT2_SIZE_MAX) {
        return HX_ERR_CORRUPT;
    }
    *out_size_bytes = size;
    return HX_OK;
}

// Reads the tag at *cursor and steps over it; false if there is no whole tag.
static bool next_tag(const uint8_t *tags, size_t tags_bytes, size_t *cursor, struct tag *out_tag) {
    if (!range_fits(*cursor, TAG_HEAD, tags_bytes)) {
        return false;
    }
    const uint8_t *bytes = tags + *cursor;
    uint32_t size = read_u32(bytes + 4);
    if (size < TAG_HEAD || !range_fits(*cursor, size, tags_bytes)) {
        return false;
    }
    *out_tag = (struct tag){ .type = read_u32(bytes), .size_bytes = size, .bytes = bytes };
    // The last tag may end without its padding.
    *cursor = MIN_OF(*cursor + ALIGN_UP((size_t)size, (size_t)8), tags_bytes);
    return true;
}

// The terminated text from `offset` to the end of a tag; NULL if it is not terminated.
static const char *tag_text(const struct tag *tag, uint32_t offset) {
    if (tag->size_bytes <= offset ||
        memchr(tag->bytes + offset, '\0', tag->size_bytes - offset) == NULL) {
        return NULL;
    }
    return (const char *)tag->bytes + offset;
}

static bool take_module(const struct tag *tag, struct multiboot2_info *info) {
    if (tag_text(tag, MODULE_HEAD) == NULL ||
        read_u32(tag->bytes + 12) < read_u32(tag->bytes + 8)) {
        return false;
    }
    info->module_count++;
    return true;
}

static bool take_memory(const struct tag *tag, struct multiboot2_info *info) {
    if (tag->size_bytes < MEMORY_HEAD) {
        return false;
    }
    uint32_t entry_bytes = read_u32(tag->bytes + 8);
    if (entry_bytes < MEMORY_ENTRY_BYTES || entry_bytes % 8 != 0) {
        return false;
    }
    info->memory = tag->bytes + MEMORY_HEAD;
    info->memory_entry_bytes = entry_bytes;
    info->memory_count = (tag->size_bytes - MEMORY_HEAD) / entry_bytes;
    for (uint32_t i = 0; i < info->memory_count; i++) {
        struct multiboot2_memory memory = multiboot2_memory_at(info, i);
        if (memory.size_bytes > UINT64_MAX - memory.base) {
            return false;
        }
    }
    return true;
}

static bool take_rsdp(const struct tag *tag, size_t least_bytes, struct multiboot2_info *info) {
    size_t size = tag->size_bytes - TAG_HEAD;
    if (size < least_bytes) {
        return false;
    }
    if (size > info->rsdp_bytes) { // the newer form is the longer one
        info->rsdp = tag->bytes + TAG_HEAD;
        info->rsdp_bytes = size;
    }
    return true;
}

static bool take_text(const struct tag *tag, const char **out_text) {
    const char *text = tag_text(tag, TAG_HEAD);
    if (text == NULL) {
        return false;
    }
    *out_text = text;
    return true;
}

static bool take_tag(const struct tag *tag, struct multiboot2_info *info) {
    switch (tag->type) {
    case TAG_COMMAND:
        return take_text(tag, &info->command_line);
    case TAG_LOADER_NAME:
        return take_text(tag, &info->loader_name);
    case TAG_MODULE:
        return take_module(tag, info);
    case TAG_MEMORY:
        return take_memory(tag, info);
    case TAG_ACPI_OLD:
        return take_rsdp(tag, RSDP_OLD_BYTES, info);
    case TAG_ACPI_NEW:
        return take_rsdp(tag, RSDP_NEW_BYTES, info);
    default:
        return true;
    }
}

enum hx_status multiboot2_parse(const void *block, size_t size_bytes,
                                struct multiboot2_info *out_info) {
    size_t block_bytes;
    if (size_bytes < MULTIBOOT2_HEADER_BYTES || multiboot2_size(block, &block_bytes) != HX_OK ||
        block_bytes > size_bytes) {
        return HX_ERR_CORRUPT;
    }
    struct multiboot2_info info = {
        .tags = (const uint8_t *)block + MULTIBOOT2_HEADER_BYTES,
        .tags_bytes = block_bytes - MULTIBOOT2_HEADER_BYTES,
        .command_line = "",
        .loader_name = "",
    };
    size_t cursor = 0;
    struct tag tag;
    while (next_tag(info.tags, info.tags_bytes, &cursor, &tag)) {
        if (tag.type == TAG_END) {
            *out_info = info;
            return HX_OK;
        }
        if (!take_tag(&tag, &info)) {
            return HX_ERR_CORRUPT;
        }
    }
    return HX_ERR_CORRUPT; // no end
}

struct multiboot2_memory multiboot2_memory_at(const struct multiboot2_info *info, uint32_t index) {
    const uint8_t *entry = info->memory + (size_t)index * info->memory_entry_bytes;
    return (struct multiboot2_memory){ .base = read_u64(entry),
                                       .size_bytes = read_u64(entry + 8),
                                       .type = read_u32(entry + 16) };
}

bool multiboot2_next_module(const struct multiboot2_info *info, size_t *cursor,
                            struct multiboot2_module *out_module) {
    struct tag tag;
    while (next_tag(info->tags, info->tags_bytes, cursor, &tag) && tag.type != TAG_END) {
        if (tag.type == TAG_MODULE) {
            *out_module = (struct multiboot2_module){
                .start = read_u32(tag.bytes + 8),
                .end = read_u32(tag.bytes + 12),
                .command_line = (const char *)tag.bytes + MODULE_HEAD,
            };
            return true;
        }
    }
    return false;
}
