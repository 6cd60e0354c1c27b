// SPDX-License-Identifier: MIT OR Apache-2.0
// boot/src/uefi_memory.c: UEFI's memory map (UEFI 2.10, 7.2.3). Descriptors may be longer than we
// know them.
#include "memory.h"
#include "uefi_load.h"

#include <lib/string.h>

// 7.2, table 7.10: after ExitBootServices() these are free.
static enum boot_memory_kind kind_of(const struct uefi_memory_descriptor *descriptor) {
    switch (descriptor->type) {
    case UEFI_LOADER_CODE:
    case UEFI_LOADER_DATA:
    case UEFI_BOOT_SERVICES_CODE:
    case UEFI_BOOT_SERVICES_DATA:
    case UEFI_CONVENTIONAL:
        return descriptor->attribute & UEFI_MEMORY_WB ? BOOT_MEMORY_USABLE : BOOT_MEMORY_RESERVED;
    case UEFI_ACPI_RECLAIM:
        return BOOT_MEMORY_ACPI;
    case UEFI_ACPI_NVS:
        return BOOT_MEMORY_NVS;
    default:
        return BOOT_MEMORY_RESERVED;
    }
}

static void add(struct boot_info *info, const struct uefi_memory_descriptor *descriptor,
                bool usable) {
    const uint64_t base = descriptor->physical_start;
    const uint64_t npages_most = (UINT64_MAX - base) / PAGE_SIZE;
    const enum boot_memory_kind kind = kind_of(descriptor);
    if ((kind == BOOT_MEMORY_USABLE) == usable) {
        boot_memory_add(info, base, MIN_OF(descriptor->number_of_pages, npages_most) * PAGE_SIZE,
                        kind);
    }
}

void uefi_memory(struct boot_info *info, const void *map, size_t map_bytes,
                 size_t descriptor_bytes) {
    struct uefi_memory_descriptor descriptor;
    if (descriptor_bytes < sizeof(descriptor)) {
        return;
    }
    const size_t count = map_bytes / descriptor_bytes;
    for (size_t i = 0; i < 2 * count; i++) {
        memcpy(&descriptor, (const char *)map + i % count * descriptor_bytes, sizeof(descriptor));
        add(info, &descriptor, i >= count);
    }
}
