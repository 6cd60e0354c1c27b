// SPDX-License-Identifier: MIT OR Apache-2.0
// <lib/acpi.h>: reads the static ACPI tables that starting a machine needs (ACPI Specification 6.4,
// chapter 5; HPET Specification 1.0a, section 3.2.4). There is no AML interpreter here.
//
// Tables are seen through the caller's mapping callbacks; every length is checked before use and
// every checksum before the contents are believed. Parsers take a table that is open and copy what
// they find, so it may be closed afterwards.
#pragma once

#include <helix/types.h>

#define ACPI_NONE         SIZE_MAX
#define ACPI_TABLE_MAX    (4u << 20) // bytes; a longer table is refused
#define ACPI_ROOT_MAX     256u       // tables that the root may name; the rest is ignored
#define ACPI_RSDP_BYTES   36u        // of a root pointer, from revision 2 on
#define ACPI_HEADER_BYTES 36u

// Makes `size_bytes` of physical memory readable until unmap; NULL: it cannot be.
struct acpi_mapper {
    const void *(*map)(void *context, uint64_t address, size_t size_bytes);
    void (*unmap)(void *context, const void *mapped, size_t size_bytes); // may be NULL
    void *context;
};

struct acpi_root {
    uint64_t address; // of the XSDT or the RSDT
    bool is_xsdt;
};

// An open table. The header is part of `bytes`.
struct acpi_table {
    const uint8_t *bytes;
    uint32_t size_bytes;
    uint64_t address;
    char signature[5]; // terminated
    uint8_t revision;
};

// A register (section 5.2.3.2).
enum acpi_space {
    ACPI_SPACE_MEMORY = 0,
    ACPI_SPACE_PORT = 1,
};

struct acpi_register {
    uint8_t space; // enum acpi_space, or another number of the table
    uint8_t width_bits;
    uint8_t offset_bits;
    uint8_t access;   // 0: not said, 1 to 4: byte, word, dword, qword
    uint64_t address; // 0: there is none
};

struct acpi_fadt {
    uint64_t dsdt; // address; 0: none
    uint64_t facs; // address; 0: none
    uint16_t sci_interrupt;
    uint32_t smi_command_port; // 0: ACPI mode is always on
    uint8_t acpi_enable;       // what to write there
    struct acpi_register pm1a_event;
    struct acpi_register pm1b_event;
    struct acpi_register pm1a_control;
    struct acpi_register pm1b_control;
    struct acpi_register pm_timer;
    bool pm_timer_is_32_bits;
    struct acpi_register reset; // address 0: there is none, or the flags do not vouch for it
    uint8_t reset_value;
    struct acpi_register sleep_control; // for hardware-reduced machines
    struct acpi_register sleep_status;
    bool is_hardware_reduced; // there are no PM1 registers
    uint16_t boot_flags;      // IAPC_BOOT_ARCH
    uint8_t century;          // index in the clock's memory; 0: none
    uint32_t flags;
};

struct acpi_madt {
    uint64_t local_apic; // physical address, the 64-bit override if there is one
    bool has_8259;       // PCAT_COMPAT: mask the legacy controllers
};

enum acpi_madt_kind {
    ACPI_MADT_OTHER, // of no interest here
    ACPI_MADT_LOCAL_APIC,
    ACPI_MADT_IO_APIC,
    ACPI_MADT_OVERRIDE,   // of a legacy interrupt's source
    ACPI_MADT_NMI_SOURCE, // an input of an I/O APIC
    ACPI_MADT_LOCAL_NMI,  // a pin of a local APIC
    ACPI_MADT_LOCAL_X2APIC,
};

// Polarity and trigger of an interrupt (MPS INTI flags, table 5.26).
#define ACPI_POLARITY(flags) ((flags) & 3u)
#define ACPI_TRIGGER(flags)  (((flags) >> 2) & 3u)
#define ACPI_POLARITY_BUS    0u
#define ACPI_POLARITY_HIGH   1u
#define ACPI_POLARITY_LOW    3u
#define ACPI_TRIGGER_BUS     0u
#define ACPI_TRIGGER_EDGE    1u
#define ACPI_TRIGGER_LEVEL   3u

#define ACPI_ALL_PROCESSORS UINT32_MAX

// One entry; which fields count depends on the kind.
struct acpi_madt_entry {
    enum acpi_madt_kind kind;
    uint8_t raw_type;
    uint32_t apic_id;      // LOCAL_APIC, LOCAL_X2APIC, IO_APIC
    uint32_t processor_id; // ACPI's number; LOCAL_APIC, LOCAL_X2APIC, LOCAL_NMI (or ALL_PROCESSORS)
    bool is_enabled;       // LOCAL_APIC, LOCAL_X2APIC
    bool is_online_capable;
    uint64_t address;         // IO_APIC
    uint32_t interrupt;       // IO_APIC: its first; OVERRIDE, NMI_SOURCE: the global interrupt
    uint8_t legacy_interrupt; // OVERRIDE: the ISA number
    uint16_t flags;           // OVERRIDE, NMI_SOURCE, LOCAL_NMI: polarity and trigger
    uint8_t pin;              // LOCAL_NMI: LINT0 or LINT1
};

struct acpi_hpet {
    struct acpi_register base;
    uint32_t id; // a copy of the low half of the capabilities register
    uint8_t number;
    uint16_t minimum_tick;
};

// The sleep types that switch the machine off: to be written to SLP_TYP of PM1a and PM1b control.
struct acpi_s5 {
    uint8_t type_a;
    uint8_t type_b;
};

// A virtio device over MMIO.
struct acpi_virtio {
    uint64_t base;
    uint32_t size_bytes;
    uint32_t interrupt; // global system interrupt
};

// The offset of a root pointer with a valid checksum, searched at multiples of 16; ACPI_NONE if
// there is none.
size_t acpi_rsdp_find(const void *bytes, size_t size_bytes);

// Reads a root pointer. HX_ERR_CORRUPT: signature, size or checksum is wrong, or it names no table.
enum hx_status acpi_rsdp_parse(const void *bytes, size_t size_bytes, struct acpi_root *out_root);

// Maps the table at `address` and checks length and checksum; close it when done.
// HX_ERR_BAD_ADDRESS: it cannot be mapped. HX_ERR_CORRUPT: length or checksum is wrong.
enum hx_status acpi_table_open(const struct acpi_mapper *mapper, uint64_t address,
                               struct acpi_table *out_table);
void acpi_table_close(const struct acpi_mapper *mapper, const struct acpi_table *table);

// How many tables an open XSDT or RSDT names, and the address of one of them (`index` below that).
uint32_t acpi_root_count(const struct acpi_table *root_table);
uint64_t acpi_root_entry(const struct acpi_table *root_table, uint32_t index);

// Opens the first sound table with a four-letter signature that the root names; close it when done.
// HX_ERR_NOT_FOUND: there is none. HX_ERR_CORRUPT, HX_ERR_BAD_ADDRESS: the root itself is bad.
enum hx_status acpi_table_find(const struct acpi_mapper *mapper, const struct acpi_root *root,
                               const char *signature, struct acpi_table *out_table);

// HX_ERR_CORRUPT: the table is not a MADT ("APIC") or too short.
enum hx_status acpi_madt_parse(const struct acpi_table *table, struct acpi_madt *out_madt);

// The next entry of an open MADT; *cursor starts at 0. HX_ERR_NOT_FOUND: there are no more.
// HX_ERR_CORRUPT: the entry at *cursor has an impossible length.
enum hx_status acpi_madt_next(const struct acpi_table *table, size_t *cursor,
                              struct acpi_madt_entry *out_entry);

// HX_ERR_CORRUPT: the table is not a FADT ("FACP") or too short for revision 1.
enum hx_status acpi_fadt_parse(const struct acpi_table *table, struct acpi_fadt *out_fadt);

// HX_ERR_CORRUPT: the table is not "HPET" or too short.
enum hx_status acpi_hpet_parse(const struct acpi_table *table, struct acpi_hpet *out_hpet);

// Which virtio IOMMU on PCI translates what a function of PCI's segment 0 does (bus << 8 | device
// << 3 | function), and how the function is called there. HX_ERR_NOT_FOUND: none.
// HX_ERR_CORRUPT: the table is not a VIOT, or a node before that does not lie in it.
enum hx_status acpi_viot_find(const struct acpi_table *table, uint32_t function,
                              uint32_t *out_iommu, uint32_t *out_endpoint);

// Searches an open DSDT or SSDT for Name (_S5_, Package {…}) by its bytes, without interpreting the
// AML. HX_ERR_NOT_FOUND: it is not there in a form that can be read so.
enum hx_status acpi_s5_find(const struct acpi_table *table, struct acpi_s5 *out_s5);

// Searches an open DSDT or SSDT for device number `index` of those with the hardware id LNRO0005,
// by its bytes: the id, and in what follows its fixed memory range and its interrupt
// (sections 6.4.3.4 and 6.4.3.6). HX_ERR_NOT_FOUND: no more are there in a form that can be read
// so.
enum hx_status acpi_virtio_find(const struct acpi_table *table, uint32_t index,
                                struct acpi_virtio *out_device);
