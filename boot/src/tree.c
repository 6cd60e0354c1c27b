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
    info->device_tree = paddr_make(address);
    info->device_tree_bytes = size_bytes;
    return fdt_open(reach(direct, address), size_bytes, out_fdt) == HX_OK;
}

// What may not be used: the tree's own list, the nodes below /reserved-memory, the tree.
static void memory_reserved(struct boot_info *info, const struct fdt *fdt) {
    uint64_t base;
    uint64_t size;
    boot_memory_add(info, 0, RESERVED_LOW_BYTES, BOOT_MEMORY_RESERVED);
    for (uint32_t i = 0; i < fdt->reserved_count; i++) {
        fdt_reserved(fdt, i, &base, &size);
        boot_memory_add(info, base, MIN_OF(size, UINT64_MAX - base), BOOT_MEMORY_RESERVED);
    }
    struct fdt_node node;
    if (fdt_find(fdt, "/reserved-memory", &node)) {
        const uint32_t depth = node.depth;
        while (fdt_next(fdt, &node) && node.depth > depth) {
            for (uint32_t i = 0; fdt_reg(fdt, &node, i, &base, &size); i++) {
                boot_memory_add(info, base, size, BOOT_MEMORY_RESERVED);
            }
        }
    }
    const uint64_t tree = ALIGN_DOWN(info->device_tree.value, (uint64_t)PAGE_SIZE);
    const uint64_t tree_end = info->device_tree.value + info->device_tree_bytes;
    boot_memory_add(info, tree, ALIGN_UP(tree_end, (uint64_t)PAGE_SIZE) - tree, BOOT_MEMORY_ACPI);
}

// The nodes of type "memory" (3.4).
static void memory_usable(struct boot_info *info, const struct fdt *fdt,
                          const struct boot_direct *direct) {
    struct fdt_node node;
    uint64_t base;
    uint64_t size;
    fdt_root(fdt, &node);
    while (fdt_next(fdt, &node)) {
        const char *type = fdt_text(fdt, &node, "device_type");
        if (type == NULL || strcmp(type, "memory") != 0) {
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

// In place of what the tree says. Memory that the tree reserves stays so.
static void firmware_take(struct boot_info *info, const struct boot_info *firmware,
                          const struct boot_direct *direct) {
    for (uint32_t i = 0; i < firmware->memory_count; i++) {
        const struct boot_memory *memory = &firmware->memory[i];
        boot_memory_add(info, memory->base.value, memory->size_bytes, memory->kind);
        if (memory->kind == BOOT_MEMORY_USABLE) {
            direct->map(memory->base.value, memory->base.value + memory->size_bytes);
        }
    }
    info->initrd = firmware->initrd;
    info->initrd_bytes = firmware->initrd_bytes;
    if (firmware->command_line[0] != '\0') {
        memcpy(info->command_line, firmware->command_line, BOOT_COMMAND_MAX);
        info->command_line_cut = firmware->command_line_cut;
    }
}

bool boot_tree_read(struct boot_info *info, uint64_t address, const struct boot_direct *direct,
                    const struct boot_info *firmware) {
    struct fdt fdt;
    if (!tree_open(info, address, direct, &fdt)) {
        return false;
    }
    memory_reserved(info, &fdt);
    chosen(info, &fdt);
    if (firmware != NULL) {
        firmware_take(info, firmware, direct);
    } else {
        memory_usable(info, &fdt, direct);
    }
    return true;
}
