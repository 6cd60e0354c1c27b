// SPDX-License-Identifier: MIT OR Apache-2.0
// Any bytes as the BIOS's area and, at the same addresses, as tables. Checksums would stop nearly
// every input, so each parser also gets the input itself as a table that was opened.
#include "fuzz.h"

#include <lib/acpi.h>

#include <stdlib.h>
#include <string.h>

#define BASE 0x1000u

struct memory {
    const uint8_t *bytes;
    size_t size;
    long maps;
};

// Each mapping is a copy of exactly its size.
static const void *map(void *context, uint64_t address, size_t size_bytes) {
    struct memory *memory = context;
    if (address < BASE || address - BASE > memory->size ||
        size_bytes > memory->size - (address - BASE)) {
        return NULL;
    }
    memory->maps++;
    void *copy = malloc(size_bytes);
    memcpy(copy, memory->bytes + (address - BASE), size_bytes);
    return copy;
}

static void unmap(void *context, const void *mapped, size_t size_bytes) {
    struct memory *memory = context;
    fuzz_touch(mapped, size_bytes);
    memory->maps--;
    free((void *)(uintptr_t)mapped);
}

static void parse_all(struct acpi_table table) {
    struct acpi_madt madt;
    struct acpi_madt_entry entry;
    struct acpi_fadt fadt;
    struct acpi_hpet hpet;
    struct acpi_s5 s5;
    struct acpi_virtio device;
    size_t cursor = 0;
    memcpy(table.signature, "APIC", 5);
    if (acpi_madt_parse(&table, &madt) == HX_OK) {
        size_t before = cursor;
        while (acpi_madt_next(&table, &cursor, &entry) == HX_OK) {
            FUZZ_ASSERT(cursor > before && cursor <= table.size_bytes);
            before = cursor;
        }
    }
    memcpy(table.signature, "FACP", 5);
    HX_IGNORE(acpi_fadt_parse(&table, &fadt)); // any answer is right
    memcpy(table.signature, "VIOT", 5);
    uint32_t iommu;
    uint32_t endpoint;
    if (acpi_viot_find(&table, 8, &iommu, &endpoint) == HX_OK) {
        FUZZ_ASSERT(iommu <= UINT16_MAX);
    }
    memcpy(table.signature, "HPET", 5);
    HX_IGNORE(acpi_hpet_parse(&table, &hpet));
    for (uint32_t i = 0; i < 3 && acpi_virtio_find(&table, i, &device) == HX_OK; i++) {
        FUZZ_ASSERT(table.size_bytes >= 12 * (i + 1));
    }
    if (acpi_s5_find(&table, &s5) == HX_OK) {
        FUZZ_ASSERT(s5.type_a < 8 && s5.type_b < 8);
    }
    for (int xsdt = 0; xsdt < 2; xsdt++) {
        table.signature[0] = xsdt ? 'X' : 'R';
        for (uint32_t i = 0; i < acpi_root_count(&table); i++) {
            (void)acpi_root_entry(&table, i);
        }
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct memory memory = { data, size, 0 };
    const struct acpi_mapper mapper = { map, unmap, &memory };
    size_t at = acpi_rsdp_find(data, size);
    struct acpi_root root;
    if (at != ACPI_NONE && acpi_rsdp_parse(data + at, size - at, &root) == HX_OK) {
        struct acpi_table table;
        if (acpi_table_find(&mapper, &root, "APIC", &table) == HX_OK) {
            acpi_table_close(&mapper, &table);
        }
    }
    struct acpi_table table;
    if (acpi_table_open(&mapper, BASE, &table) == HX_OK) {
        acpi_table_close(&mapper, &table);
    }
    FUZZ_ASSERT(memory.maps == 0);
    if (size >= ACPI_HEADER_BYTES && size <= ACPI_TABLE_MAX) {
        parse_all((struct acpi_table){ .bytes = data, .size_bytes = (uint32_t)size });
    }
    return 0;
}
