// SPDX-License-Identifier: MIT OR Apache-2.0
// "package_model.h": a package as a linker would write it, small, to be spoilt by tests.
#pragma once

#include "bytes.h"

#include <lib/package.h>

#include <string.h>

// Where things are, in the file and in memory alike.
#define MODEL_PROGRAMS 0x40u // six of them
#define MODEL_HASH     0x200u
#define MODEL_SYMBOLS  0x240u // nothing, an import, what packages export
#define MODEL_STRINGS  0x300u
#define MODEL_WORDS    0x340u // relocations of words
#define MODEL_CALLS    0x3c0u // one of a call
#define MODEL_TEXT     0x1000u
#define MODEL_CONSTANT 0x2000u // words that are relocated: four, one behind the other
#define MODEL_DYNAMIC  0x2100u
#define MODEL_DATA     0x3000u
#define MODEL_BYTES    0x3080u // of the file
#define MODEL_SPAN     0x5000u // of memory
#define MODEL_ENTRY    24u     // bytes that are exported

#define MODEL_MACHINE 62u
static const struct package_machine model_machine = { MODEL_MACHINE, 8, 1, 6, 7 };

#define MODEL_IMPORT         "hx_alloc"
#define MODEL_IMPORT_ADDRESS UINT64_C(0xffffffff80123456)

static inline uint64_t model_resolve(const char *name) {
    return strcmp(name, MODEL_IMPORT) == 0 ? MODEL_IMPORT_ADDRESS : 0;
}

static inline void model_program(uint8_t *image, uint32_t index, uint32_t type, uint32_t flags,
                                 uint64_t address, uint64_t file_bytes, uint64_t memory_bytes) {
    uint8_t *at = image + MODEL_PROGRAMS + index * ELF_PROGRAM_BYTES;
    put_u32(at, type);
    put_u32(at + 4, flags);
    put_u64(at + 8, address);
    put_u64(at + 16, address);
    put_u64(at + 32, file_bytes);
    put_u64(at + 40, memory_bytes);
    put_u64(at + 48, PAGE_SIZE);
}

static inline void model_header(uint8_t *image) {
    static const uint8_t ident[] = { 0x7f, 'E', 'L', 'F', 2, 1, 1 };
    memcpy(image, ident, sizeof(ident));
    put_u16(image + 16, 3); // a shared object
    put_u16(image + 18, MODEL_MACHINE);
    put_u32(image + 20, 1);
    put_u64(image + 24, MODEL_TEXT);
    put_u64(image + 32, MODEL_PROGRAMS);
    put_u16(image + 54, ELF_PROGRAM_BYTES);
    put_u16(image + 56, 6);
    model_program(image, 0, 1, ELF_SEGMENT_READ, 0, 0x800, 0x800);
    model_program(image, 1, 1, ELF_SEGMENT_READ | ELF_SEGMENT_EXECUTE, MODEL_TEXT, 0x100, 0x100);
    model_program(image, 2, 1, ELF_SEGMENT_READ | ELF_SEGMENT_WRITE, MODEL_CONSTANT, 0x200, 0x200);
    model_program(image, 3, 1, ELF_SEGMENT_READ | ELF_SEGMENT_WRITE, MODEL_DATA, 0x80, 0x1800);
    model_program(image, 4, 2, ELF_SEGMENT_READ, MODEL_DYNAMIC, 0x100, 0x100);
    model_program(image, 5, 0x6474e552u, ELF_SEGMENT_READ, MODEL_CONSTANT, 0x200, 0x1000);
}

static inline void model_symbol(uint8_t *image, uint32_t index, uint32_t name, uint16_t section,
                                uint64_t value) {
    uint8_t *at = image + MODEL_SYMBOLS + index * 24;
    put_u32(at, name);
    put_u16(at + 6, section);
    put_u64(at + 8, value);
}

static inline void model_relocation(uint8_t *image, uint32_t at, uint64_t offset, uint32_t symbol,
                                    uint32_t type, uint64_t addend) {
    put_u64(image + at, offset);
    put_u64(image + at + 8, (uint64_t)symbol << 32 | type);
    put_u64(image + at + 16, addend);
}

static inline void model_tables(uint8_t *image) {
    static const char strings[] = "\0" MODEL_IMPORT "\0" PACKAGE_SYMBOL;
    put_u32(image + MODEL_HASH, 1);
    put_u32(image + MODEL_HASH + 4, 3);
    model_symbol(image, 1, 1, 0, 0);
    model_symbol(image, 2, 1 + sizeof(MODEL_IMPORT), 3, MODEL_CONSTANT);
    memcpy(image + MODEL_STRINGS, strings, sizeof(strings));
    model_relocation(image, MODEL_WORDS, MODEL_CONSTANT, 0, 8, MODEL_TEXT);
    model_relocation(image, MODEL_WORDS + 24, MODEL_CONSTANT + 8, 1, 1, 4);
    model_relocation(image, MODEL_WORDS + 48, MODEL_CONSTANT + 16, 2, 6, 0);
    model_relocation(image, MODEL_CALLS, MODEL_CONSTANT + 24, 1, 7, 0);
}

static inline void model_dynamic(uint8_t *image) {
    const uint64_t tags[][2] = {
        { 4, MODEL_HASH }, { 5, MODEL_STRINGS }, { 6, MODEL_SYMBOLS }, { 7, MODEL_WORDS },
        { 8, 72 },         { 10, 0x30 },         { 23, MODEL_CALLS },  { 2, 24 },
        { 0, 0 }
    };
    for (uint32_t i = 0; i < ARRAY_SIZE(tags); i++) {
        put_u64(image + MODEL_DYNAMIC + i * 16, tags[i][0]);
        put_u64(image + MODEL_DYNAMIC + i * 16 + 8, tags[i][1]);
    }
}

// Fills MODEL_BYTES; behind them there is room for a trailer, if the caller has it.
static inline void model_make(uint8_t *image) {
    memset(image, 0, MODEL_BYTES);
    model_header(image);
    model_tables(image);
    model_dynamic(image);
    memset(image + MODEL_TEXT, 0xc3, 0x100);
    image[MODEL_DATA] = 0x5a;
}
