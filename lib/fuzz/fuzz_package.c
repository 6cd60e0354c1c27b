// SPDX-License-Identifier: MIT OR Apache-2.0
// Any bytes as the ELF part of a package, and a good one with any bytes changed: what can be placed
// keeps to its memory, no part is writable and executable, and parts do not share pages. The
// signature is not asked for here: it is what keeps such bytes from the kernel.
#include "fuzz.h"

#include "../tests/package_model.h"

#include <stdlib.h>

#define ADDRESS UINT64_C(0xffffc07ffc000000)

static void check_parts(const struct package_image *image) {
    struct package_part part;
    uint32_t cursor = 0;
    uint64_t end = 0;
    while (package_next_part(image, &cursor, &part)) {
        FUZZ_ASSERT(part.offset >= end && (part.offset & PAGE_MASK) == 0);
        FUZZ_ASSERT(part.size_bytes != 0 && (part.size_bytes & PAGE_MASK) == 0);
        FUZZ_ASSERT((part.rights & (ELF_SEGMENT_WRITE | ELF_SEGMENT_EXECUTE)) !=
                    (ELF_SEGMENT_WRITE | ELF_SEGMENT_EXECUTE));
        end = part.offset + part.size_bytes;
        FUZZ_ASSERT(end <= image->span_bytes && image->span_bytes <= PACKAGE_SPAN_MAX);
    }
}

static void load(const uint8_t *elf, size_t size) {
    struct package_image image;
    struct package_refusal refusal = { "" };
    uint64_t entry;
    if (package_parse(elf, size, &model_machine, &image, &refusal) != HX_OK) {
        FUZZ_ASSERT(refusal.text[0] != '\0');
        return;
    }
    check_parts(&image);
    uint8_t *memory = calloc(1, image.span_bytes);
    const struct package_place place = { memory, ADDRESS, model_resolve };
    if (package_place(&image, &model_machine, &place, MODEL_ENTRY, &entry, &refusal) == HX_OK) {
        FUZZ_ASSERT(entry + MODEL_ENTRY <= image.span_bytes);
        fuzz_touch(memory + entry, MODEL_ENTRY);
    }
    free(memory);
}

// Three bytes change one of the model's: where, and by what.
static void load_changed(const uint8_t *data, size_t size) {
    uint8_t *elf = malloc(MODEL_BYTES);
    model_make(elf);
    for (; size >= 3; data += 3, size -= 3) {
        elf[(data[0] | data[1] << 8) % MODEL_BYTES] ^= data[2];
    }
    load(elf, MODEL_BYTES);
    free(elf);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    if (size != 0 && data[0] == 0x7f) {
        load(data, size);
    } else {
        load_changed(data, size);
    }
    return 0;
}
