// SPDX-License-Identifier: MIT OR Apache-2.0
// package_place.c: a package in its memory: copied, its imports found, its words relocated. Tags
// and offsets are those of Elf64_Dyn, Elf64_Sym and Elf64_Rela (ELF gABI, chapters 4 and 5).
#include "bytes.h"

#include <lib/package.h>
#include <lib/string.h>

#define DYNAMIC_BYTES    16u
#define SYMBOL_BYTES     24u
#define RELOCATION_BYTES 24u
#define NAME_MAX         64u // of an import, with its end

#define TAG_NEEDED        1
#define TAG_CALL_BYTES    2
#define TAG_HASH          4
#define TAG_STRINGS       5
#define TAG_SYMBOLS       6
#define TAG_RELOCATIONS   7
#define TAG_RELOC_BYTES   8
#define TAG_STRING_BYTES  10
#define TAG_INIT          12
#define TAG_FINI          13
#define TAG_REL           17
#define TAG_TEXT          22
#define TAG_CALLS         23
#define TAG_INIT_ARRAY    25
#define TAG_FINI_ARRAY    26
#define TAG_PREINIT_ARRAY 32
#define TAG_PACKED        36 // DT_RELR
#define TAGS              37 // those below are kept

struct placing {
    const struct package_image *image;
    const struct package_machine *machine;
    const struct package_place *place;
    struct package_refusal *refusal;
    uint64_t tags[TAGS]; // what the dynamic section says
    uint64_t symbols;    // how many
};

static void copy_parts(const struct placing *it) {
    struct elf_segment segment;
    uint32_t cursor = 0;
    while (elf_next_segment(&it->image->elf, &cursor, &segment)) {
        if (segment.file_bytes != 0) {
            memcpy(it->place->memory + segment.address, it->image->bytes + segment.offset,
                   segment.file_bytes);
        }
    }
}

static bool is_inside(const struct placing *it, uint64_t offset, uint64_t size) {
    return range_fits(offset, size, it->image->span_bytes);
}

static enum hx_status read_tags(struct placing *it) {
    const uint8_t *at = it->place->memory + it->image->dynamic;
    for (uint64_t left = it->image->dynamic_bytes / DYNAMIC_BYTES; left != 0; left--) {
        const uint64_t tag = read_u64(at);
        if (tag == 0) {
            break;
        }
        if (tag < TAGS) {
            it->tags[tag] = read_u64(at + 8);
        }
        if (tag == TAG_NEEDED || tag == TAG_INIT || tag == TAG_FINI || tag == TAG_REL ||
            tag == TAG_TEXT || tag == TAG_INIT_ARRAY || tag == TAG_FINI_ARRAY ||
            tag == TAG_PREINIT_ARRAY || tag == TAG_PACKED) {
            return package_refuse(it->refusal, HX_ERR_BAD_IMAGE,
                                  "expected no library, no code that runs by itself and words with "
                                  "addends alone, found tag %llu",
                                  (unsigned long long)tag);
        }
        at += DYNAMIC_BYTES;
    }
    return HX_OK;
}

// The tables that the tags name. How many symbols there are is the number of chains in the hash
// table.
static enum hx_status check_tables(struct placing *it) {
    const uint64_t *tags = it->tags;
    if (is_inside(it, tags[TAG_HASH], 8)) {
        it->symbols = read_u32(it->place->memory + tags[TAG_HASH] + 4);
    }
    if (it->symbols == 0 || tags[TAG_HASH] == 0 ||
        !is_inside(it, tags[TAG_SYMBOLS], it->symbols * SYMBOL_BYTES) ||
        !is_inside(it, tags[TAG_STRINGS], tags[TAG_STRING_BYTES]) ||
        !is_inside(it, tags[TAG_RELOCATIONS], tags[TAG_RELOC_BYTES]) ||
        !is_inside(it, tags[TAG_CALLS], tags[TAG_CALL_BYTES])) {
        return package_refuse(it->refusal, HX_ERR_BAD_IMAGE,
                              "expected tables of symbols and relocations within the image, found "
                              "one outside, or none");
    }
    return HX_OK;
}

// A symbol's name; "": it has none that ends in the table.
static const char *name_of(const struct placing *it, const uint8_t *symbol) {
    const uint64_t offset = read_u32(symbol);
    const uint64_t limit = it->tags[TAG_STRING_BYTES];
    if (offset >= limit) {
        return "";
    }
    const char *name = (const char *)it->place->memory + it->tags[TAG_STRINGS] + offset;
    const uint64_t most = MIN_OF(limit - offset, (uint64_t)NAME_MAX);
    return strnlen(name, most) < most ? name : "";
}

static const uint8_t *symbol_at(const struct placing *it, uint64_t index) {
    return it->place->memory + it->tags[TAG_SYMBOLS] + index * SYMBOL_BYTES;
}

// The end of what lies last in the image is an address in it, too.
static enum hx_status symbol_value(const struct placing *it, uint64_t index, uint64_t *out_value) {
    if (index >= it->symbols) {
        return package_refuse(it->refusal, HX_ERR_BAD_IMAGE,
                              "expected symbols below %llu, found %llu",
                              (unsigned long long)it->symbols, (unsigned long long)index);
    }
    const uint8_t *symbol = symbol_at(it, index);
    const uint64_t value = read_u64(symbol + 8);
    if (read_u16(symbol + 6) == 0) { // not its own
        const char *name = name_of(it, symbol);
        *out_value = it->place->resolve(name);
        return *out_value != 0 ? HX_OK
                               : package_refuse(it->refusal, HX_ERR_NOT_FOUND,
                                                "expected functions of the SDK, found '%s'", name);
    }
    *out_value = it->place->address + value;
    return value <= it->image->span_bytes
               ? HX_OK
               : package_refuse(it->refusal, HX_ERR_BAD_IMAGE,
                                "expected symbols within the image, found one at 0x%llx",
                                (unsigned long long)value);
}

// Whether a whole word there is in one part, which is written while it is placed.
static bool is_writable(const struct placing *it, uint64_t offset) {
    struct elf_segment segment;
    uint32_t cursor = 0;
    while (elf_next_segment(&it->image->elf, &cursor, &segment)) {
        if (offset >= segment.address &&
            range_fits(offset - segment.address, 8, segment.memory_bytes)) {
            return (segment.flags & ELF_SEGMENT_WRITE) != 0;
        }
    }
    return false;
}

// Addresses of the image itself may be its end, as those of symbols.
static enum hx_status relocation_value(const struct placing *it, uint64_t info, uint64_t addend,
                                       uint64_t *out_value) {
    const struct package_machine *machine = it->machine;
    const uint32_t type = (uint32_t)info;
    if (type == machine->relative) {
        *out_value = it->place->address + addend;
        return addend <= it->image->span_bytes
                   ? HX_OK
                   : package_refuse(it->refusal, HX_ERR_BAD_IMAGE,
                                    "expected addresses within the image, found 0x%llx",
                                    (unsigned long long)addend);
    }
    if (type != machine->absolute && type != machine->pointer && type != machine->call) {
        return package_refuse(it->refusal, HX_ERR_BAD_IMAGE,
                              "expected relocations of type %u, %u, %u and %u, found type %u",
                              machine->relative, machine->absolute, machine->pointer, machine->call,
                              type);
    }
    uint64_t value = 0;
    enum hx_status status = symbol_value(it, info >> 32, &value);
    if (status == HX_OK) {
        *out_value = value + addend;
    }
    return status;
}

// Each relocation is read once, since a later one may lie where this one writes.
static enum hx_status relocate_table(const struct placing *it, uint64_t table, uint64_t bytes) {
    for (uint64_t done = 0; done + RELOCATION_BYTES <= bytes; done += RELOCATION_BYTES) {
        const uint8_t *at = it->place->memory + table + done;
        const uint64_t offset = read_u64(at);
        uint64_t value = 0;
        enum hx_status status = relocation_value(it, read_u64(at + 8), read_u64(at + 16), &value);
        if (status != HX_OK) {
            return status;
        }
        if (!is_writable(it, offset)) {
            return package_refuse(it->refusal, HX_ERR_BAD_IMAGE,
                                  "expected relocations in writable parts, found one at 0x%llx",
                                  (unsigned long long)offset);
        }
        write_u32(it->place->memory + offset, (uint32_t)value);
        write_u32(it->place->memory + offset + 4, (uint32_t)(value >> 32));
    }
    return HX_OK;
}

static enum hx_status find_entry(const struct placing *it, size_t entry_bytes,
                                 uint64_t *out_entry) {
    for (uint64_t i = 0; i < it->symbols; i++) {
        const uint8_t *symbol = symbol_at(it, i);
        const uint64_t value = read_u64(symbol + 8);
        if (read_u16(symbol + 6) != 0 && strcmp(name_of(it, symbol), PACKAGE_SYMBOL) == 0 &&
            value % 8 == 0 && is_inside(it, value, entry_bytes)) {
            *out_entry = value;
            return HX_OK;
        }
    }
    return package_refuse(it->refusal, HX_ERR_BAD_IMAGE, "expected the symbol %s, found none",
                          PACKAGE_SYMBOL);
}

enum hx_status package_place(const struct package_image *image,
                             const struct package_machine *machine,
                             const struct package_place *place, size_t entry_bytes,
                             uint64_t *out_entry, struct package_refusal *refusal) {
    struct placing it = { .image = image, .machine = machine, .place = place, .refusal = refusal };
    copy_parts(&it);
    enum hx_status status = read_tags(&it);
    if (status == HX_OK) {
        status = check_tables(&it);
    }
    if (status == HX_OK) {
        status = relocate_table(&it, it.tags[TAG_RELOCATIONS], it.tags[TAG_RELOC_BYTES]);
    }
    if (status == HX_OK) {
        status = relocate_table(&it, it.tags[TAG_CALLS], it.tags[TAG_CALL_BYTES]);
    }
    return status == HX_OK ? find_entry(&it, entry_bytes, out_entry) : status;
}
