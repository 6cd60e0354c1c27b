// SPDX-License-Identifier: MIT OR Apache-2.0
// acpi.c: the root pointer and the way from it to a table (ACPI Specification 6.4, sections 5.2.5
// to 5.2.8).
#include "bytes.h"

#include <lib/acpi.h>
#include <lib/string.h>

#define RSDP_OLD_BYTES 20u // revision 0
#define RSDP_STEP      16u

static bool sum_is_zero(const uint8_t *bytes, size_t size_bytes) {
    uint8_t sum = 0;
    for (size_t i = 0; i < size_bytes; i++) {
        sum = (uint8_t)(sum + bytes[i]);
    }
    return sum == 0;
}

enum hx_status acpi_rsdp_parse(const void *bytes, size_t size_bytes, struct acpi_root *out_root) {
    const uint8_t *in = bytes;
    if (size_bytes < RSDP_OLD_BYTES || memcmp(in, "RSD PTR ", 8) != 0 ||
        !sum_is_zero(in, RSDP_OLD_BYTES)) {
        return HX_ERR_CORRUPT;
    }
    struct acpi_root root = { .address = read_u32(in + 16) };
    if (in[15] >= 2) {
        // Some firmware states a length that is larger than the structure; the extended checksum
        // covers the stated one.
        if (size_bytes < ACPI_RSDP_BYTES) {
            return HX_ERR_CORRUPT;
        }
        uint32_t length = read_u32(in + 20);
        if (length < ACPI_RSDP_BYTES || length > size_bytes || !sum_is_zero(in, length)) {
            return HX_ERR_CORRUPT;
        }
        uint64_t xsdt = read_u64(in + 24);
        if (xsdt != 0) {
            root = (struct acpi_root){ .address = xsdt, .is_xsdt = true };
        }
    }
    if (root.address == 0) {
        return HX_ERR_CORRUPT;
    }
    *out_root = root;
    return HX_OK;
}

size_t acpi_rsdp_find(const void *bytes, size_t size_bytes) {
    const uint8_t *in = bytes;
    struct acpi_root root;
    for (size_t offset = 0; range_fits(offset, RSDP_OLD_BYTES, size_bytes); offset += RSDP_STEP) {
        if (acpi_rsdp_parse(in + offset, size_bytes - offset, &root) == HX_OK) {
            return offset;
        }
    }
    return ACPI_NONE;
}

static void unmap(const struct acpi_mapper *mapper, const void *mapped, size_t size_bytes) {
    if (mapper->unmap != NULL) {
        mapper->unmap(mapper->context, mapped, size_bytes);
    }
}

// Reads signature and length of the table at `address` without believing them.
static enum hx_status read_header(const struct acpi_mapper *mapper, uint64_t address,
                                  struct acpi_table *out_header) {
    if (address == 0 || address > UINT64_MAX - ACPI_TABLE_MAX) {
        return HX_ERR_BAD_ADDRESS;
    }
    const uint8_t *header = mapper->map(mapper->context, address, ACPI_HEADER_BYTES);
    if (header == NULL) {
        return HX_ERR_BAD_ADDRESS;
    }
    *out_header = (struct acpi_table){ .size_bytes = read_u32(header + 4),
                                       .address = address,
                                       .revision = header[8] };
    memcpy(out_header->signature, header, 4);
    unmap(mapper, header, ACPI_HEADER_BYTES);
    return HX_OK;
}

enum hx_status acpi_table_open(const struct acpi_mapper *mapper, uint64_t address,
                               struct acpi_table *out_table) {
    struct acpi_table table;
    enum hx_status status = read_header(mapper, address, &table);
    if (status != HX_OK) {
        return status;
    }
    if (table.size_bytes < ACPI_HEADER_BYTES || table.size_bytes > ACPI_TABLE_MAX) {
        return HX_ERR_CORRUPT;
    }
    table.bytes = mapper->map(mapper->context, address, table.size_bytes);
    if (table.bytes == NULL) {
        return HX_ERR_BAD_ADDRESS;
    }
    if (!sum_is_zero(table.bytes, table.size_bytes)) {
        unmap(mapper, table.bytes, table.size_bytes);
        return HX_ERR_CORRUPT;
    }
    *out_table = table;
    return HX_OK;
}

void acpi_table_close(const struct acpi_mapper *mapper, const struct acpi_table *table) {
    unmap(mapper, table->bytes, table->size_bytes);
}

static uint32_t root_entry_bytes(const struct acpi_table *root_table) {
    return root_table->signature[0] == 'X' ? 8 : 4;
}

uint32_t acpi_root_count(const struct acpi_table *root_table) {
    uint32_t count = (root_table->size_bytes - ACPI_HEADER_BYTES) / root_entry_bytes(root_table);
    return MIN_OF(count, ACPI_ROOT_MAX);
}

uint64_t acpi_root_entry(const struct acpi_table *root_table, uint32_t index) {
    uint32_t entry_bytes = root_entry_bytes(root_table);
    const uint8_t *entry = root_table->bytes + ACPI_HEADER_BYTES + (size_t)index * entry_bytes;
    return entry_bytes == 8 ? read_u64(entry) : read_u32(entry);
}

enum hx_status acpi_table_find(const struct acpi_mapper *mapper, const struct acpi_root *root,
                               const char *signature, struct acpi_table *out_table) {
    struct acpi_table root_table;
    enum hx_status status = acpi_table_open(mapper, root->address, &root_table);
    if (status != HX_OK) {
        return status;
    }
    if (strcmp(root_table.signature, root->is_xsdt ? "XSDT" : "RSDT") != 0) {
        acpi_table_close(mapper, &root_table);
        return HX_ERR_CORRUPT;
    }
    status = HX_ERR_NOT_FOUND;
    uint32_t count = acpi_root_count(&root_table);
    for (uint32_t i = 0; i < count && status != HX_OK; i++) {
        uint64_t address = acpi_root_entry(&root_table, i);
        struct acpi_table header;
        // A table that is damaged is passed over: another one may have the same signature.
        if (read_header(mapper, address, &header) == HX_OK &&
            strncmp(header.signature, signature, 4) == 0 &&
            acpi_table_open(mapper, address, out_table) == HX_OK) {
            status = HX_OK;
        }
    }
    acpi_table_close(mapper, &root_table);
    return status;
}
