// SPDX-License-Identifier: MIT OR Apache-2.0
// hal/x86_64/firmware.c: what ACPI says about processors, interrupts and power (ACPI 6.5, chapter
// 5). Tables are checked by lib/acpi.c; here they only become mapped memory. Without any, the
// machine is taken for one processor with its controllers at the usual addresses.
#include "private.h"

#include <hal/pci.h>
#include <lib/string.h>

#define BIOS_AREA       0xe0000u // where the root pointer is searched (5.2.5.1)
#define BIOS_AREA_BYTES 0x20000u
#define IOAPIC_DEFAULT  0xfec00000u

struct firmware x86_firmware;

uint32_t x86_cpu_apic_ids[HAL_CPU_MAX];
uint32_t x86_cpu_total;

static const void *acpi_map(void *context, uint64_t address, size_t size_bytes) {
    (void)context;
    if (x86_direct_covers(address, size_bytes)) {
        return hal_phys_to_virt(paddr_make(address));
    }
    return x86_device_map(address, size_bytes, HAL_MAP_READ);
}

static void acpi_unmap(void *context, const void *mapped, size_t size_bytes) {
    (void)context;
    if ((uint64_t)(uintptr_t)mapped >= X86_DEVICE_BASE) {
        x86_device_unmap(mapped, size_bytes);
    }
}

static const struct acpi_mapper mapper = { .map = acpi_map, .unmap = acpi_unmap };

static bool root_at(uint64_t address, size_t size_bytes) {
    const void *bytes = acpi_map(NULL, address, size_bytes);
    if (bytes == NULL) {
        return false;
    }
    bool ok = acpi_rsdp_parse(bytes, size_bytes, &x86_firmware.root) == HX_OK;
    acpi_unmap(NULL, bytes, size_bytes);
    return ok;
}

static bool root_search(void) {
    const void *area = acpi_map(NULL, BIOS_AREA, BIOS_AREA_BYTES);
    if (area == NULL) {
        return false;
    }
    size_t at = acpi_rsdp_find(area, BIOS_AREA_BYTES);
    acpi_unmap(NULL, area, BIOS_AREA_BYTES);
    return at != ACPI_NONE &&
           root_at(BIOS_AREA + at, MIN_OF((size_t)ACPI_RSDP_BYTES, BIOS_AREA_BYTES - at));
}

// Processor 0 is the running one, whatever its place in the table.
static void cpu_add(uint32_t apic_id) {
    for (uint32_t i = 0; i < x86_cpu_total; i++) {
        if (x86_cpu_apic_ids[i] == apic_id) {
            return;
        }
    }
    bool reachable = x86_features.x2apic || apic_id < 0xff;
    if (x86_cpu_total < HAL_CPU_MAX && reachable) {
        x86_cpu_apic_ids[x86_cpu_total++] = apic_id;
    }
}

static void madt_entry(const struct acpi_madt_entry *entry) {
    switch (entry->kind) {
    case ACPI_MADT_LOCAL_APIC:
    case ACPI_MADT_LOCAL_X2APIC:
        if (entry->is_enabled) {
            cpu_add(entry->apic_id);
        }
        break;
    case ACPI_MADT_IO_APIC:
        HX_IGNORE(ioapic_add(entry->address, entry->interrupt)); // one less: its lines are absent
        break;
    case ACPI_MADT_OVERRIDE:
        ioapic_override(entry->legacy_interrupt, entry->interrupt, entry->flags);
        break;
    default:
        break;
    }
}

static void madt_read(void) {
    struct acpi_table table;
    struct acpi_madt madt;
    struct acpi_madt_entry entry;
    if (acpi_table_find(&mapper, &x86_firmware.root, "APIC", &table) != HX_OK) {
        return;
    }
    if (acpi_madt_parse(&table, &madt) == HX_OK) {
        x86_firmware.has_madt = true;
        size_t cursor = 0;
        while (acpi_madt_next(&table, &cursor, &entry) == HX_OK) {
            madt_entry(&entry);
        }
    }
    acpi_table_close(&mapper, &table);
}

// Only the local APIC's address, which is needed before its number, which comes first in the list.
static void madt_read_address(void) {
    struct acpi_table table;
    struct acpi_madt madt;
    if (acpi_table_find(&mapper, &x86_firmware.root, "APIC", &table) != HX_OK) {
        return;
    }
    if (acpi_madt_parse(&table, &madt) == HX_OK) {
        x86_firmware.local_apic = madt.local_apic;
    }
    acpi_table_close(&mapper, &table);
}

static void fadt_read(void) {
    struct acpi_table table;
    if (acpi_table_find(&mapper, &x86_firmware.root, "FACP", &table) != HX_OK) {
        return;
    }
    x86_firmware.has_fadt = acpi_fadt_parse(&table, &x86_firmware.fadt) == HX_OK;
    acpi_table_close(&mapper, &table);
    if (x86_firmware.has_fadt && x86_firmware.fadt.dsdt != 0 &&
        acpi_table_open(&mapper, x86_firmware.fadt.dsdt, &table) == HX_OK) {
        x86_firmware.has_s5 = acpi_s5_find(&table, &x86_firmware.s5) == HX_OK;
        uint32_t *count = &x86_firmware.virtio_count;
        while (*count < VIRTIO_MAX &&
               acpi_virtio_find(&table, *count, &x86_firmware.virtio[*count]) == HX_OK) {
            ++*count;
        }
        acpi_table_close(&mapper, &table);
    }
}

void x86_firmware_read(const struct boot_info *info) {
    uint64_t rsdp = info->acpi_rsdp.value;
    x86_firmware.has_acpi = (rsdp != 0 && root_at(rsdp, ACPI_RSDP_BYTES)) || root_search();
    if (x86_firmware.has_acpi) {
        madt_read_address();
        fadt_read();
    }
}

void x86_firmware_controllers(void) {
    cpu_add(lapic_id());
    if (x86_firmware.has_acpi) {
        madt_read();
    }
    if (!x86_firmware.has_madt) {
        HX_IGNORE(ioapic_add(IOAPIC_DEFAULT, 0)); // a machine without one has no lines
    }
}

bool hal_pci_iommu(uint32_t function, uint32_t *out_iommu, uint32_t *out_endpoint) {
    struct acpi_table table;
    if (!x86_firmware.has_acpi ||
        acpi_table_find(&mapper, &x86_firmware.root, "VIOT", &table) != HX_OK) {
        return false;
    }
    enum hx_status status = acpi_viot_find(&table, function, out_iommu, out_endpoint);
    acpi_table_close(&mapper, &table);
    return status == HX_OK;
}
