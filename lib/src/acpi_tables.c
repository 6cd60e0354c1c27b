// SPDX-License-Identifier: MIT OR Apache-2.0
// acpi_tables.c: what stands in the FADT, MADT and HPET tables, and the sleep type of S5. Offsets
// are those of the ACPI Specification 6.4, sections 5.2.9 and 5.2.12, and of the HPET Specification
// 1.0a, section 3.2.4.
#include "bytes.h"

#include <lib/acpi.h>
#include <lib/string.h>

#define MADT_ENTRIES 44u
#define VIOT_BYTES   48u // 5.2.33: then nodes

#define VIOT_PCI_RANGE   1u
#define VIOT_RANGE_BYTES 24u
#define VIOT_PCI_IOMMU   3u
#define VIOT_IOMMU_BYTES 16u
#define FADT_1_BYTES     116u // revision 1
#define HPET_BYTES       56u
#define REGISTER_BYTES   12u

#define FADT_TIMER_32_BITS    (1u << 8)
#define FADT_RESET_SUPPORTED  (1u << 10)
#define FADT_HARDWARE_REDUCED (1u << 20)

static bool is_table(const struct acpi_table *table, const char *signature, uint32_t least_bytes) {
    return strcmp(table->signature, signature) == 0 && table->size_bytes >= least_bytes;
}

static struct acpi_register read_register(const uint8_t *bytes) {
    return (struct acpi_register){ .space = bytes[0],
                                   .width_bits = bytes[1],
                                   .offset_bits = bytes[2],
                                   .access = bytes[3],
                                   .address = read_u64(bytes + 4) };
}

enum hx_status acpi_madt_parse(const struct acpi_table *table, struct acpi_madt *out_madt) {
    if (!is_table(table, "APIC", MADT_ENTRIES)) {
        return HX_ERR_CORRUPT;
    }
    struct acpi_madt madt = { .local_apic = read_u32(table->bytes + 36),
                              .has_8259 = (read_u32(table->bytes + 40) & 1) != 0 };
    // Entry type 5 holds the 64-bit address.
    for (size_t at = MADT_ENTRIES; range_fits(at, 2, table->size_bytes);) {
        const uint8_t *entry = table->bytes + at;
        if (entry[1] < 2 || !range_fits(at, entry[1], table->size_bytes)) {
            break; // acpi_madt_next() reports it
        }
        if (entry[0] == 5 && entry[1] >= 12) {
            madt.local_apic = read_u64(entry + 4);
        }
        at += entry[1];
    }
    *out_madt = madt;
    return HX_OK;
}

static void set_enabled(struct acpi_madt_entry *entry, uint32_t flags) {
    entry->is_enabled = (flags & 1) != 0;
    entry->is_online_capable = (flags & 2) != 0;
}

static void read_local_apic(const uint8_t *bytes, struct acpi_madt_entry *entry) {
    entry->kind = ACPI_MADT_LOCAL_APIC;
    entry->processor_id = bytes[2];
    entry->apic_id = bytes[3];
    set_enabled(entry, read_u32(bytes + 4));
}

static void read_io_apic(const uint8_t *bytes, struct acpi_madt_entry *entry) {
    entry->kind = ACPI_MADT_IO_APIC;
    entry->apic_id = bytes[2];
    entry->address = read_u32(bytes + 4);
    entry->interrupt = read_u32(bytes + 8);
}

static void read_override(const uint8_t *bytes, struct acpi_madt_entry *entry) {
    entry->kind = ACPI_MADT_OVERRIDE;
    entry->legacy_interrupt = bytes[3];
    entry->interrupt = read_u32(bytes + 4);
    entry->flags = read_u16(bytes + 8);
}

static void read_nmi_source(const uint8_t *bytes, struct acpi_madt_entry *entry) {
    entry->kind = ACPI_MADT_NMI_SOURCE;
    entry->flags = read_u16(bytes + 2);
    entry->interrupt = read_u32(bytes + 4);
}

static void read_local_nmi(const uint8_t *bytes, struct acpi_madt_entry *entry) {
    entry->kind = ACPI_MADT_LOCAL_NMI;
    entry->processor_id = bytes[2] == UINT8_MAX ? ACPI_ALL_PROCESSORS : bytes[2];
    entry->flags = read_u16(bytes + 3);
    entry->pin = bytes[5];
}

static void read_x2apic(const uint8_t *bytes, struct acpi_madt_entry *entry) {
    entry->kind = ACPI_MADT_LOCAL_X2APIC;
    entry->apic_id = read_u32(bytes + 4);
    set_enabled(entry, read_u32(bytes + 8));
    entry->processor_id = read_u32(bytes + 12);
}

static void read_x2apic_nmi(const uint8_t *bytes, struct acpi_madt_entry *entry) {
    entry->kind = ACPI_MADT_LOCAL_NMI;
    entry->flags = read_u16(bytes + 2);
    entry->processor_id = read_u32(bytes + 4);
    entry->pin = bytes[8];
}

// Types, least lengths and readers; every other type is skipped.
static const struct madt_type {
    uint8_t type;
    uint8_t least_bytes;
    void (*read)(const uint8_t *bytes, struct acpi_madt_entry *entry);
} madt_types[] = {
    { 0, 8, read_local_apic },   { 1, 12, read_io_apic },  { 2, 10, read_override },
    { 3, 8, read_nmi_source },   { 4, 6, read_local_nmi }, { 9, 16, read_x2apic },
    { 10, 12, read_x2apic_nmi },
};

enum hx_status acpi_madt_next(const struct acpi_table *table, size_t *cursor,
                              struct acpi_madt_entry *out_entry) {
    size_t at = *cursor == 0 ? MADT_ENTRIES : *cursor;
    if (at >= table->size_bytes) {
        return HX_ERR_NOT_FOUND;
    }
    const uint8_t *bytes = table->bytes + at;
    if (!range_fits(at, 2, table->size_bytes) || bytes[1] < 2 ||
        !range_fits(at, bytes[1], table->size_bytes)) {
        return HX_ERR_CORRUPT;
    }
    struct acpi_madt_entry entry = { .kind = ACPI_MADT_OTHER, .raw_type = bytes[0] };
    for (size_t i = 0; i < ARRAY_SIZE(madt_types); i++) {
        if (madt_types[i].type == bytes[0]) {
            if (bytes[1] < madt_types[i].least_bytes) {
                return HX_ERR_CORRUPT;
            }
            madt_types[i].read(bytes, &entry);
        }
    }
    *cursor = at + bytes[1];
    *out_entry = entry;
    return HX_OK;
}

// A register that the FADT gives twice: as a port number, and in newer revisions in full. The full
// form counts where it is there and not zero.
static struct acpi_register fadt_register(const struct acpi_table *table, uint32_t port_offset,
                                          uint32_t full_offset, uint8_t width_bytes) {
    if (range_fits(full_offset, REGISTER_BYTES, table->size_bytes)) {
        struct acpi_register full = read_register(table->bytes + full_offset);
        if (full.address != 0) {
            return full;
        }
    }
    struct acpi_register port = { .space = ACPI_SPACE_PORT,
                                  .width_bits = (uint8_t)MIN_OF(width_bytes * 8u, 255u) };
    port.address = read_u32(table->bytes + port_offset);
    return port;
}

// A table's address, which the FADT gives twice in the same manner.
static uint64_t fadt_address(const struct acpi_table *table, uint32_t short_offset,
                             uint32_t full_offset) {
    uint64_t full = 0;
    if (range_fits(full_offset, 8, table->size_bytes)) {
        full = read_u64(table->bytes + full_offset);
    }
    return full != 0 ? full : read_u32(table->bytes + short_offset);
}

// A register that exists only in newer revisions.
static struct acpi_register fadt_late(const struct acpi_table *table, uint32_t offset) {
    if (!range_fits(offset, REGISTER_BYTES, table->size_bytes)) {
        return (struct acpi_register){ 0 };
    }
    return read_register(table->bytes + offset);
}

enum hx_status acpi_fadt_parse(const struct acpi_table *table, struct acpi_fadt *out_fadt) {
    if (!is_table(table, "FACP", FADT_1_BYTES)) {
        return HX_ERR_CORRUPT;
    }
    const uint8_t *bytes = table->bytes;
    uint32_t flags = read_u32(bytes + 112);
    struct acpi_fadt fadt = {
        .dsdt = fadt_address(table, 40, 140),
        .facs = fadt_address(table, 36, 132),
        .sci_interrupt = read_u16(bytes + 46),
        .smi_command_port = read_u32(bytes + 48),
        .acpi_enable = bytes[52],
        .pm1a_event = fadt_register(table, 56, 148, bytes[88]),
        .pm1b_event = fadt_register(table, 60, 160, bytes[88]),
        .pm1a_control = fadt_register(table, 64, 172, bytes[89]),
        .pm1b_control = fadt_register(table, 68, 184, bytes[89]),
        .pm_timer = fadt_register(table, 76, 208, bytes[91]),
        .pm_timer_is_32_bits = (flags & FADT_TIMER_32_BITS) != 0,
        .sleep_control = fadt_late(table, 244),
        .sleep_status = fadt_late(table, 256),
        .is_hardware_reduced = (flags & FADT_HARDWARE_REDUCED) != 0,
        .boot_flags = read_u16(bytes + 109),
        .century = bytes[108],
        .flags = flags,
    };
    if ((flags & FADT_RESET_SUPPORTED) != 0 && table->size_bytes > 128) {
        fadt.reset = read_register(bytes + 116);
        fadt.reset_value = bytes[128];
    }
    *out_fadt = fadt;
    return HX_OK;
}

enum hx_status acpi_hpet_parse(const struct acpi_table *table, struct acpi_hpet *out_hpet) {
    if (!is_table(table, "HPET", HPET_BYTES)) {
        return HX_ERR_CORRUPT;
    }
    *out_hpet = (struct acpi_hpet){ .base = read_register(table->bytes + 40),
                                    .id = read_u32(table->bytes + 36),
                                    .number = table->bytes[52],
                                    .minimum_tick = read_u16(table->bytes + 53) };
    return HX_OK;
}

// The virtio IOMMU on PCI that a node at `at` is (5.2.33.4); false: another kind, or not in the
// table.
static bool viot_iommu(const struct acpi_table *table, uint32_t at, uint32_t *out_function) {
    const uint8_t *node = table->bytes + at;
    if (at < VIOT_BYTES || !range_fits(at, VIOT_IOMMU_BYTES, table->size_bytes) ||
        node[0] != VIOT_PCI_IOMMU || read_u16(node + 4) != 0) {
        return false;
    }
    *out_function = read_u16(node + 6);
    return true;
}

// Whether a node of functions has this one, of segment 0 (5.2.33.3).
static bool viot_has(const uint8_t *node, uint32_t length, uint32_t function) {
    return node[0] == VIOT_PCI_RANGE && length >= VIOT_RANGE_BYTES && read_u16(node + 8) == 0 &&
           function >= read_u16(node + 12) && function <= read_u16(node + 14);
}

enum hx_status acpi_viot_find(const struct acpi_table *table, uint32_t function,
                              uint32_t *out_iommu, uint32_t *out_endpoint) {
    if (!is_table(table, "VIOT", VIOT_BYTES)) {
        return HX_ERR_CORRUPT;
    }
    uint32_t at = read_u16(table->bytes + 38);
    for (uint32_t left = read_u16(table->bytes + 36); left != 0; left--) {
        const uint8_t *node = table->bytes + at;
        if (at < VIOT_BYTES || !range_fits(at, 4, table->size_bytes)) {
            return HX_ERR_CORRUPT;
        }
        const uint32_t length = read_u16(node + 2);
        if (length < 4 || !range_fits(at, length, table->size_bytes)) {
            return HX_ERR_CORRUPT;
        }
        if (viot_has(node, length, function) && viot_iommu(table, read_u16(node + 16), out_iommu)) {
            *out_endpoint = read_u32(node + 4) + (function - read_u16(node + 12));
            return HX_OK;
        }
        at += length;
    }
    return HX_ERR_NOT_FOUND;
}

// Bytes of AML (section 20.2) that the search below knows.
#define AML_ZERO    0x00u
#define AML_ONE     0x01u
#define AML_NAME    0x08u
#define AML_BYTE    0x0au
#define AML_WORD    0x0bu
#define AML_DWORD   0x0cu
#define AML_PACKAGE 0x12u
#define AML_ROOT    0x5cu // the character "\"

struct aml {
    const uint8_t *next;
    size_t left;
};

// The next byte; AML's end reads as a byte that no rule below accepts.
static uint8_t aml_byte(struct aml *aml) {
    if (aml->left == 0) {
        return 0xff;
    }
    aml->left--;
    return *aml->next++;
}

// A small integer constant.
static bool aml_integer(struct aml *aml, uint8_t *out_value) {
    uint8_t prefix = aml_byte(aml);
    if (prefix == AML_ZERO || prefix == AML_ONE) {
        *out_value = prefix;
        return true;
    }
    size_t bytes = prefix == AML_BYTE ? 1 : prefix == AML_WORD ? 2 : prefix == AML_DWORD ? 4 : 0;
    if (bytes == 0 || aml->left < bytes) {
        return false;
    }
    *out_value = *aml->next; // the low byte; SLP_TYP has three bits
    aml->next += bytes;
    aml->left -= bytes;
    return true;
}

// Package, behind its name: opcode, length in one to four bytes, number of elements, elements.
static bool aml_s5_package(struct aml aml, struct acpi_s5 *out_s5) {
    if (aml_byte(&aml) != AML_PACKAGE) {
        return false;
    }
    uint8_t lead = aml_byte(&aml);
    for (unsigned more = lead >> 6; more != 0; more--) {
        (void)aml_byte(&aml);
    }
    uint8_t elements = aml_byte(&aml);
    struct acpi_s5 s5 = { 0 };
    if (elements < 1 || aml.left == 0 || !aml_integer(&aml, &s5.type_a)) {
        return false;
    }
    if (elements >= 2 && !aml_integer(&aml, &s5.type_b)) {
        return false;
    }
    s5.type_a &= 7;
    s5.type_b &= 7;
    *out_s5 = s5;
    return true;
}

enum hx_status acpi_s5_find(const struct acpi_table *table, struct acpi_s5 *out_s5) {
    const uint8_t *bytes = table->bytes;
    for (size_t at = ACPI_HEADER_BYTES + 1; range_fits(at, 4, table->size_bytes); at++) {
        if (memcmp(bytes + at, "_S5_", 4) != 0) {
            continue;
        }
        bool named =
            bytes[at - 1] == AML_NAME || (bytes[at - 1] == AML_ROOT && bytes[at - 2] == AML_NAME);
        struct aml aml = { bytes + at + 4, table->size_bytes - (at + 4) };
        if (named && aml_s5_package(aml, out_s5)) {
            return HX_OK;
        }
    }
    return HX_ERR_NOT_FOUND;
}

#define VIRTIO_ID       "LNRO0005"
#define VIRTIO_ID_BYTES 9u   // with its end
#define VIRTIO_NEAR     128u // bytes behind the id in which its resources are
#define RESOURCE_MEMORY 0x86u
#define RESOURCE_IRQ    0x89u
#define MEMORY_BYTES    9u // behind the tag and the length
#define IRQ_BYTES       6u // with one interrupt

// What stands within `near` bytes: a fixed range of memory, then one interrupt.
static bool virtio_resources(const uint8_t *bytes, size_t near, struct acpi_virtio *out_device) {
    bool has_memory = false;
    for (size_t at = 0; at + IRQ_BYTES + 3 <= near; at++) {
        const uint16_t length = read_u16(bytes + at + 1);
        if (!has_memory && bytes[at] == RESOURCE_MEMORY && length == MEMORY_BYTES &&
            at + MEMORY_BYTES + 3 <= near) {
            out_device->base = read_u32(bytes + at + 4);
            out_device->size_bytes = read_u32(bytes + at + 8);
            has_memory = true;
            at += 11;
        } else if (has_memory && bytes[at] == RESOURCE_IRQ && length == IRQ_BYTES &&
                   bytes[at + 4] == 1) {
            out_device->interrupt = read_u32(bytes + at + 5);
            return true;
        }
    }
    return false;
}

enum hx_status acpi_virtio_find(const struct acpi_table *table, uint32_t index,
                                struct acpi_virtio *out_device) {
    const uint8_t *bytes = table->bytes;
    for (size_t at = ACPI_HEADER_BYTES; range_fits(at, VIRTIO_ID_BYTES, table->size_bytes); at++) {
        struct acpi_virtio device;
        if (memcmp(bytes + at, VIRTIO_ID, VIRTIO_ID_BYTES) != 0) {
            continue;
        }
        const size_t begin = at + VIRTIO_ID_BYTES;
        const size_t near = MIN_OF(table->size_bytes - begin, (size_t)VIRTIO_NEAR);
        if (virtio_resources(bytes + begin, near, &device) && index-- == 0) {
            *out_device = device;
            return HX_OK;
        }
    }
    return HX_ERR_NOT_FOUND;
}
