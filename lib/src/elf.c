// SPDX-License-Identifier: MIT OR Apache-2.0
// elf.c: the checks behind <lib/elf.h>. Offsets are those of Elf64_Ehdr and Elf64_Phdr (ELF gABI,
// chapters 4 and 5).
#include "bytes.h"

#include <lib/elf.h>
#include <lib/string.h>

#define ALIGNMENT_MAX (UINT64_C(1) << 30) // of a segment; programs use at most 2 MiB

#define TYPE_EXECUTABLE 2u
#define TYPE_SHARED     3u

#define PROGRAM_LOAD   1u
#define PROGRAM_INTERP 3u
#define PROGRAM_STACK  0x6474e551u

struct program {
    uint32_t type;
    uint32_t flags;
    uint64_t offset;
    uint64_t address;
    uint64_t file_bytes;
    uint64_t memory_bytes;
    uint64_t alignment;
};

static struct program read_program(const uint8_t *programs, uint32_t index) {
    const uint8_t *bytes = programs + (size_t)index * ELF_PROGRAM_BYTES;
    return (struct program){
        .type = read_u32(bytes),
        .flags = read_u32(bytes + 4),
        .offset = read_u64(bytes + 8),
        .address = read_u64(bytes + 16),
        .file_bytes = read_u64(bytes + 32),
        .memory_bytes = read_u64(bytes + 40),
        .alignment = read_u64(bytes + 48),
    };
}

enum hx_status elf_read_header(const void *bytes, size_t size_bytes, uint64_t file_bytes,
                               uint32_t machine, struct elf_header *out_header) {
    // Magic, 64 bits, little-endian, version 1. Which system it was made for is not looked at, as
    // in Linux: compilers write 0 or 3 there without a difference.
    static const uint8_t ident[] = { 0x7f, 'E', 'L', 'F', 2, 1, 1 };
    const uint8_t *in = bytes;
    if (size_bytes < ELF_HEADER_BYTES || memcmp(in, ident, sizeof(ident)) != 0) {
        return HX_ERR_BAD_IMAGE;
    }
    uint16_t type = read_u16(in + 16);
    uint32_t count = read_u16(in + 56);
    uint64_t offset = read_u64(in + 32);
    if ((type != TYPE_EXECUTABLE && type != TYPE_SHARED) || read_u16(in + 18) != machine ||
        read_u32(in + 20) != 1 || read_u16(in + 54) != ELF_PROGRAM_BYTES || count == 0 ||
        count > ELF_PROGRAM_MAX ||
        !range_fits(offset, (uint64_t)count * ELF_PROGRAM_BYTES, file_bytes)) {
        return HX_ERR_BAD_IMAGE;
    }
    *out_header = (struct elf_header){
        .entry = read_u64(in + 24),
        .program_offset = offset,
        .program_bytes = count * ELF_PROGRAM_BYTES,
        .program_count = count,
        .machine_flags = read_u32(in + 48),
        .is_position_independent = type == TYPE_SHARED,
    };
    return HX_OK;
}

// Whether a loadable segment can be mapped as it says. `previous_end` is where the one before it
// ends in memory.
static bool load_is_valid(const struct program *program, uint64_t file_bytes,
                          uint64_t address_limit, uint64_t previous_end) {
    uint64_t alignment = program->alignment;
    if (program->memory_bytes < program->file_bytes ||
        !range_fits(program->address, program->memory_bytes, address_limit) ||
        !range_fits(program->offset, program->file_bytes, file_bytes)) {
        return false;
    }
    if ((alignment & (alignment - 1)) != 0 || alignment > ALIGNMENT_MAX) {
        return false;
    }
    if (program->file_bytes != 0 && ((program->address ^ program->offset) & PAGE_MASK) != 0) {
        return false;
    }
    return program->address >= previous_end;
}

static void add_load(struct elf_image *image, const struct program *program) {
    uint64_t end = program->address + program->memory_bytes;
    if (image->high == 0) {
        image->low = ALIGN_DOWN(program->address, PAGE_SIZE);
    }
    image->high = ALIGN_UP(end, PAGE_SIZE);
    image->alignment = MAX_OF(image->alignment, program->alignment);
    uint64_t headers = image->header.program_offset;
    if (image->program_address == 0 && headers >= program->offset &&
        range_fits(headers - program->offset, image->header.program_bytes, program->file_bytes)) {
        image->program_address = program->address + (headers - program->offset);
    }
}

static bool entry_is_in(const struct elf_image *image, const struct program *program) {
    uint64_t entry = image->header.entry;
    return (program->flags & ELF_SEGMENT_EXECUTE) != 0 && entry >= program->address &&
           entry - program->address < program->memory_bytes;
}

// Takes the interpreter's name and the stack's flags; what else there is does not concern a kernel.
static bool add_other(struct elf_image *image, const struct program *program, uint64_t file_bytes) {
    if (program->type == PROGRAM_INTERP && image->interp_bytes == 0) {
        if (program->file_bytes < 2 || program->file_bytes > ELF_INTERP_MAX ||
            !range_fits(program->offset, program->file_bytes, file_bytes)) {
            return false;
        }
        image->interp_offset = program->offset;
        image->interp_bytes = (uint32_t)program->file_bytes;
    } else if (program->type == PROGRAM_STACK) {
        image->has_stack_flags = true;
        image->stack_is_executable = (program->flags & ELF_SEGMENT_EXECUTE) != 0;
    }
    return true;
}

enum hx_status elf_read_programs(const struct elf_header *header, const void *programs,
                                 uint64_t file_bytes, uint64_t address_limit,
                                 struct elf_image *out_image) {
    struct elf_image image = {
        .header = *header, .programs = programs, .alignment = PAGE_SIZE, .stack_is_executable = true
    };
    // Below this, an end that is rounded up to a page is still below 2^64.
    uint64_t largest = UINT64_MAX - PAGE_SIZE;
    uint64_t limit = MIN_OF(address_limit, largest);
    uint64_t file_limit = MIN_OF(file_bytes, largest);
    uint64_t end = 0;
    bool entry_found = false;
    for (uint32_t i = 0; i < header->program_count; i++) {
        struct program program = read_program(programs, i);
        if (program.type != PROGRAM_LOAD) {
            if (!add_other(&image, &program, file_limit)) {
                return HX_ERR_BAD_IMAGE;
            }
            continue;
        }
        if (program.memory_bytes == 0 && program.file_bytes == 0) {
            continue;
        }
        if (!load_is_valid(&program, file_limit, limit, end)) {
            return HX_ERR_BAD_IMAGE;
        }
        add_load(&image, &program);
        end = program.address + program.memory_bytes;
        entry_found = entry_found || entry_is_in(&image, &program);
    }
    if (!entry_found) {
        return HX_ERR_BAD_IMAGE;
    }
    *out_image = image;
    return HX_OK;
}

bool elf_next_segment(const struct elf_image *image, uint32_t *cursor,
                      struct elf_segment *out_segment) {
    while (*cursor < image->header.program_count) {
        struct program program = read_program(image->programs, (*cursor)++);
        if (program.type != PROGRAM_LOAD || program.memory_bytes == 0) {
            continue;
        }
        *out_segment = (struct elf_segment){
            .address = program.address,
            .memory_bytes = program.memory_bytes,
            .offset = program.file_bytes != 0 ? program.offset : program.address & PAGE_MASK,
            .file_bytes = program.file_bytes,
            .flags = program.flags & (ELF_SEGMENT_READ | ELF_SEGMENT_WRITE | ELF_SEGMENT_EXECUTE),
        };
        return true;
    }
    return false;
}
