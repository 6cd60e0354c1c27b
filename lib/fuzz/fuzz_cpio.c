// SPDX-License-Identifier: MIT OR Apache-2.0
// Any bytes as an initramfs. All that comes out lies in the image, and each step goes forward.
#include "fuzz.h"

#include <lib/cpio.h>

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct cpio_reader reader;
    cpio_init(&reader, data, size);
    for (;;) {
        enum cpio_kind kind;
        struct cpio_entry entry;
        size_t before = reader.offset;
        if (cpio_next(&reader, &kind, &entry) != HX_OK) {
            FUZZ_ASSERT(reader.offset < size);
            return 0;
        }
        switch (kind) {
        case CPIO_ENTRY:
            FUZZ_ASSERT(strlen(entry.name) == entry.name_length);
            fuzz_touch(entry.data, entry.size_bytes);
            FUZZ_ASSERT(reader.offset > before);
            break;
        case CPIO_TRAILER:
            FUZZ_ASSERT(reader.offset > before);
            break;
        case CPIO_GZIP:
            FUZZ_ASSERT(cpio_skip(&reader, 3) == HX_OK);
            break;
        case CPIO_END:
            FUZZ_ASSERT(reader.offset == size);
            return 0;
        }
    }
}
