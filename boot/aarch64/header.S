// SPDX-License-Identifier: MIT OR Apache-2.0
// boot/aarch64/header.S: the first page of Image, which says what it is twice: Linux's Image (Linux 6.1,
// Documentation/arm64/booting.rst, section 4), and an executable of UEFI (PE Format, Microsoft; UEFI 2.10,
// 2.1.1), whose code, constants and data have their own rights. The first instruction reads as "MZ".

#define MACHINE_ARM64 0xaa64
#define COFF_EXECUTABLE 0x0206 // no line numbers, no debug information
#define PE32_PLUS 0x20b
#define SUBSYSTEM_APPLICATION 10
#define DLL_NX_COMPATIBLE 0x100
#define FILE_ALIGNMENT 512
#define PAGE_BYTES 4096
#define SECTION_CODE 0x60000020 // code, executed, read
#define SECTION_CONSTANTS 0x40000040
#define SECTION_DATA 0xc0000040

    .section .boot.header, "ax", @progbits
    .globl boot_head
boot_head:
    ccmp x18, #0, #0xd, pl        // changes flags alone; its first two bytes are "MZ"
    b boot_entry
    .quad 0                       // from a boundary of 2 MiB
    .quad image_bytes             // with what the file leaves out
    .quad 0xa                     // little endian, 4 KiB pages, anywhere in memory
    .quad 0, 0, 0
    .ascii "ARM\x64"
    .long pe_head - boot_head

pe_head:
    .ascii "PE\0\0"
    .short MACHINE_ARM64
    .short 3                      // sections
    .long 0, 0, 0                 // time, symbols
    .short pe_sections - pe_optional
    .short COFF_EXECUTABLE

pe_optional:
    .short PE32_PLUS
    .byte 0, 0                    // the linker's version
    .long pe_text_bytes
    .long pe_data_bytes
    .long 0
    .long pe_entry
    .long pe_text
    .quad 0                       // runs wherever it is loaded
    .long PAGE_BYTES              // between sections in memory
    .long FILE_ALIGNMENT
    .short 0, 0, 0, 0, 0, 0       // versions
    .long 0
    .long image_bytes
    .long pe_text                 // headers
    .long 0
    .short SUBSYSTEM_APPLICATION
    .short DLL_NX_COMPATIBLE
    .quad 0, 0, 0, 0              // stack and heap
    .long 0
    .long (pe_sections - pe_directories) / 8
pe_directories:
    .quad 0, 0, 0, 0, 0, 0        // no relocations: code is addressed from where it is

pe_sections:
    .ascii ".text\0\0\0"
    .long pe_text_bytes, pe_text, pe_text_bytes, pe_text
    .long 0, 0, 0                 // relocations, line numbers
    .long SECTION_CODE
    .ascii ".rodata\0"
    .long pe_rodata_bytes, pe_rodata, pe_rodata_bytes, pe_rodata
    .long 0, 0, 0
    .long SECTION_CONSTANTS
    .ascii ".data\0\0\0"
    .long pe_data_bytes, pe_data, pe_data_raw_bytes, pe_data
    .long 0, 0, 0
    .long SECTION_DATA
    .balign PAGE_BYTES
    .globl boot_header_end
boot_header_end:

    .section .note.GNU-stack, "", @progbits
