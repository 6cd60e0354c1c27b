// SPDX-License-Identifier: MIT OR Apache-2.0
// package.c: the trailer of a package, and what its ELF part must be. Offsets are those of
// Elf64_Phdr (ELF gABI, chapter 5).
#include "bytes.h"

#include <lib/format.h>
#include <lib/package.h>
#include <lib/string.h>

static const uint8_t magic[] = { 'H', 'X', 'M', '-', 'S', 'I', 'G', '1' };

#define TRAILER_SIZE      sizeof(magic)
#define TRAILER_KEY       (TRAILER_SIZE + 8)
#define TRAILER_SIGNATURE (TRAILER_KEY + ED25519_KEY_BYTES)
_Static_assert(TRAILER_SIGNATURE + ED25519_SIGNATURE_BYTES == PACKAGE_TRAILER_BYTES, "no gap");

#define PROGRAM_DYNAMIC  2u
#define PROGRAM_CONSTANT 0x6474e552u // PT_GNU_RELRO
#define PARTS_MAX        16u

enum hx_status package_refuse(struct package_refusal *refusal, enum hx_status status,
                              const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    (void)format_string_list(refusal->text, sizeof(refusal->text), format, arguments);
    va_end(arguments);
    return status;
}

// The trailer
// ------------------------------------------------------------------------------------------------

struct package_fingerprint package_fingerprint(const uint8_t key[ED25519_KEY_BYTES]) {
    struct package_fingerprint print;
    for (size_t i = 0; i < sizeof(print.text) / 2; i++) {
        (void)format_string(print.text + 2 * i, sizeof(print.text) - 2 * i, "%02x", key[i]);
    }
    return print;
}

static enum hx_status check_key(const uint8_t *found, const uint8_t *expected,
                                struct package_refusal *refusal) {
    if (memcmp(found, expected, ED25519_KEY_BYTES) == 0) {
        return HX_OK;
    }
    return package_refuse(refusal, HX_ERR_NOT_PERMITTED,
                          "expected a signature by key %s, found one by %s",
                          package_fingerprint(expected).text, package_fingerprint(found).text);
}

static enum hx_status check_signature(const uint8_t *bytes, size_t elf_bytes, const uint8_t *key,
                                      struct package_refusal *refusal) {
    const uint8_t *trailer = bytes + elf_bytes;
    const uint64_t said = read_u64(trailer + TRAILER_SIZE);
    if (said != elf_bytes) {
        return package_refuse(refusal, HX_ERR_CORRUPT,
                              "expected %llu bytes before the signature, found %zu",
                              (unsigned long long)said, elf_bytes);
    }
    enum hx_status status = check_key(trailer + TRAILER_KEY, key, refusal);
    if (status == HX_OK &&
        !ed25519_verify(key, bytes, elf_bytes + TRAILER_SIGNATURE, trailer + TRAILER_SIGNATURE)) {
        status = package_refuse(refusal, HX_ERR_CORRUPT,
                                "expected the bytes that were signed, found others");
    }
    return status;
}

enum hx_status package_verify(const void *bytes, size_t size_bytes,
                              const uint8_t key[ED25519_KEY_BYTES], size_t *out_elf_bytes,
                              struct package_refusal *refusal) {
    static const uint8_t ident[] = { 0x7f, 'E', 'L', 'F' };
    const uint8_t *in = bytes;
    if (size_bytes > PACKAGE_BYTES_MAX) {
        return package_refuse(refusal, HX_ERR_TOO_BIG, "expected at most %zu bytes, found %zu",
                              PACKAGE_BYTES_MAX, size_bytes);
    }
    if (size_bytes < sizeof(ident) || memcmp(in, ident, sizeof(ident)) != 0) {
        return package_refuse(refusal, HX_ERR_BAD_IMAGE,
                              "expected a package of a module, found something else");
    }
    if (size_bytes < PACKAGE_TRAILER_BYTES ||
        memcmp(in + size_bytes - PACKAGE_TRAILER_BYTES, magic, sizeof(magic)) != 0) {
        return package_refuse(
            refusal, HX_ERR_NOT_PERMITTED,
            "expected a signature at the end, found none: not signed, or cut off");
    }
    const size_t elf_bytes = size_bytes - PACKAGE_TRAILER_BYTES;
    enum hx_status status = check_signature(in, elf_bytes, key, refusal);
    if (status == HX_OK) {
        *out_elf_bytes = elf_bytes;
    }
    return status;
}

void package_sign(const uint8_t seed[ED25519_SEED_BYTES], void *bytes, size_t elf_bytes) {
    uint8_t *trailer = (uint8_t *)bytes + elf_bytes;
    memcpy(trailer, magic, sizeof(magic));
    write_u32(trailer + TRAILER_SIZE, (uint32_t)elf_bytes);
    write_u32(trailer + TRAILER_SIZE + 4, (uint32_t)((uint64_t)elf_bytes >> 32));
    ed25519_public(seed, trailer + TRAILER_KEY);
    ed25519_sign(seed, bytes, elf_bytes + TRAILER_SIGNATURE, trailer + TRAILER_SIGNATURE);
}

// The ELF part
// ------------------------------------------------------------------------------------------------

static enum hx_status check_header(const uint8_t *elf, size_t elf_bytes,
                                   const struct package_machine *machine,
                                   struct elf_header *out_header, struct package_refusal *refusal) {
    const uint16_t found = elf_bytes < ELF_HEADER_BYTES ? 0 : read_u16(elf + 18);
    if (found != machine->elf_machine) {
        return package_refuse(refusal, HX_ERR_BAD_IMAGE,
                              "expected code for machine %u, found it for machine %u",
                              machine->elf_machine, found);
    }
    if (elf_read_header(elf, elf_bytes, elf_bytes, found, out_header) != HX_OK ||
        !out_header->is_position_independent || out_header->program_count > PARTS_MAX) {
        return package_refuse(refusal, HX_ERR_BAD_IMAGE,
                              "expected an ELF shared object with at most %u parts, found another "
                              "kind of file, or a damaged one",
                              PARTS_MAX);
    }
    return HX_OK;
}

static enum hx_status check_parts(const struct package_image *image,
                                  struct package_refusal *refusal) {
    struct elf_segment segment;
    uint32_t cursor = 0;
    uint64_t end = 0;
    while (elf_next_segment(&image->elf, &cursor, &segment)) {
        if (segment.address < end) {
            return package_refuse(
                refusal, HX_ERR_BAD_IMAGE,
                "expected parts on pages of their own, found one at 0x%llx before "
                "the end of another, 0x%llx",
                (unsigned long long)segment.address, (unsigned long long)end);
        }
        if ((segment.flags & ELF_SEGMENT_WRITE) != 0 &&
            (segment.flags & ELF_SEGMENT_EXECUTE) != 0) {
            return package_refuse(refusal, HX_ERR_BAD_IMAGE,
                                  "expected code that is not writable, found it at 0x%llx",
                                  (unsigned long long)segment.address);
        }
        end = ALIGN_UP(segment.address + segment.memory_bytes, (uint64_t)PAGE_SIZE);
    }
    return HX_OK;
}

// What else the program headers have. False: it does not lie in the image.
static bool find_others(struct package_image *image) {
    for (uint32_t i = 0; i < image->elf.header.program_count; i++) {
        const uint8_t *program = image->elf.programs + (size_t)i * ELF_PROGRAM_BYTES;
        const uint32_t type = read_u32(program);
        const uint64_t address = read_u64(program + 16);
        const uint64_t size = read_u64(program + 40);
        if (type != PROGRAM_DYNAMIC && type != PROGRAM_CONSTANT) {
            continue;
        }
        if (!range_fits(address, size, image->span_bytes)) {
            return false;
        }
        if (type == PROGRAM_DYNAMIC) {
            image->dynamic = address;
            image->dynamic_bytes = size;
        } else {
            image->constant_start = address;
            image->constant_end = address + size;
        }
    }
    return image->elf.interp_bytes == 0 && image->dynamic_bytes != 0;
}

enum hx_status package_parse(const void *elf, size_t elf_bytes,
                             const struct package_machine *machine, struct package_image *out_image,
                             struct package_refusal *refusal) {
    struct package_image image = { .bytes = elf };
    struct elf_header header = { 0 };
    enum hx_status status = check_header(elf, elf_bytes, machine, &header, refusal);
    if (status != HX_OK) {
        return status;
    }
    status = elf_read_programs(&header, image.bytes + header.program_offset, elf_bytes, UINT64_MAX,
                               &image.elf);
    if (status != HX_OK) {
        return package_refuse(refusal, status,
                              "expected parts in order, within the file, found others");
    }
    image.span_bytes = image.elf.high;
    if (image.span_bytes > PACKAGE_SPAN_MAX) {
        return package_refuse(refusal, HX_ERR_TOO_BIG,
                              "expected at most %zu bytes of memory, found %llu", PACKAGE_SPAN_MAX,
                              (unsigned long long)image.span_bytes);
    }
    status = check_parts(&image, refusal);
    if (status == HX_OK && !find_others(&image)) {
        status = package_refuse(refusal, HX_ERR_BAD_IMAGE,
                                "expected a dynamic section within the image and no interpreter, "
                                "found it otherwise");
    }
    if (status == HX_OK) {
        *out_image = image;
    }
    return status;
}

// What the linker has written into parts that are constant from then on is not to be written.
bool package_next_part(const struct package_image *image, uint32_t *cursor,
                       struct package_part *out_part) {
    struct elf_segment segment;
    if (!elf_next_segment(&image->elf, cursor, &segment)) {
        return false;
    }
    const uint64_t start = ALIGN_DOWN(segment.address, (uint64_t)PAGE_SIZE);
    const uint64_t end = ALIGN_UP(segment.address + segment.memory_bytes, (uint64_t)PAGE_SIZE);
    const bool is_constant = segment.address >= image->constant_start &&
                             segment.address + segment.memory_bytes <= image->constant_end;
    *out_part = (struct package_part){
        .offset = start,
        .size_bytes = end - start,
        .rights = is_constant ? segment.flags & ~ELF_SEGMENT_WRITE : segment.flags,
    };
    return true;
}
