// SPDX-License-Identifier: MIT OR Apache-2.0
// <lib/elf.h>: checks a 64-bit little-endian ELF program before anybody maps it (ELF gABI, chapter
// 4 and 5; the acceptance rules are Linux's, and stricter where noted).
//
// No I/O: the caller reads the first bytes of the file, elf_read_header() says where the program
// headers lie, the caller reads those, elf_read_programs() checks them. Both buffers must be the
// caller's own copies, since they are read more than once. Whatever the file holds, the segments
// that come out are safe to add, round and map.
#pragma once

#include <helix/types.h>

#define ELF_HEADER_BYTES  64u
#define ELF_PROGRAM_BYTES 56u
#define ELF_PROGRAM_MAX   128u  // program headers; stricter than Linux, which takes 1,170
#define ELF_INTERP_MAX    4096u // the interpreter's name with its terminator

#define ELF_MACHINE_X86_64  62u
#define ELF_MACHINE_AARCH64 183u
#define ELF_MACHINE_RISCV   243u

#define ELF_SEGMENT_EXECUTE 1u
#define ELF_SEGMENT_WRITE   2u
#define ELF_SEGMENT_READ    4u

struct elf_header {
    uint64_t entry;
    uint64_t program_offset; // of the program headers, in the file
    uint32_t program_bytes;  // all of them
    uint32_t program_count;
    uint32_t machine_flags;       // e_flags
    bool is_position_independent; // ET_DYN: a static PIE, a PIE, or an interpreter
};

// A part of the file that is to be mapped. Adding address or offset and a size, and rounding up to
// a page, does not overflow; address and offset are equal modulo the page size.
struct elf_segment {
    uint64_t address;      // relative to the load bias if position independent
    uint64_t memory_bytes; // more than 0; the part above file_bytes is zero
    uint64_t offset;
    uint64_t file_bytes;
    uint32_t flags; // ELF_SEGMENT_…
};

struct elf_image {
    struct elf_header header;
    const uint8_t *programs; // borrowed: the caller's program headers
    uint64_t low;            // page-aligned range of addresses that the segments lie in
    uint64_t high;
    uint64_t
        alignment; // the load bias must be a multiple: the largest segment alignment, ≥ PAGE_SIZE
    uint64_t program_address; // AT_PHDR before the bias; 0: the headers are in no segment
    uint64_t interp_offset;   // the interpreter's name in the file
    uint32_t interp_bytes;    // with its terminator; 0: none
    bool has_stack_flags;     // a PT_GNU_STACK was there
    bool stack_is_executable; // as it said; true without one, as Linux has it on x86_64
};

// Checks the ELF header at the start of a file of `file_bytes` bytes, of which `bytes` holds the
// first `size_bytes`.
// HX_ERR_BAD_IMAGE: not a 64-bit little-endian ELF program for `machine`, or damaged.
enum hx_status elf_read_header(const void *bytes, size_t size_bytes, uint64_t file_bytes,
                               uint32_t machine, struct elf_header *out_header);

// Checks the program headers, header->program_bytes bytes at `programs`, which `out_image` borrows.
// `address_limit` is the first address above what a program may use. Loadable segments must be in
// ascending order and must not overlap (two may share a page: the later one's mapping wins).
// HX_ERR_BAD_IMAGE: a header is not valid or the entry point lies in no executable segment.
enum hx_status elf_read_programs(const struct elf_header *header, const void *programs,
                                 uint64_t file_bytes, uint64_t address_limit,
                                 struct elf_image *out_image);

// The next loadable segment; *cursor starts at 0. False at the end.
bool elf_next_segment(const struct elf_image *image, uint32_t *cursor,
                      struct elf_segment *out_segment);
