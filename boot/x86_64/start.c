// SPDX-License-Identifier: MIT OR Apache-2.0
// boot/x86_64/start.c: from a loader's tables to struct boot_info.
//
// Runs once, on the boot processor, with the first 4 GiB mapped one to one. What a loader says is
// checked by the parsers in lib/; a loader that makes no sense stops the machine, for nothing could
// be printed or undone here.
#include "../src/memory.h"

#include <lib/multiboot2.h>
#include <lib/pvh.h>
#include <lib/string.h>

#define LOADER_PVH        1u
#define LOADER_MULTIBOOT2 2u
#define IDENTITY_END      (1ull << 32)
#define IMAGE_BASE        0xffffffff80000000ull
#define RSDP_BYTES        36u

// The first pages: 0 stays out of use so that a physical address of 0 means none; the next one is
// where hal starts other processors.
#define RESERVED_LOW_BYTES 0x2000u

// Set by the linker script.
extern char image_start[];
extern char image_end[];

void boot_start(uint32_t loader, uint64_t address); // entry.S calls it

static struct boot_info boot_info;
static uint8_t rsdp_copy[RSDP_BYTES];

static NORETURN void boot_stop(void) {
    for (;;) {
        __asm__ volatile("cli\n\thlt");
    }
}

static uint64_t image_phys(const void *address) {
    return (uint64_t)(uintptr_t)address - IMAGE_BASE;
}

static const void *identity(uint64_t address) {
    return (const void *)(uintptr_t)address; // NOLINT(performance-no-int-to-ptr): the identity map
}

static bool is_identity(uint64_t address, uint64_t size_bytes) {
    return address != 0 && address < IDENTITY_END && size_bytes <= IDENTITY_END - address;
}

// The kinds of both protocols are those of the BIOS's map (ACPI 6.5, table 15.4).
static enum boot_memory_kind memory_kind(uint32_t type) {
    switch (type) {
    case PVH_MEMORY_USABLE:
        return BOOT_MEMORY_USABLE;
    case PVH_MEMORY_ACPI:
        return BOOT_MEMORY_ACPI;
    case PVH_MEMORY_NVS:
        return BOOT_MEMORY_NVS;
    default:
        return BOOT_MEMORY_RESERVED;
    }
}

static enum hx_status pvh_read_bytes(void *context, uint64_t address, void *to, size_t size_bytes) {
    (void)context;
    if (!is_identity(address, size_bytes)) {
        return HX_ERR_BAD_ADDRESS;
    }
    memcpy(to, identity(address), size_bytes);
    return HX_OK;
}

// Usable memory comes last, so that whatever else is listed for the same bytes wins.
static void pvh_memory(const struct pvh_source *source, const struct pvh_info *pvh, bool usable) {
    for (uint32_t i = 0; i < pvh->memory_count; i++) {
        struct pvh_memory range;
        if (pvh_read_memory(source, pvh, i, &range) != HX_OK) {
            continue;
        }
        enum boot_memory_kind kind = memory_kind(range.type);
        if ((kind == BOOT_MEMORY_USABLE) == usable) {
            boot_memory_add(&boot_info, range.base, range.size_bytes, kind);
        }
    }
}

static enum hx_status start_pvh(uint64_t address) {
    const struct pvh_source source = { .read = pvh_read_bytes };
    struct pvh_info pvh;
    enum hx_status status = pvh_read_info(&source, address, &pvh);
    if (status != HX_OK) {
        return status;
    }
    boot_info.loader = "pvh";
    pvh_memory(&source, &pvh, false);
    pvh_memory(&source, &pvh, true);
    struct pvh_module module;
    if (pvh.module_count > 0 && pvh_read_module(&source, &pvh, 0, &module) == HX_OK) {
        boot_info.initrd = paddr_make(module.base);
        boot_info.initrd_bytes = module.size_bytes;
    }
    boot_info.acpi_rsdp = paddr_make(pvh.rsdp);
    if (pvh_read_text(&source, pvh.command_line, boot_info.command_line, BOOT_COMMAND_MAX,
                      &boot_info.command_line_cut) != HX_OK) {
        boot_info.command_line[0] = '\0';
    }
    return HX_OK;
}

static void multiboot2_memory(const struct multiboot2_info *multiboot, bool usable) {
    for (uint32_t i = 0; i < multiboot->memory_count; i++) {
        struct multiboot2_memory range = multiboot2_memory_at(multiboot, i);
        enum boot_memory_kind kind = memory_kind(range.type);
        if ((kind == BOOT_MEMORY_USABLE) == usable) {
            boot_memory_add(&boot_info, range.base, range.size_bytes, kind);
        }
    }
}

static enum hx_status start_multiboot2(uint64_t address) {
    size_t size_bytes;
    if (!is_identity(address, MULTIBOOT2_HEADER_BYTES)) {
        return HX_ERR_BAD_ADDRESS;
    }
    enum hx_status status = multiboot2_size(identity(address), &size_bytes);
    if (status != HX_OK) {
        return status;
    }
    struct multiboot2_info multiboot;
    if (!is_identity(address, size_bytes)) {
        return HX_ERR_BAD_ADDRESS;
    }
    status = multiboot2_parse(identity(address), size_bytes, &multiboot);
    if (status != HX_OK) {
        return status;
    }
    boot_info.loader = "multiboot2";
    multiboot2_memory(&multiboot, false);
    multiboot2_memory(&multiboot, true);
    struct multiboot2_module module;
    size_t cursor = 0;
    if (multiboot2_next_module(&multiboot, &cursor, &module)) {
        boot_info.initrd = paddr_make(module.start);
        boot_info.initrd_bytes = module.end - module.start;
    }
    if (multiboot.rsdp != NULL) {
        memcpy(rsdp_copy, multiboot.rsdp, MIN_OF(multiboot.rsdp_bytes, sizeof(rsdp_copy)));
        boot_info.acpi_rsdp = paddr_make(image_phys(rsdp_copy));
    }
    boot_info.command_line_cut =
        !string_copy(boot_info.command_line, BOOT_COMMAND_MAX, multiboot.command_line);
    return HX_OK;
}

void boot_start(uint32_t loader, uint64_t address) {
    boot_memory_add(&boot_info, 0, RESERVED_LOW_BYTES, BOOT_MEMORY_RESERVED);
    enum hx_status status = loader == LOADER_PVH ? start_pvh(address) : start_multiboot2(address);
    if (status != HX_OK) {
        boot_stop();
    }
    boot_info.kernel_start = paddr_make(ALIGN_DOWN(image_phys(image_start), (uint64_t)PAGE_SIZE));
    boot_info.kernel_end = paddr_make(ALIGN_UP(image_phys(image_end), (uint64_t)PAGE_SIZE));
    kernel_main(&boot_info);
}
