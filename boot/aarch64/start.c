// SPDX-License-Identifier: MIT OR Apache-2.0
// boot/aarch64/start.c: from the loader's device tree to struct boot_info.
//
// Runs once, on the boot processor, in the upper half. Nothing but the image is mapped; the tree
// and then the memory that it lists below 4 GiB are added to the direct map. A tree that makes no
// sense stops the machine, for nothing could be printed or undone here.
#include "../src/tree.h"

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

// Set by the linker script; boot_root by entry.S.
extern char image_start[];
extern char image_end[];
extern uint64_t boot_root[TABLE_ENTRIES];

// entry.S calls it; x2: boot_uefi_info has what the firmware said.
void boot_start(uint64_t tree, uint64_t image_start_phys, bool is_uefi);

// Not cleared on the way here.
extern struct boot_info boot_uefi_info;
struct boot_info boot_uefi_info __attribute__((section(".bss.boot")));

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

void boot_start(uint64_t tree, uint64_t image_start_phys, bool is_uefi) {
    static const struct boot_direct direct = { DIRECT_BASE, MAPPED_END, direct_map };
    image_offset = image_start_phys - IMAGE_BASE;
    boot_root[0] = image_phys(direct_root) | ENTRY_TABLE;
    boot_info.loader = is_uefi ? "uefi" : tree != 0 ? "arm64" : "elf";
    if (is_uefi) {
        tree = boot_uefi_info.device_tree.value;
    } else if (tree == 0) { // QEMU puts it at the start of memory
        tree = ALIGN_DOWN(image_start_phys, HUGE_BYTES);
    }
    if (!boot_tree_read(&boot_info, tree, &direct, is_uefi ? &boot_uefi_info : NULL)) {
        boot_stop();
    }
    boot_info.kernel_start = paddr_make(image_phys(image_start));
    boot_info.kernel_end = paddr_make(ALIGN_UP(image_phys(image_end), (uint64_t)PAGE_SIZE));
    kernel_main(&boot_info);
}
