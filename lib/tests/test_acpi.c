// SPDX-License-Identifier: MIT OR Apache-2.0
// ACPI tables, in a small model of physical memory: a set like QEMU's, then the refusals.
#include "bytes.h"
#include "check.h"

#include <lib/acpi.h>

#include <string.h>

#define BASE 0xe0000u
#define XSDT 0x100u
#define RSDT 0x180u
#define MADT 0x200u
#define FADT 0x300u
#define HPET 0x480u
#define DSDT 0x500u

static uint8_t memory[0x600];
static int maps;

static const void *map(void *context, uint64_t address, size_t size_bytes) {
    (void)context;
    if (address < BASE || address - BASE > sizeof(memory) ||
        size_bytes > sizeof(memory) - (address - BASE)) {
        return NULL;
    }
    maps++;
    return memory + (address - BASE);
}

static void unmap(void *context, const void *mapped, size_t size_bytes) {
    (void)context;
    CHECK(mapped != NULL && size_bytes != 0);
    maps--;
}

static const struct acpi_mapper mapper = { .map = map, .unmap = unmap };

static void fix_sum(uint8_t *bytes, size_t size, size_t at) {
    uint8_t sum = 0;
    bytes[at] = 0;
    for (size_t i = 0; i < size; i++) {
        sum = (uint8_t)(sum + bytes[i]);
    }
    bytes[at] = (uint8_t)(0 - sum);
}

// Finishes a table whose contents stand there already.
static void finish(uint32_t at, const char *signature, uint32_t size, uint8_t revision) {
    memcpy(memory + at, signature, 4);
    put_u32(memory + at + 4, size);
    memory[at + 8] = revision;
    fix_sum(memory + at, size, 9);
}

static void put_register(uint32_t at, uint8_t space, uint64_t address) {
    memory[at] = space;
    memory[at + 1] = 32;
    put_u64(memory + at + 4, address);
}

static uint32_t madt_end;

static void add_madt(const char *bytes, uint8_t size) {
    memcpy(memory + madt_end, bytes, size);
    madt_end += size;
}

static void make_madt(void) {
    put_u32(memory + MADT + 36, 0xfee00000);
    put_u32(memory + MADT + 40, 1);
    madt_end = MADT + 44;
    add_madt("\0\x08\x01\x02\x01\0\0\0", 8);                    // processor 1, APIC 2, enabled
    add_madt("\x01\x0c\x05\0\0\0\xc0\xfe\x18\0\0\0", 12);       // I/O APIC 5
    add_madt("\x02\x0a\0\x09\x14\0\0\0\x0d\0", 10);             // ISA 9 is interrupt 20, low? level
    add_madt("\x03\x08\x05\0\x07\0\0\0", 8);                    // interrupt 7 is an NMI
    add_madt("\x04\x06\xff\x05\0\x01", 6);                      // LINT1 of all processors
    add_madt("\x7f\x05zzz", 5);                                 // of a later specification
    add_madt("\x09\x10\0\0\0\x01\0\0\x02\0\0\0\x44\0\0\0", 16); // x2APIC 256, processor 0x44
    add_madt("\x0a\x0c\x05\0\xff\xff\xff\xff\x01\0\0\0", 12);   // LINT1 of all processors
    finish(MADT, "APIC", madt_end - MADT, 3);
}

static void make_fadt(void) {
    put_u32(memory + FADT + 36, 0x1111);
    put_u32(memory + FADT + 40, BASE + DSDT);
    put_u16(memory + FADT + 46, 9);
    put_u32(memory + FADT + 48, 0xb2);
    memory[FADT + 52] = 2;
    put_u32(memory + FADT + 56, 0x600);
    put_u32(memory + FADT + 64, 0x604);
    put_u32(memory + FADT + 76, 0x608);
    memory[FADT + 88] = 4;
    memory[FADT + 89] = 2;
    memory[FADT + 91] = 4;
    memory[FADT + 108] = 0x32;
    put_u16(memory + FADT + 109, 2);
    put_u32(memory + FADT + 112, 1u << 8 | 1u << 10);
    put_register(FADT + 116, ACPI_SPACE_PORT, 0xcf9);
    memory[FADT + 128] = 0xf;
    put_register(FADT + 172, ACPI_SPACE_MEMORY, UINT64_C(0xfed00604));
    finish(FADT, "FACP", 276, 6);
}

static const char s5_aml[] = "\x08_S5_\x12\x06\x04\x0a\x05\x01\0\0";

static void put_aml(const char *aml, uint32_t size) {
    memset(memory + DSDT, 0, sizeof(memory) - DSDT);
    memcpy(memory + DSDT + 36, "_S5_", 4); // not a definition
    memcpy(memory + DSDT + 40, aml, size);
    finish(DSDT, "DSDT", 40 + size, 2);
}

static void make(void) {
    memset(memory, 0, sizeof(memory));
    memcpy(memory + 16, "RSD PTR ", 8);
    memory[16 + 15] = 2;
    put_u32(memory + 16 + 16, BASE + RSDT);
    put_u32(memory + 16 + 20, 36);
    put_u64(memory + 16 + 24, BASE + XSDT);
    fix_sum(memory + 16, 20, 8);
    fix_sum(memory + 16, 36, 32);
    put_u64(memory + XSDT + 36, 0x5000); // cannot be mapped: passed over
    put_u64(memory + XSDT + 44, BASE + MADT);
    put_u64(memory + XSDT + 52, BASE + FADT);
    put_u64(memory + XSDT + 60, BASE + HPET);
    finish(XSDT, "XSDT", 68, 1);
    put_u32(memory + RSDT + 36, BASE + FADT);
    finish(RSDT, "RSDT", 40, 1);
    make_madt();
    make_fadt();
    put_u32(memory + HPET + 36, 0x8086a201);
    put_register(HPET + 40, ACPI_SPACE_MEMORY, 0xfed00000);
    memory[HPET + 52] = 3;
    put_u16(memory + HPET + 53, 100);
    finish(HPET, "HPET", 56, 1);
    put_aml(s5_aml, sizeof(s5_aml) - 1);
}

static void test_root(void) {
    struct acpi_root root;
    make();
    CHECK(acpi_rsdp_find(memory, sizeof(memory)) == 16);
    CHECK(acpi_rsdp_find(memory, 35) == ACPI_NONE && acpi_rsdp_find(memory, 0) == ACPI_NONE);
    CHECK(acpi_rsdp_parse(memory + 16, 36, &root) == HX_OK);
    CHECK(root.is_xsdt && root.address == BASE + XSDT);
    CHECK(acpi_rsdp_parse(memory + 16, 35, &root) == HX_ERR_CORRUPT);
    memory[16 + 33] ^= 1; // outside the first checksum
    CHECK(acpi_rsdp_parse(memory + 16, 36, &root) == HX_ERR_CORRUPT);
    put_u32(memory + 16 + 20, 37); // longer than what is there
    CHECK(acpi_rsdp_parse(memory + 16, 36, &root) == HX_ERR_CORRUPT);
    put_u32(memory + 16 + 20, 35);
    CHECK(acpi_rsdp_parse(memory + 16, 36, &root) == HX_ERR_CORRUPT);
    memory[16 + 15] = 0; // the old form
    fix_sum(memory + 16, 20, 8);
    CHECK(acpi_rsdp_parse(memory + 16, 20, &root) == HX_OK);
    CHECK(!root.is_xsdt && root.address == BASE + RSDT);
    CHECK(acpi_rsdp_parse(memory + 16, 19, &root) == HX_ERR_CORRUPT);
    struct acpi_table table;
    CHECK(acpi_table_find(&mapper, &root, "FACP", &table) == HX_OK);
    acpi_table_close(&mapper, &table);
    CHECK(acpi_table_find(&mapper, &root, "APIC", &table) == HX_ERR_NOT_FOUND);
    put_u32(memory + 16 + 16, 0);
    fix_sum(memory + 16, 20, 8);
    CHECK(acpi_rsdp_parse(memory + 16, 20, &root) == HX_ERR_CORRUPT);
    memory[16] ^= 1;
    CHECK(acpi_rsdp_find(memory, sizeof(memory)) == ACPI_NONE);
    CHECK(maps == 0);
}

static void test_tables(void) {
    const struct acpi_root root = { .address = BASE + XSDT, .is_xsdt = true };
    struct acpi_table table;
    make();
    CHECK(acpi_table_open(&mapper, BASE + XSDT, &table) == HX_OK);
    CHECK(acpi_root_count(&table) == 4 && acpi_root_entry(&table, 1) == BASE + MADT);
    acpi_table_close(&mapper, &table);
    CHECK(acpi_table_find(&mapper, &root, "HPET", &table) == HX_OK && table.size_bytes == 56);
    CHECK(strcmp(table.signature, "HPET") == 0 && table.address == BASE + HPET);
    struct acpi_hpet hpet;
    CHECK(acpi_hpet_parse(&table, &hpet) == HX_OK && hpet.base.address == 0xfed00000);
    CHECK(hpet.id == 0x8086a201 && hpet.number == 3 && hpet.minimum_tick == 100);
    struct acpi_fadt fadt;
    CHECK(acpi_fadt_parse(&table, &fadt) == HX_ERR_CORRUPT); // not that table
    table.size_bytes = 55;
    CHECK(acpi_hpet_parse(&table, &hpet) == HX_ERR_CORRUPT);
    acpi_table_close(&mapper, &table);
    memory[HPET + 50] ^= 1; // the checksum
    CHECK(acpi_table_open(&mapper, BASE + HPET, &table) == HX_ERR_CORRUPT);
    CHECK(acpi_table_find(&mapper, &root, "HPET", &table) == HX_ERR_NOT_FOUND);
    put_u32(memory + HPET + 4, 35);
    CHECK(acpi_table_open(&mapper, BASE + HPET, &table) == HX_ERR_CORRUPT);
    put_u32(memory + HPET + 4, ACPI_TABLE_MAX + 1);
    CHECK(acpi_table_open(&mapper, BASE + HPET, &table) == HX_ERR_CORRUPT);
    put_u32(memory + HPET + 4, sizeof(memory));
    CHECK(acpi_table_open(&mapper, BASE + HPET, &table) == HX_ERR_BAD_ADDRESS);
    CHECK(acpi_table_open(&mapper, 0, &table) == HX_ERR_BAD_ADDRESS);
    CHECK(acpi_table_open(&mapper, UINT64_MAX - 3, &table) == HX_ERR_BAD_ADDRESS);
    const struct acpi_root wrong = { .address = BASE + RSDT, .is_xsdt = true };
    CHECK(acpi_table_find(&mapper, &wrong, "FACP", &table) == HX_ERR_CORRUPT);
    CHECK(maps == 0);
}

static void test_madt(void) {
    struct acpi_table table;
    struct acpi_madt madt;
    struct acpi_madt_entry entry;
    size_t cursor = 0;
    make();
    CHECK(acpi_table_open(&mapper, BASE + MADT, &table) == HX_OK);
    CHECK(acpi_madt_parse(&table, &madt) == HX_OK && madt.has_8259);
    CHECK(madt.local_apic == 0xfee00000);
    CHECK(acpi_madt_next(&table, &cursor, &entry) == HX_OK && entry.kind == ACPI_MADT_LOCAL_APIC);
    CHECK(entry.processor_id == 1 && entry.apic_id == 2);
    CHECK(entry.is_enabled && !entry.is_online_capable);
    CHECK(acpi_madt_next(&table, &cursor, &entry) == HX_OK && entry.kind == ACPI_MADT_IO_APIC);
    CHECK(entry.apic_id == 5 && entry.address == 0xfec00000 && entry.interrupt == 24);
    CHECK(acpi_madt_next(&table, &cursor, &entry) == HX_OK && entry.kind == ACPI_MADT_OVERRIDE);
    CHECK(entry.legacy_interrupt == 9 && entry.interrupt == 20);
    CHECK(ACPI_POLARITY(entry.flags) == ACPI_POLARITY_HIGH);
    CHECK(ACPI_TRIGGER(entry.flags) == ACPI_TRIGGER_LEVEL);
    CHECK(acpi_madt_next(&table, &cursor, &entry) == HX_OK && entry.kind == ACPI_MADT_NMI_SOURCE);
    CHECK(entry.interrupt == 7 && ACPI_TRIGGER(entry.flags) == ACPI_TRIGGER_EDGE);
    CHECK(acpi_madt_next(&table, &cursor, &entry) == HX_OK && entry.kind == ACPI_MADT_LOCAL_NMI);
    CHECK(entry.processor_id == ACPI_ALL_PROCESSORS && entry.pin == 1 && entry.flags == 5);
    CHECK(acpi_madt_next(&table, &cursor, &entry) == HX_OK && entry.kind == ACPI_MADT_OTHER);
    CHECK(entry.raw_type == 0x7f);
    CHECK(acpi_madt_next(&table, &cursor, &entry) == HX_OK && entry.kind == ACPI_MADT_LOCAL_X2APIC);
    CHECK(entry.apic_id == 256 && entry.processor_id == 0x44);
    CHECK(!entry.is_enabled && entry.is_online_capable);
    CHECK(acpi_madt_next(&table, &cursor, &entry) == HX_OK && entry.kind == ACPI_MADT_LOCAL_NMI);
    CHECK(entry.processor_id == ACPI_ALL_PROCESSORS && entry.pin == 1);
    CHECK(acpi_madt_next(&table, &cursor, &entry) == HX_ERR_NOT_FOUND);
    acpi_table_close(&mapper, &table);
}

// Entries that cannot be: too short for their kind, of no length, beyond the end.
static void test_madt_refusals(void) {
    static const struct {
        const char *bytes;
        uint8_t size;
    } bad[] = { { "\0\x07\0\0\0\0\0", 7 },
                { "\x01\0", 2 },
                { "\x01\x01", 2 },
                { "\0\x09\0\0\0\0\0\0", 8 },
                { "\x09\x0f\0\0\0\0\0\0\0\0\0\0\0\0\0", 15 },
                { "\0", 1 } };
    for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
        make();
        madt_end = MADT + 44;
        add_madt(bad[i].bytes, bad[i].size);
        finish(MADT, "APIC", madt_end - MADT, 3);
        struct acpi_table table;
        struct acpi_madt madt;
        struct acpi_madt_entry entry;
        size_t cursor = 0;
        CHECK(acpi_table_open(&mapper, BASE + MADT, &table) == HX_OK);
        CHECK(acpi_madt_parse(&table, &madt) == HX_OK);
        CHECK(acpi_madt_next(&table, &cursor, &entry) == HX_ERR_CORRUPT && cursor == 0);
        acpi_table_close(&mapper, &table);
    }
    make();
    madt_end = MADT + 44;
    add_madt("\x05\x0c\0\0\0\0\0\0\x01\0\0\0", 12); // where the local APIC is, in 64 bits
    finish(MADT, "APIC", madt_end - MADT, 3);
    struct acpi_table table;
    struct acpi_madt madt;
    CHECK(acpi_table_open(&mapper, BASE + MADT, &table) == HX_OK);
    CHECK(acpi_madt_parse(&table, &madt) == HX_OK && madt.local_apic == UINT64_C(1) << 32);
    table.size_bytes = 43;
    CHECK(acpi_madt_parse(&table, &madt) == HX_ERR_CORRUPT);
}

static void test_fadt(void) {
    struct acpi_table table;
    struct acpi_fadt fadt;
    make();
    CHECK(acpi_table_open(&mapper, BASE + FADT, &table) == HX_OK);
    CHECK(acpi_fadt_parse(&table, &fadt) == HX_OK);
    CHECK(fadt.dsdt == BASE + DSDT && fadt.facs == 0x1111 && fadt.sci_interrupt == 9);
    CHECK(fadt.smi_command_port == 0xb2 && fadt.acpi_enable == 2 && fadt.century == 0x32);
    CHECK(fadt.pm1a_event.space == ACPI_SPACE_PORT && fadt.pm1a_event.address == 0x600);
    CHECK(fadt.pm1a_event.width_bits == 32 && fadt.pm1b_control.address == 0);
    CHECK(fadt.pm1a_control.space == ACPI_SPACE_MEMORY); // the full form counts
    CHECK(fadt.pm1a_control.address == 0xfed00604);
    CHECK(fadt.pm_timer.address == 0x608 && fadt.pm_timer_is_32_bits);
    CHECK(fadt.reset.address == 0xcf9 && fadt.reset_value == 0xf && fadt.boot_flags == 2);
    CHECK(!fadt.is_hardware_reduced && fadt.sleep_control.address == 0);
    table.size_bytes = 116; // revision 1
    CHECK(acpi_fadt_parse(&table, &fadt) == HX_OK && fadt.reset.address == 0);
    CHECK(fadt.pm1a_control.space == ACPI_SPACE_PORT && fadt.pm1a_control.address == 0x604);
    CHECK(fadt.pm1a_control.width_bits == 16);
    table.size_bytes = 115;
    CHECK(acpi_fadt_parse(&table, &fadt) == HX_ERR_CORRUPT);
    table.size_bytes = 276;
    put_u32(memory + FADT + 112, 1u << 20); // no vouching for the reset register
    CHECK(acpi_fadt_parse(&table, &fadt) == HX_OK && fadt.reset.address == 0);
    CHECK(fadt.is_hardware_reduced && !fadt.pm_timer_is_32_bits);
    acpi_table_close(&mapper, &table);
}

// The two types as type_a * 16 + type_b; -1 if they are not found.
static int s5_of(const char *aml, uint32_t size) {
    put_aml(aml, size);
    struct acpi_table table;
    CHECK(acpi_table_open(&mapper, BASE + DSDT, &table) == HX_OK);
    struct acpi_s5 s5;
    enum hx_status status = acpi_s5_find(&table, &s5);
    CHECK(status == HX_OK || status == HX_ERR_NOT_FOUND);
    acpi_table_close(&mapper, &table);
    return status == HX_OK ? s5.type_a * 16 + s5.type_b : -1;
}

// As QEMU's microvm writes it: a fixed range of memory and one interrupt.
static const char virtio_aml[] = "\x0dLNRO0005\0\x08_UID\0\x08_CRS\x11\x1a\x0a\x17"
                                 "\x86\x09\0\x01\0\x0e\0\xfe\0\x02\0\0"
                                 "\x89\x06\0\x01\x01\x17\0\0\0\x79\0";

static bool virtio_of(const char *aml, uint32_t size, uint32_t index) {
    put_aml(aml, size);
    struct acpi_table table;
    struct acpi_virtio device = { 0 };
    CHECK(acpi_table_open(&mapper, BASE + DSDT, &table) == HX_OK);
    enum hx_status status = acpi_virtio_find(&table, index, &device);
    acpi_table_close(&mapper, &table);
    return status == HX_OK && device.base == 0xfe000e00 && device.size_bytes == 512 &&
           device.interrupt == 23;
}

static void test_virtio(void) {
    char two[2 * sizeof(virtio_aml)];
    const uint32_t size = sizeof(virtio_aml) - 1;
    memcpy(two, virtio_aml, size);
    memcpy(two + size, virtio_aml, size);
    CHECK(virtio_of(virtio_aml, size, 0) && !virtio_of(virtio_aml, size, 1));
    CHECK(virtio_of(two, 2 * size, 1));
    for (uint32_t cut = 0; cut < size - 5; cut++) { // up to the interrupt's number
        CHECK(!virtio_of(virtio_aml, cut, 0));
    }
    two[1] = 'X'; // another id, with all the rest
    CHECK(virtio_of(two, 2 * size, 0) && !virtio_of(two, size, 0));
}

static void test_s5(void) {
    make();
    CHECK(s5_of(s5_aml, sizeof(s5_aml) - 1) == 0x51);
    CHECK(s5_of("\x08\\_S5_\x12\x06\x02\0\0", 11) == 0);
    CHECK(s5_of("\x08_S5_\x12\x49\x01\x02\x0b\x07\0\x0c\x06\0\0\0", 17) == 0x76);
    CHECK(s5_of("\x08_S5_\x12\x06\x01\x0a\x05", 10) == 0x50);
    CHECK(s5_of("\x10_S5_\x12\x06\x02\0\0", 10) == -1);   // another opcode before it
    CHECK(s5_of("\x08_S5_\x11\x06\x02\0\0", 10) == -1);   // not a package
    CHECK(s5_of("\x08_S5_\x12\x06\0\0\0", 10) == -1);     // without elements
    CHECK(s5_of("\x08_S5_\x12\x06\x02\x70\0", 10) == -1); // not an integer
    for (uint32_t size = 0; size < 10; size++) {          // cut
        CHECK(s5_of("\x08_S5_\x12\x06\x02\x0a\x05", size) == -1);
    }
    // The first one is no definition, the second one is.
    CHECK(s5_of("\x08_S5_\x12\x06\0\x08_S5_\x12\x06\x02\x01\x01", 18) == 0x11);
}

static enum hx_status viot_of(uint32_t function, uint32_t *iommu, uint32_t *endpoint) {
    struct acpi_table table;
    struct acpi_root root = { BASE + XSDT, true };
    if (acpi_table_find(&mapper, &root, "VIOT", &table) != HX_OK) {
        return HX_ERR_BAD_ADDRESS;
    }
    enum hx_status status = acpi_viot_find(&table, function, iommu, endpoint);
    acpi_table_close(&mapper, &table);
    return status;
}

// In place of the HPET: an IOMMU at 00:02.0, functions 8 to 0xf and, of another segment, all.
static void viot_make(uint32_t at, uint16_t count) {
    make();
    memset(memory + at, 0, 128);
    put_u16(memory + at + 36, count);
    put_u16(memory + at + 38, 48);
    memory[at + 48] = 3; // the IOMMU
    put_u16(memory + at + 50, 16);
    put_u16(memory + at + 54, 0x10);
    memory[at + 64] = 1; // segment 1
    put_u16(memory + at + 66, 24);
    put_u16(memory + at + 72, 1);
    put_u16(memory + at + 74, 1);
    put_u16(memory + at + 78, 0xffff);
    put_u16(memory + at + 80, 48);
    memory[at + 88] = 1;
    put_u16(memory + at + 90, 24);
    put_u32(memory + at + 92, 0x1008);
    put_u16(memory + at + 100, 8);
    put_u16(memory + at + 102, 0xf);
    put_u16(memory + at + 104, 48);
    finish(at, "VIOT", 112, 0);
}

static void test_viot(void) {
    uint32_t iommu = 0;
    uint32_t endpoint = 0;
    const uint32_t at = HPET;
    viot_make(at, 3);
    CHECK(viot_of(8, &iommu, &endpoint) == HX_OK && iommu == 0x10 && endpoint == 0x1008);
    CHECK(viot_of(0xf, &iommu, &endpoint) == HX_OK && endpoint == 0x100f);
    CHECK(viot_of(7, &iommu, &endpoint) == HX_ERR_NOT_FOUND);
    CHECK(viot_of(0x10, &iommu, &endpoint) == HX_ERR_NOT_FOUND);
    viot_make(at, 2); // the last node is not counted
    CHECK(viot_of(8, &iommu, &endpoint) == HX_ERR_NOT_FOUND);
    viot_make(at, 4); // one more than there are
    CHECK(viot_of(8, &iommu, &endpoint) == HX_OK);
    CHECK(viot_of(7, &iommu, &endpoint) == HX_ERR_CORRUPT);
    viot_make(at, 3);
    put_u16(memory + at + 50, 3); // would go on for ever, or nearly
    finish(at, "VIOT", 112, 0);
    CHECK(viot_of(8, &iommu, &endpoint) == HX_ERR_CORRUPT);
    viot_make(at, 3);
    put_u16(memory + at + 104, 100); // its IOMMU lies behind the end
    finish(at, "VIOT", 112, 0);
    CHECK(viot_of(8, &iommu, &endpoint) == HX_ERR_NOT_FOUND);
    put_u16(memory + at + 104, 64); // and is none
    finish(at, "VIOT", 112, 0);
    CHECK(viot_of(8, &iommu, &endpoint) == HX_ERR_NOT_FOUND);
}

int main(void) {
    test_viot();
    test_root();
    test_tables();
    test_madt();
    test_madt_refusals();
    test_fadt();
    test_s5();
    test_virtio();
    return check_result();
}
