// SPDX-License-Identifier: MIT OR Apache-2.0
// Packages: a good one, signed and placed; and every way of being refused.
#include "check.h"

#include "package_model.h"

#include <stdlib.h>

#define ADDRESS UINT64_C(0xffffc07ffc000000)

static const uint8_t seed[ED25519_SEED_BYTES] = { 1, 2, 3 };
static const uint8_t other_seed[ED25519_SEED_BYTES] = { 3, 2, 1 };
static struct package_refusal refusal;

static bool says(const char *part) {
    const bool found = strstr(refusal.text, part) != NULL;
    if (!found) {
        fprintf(stderr, "no '%s' in: %s\n", part, refusal.text);
    }
    memset(&refusal, 0, sizeof(refusal));
    return found;
}

// The trailer
// ------------------------------------------------------------------------------------------------

// Of its exact size, so that the sanitizer sees each byte too many.
static enum hx_status verify(const uint8_t *bytes, size_t size, size_t *out_elf_bytes) {
    uint8_t key[ED25519_KEY_BYTES];
    uint8_t *exact = malloc(size + 1);
    memcpy(exact + 1, bytes, size);
    ed25519_public(seed, key);
    enum hx_status status = package_verify(exact + 1, size, key, out_elf_bytes, &refusal);
    free(exact);
    return status;
}

static uint8_t signed_bytes[MODEL_BYTES + PACKAGE_TRAILER_BYTES];

static void sign_model(const uint8_t *with) {
    model_make(signed_bytes);
    package_sign(with, signed_bytes, MODEL_BYTES);
}

static void test_signed(void) {
    size_t elf_bytes = 0;
    sign_model(seed);
    CHECK(verify(signed_bytes, sizeof(signed_bytes), &elf_bytes) == HX_OK);
    CHECK(elf_bytes == MODEL_BYTES);
}

static void test_not_signed(void) {
    size_t elf_bytes = 7;
    sign_model(seed);
    CHECK(verify((const uint8_t *)"#!/bin/sh\n", 10, &elf_bytes) == HX_ERR_BAD_IMAGE);
    CHECK(says("found something else"));
    CHECK(verify(signed_bytes, 0, &elf_bytes) == HX_ERR_BAD_IMAGE && says("found something else"));
    CHECK(verify(signed_bytes, 3, &elf_bytes) == HX_ERR_BAD_IMAGE && says("found something else"));
    CHECK(verify(signed_bytes, MODEL_BYTES, &elf_bytes) == HX_ERR_NOT_PERMITTED);
    CHECK(says("not signed, or cut off"));
    for (size_t cut = 1; cut < 300; cut++) {
        CHECK(verify(signed_bytes, sizeof(signed_bytes) - cut, &elf_bytes) == HX_ERR_NOT_PERMITTED);
    }
    CHECK(verify(signed_bytes, 64, &elf_bytes) == HX_ERR_NOT_PERMITTED);
    CHECK(says("not signed, or cut off"));
    sign_model(other_seed);
    CHECK(verify(signed_bytes, sizeof(signed_bytes), &elf_bytes) == HX_ERR_NOT_PERMITTED);
    char text[PACKAGE_REFUSAL_BYTES];
    uint8_t mine[ED25519_KEY_BYTES];
    uint8_t others[ED25519_KEY_BYTES];
    ed25519_public(seed, mine);
    ed25519_public(other_seed, others);
    CHECK(strlen(package_fingerprint(mine).text) == 16);
    (void)snprintf(text, sizeof(text),
                   "expected a signature by key %02x%02x%02x%02x%02x%02x%02x%02x, found one by %s",
                   mine[0], mine[1], mine[2], mine[3], mine[4], mine[5], mine[6], mine[7],
                   package_fingerprint(others).text);
    CHECK(says(text));
    CHECK(elf_bytes == 7);
}

static void test_changed(void) {
    size_t elf_bytes;
    sign_model(seed);
    for (size_t at = 4; at < sizeof(signed_bytes); at += at < MODEL_BYTES - 99 ? 97 : 1) {
        signed_bytes[at] ^= 0x10;
        CHECK(verify(signed_bytes, sizeof(signed_bytes), &elf_bytes) != HX_OK);
        signed_bytes[at] ^= 0x10;
    }
    signed_bytes[MODEL_TEXT] ^= 1;
    CHECK(verify(signed_bytes, sizeof(signed_bytes), &elf_bytes) == HX_ERR_CORRUPT);
    CHECK(says("expected the bytes that were signed"));
}

// Bytes that were put between the two, or that are no more there.
static void test_other_size(void) {
    static uint8_t longer[sizeof(signed_bytes) + 8];
    size_t elf_bytes;
    sign_model(seed);
    memcpy(longer, signed_bytes, MODEL_BYTES);
    memcpy(longer + MODEL_BYTES + 8, signed_bytes + MODEL_BYTES, PACKAGE_TRAILER_BYTES);
    CHECK(verify(longer, sizeof(longer), &elf_bytes) == HX_ERR_CORRUPT);
    CHECK(says("bytes before the signature, found"));
    uint8_t *large = calloc(1, PACKAGE_BYTES_MAX + 1);
    model_make(large);
    package_sign(seed, large, PACKAGE_BYTES_MAX + 1 - PACKAGE_TRAILER_BYTES);
    CHECK(verify(large, PACKAGE_BYTES_MAX + 1, &elf_bytes) == HX_ERR_TOO_BIG);
    CHECK(says("expected at most 1048576 bytes, found 1048577"));
    package_sign(seed, large, PACKAGE_BYTES_MAX - PACKAGE_TRAILER_BYTES);
    CHECK(verify(large, PACKAGE_BYTES_MAX, &elf_bytes) == HX_OK);
    free(large);
}

// The image
// ------------------------------------------------------------------------------------------------

static uint8_t image_bytes[MODEL_BYTES];
static uint8_t *memory;
static uint64_t entry;

static enum hx_status load_bytes(size_t size) {
    struct package_image image;
    uint8_t *exact = malloc(size);
    memcpy(exact, image_bytes, size);
    enum hx_status status = package_parse(exact, size, &model_machine, &image, &refusal);
    if (status == HX_OK) {
        CHECK(image.span_bytes <= PACKAGE_SPAN_MAX);
        memory = calloc(1, image.span_bytes);
        const struct package_place place = { memory, ADDRESS, model_resolve };
        entry = 0;
        status = package_place(&image, &model_machine, &place, MODEL_ENTRY, &entry, &refusal);
    }
    free(exact);
    return status;
}

static void forget(void) {
    free(memory);
    memory = NULL;
}

static enum hx_status load(void) {
    enum hx_status status = load_bytes(MODEL_BYTES);
    forget();
    return status;
}

static uint64_t word(uint64_t offset) {
    uint64_t value;
    memcpy(&value, memory + offset, sizeof(value));
    return value;
}

static void test_placed(void) {
    model_make(image_bytes);
    CHECK(load_bytes(MODEL_BYTES) == HX_OK);
    CHECK(entry == MODEL_CONSTANT);
    CHECK(word(MODEL_CONSTANT) == ADDRESS + MODEL_TEXT);
    CHECK(word(MODEL_CONSTANT + 8) == MODEL_IMPORT_ADDRESS + 4);
    CHECK(word(MODEL_CONSTANT + 16) == ADDRESS + MODEL_CONSTANT);
    CHECK(word(MODEL_CONSTANT + 24) == MODEL_IMPORT_ADDRESS);
    CHECK(memory[MODEL_TEXT] == 0xc3 && memory[MODEL_TEXT + 0x100] == 0);
    CHECK(memory[MODEL_DATA] == 0x5a && memory[MODEL_SPAN - 1] == 0);
    forget();
}

static void test_parts(void) {
    static const struct package_part expected[] = {
        { 0, 0x1000, ELF_SEGMENT_READ },
        { MODEL_TEXT, 0x1000, ELF_SEGMENT_READ | ELF_SEGMENT_EXECUTE },
        { MODEL_CONSTANT, 0x1000, ELF_SEGMENT_READ },
        { MODEL_DATA, 0x2000, ELF_SEGMENT_READ | ELF_SEGMENT_WRITE },
    };
    struct package_image image;
    struct package_part part;
    uint32_t cursor = 0;
    model_make(image_bytes);
    CHECK(package_parse(image_bytes, MODEL_BYTES, &model_machine, &image, &refusal) == HX_OK);
    CHECK(image.span_bytes == MODEL_SPAN);
    for (size_t i = 0; i < ARRAY_SIZE(expected); i++) {
        CHECK(package_next_part(&image, &cursor, &part));
        CHECK(part.offset == expected[i].offset && part.size_bytes == expected[i].size_bytes &&
              part.rights == expected[i].rights);
    }
    CHECK(!package_next_part(&image, &cursor, &part));
}

// One number that is changed, and what is said then.
struct spoiler {
    uint32_t at;
    uint32_t bytes;
    uint64_t value;
    enum hx_status status;
    const char *says;
};

#define PROGRAM(index, field) (MODEL_PROGRAMS + (index) * ELF_PROGRAM_BYTES + (field))
#define TAG(index)            (MODEL_DYNAMIC + (index) * 16)
#define SYMBOL(index, field)  (MODEL_SYMBOLS + (index) * 24 + (field))

static const struct spoiler spoilers[] = {
    { 18, 2, 183, HX_ERR_BAD_IMAGE, "expected code for machine 62, found it for machine 183" },
    { 4, 1, 1, HX_ERR_BAD_IMAGE, "expected an ELF shared object" },   // of 32 bits
    { 16, 2, 1, HX_ERR_BAD_IMAGE, "expected an ELF shared object" },  // relocatable
    { 16, 2, 2, HX_ERR_BAD_IMAGE, "expected an ELF shared object" },  // at a fixed address
    { 56, 2, 17, HX_ERR_BAD_IMAGE, "expected an ELF shared object" }, // too many parts
    { 32, 8, MODEL_BYTES, HX_ERR_BAD_IMAGE, "expected an ELF shared object" },
    { PROGRAM(1, 8), 8, 0x10000, HX_ERR_BAD_IMAGE, "within the file" }, // offset
    { PROGRAM(1, 32), 8, 0x8000, HX_ERR_BAD_IMAGE, "within the file" }, // larger there than here
    { PROGRAM(1, 16), 8, 0x9000, HX_ERR_BAD_IMAGE, "in order" },        // behind the next
    { PROGRAM(1, 40), 8, 0x1800, HX_ERR_BAD_IMAGE, "in order" },        // into the next
    { PROGRAM(1, 16), 8, UINT64_MAX - 0xfff, HX_ERR_BAD_IMAGE, "in order" },
    { PROGRAM(0, 40), 8, 0x1000, HX_OK, "" },
    { PROGRAM(2, 4), 4, 7, HX_ERR_BAD_IMAGE, "expected code that is not writable" },
    { PROGRAM(3, 40), 8, PACKAGE_SPAN_MAX, HX_ERR_TOO_BIG, "bytes of memory" },
    { PROGRAM(3, 40), 8, UINT64_MAX - 0x4000, HX_ERR_TOO_BIG, "bytes of memory" },
    { PROGRAM(4, 16), 8, MODEL_SPAN, HX_ERR_BAD_IMAGE, "dynamic section within" },
    { PROGRAM(4, 40), 8, UINT64_MAX, HX_ERR_BAD_IMAGE, "dynamic section within" },
    { PROGRAM(4, 0), 4, 4, HX_ERR_BAD_IMAGE, "dynamic section within" }, // there is none
    { PROGRAM(5, 16), 8, MODEL_SPAN, HX_ERR_BAD_IMAGE, "dynamic section within" },
    { TAG(7), 8, 1, HX_ERR_BAD_IMAGE, "found tag 1" }, // a library
    { TAG(7), 8, 12, HX_ERR_BAD_IMAGE, "found tag 12" },
    { TAG(7), 8, 13, HX_ERR_BAD_IMAGE, "found tag 13" },
    { TAG(7), 8, 17, HX_ERR_BAD_IMAGE, "found tag 17" },
    { TAG(7), 8, 22, HX_ERR_BAD_IMAGE, "found tag 22" },
    { TAG(7), 8, 25, HX_ERR_BAD_IMAGE, "found tag 25" },
    { TAG(7), 8, 26, HX_ERR_BAD_IMAGE, "found tag 26" },
    { TAG(7), 8, 32, HX_ERR_BAD_IMAGE, "found tag 32" },
    { TAG(7), 8, 36, HX_ERR_BAD_IMAGE, "found tag 36" },
    { TAG(0), 8, 0x70000000, HX_ERR_BAD_IMAGE, "expected tables" }, // none of symbols
    { TAG(0) + 8, 8, MODEL_SPAN - 4, HX_ERR_BAD_IMAGE, "expected tables" },
    { TAG(1) + 8, 8, MODEL_SPAN - 0x2f, HX_ERR_BAD_IMAGE, "expected tables" },
    { TAG(2) + 8, 8, MODEL_SPAN - 71, HX_ERR_BAD_IMAGE, "expected tables" },
    { TAG(3) + 8, 8, MODEL_SPAN - 71, HX_ERR_BAD_IMAGE, "expected tables" },
    { TAG(4) + 8, 8, UINT64_MAX, HX_ERR_BAD_IMAGE, "expected tables" },
    { TAG(6) + 8, 8, UINT64_MAX - 3, HX_ERR_BAD_IMAGE, "expected tables" },
    { MODEL_HASH + 4, 4, UINT32_MAX, HX_ERR_BAD_IMAGE, "expected tables" },
    { MODEL_WORDS + 8, 8, 99, HX_ERR_BAD_IMAGE, "and 7, found type 99" },
    { MODEL_WORDS + 16, 8, MODEL_SPAN, HX_OK, "" }, // the end of what lies last
    { MODEL_WORDS + 16, 8, MODEL_SPAN + 1, HX_ERR_BAD_IMAGE, "addresses within the image" },
    { MODEL_WORDS, 8, MODEL_TEXT, HX_ERR_BAD_IMAGE, "writable parts, found one at 0x1000" },
    { MODEL_WORDS, 8, 0, HX_ERR_BAD_IMAGE, "writable parts, found one at 0x0" },
    { MODEL_WORDS, 8, MODEL_CONSTANT + 0x1f9, HX_ERR_BAD_IMAGE, "writable parts" }, // half in it
    { MODEL_WORDS, 8, UINT64_MAX - 3, HX_ERR_BAD_IMAGE, "writable parts" },
    { MODEL_WORDS, 8, MODEL_SPAN - 8, HX_ERR_BAD_IMAGE, "writable parts" }, // behind the data
    { MODEL_CALLS, 8, MODEL_TEXT + 8, HX_ERR_BAD_IMAGE, "writable parts" },
    { MODEL_WORDS + 36, 4, 3, HX_ERR_BAD_IMAGE, "expected symbols below 3, found 3" },
    { SYMBOL(1, 0), 4, 0x30, HX_ERR_NOT_FOUND, "functions of the SDK, found ''" },
    { TAG(5) + 8, 8, 9, HX_ERR_NOT_FOUND,
      "functions of the SDK, found ''" }, // its name does not end
    { MODEL_STRINGS + 2, 1, 'y', HX_ERR_NOT_FOUND, "found 'hy_alloc'" },
    { SYMBOL(2, 8), 8, MODEL_SPAN, HX_ERR_BAD_IMAGE, "the symbol hx_package" }, // of no size
    { SYMBOL(2, 8), 8, MODEL_SPAN + 1, HX_ERR_BAD_IMAGE, "symbols within the image" },
    { SYMBOL(2, 8), 8, MODEL_SPAN - 16, HX_ERR_BAD_IMAGE, "the symbol hx_package" }, // cut off
    { SYMBOL(2, 8), 8, MODEL_CONSTANT + 4, HX_ERR_BAD_IMAGE, "the symbol hx_package" },
    { MODEL_STRINGS + 10, 1, 'y', HX_ERR_BAD_IMAGE, "the symbol hx_package" },
};

static void test_spoilt(void) {
    for (size_t i = 0; i < ARRAY_SIZE(spoilers); i++) {
        const struct spoiler *spoiler = &spoilers[i];
        model_make(image_bytes);
        memcpy(image_bytes + spoiler->at, &spoiler->value, spoiler->bytes);
        const enum hx_status status = load();
        if (status != spoiler->status) {
            fprintf(stderr, "spoiler %zu: %s\n", i, hx_status_name(status));
        }
        CHECK(status == spoiler->status);
        CHECK(says(spoiler->says));
    }
}

static void test_cut(void) {
    for (size_t size = 0; size < MODEL_BYTES; size += size < 0x200 ? 1 : 37) {
        model_make(image_bytes);
        CHECK(load_bytes(size) == HX_ERR_BAD_IMAGE);
        forget();
    }
}

// A part that begins on the page where the one before it ends.
static void test_shared_page(void) {
    model_make(image_bytes);
    put_u64(image_bytes + PROGRAM(1, 16), 0x900);
    put_u64(image_bytes + PROGRAM(1, 8), 0x900);
    put_u64(image_bytes + 24, 0x900);
    CHECK(load() == HX_ERR_BAD_IMAGE && says("parts on pages of their own"));
}

static void test_interpreter(void) {
    model_make(image_bytes);
    model_program(image_bytes, 5, 3, ELF_SEGMENT_READ, MODEL_STRINGS, 8, 8);
    CHECK(load() == HX_ERR_BAD_IMAGE && says("no interpreter"));
}

int main(void) {
    test_signed();
    test_not_signed();
    test_changed();
    test_other_size();
    test_placed();
    test_parts();
    test_spoilt();
    test_cut();
    test_shared_page();
    test_interpreter();
    return check_result();
}
