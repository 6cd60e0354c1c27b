// SPDX-License-Identifier: MIT OR Apache-2.0
// boot/src/tree.c: what a device tree says to whoever boots (Devicetree Specification 0.4). The
// tree is checked as a whole before anything in it is believed.
#include "tree.h"

#include "memory.h"

#include <lib/fdt.h>
#include <lib/string.h>

// Page 0 of memory stays out of use so that a physical address of 0 means none.
#define RESERVED_LOW_BYTES PAGE_SIZE

static const void *reach(const struct boot_direct *direct, uint64_t address) {
    return (const void *)(uintptr_t)(address + direct->base); // NOLINT(performance-no-int-to-ptr)
}

// False if there is none.
static bool tree_open(struct boot_info *info, uint64_t address, const struct boot_direct *direct,
                      struct fdt *out_fdt) {
    size_t size_bytes;
    if (address % 8 != 0 || address >= direct->end - FDT_HEADER_BYTES) {
        return false;
    }
    direct->map(address, address + FDT_HEADER_BYTES);
    if (fdt_size(reach(direct, address), &size_bytes) != HX_OK ||
        size_bytes > direct->end - address) {
        return false;
    }
    direct->map(address, address + size_bytes);
    if (fdt_open(reach(direct, address), size_bytes, out_fdt) != HX_OK) {
        return false;
    }
    info->device_tree = paddr_make(address);
    info->device_tree_bytes = size_bytes;
    return true;
}

// The pages that a range touches. Its end may be the last address.
static void pages_add(struct boot_info *info, uint64_t base, uint64_t size_bytes,
                      enum boot_memory_kind kind) {
    const uint64_t first = ALIGN_DOWN(base, (uint64_t)PAGE_SIZE);
    const uint64_t last = MIN_OF(base + size_bytes, ALIGN_DOWN(UINT64_MAX, (uint64_t)PAGE_SIZE));
    if (size_bytes != 0 && first < last) {
        boot_memory_add(info, first, ALIGN_UP(last, (uint64_t)PAGE_SIZE) - first, kind);
    }
}

// A range that nobody may use. Loaders reserve the archive, too (U-Boot does), which is read once
// all the same, so the pages that it has of it are mapped, as the tree's are.
static void range_reserve(struct boot_info *info, uint64_t base, uint64_t size_bytes) {
    const uint64_t end = base + size_bytes;
    const uint64_t initrd = info->initrd.value;
    const uint64_t initrd_end = initrd + info->initrd_bytes;
    const uint64_t first = MAX_OF(base, ALIGN_DOWN(initrd, (uint64_t)PAGE_SIZE));
    if (info->initrd_bytes != 0 && first < MIN_OF(end, initrd_end)) {
        pages_add(info, first, MIN_OF(end, initrd_end) - first, BOOT_MEMORY_ACPI);
    }
    pages_add(info, base, size_bytes, BOOT_MEMORY_RESERVED);
}

// What may not be used: the tree, wherever it lies, its own list, the nodes below /reserved-memory.
static void memory_reserved(struct boot_info *info, const struct fdt *fdt) {
    uint64_t base;
    uint64_t size;
    pages_add(info, info->device_tree.value, info->device_tree_bytes, BOOT_MEMORY_ACPI);
    boot_memory_add(info, 0, RESERVED_LOW_BYTES, BOOT_MEMORY_RESERVED);
    for (uint32_t i = 0; i < fdt->reserved_count; i++) {
        fdt_reserved(fdt, i, &base, &size);
        range_reserve(info, base, MIN_OF(size, UINT64_MAX - base));
    }
    struct fdt_node node;
    if (fdt_find(fdt, "/reserved-memory", &node)) {
        const uint32_t depth = node.depth;
        while (fdt_next(fdt, &node) && node.depth > depth) {
            for (uint32_t i = 0; fdt_reg(fdt, &node, i, &base, &size); i++) {
                range_reserve(info, base, size);
            }
        }
    }
}

// The nodes of type "memory" (3.4), but those that only the secure world reaches, which are listed
// as "disabled" (Linux 6.1, bindings/arm/secure.txt).
static void memory_usable(struct boot_info *info, const struct fdt *fdt,
                          const struct boot_direct *direct) {
    struct fdt_node node;
    uint64_t base;
    uint64_t size;
    fdt_root(fdt, &node);
    while (fdt_next(fdt, &node)) {
        const char *type = fdt_text(fdt, &node, "device_type");
        if (type == NULL || strcmp(type, "memory") != 0 || !fdt_is_usable(fdt, &node)) {
            continue;
        }
        for (uint32_t i = 0; fdt_reg(fdt, &node, i, &base, &size); i++) {
            boot_memory_add(info, base, size, BOOT_MEMORY_USABLE);
            direct->map(base, base + size);
        }
    }
}

// Command line and initial archive (3.6; Linux, Documentation/arm64/booting.rst).
static void chosen(struct boot_info *info, const struct fdt *fdt) {
    struct fdt_node node;
    struct fdt_property property;
    uint64_t start;
    uint64_t end;
    if (!fdt_find(fdt, "/chosen", &node)) {
        return;
    }
    const char *words = fdt_text(fdt, &node, "bootargs");
    if (words != NULL) {
        info->command_line_cut = !string_copy(info->command_line, BOOT_COMMAND_MAX, words);
    }
    if (fdt_property(fdt, &node, "linux,initrd-start", &property) &&
        fdt_number(&property, &start) && fdt_property(fdt, &node, "linux,initrd-end", &property) &&
        fdt_number(&property, &end) && start < end) {
        info->initrd = paddr_make(start);
        info->initrd_bytes = end - start;
    }
}

// In place of what the tree says.
static void firmware_chosen(struct boot_info *info, const struct boot_info *firmware) {
    info->initrd = firmware->initrd;
    info->initrd_bytes = firmware->initrd_bytes;
    if (firmware->command_line[0] != '\0') {
        memcpy(info->command_line, firmware->command_line, BOOT_COMMAND_MAX);
        info->command_line_cut = firmware->command_line_cut;
    }
}

// The same. Memory that the tree reserves stays so.
static void firmware_memory(struct boot_info *info, const struct boot_info *firmware,
                            const struct boot_direct *direct) {
    info->memory_left_out_bytes += firmware->memory_left_out_bytes;
    info->memory_joined += firmware->memory_joined;
    for (uint32_t i = 0; i < firmware->memory_count; i++) {
        const struct boot_memory *memory = &firmware->memory[i];
        boot_memory_add(info, memory->base.value, memory->size_bytes, memory->kind);
        if (memory->kind == BOOT_MEMORY_USABLE) {
            direct->map(memory->base.value, memory->base.value + memory->size_bytes);
        }
    }
}

bool boot_tree_read(struct boot_info *info, uint64_t address, const struct boot_direct *direct,
                    const struct boot_info *firmware) {
    struct fdt fdt;
    if (!tree_open(info, address, direct, &fdt)) {
        return false;
    }
    chosen(info, &fdt);
    if (firmware != NULL) {
        firmware_chosen(info, firmware);
    }
    memory_reserved(info, &fdt);
    if (firmware != NULL) {
        firmware_memory(info, firmware, direct);
    } else {
        memory_usable(info, &fdt, direct);
    }
    return true;
}
