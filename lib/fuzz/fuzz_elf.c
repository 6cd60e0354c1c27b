// SPDX-License-Identifier: MIT OR Apache-2.0
// Any bytes as an ELF file. Segments that come out can be added and rounded without overflow, do
// not overlap and lie in the file and below the limit.
#include "fuzz.h"

#include <lib/elf.h>

#include <stdlib.h>
#include <string.h>

#define LIMIT UINT64_C(0x800000000000)

static void check_segments(const struct elf_image *image, uint64_t file_bytes) {
    uint32_t cursor = 0;
    uint64_t end = 0;
    struct elf_segment segment;
    FUZZ_ASSERT(image->low < image->high && image->high <= LIMIT + PAGE_SIZE);
    FUZZ_ASSERT((image->low & PAGE_MASK) == 0 && (image->high & PAGE_MASK) == 0);
    while (elf_next_segment(image, &cursor, &segment)) {
        FUZZ_ASSERT(segment.address >= end && segment.address >= image->low);
        FUZZ_ASSERT(segment.memory_bytes >= segment.file_bytes && segment.memory_bytes != 0);
        end = segment.address + segment.memory_bytes;
        FUZZ_ASSERT(end > segment.address && end <= image->high && end <= LIMIT);
        FUZZ_ASSERT(((segment.address ^ segment.offset) & PAGE_MASK) == 0);
        if (segment.file_bytes != 0) {
            FUZZ_ASSERT(segment.offset + segment.file_bytes <= file_bytes);
            FUZZ_ASSERT(segment.offset + segment.file_bytes > segment.offset);
        }
    }
    FUZZ_ASSERT(image->interp_offset + image->interp_bytes <= file_bytes);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct elf_header header;
    // The file is larger than what was read of it.
    uint64_t file_bytes = (uint64_t)1 << 20;
    if (elf_read_header(data, size, file_bytes, ELF_MACHINE_X86_64, &header) != HX_OK) {
        return 0;
    }
    FUZZ_ASSERT(header.program_offset + header.program_bytes <= file_bytes);
    if (header.program_offset > size || header.program_bytes > size - header.program_offset) {
        return 0;
    }
    uint8_t *programs = malloc(header.program_bytes);
    memcpy(programs, data + header.program_offset, header.program_bytes);
    struct elf_image image;
    if (elf_read_programs(&header, programs, file_bytes, LIMIT, &image) == HX_OK) {
        check_segments(&image, file_bytes);
    }
    free(programs);
    return 0;
}
