// SPDX-License-Identifier: MIT OR Apache-2.0
// Any bytes as UEFI's memory map, as load options, as the file of words.
#include "../src/uefi_load.h"

#include "fuzz.h"

#include <string.h>

#define NAME_CAPACITY 24u

// Sorted, not overlapping, and nothing that the firmware keeps is usable.
static void memory(const uint8_t *data, size_t size, size_t descriptor_bytes) {
    static struct boot_info info;
    struct uefi_memory_descriptor descriptor;
    info.memory_count = 0;
    uefi_memory(&info, data, size, descriptor_bytes);
    uint64_t end = 0;
    FUZZ_ASSERT(info.memory_count <= BOOT_MEMORY_MAX);
    for (uint32_t i = 0; i < info.memory_count; i++) {
        const struct boot_memory *entry = &info.memory[i];
        FUZZ_ASSERT(entry->base.value >= end && entry->size_bytes > 0);
        end = entry->base.value + entry->size_bytes;
        FUZZ_ASSERT(end > entry->base.value);
        for (size_t at = 0; entry->kind == BOOT_MEMORY_USABLE && at + descriptor_bytes <= size;
             at += descriptor_bytes) {
            memcpy(&descriptor, &data[at], sizeof(descriptor));
            FUZZ_ASSERT(descriptor.type != 0 || descriptor.number_of_pages != 1 ||
                        descriptor.physical_start >= end ||
                        descriptor.physical_start < entry->base.value);
        }
    }
}

static void words(char *text, size_t capacity) {
    uint16_t name[NAME_CAPACITY];
    size_t at = 0;
    size_t previous = 0;
    FUZZ_ASSERT(strnlen(text, capacity) < capacity);
    while (uefi_initrd_word(text, &at, name, NAME_CAPACITY)) {
        size_t length = 0;
        while (name[length] != 0) {
            FUZZ_ASSERT(++length < NAME_CAPACITY);
        }
        FUZZ_ASSERT(at > previous && at < capacity);
        previous = at;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    char text[64];
    if (size < 2) {
        return 0;
    }
    const size_t descriptor_bytes = data[0] % 8 * 8 + sizeof(struct uefi_memory_descriptor);
    const size_t capacity = data[1] % sizeof(text) + 1;
    memory(data + 2, size - 2, descriptor_bytes);
    (void)uefi_text(text, capacity, data + 2, size - 2);
    words(text, capacity);
    const size_t kept = size - 2 < capacity - 1 ? size - 2 : capacity - 1;
    memcpy(text, data + 2, kept);
    uefi_words_clean(text, kept);
    words(text, capacity);
    return 0;
}
