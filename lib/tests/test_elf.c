// SPDX-License-Identifier: MIT OR Apache-2.0
// ELF programs: one that is right, then each refusal by one change.
#include "bytes.h"
#include "check.h"

#include <lib/elf.h>

#include <stdlib.h>
#include <string.h>

#define FILE_BYTES UINT64_C(0x5000)
#define LIMIT      UINT64_C(0x800000000000)
#define COUNT      5u

static uint8_t header[ELF_HEADER_BYTES];
static uint8_t programs[COUNT][ELF_PROGRAM_BYTES];

static void put_program(unsigned index, uint32_t type, uint32_t flags, uint64_t offset,
                        uint64_t address, uint64_t file_bytes, uint64_t memory_bytes) {
    uint8_t *to = programs[index];
    put_u32(to, type);
    put_u32(to + 4, flags);
    put_u64(to + 8, offset);
    put_u64(to + 16, address);
    put_u64(to + 24, address);
    put_u64(to + 32, file_bytes);
    put_u64(to + 40, memory_bytes);
    put_u64(to + 48, 0x1000);
}

// A program like a linker makes it: text with the headers, data with bss, name, stack, bss alone.
static void make(void) {
    memset(header, 0, sizeof(header));
    memcpy(header,
           "\x7f"
           "ELF\2\1\1",
           7);
    put_u16(header + 16, 2);
    put_u16(header + 18, ELF_MACHINE_X86_64);
    put_u32(header + 20, 1);
    put_u64(header + 24, 0x401000);
    put_u64(header + 32, 64);
    put_u32(header + 48, 0x77);
    put_u16(header + 52, 64);
    put_u16(header + 54, 56);
    put_u16(header + 56, COUNT);
    put_program(0, 1, 5, 0, 0x400000, 0x2000, 0x2000);
    put_program(1, 3, 4, 0x300, 0x400300, 28, 28);
    put_program(2, 1, 6, 0x2010, 0x403010, 0x100, 0x1800);
    put_program(3, 0x6474e551, 6, 0, 0, 0, 0);
    put_program(4, 1, 6, 0x123, 0x500008, 0, 0x10);
}

static enum hx_status read_it(struct elf_image *out_image) {
    struct elf_header parsed;
    enum hx_status status =
        elf_read_header(header, sizeof(header), FILE_BYTES, ELF_MACHINE_X86_64, &parsed);
    if (status != HX_OK) {
        return status;
    }
    return elf_read_programs(&parsed, programs, FILE_BYTES, LIMIT, out_image);
}

static void test_good(void) {
    struct elf_image image;
    make();
    CHECK(read_it(&image) == HX_OK);
    CHECK(image.header.entry == 0x401000 && !image.header.is_position_independent);
    CHECK(image.header.program_count == COUNT && image.header.program_bytes == COUNT * 56);
    CHECK(image.header.machine_flags == 0x77);
    CHECK(image.low == 0x400000 && image.high == 0x501000 && image.alignment == 0x1000);
    CHECK(image.program_address == 0x400040);
    CHECK(image.interp_offset == 0x300 && image.interp_bytes == 28);
    CHECK(image.has_stack_flags && !image.stack_is_executable);
    uint32_t cursor = 0;
    struct elf_segment segment;
    CHECK(elf_next_segment(&image, &cursor, &segment) && segment.address == 0x400000);
    CHECK(segment.flags == (ELF_SEGMENT_READ | ELF_SEGMENT_EXECUTE));
    CHECK(elf_next_segment(&image, &cursor, &segment) && segment.address == 0x403010);
    CHECK(segment.offset == 0x2010 && segment.file_bytes == 0x100 &&
          segment.memory_bytes == 0x1800);
    // Without bytes from the file the offset means nothing; it is made to fit.
    CHECK(elf_next_segment(&image, &cursor, &segment) && segment.offset == 8);
    CHECK(!elf_next_segment(&image, &cursor, &segment));
    // A static PIE.
    make();
    put_u16(header + 16, 3);
    put_u64(programs[2] + 48, 0x200000);
    put_program(3, 0, 0, 0, 0, 0, 0);
    CHECK(read_it(&image) == HX_OK && image.header.is_position_independent);
    CHECK(image.alignment == 0x200000 && image.stack_is_executable && !image.has_stack_flags);
    // Headers that no segment holds; an empty segment out of order does not count.
    make();
    put_program(0, 1, 5, 0x1000, 0x401000, 0x100, 0x100);
    put_program(4, 1, 5, 0, 0, 0, 0);
    CHECK(read_it(&image) == HX_OK && image.program_address == 0 && image.low == 0x401000);
}

#define REFUSED(...)                                                                               \
    do {                                                                                           \
        struct elf_image image = { .low = 123 };                                                   \
        make();                                                                                    \
        __VA_ARGS__;                                                                               \
        CHECK(read_it(&image) == HX_ERR_BAD_IMAGE && image.low == 123);                            \
    } while (0)

static void test_header(void) {
    REFUSED(header[0] = 0);
    REFUSED(header[4] = 1);                        // 32 bits
    REFUSED(header[5] = 2);                        // big-endian
    REFUSED(header[6] = 0);                        // version
    REFUSED(put_u16(header + 16, 1));              // an object file
    REFUSED(put_u16(header + 16, 4));              // a core dump
    REFUSED(put_u16(header + 18, 183));            // another machine
    REFUSED(put_u32(header + 20, 2));              // version
    REFUSED(put_u16(header + 54, 55));             // size of a program header
    REFUSED(put_u16(header + 56, 0));              // none of them
    REFUSED(put_u16(header + 56, 129));            // too many
    REFUSED(put_u64(header + 32, FILE_BYTES));     // behind the end
    REFUSED(put_u64(header + 32, UINT64_MAX - 8)); // wraps around
    REFUSED(put_u64(header + 24, 0x403010));       // the entry is in data
    REFUSED(put_u64(header + 24, 0x402000));       // the entry is behind the text
    struct elf_header parsed;
    make();
    for (size_t size = 0; size < sizeof(header); size++) {
        uint8_t *exact = malloc(size);
        memcpy(exact, header, size);
        CHECK(elf_read_header(exact, size, FILE_BYTES, ELF_MACHINE_X86_64, &parsed) ==
              HX_ERR_BAD_IMAGE);
        free(exact);
    }
}

static void test_programs(void) {
    REFUSED(put_program(2, 1, 6, 0x2010, 0x403010, 0x101, 0x100));   // more file than memory
    REFUSED(put_program(2, 1, 6, 0x2011, 0x403010, 0x100, 0x100));   // offset and address disagree
    REFUSED(put_program(2, 1, 6, 0x4010, 0x403010, 0x1000, 0x1000)); // behind the end of the file
    REFUSED(put_program(2, 1, 6, UINT64_MAX - 0xfef, 0x403010, 0x1000, 0x1000)); // wraps around
    REFUSED(put_program(2, 1, 6, 0x2010, 0x403010, 0x100, UINT64_MAX));          // wraps around
    REFUSED(put_program(4, 1, 6, 0, LIMIT - 8, 0, 16));                          // above the limit
    REFUSED(put_program(4, 1, 6, 0, LIMIT + 8, 0, 16));
    REFUSED(put_program(2, 1, 6, 0x1ff0, 0x401ff0, 0x100, 0x100)); // overlaps the text
    REFUSED(put_program(4, 1, 6, 0, 0x300000, 0, 16));             // not in ascending order
    REFUSED(put_u64(programs[0] + 48, 0x1001));                    // alignment: not a power of two
    REFUSED(put_u64(programs[0] + 48, UINT64_C(1) << 31));         // alignment: absurd
    REFUSED(put_program(1, 3, 4, 0x300, 0, 1, 1));                 // interpreter: no name
    REFUSED(put_program(1, 3, 4, 0x300, 0, 4097, 4097));           // interpreter: too long
    REFUSED(put_program(1, 3, 4, FILE_BYTES - 4, 0, 5, 5));        // interpreter: behind the end
    REFUSED(put_program(0, 0, 5, 0, 0, 0, 0));                     // no text
    // Whatever the limit, rounding up does not overflow.
    struct elf_header parsed;
    struct elf_image image;
    make();
    put_program(4, 1, 6, 0, UINT64_MAX - 0x800, 0, 16);
    CHECK(elf_read_header(header, 64, FILE_BYTES, ELF_MACHINE_X86_64, &parsed) == HX_OK);
    CHECK(elf_read_programs(&parsed, programs, FILE_BYTES, UINT64_MAX, &image) == HX_ERR_BAD_IMAGE);
}

int main(void) {
    test_good();
    test_header();
    test_programs();
    return check_result();
}
