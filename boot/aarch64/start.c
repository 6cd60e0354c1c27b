// SPDX-License-Identifier: MIT OR Apache-2.0
// boot/aarch64/start.c: from the loader's device tree to struct boot_info.
//
// Runs once, on the boot processor, in the upper half. Nothing but the image is mapped; the tree
// and then the memory that it lists below 4 GiB are added to the direct map. A tree that makes no
// sense stops the machine, for nothing could be printed or undone here.
#include "../src/memory.h"

#include <lib/fdt.h>
#include <lib/string.h>

#define DIRECT_BASE   0xffff000000000000ull
#define IMAGE_BASE    0xffffffff80000000ull
#define MAPPED_TABLES 4u // of a GiB each
#define HUGE_BYTES    (1ull << 30)
#define LARGE_BYTES   (1ull << 21)
#define MAPPED_END    (MAPPED_TABLES * HUGE_BYTES)
#define TABLE_ENTRIES 512u

#define ENTRY_TABLE 3ull
// Valid, AttrIndx 0, inner shareable, accessed, never executable (Arm ARM, D8.3).
#define ENTRY_DATA (0x701ull | 3ull << 53)

// Page 0 of memory stays out of use so that a physical address of 0 means none.
#define RESERVED_LOW_BYTES PAGE_SIZE

// Set by the linker script; boot_root by entry.S.
extern char image_start[];
extern char image_end[];
extern uint64_t boot_root[TABLE_ENTRIES];

void boot_start(uint64_t tree, uint64_t image_phys); // entry.S calls it

static struct boot_info boot_info;
static uint64_t image_offset; // from link addresses to physical ones
static uint64_t direct_root[TABLE_ENTRIES] __attribute__((aligned(4096)));
static uint64_t direct_tables[MAPPED_TABLES][TABLE_ENTRIES] __attribute__((aligned(4096)));

static NORETURN void boot_stop(void) {
    for (;;) {
        __asm__ volatile("wfi");
    }
}

static uint64_t image_phys(const void *address) {
    return (uint64_t)(uintptr_t)address + image_offset;
}

static const void *direct(uint64_t address) {
    return (const void *)(uintptr_t)(address + DIRECT_BASE); // NOLINT(performance-no-int-to-ptr)
}

// Adds the pieces of 2 MiB that [base, end) touches, as far as there are tables. New entries are
// seen after DSB and ISB (D8.16.1).
static void direct_map(uint64_t base, uint64_t end) {
    for (uint64_t at = ALIGN_DOWN(base, LARGE_BYTES); at < MIN_OF(end, MAPPED_END);
         at += LARGE_BYTES) {
        uint64_t *table = direct_tables[at / HUGE_BYTES];
        direct_root[at / HUGE_BYTES] = image_phys(table) | ENTRY_TABLE;
        table[at / LARGE_BYTES % TABLE_ENTRIES] = at | ENTRY_DATA;
    }
    __asm__ volatile("dsb ishst\n\tisb" : : : "memory");
}

// The tree at `address`; false if there is none.
static bool tree_open(uint64_t address, struct fdt *out_fdt) {
    size_t size_bytes;
    if (address % 8 != 0 || address >= MAPPED_END - FDT_SIZE_MAX) {
        return false;
    }
    direct_map(address, address + FDT_HEADER_BYTES);
    if (fdt_size(direct(address), &size_bytes) != HX_OK) {
        return false;
    }
    direct_map(address, address + size_bytes);
    boot_info.device_tree = paddr_make(address);
    boot_info.device_tree_bytes = size_bytes;
    return fdt_open(direct(address), size_bytes, out_fdt) == HX_OK;
}

// What may not be used: the tree's own list, the nodes below /reserved-memory, the tree.
static void memory_reserved(const struct fdt *fdt) {
    uint64_t base;
    uint64_t size;
    boot_memory_add(&boot_info, 0, RESERVED_LOW_BYTES, BOOT_MEMORY_RESERVED);
    for (uint32_t i = 0; i < fdt->reserved_count; i++) {
        fdt_reserved(fdt, i, &base, &size);
        boot_memory_add(&boot_info, base, MIN_OF(size, UINT64_MAX - base), BOOT_MEMORY_RESERVED);
    }
    struct fdt_node node;
    if (fdt_find(fdt, "/reserved-memory", &node)) {
        const uint32_t depth = node.depth;
        while (fdt_next(fdt, &node) && node.depth > depth) {
            for (uint32_t i = 0; fdt_reg(fdt, &node, i, &base, &size); i++) {
                boot_memory_add(&boot_info, base, size, BOOT_MEMORY_RESERVED);
            }
        }
    }
    const uint64_t tree = ALIGN_DOWN(boot_info.device_tree.value, (uint64_t)PAGE_SIZE);
    const uint64_t tree_end = boot_info.device_tree.value + boot_info.device_tree_bytes;
    boot_memory_add(&boot_info, tree, ALIGN_UP(tree_end, (uint64_t)PAGE_SIZE) - tree,
                    BOOT_MEMORY_ACPI);
}

// The nodes of type "memory" (Devicetree Specification 0.4, 3.4).
static void memory_usable(const struct fdt *fdt) {
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
            boot_memory_add(&boot_info, base, size, BOOT_MEMORY_USABLE);
            direct_map(base, base + size);
        }
    }
}

// Command line and initial archive (Linux, Documentation/arm64/booting.rst; 3.6).
static void chosen(const struct fdt *fdt) {
    struct fdt_node node;
    struct fdt_property property;
    uint64_t start;
    uint64_t end;
    if (!fdt_find(fdt, "/chosen", &node)) {
        return;
    }
    const char *words = fdt_text(fdt, &node, "bootargs");
    if (words != NULL) {
        boot_info.command_line_cut = !string_copy(boot_info.command_line, BOOT_COMMAND_MAX, words);
    }
    if (fdt_property(fdt, &node, "linux,initrd-start", &property) &&
        fdt_number(&property, &start) && fdt_property(fdt, &node, "linux,initrd-end", &property) &&
        fdt_number(&property, &end) && start < end) {
        boot_info.initrd = paddr_make(start);
        boot_info.initrd_bytes = end - start;
    }
}

void boot_start(uint64_t tree, uint64_t image_start_phys) {
    struct fdt fdt;
    image_offset = image_start_phys - IMAGE_BASE;
    boot_root[0] = image_phys(direct_root) | ENTRY_TABLE;
    boot_info.loader = tree != 0 ? "arm64" : "elf";
    if (tree == 0) { // QEMU puts it at the start of memory
        tree = ALIGN_DOWN(image_start_phys, HUGE_BYTES);
    }
    if (!tree_open(tree, &fdt)) {
        boot_stop();
    }
    memory_reserved(&fdt);
    memory_usable(&fdt);
    chosen(&fdt);
    boot_info.kernel_start = paddr_make(image_phys(image_start));
    boot_info.kernel_end = paddr_make(ALIGN_UP(image_phys(image_end), (uint64_t)PAGE_SIZE));
    kernel_main(&boot_info);
}
