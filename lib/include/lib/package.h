// SPDX-License-Identifier: MIT OR Apache-2.0
// <lib/package.h>: packages of modules (.hxm): whether one is to be believed, and how it is laid
// out in memory.
//
// A package is an ELF shared object for one machine (ELF gABI, chapters 4 and 5) and behind it a
// trailer: who signed it, and the signature over everything before that. It needs no library and
// runs nothing by itself; what it imports are functions, by name. Four kinds of relocations, each
// of one word, and only in its writable parts: its code is loaded as it was signed.
//
// No state and no I/O: the caller has the bytes, its own copy, and the memory. Whatever the bytes
// are, nothing outside the two is touched. Each refusal is a status and a line that says what was
// expected and what was found.
#pragma once

#include <helix/annot.h>
#include <helix/types.h>
#include <lib/ed25519.h>
#include <lib/elf.h>

#define PACKAGE_BYTES_MAX     ((size_t)1 << 20) // of a file
#define PACKAGE_SPAN_MAX      ((size_t)1 << 22) // in memory
#define PACKAGE_TRAILER_BYTES 112u
#define PACKAGE_SYMBOL        "hx_package" // what every package exports: <helix/package.h>

#define PACKAGE_REFUSAL_BYTES 192u

// Why there was a status that is not HX_OK, as a line without an end.
struct package_refusal {
    char text[PACKAGE_REFUSAL_BYTES];
};

// Writes the line; returns `status`.
enum hx_status package_refuse(struct package_refusal *refusal, enum hx_status status,
                              const char *format, ...) PRINTF(3, 4);

// What a machine calls the relocations (its psABI supplement): base + addend; a symbol's address +
// addend as a word, as a pointer, and as a pointer to a function.
struct package_machine {
    uint16_t elf_machine;
    uint32_t relative, absolute, pointer, call;
};

// A package's bytes, checked.
struct package_image {
    struct elf_image elf;
    const uint8_t *bytes;    // borrowed
    uint64_t span_bytes;     // of memory, whole pages
    uint64_t constant_start; // [constant_start, constant_end) is only written while it is placed
    uint64_t constant_end;
    uint64_t dynamic; // the dynamic section, and its size
    uint64_t dynamic_bytes;
};

// What people see of a public key: its first 8 bytes, as hexadecimal digits.
struct package_fingerprint {
    char text[17];
};
struct package_fingerprint package_fingerprint(const uint8_t key[ED25519_KEY_BYTES]);

// Checks the trailer: `size_bytes` bytes signed by who has the private half of `key`.
// *out_elf_bytes is what is in front of it. Thread context: it takes some 100,000 instructions.
// Returns HX_OK
//         HX_ERR_TOO_BIG        more than PACKAGE_BYTES_MAX
//         HX_ERR_BAD_IMAGE      not a package at all
//         HX_ERR_NOT_PERMITTED  not signed, or by another key, or cut off
//         HX_ERR_CORRUPT        not the bytes that were signed
enum hx_status package_verify(const void *bytes, size_t size_bytes,
                              const uint8_t key[ED25519_KEY_BYTES], size_t *out_elf_bytes,
                              struct package_refusal *refusal);

// Writes the trailer behind `elf_bytes` bytes, where there are PACKAGE_TRAILER_BYTES more.
void package_sign(const uint8_t seed[ED25519_SEED_BYTES], void *bytes, size_t elf_bytes);

// Checks the ELF part, which `out_image` borrows. What comes out can be placed: parts do not share
// pages, none is writable and executable, all is within PACKAGE_SPAN_MAX.
// Returns HX_OK, HX_ERR_BAD_IMAGE, HX_ERR_TOO_BIG
enum hx_status package_parse(const void *elf, size_t elf_bytes,
                             const struct package_machine *machine, struct package_image *out_image,
                             struct package_refusal *refusal);

// A part of the image, in whole pages, and what may be done there: ELF_SEGMENT_….
struct package_part {
    uint64_t offset; // in the image's memory
    uint64_t size_bytes;
    uint32_t rights;
};
// The next one; *cursor starts at 0. False at the end.
bool package_next_part(const struct package_image *image, uint32_t *cursor,
                       struct package_part *out_part);

// Where an image goes.
struct package_place {
    uint8_t *memory;  // span_bytes of it, zeroed, at a multiple of 8
    uint64_t address; // where the code will find it; a multiple of a page
    // The address of a function that a package may import; 0: there is none of that name.
    uint64_t (*resolve)(const char *name);
};

// Copies the image into its memory and relocates it. *out_entry is the offset of PACKAGE_SYMBOL,
// of which `entry_bytes` bytes are in the image, at a multiple of 8.
// Returns HX_OK, HX_ERR_BAD_IMAGE, HX_ERR_NOT_FOUND (nobody has a function of that name)
enum hx_status package_place(const struct package_image *image,
                             const struct package_machine *machine,
                             const struct package_place *place, size_t entry_bytes,
                             uint64_t *out_entry, struct package_refusal *refusal);
