// SPDX-License-Identifier: MIT OR Apache-2.0
// boot/riscv64/start.c: from the loader's device tree to struct boot_info.
//
// Runs once, on the boot hart, in the upper half. Nothing but the image is mapped; the tree and
// then the memory that it lists below 4 GiB are added to the direct map. A tree that makes no
// sense stops the machine, for nothing could be printed or undone here.
#include "../src/tree.h"

#define DIRECT_BASE   0xffffffc000000000ull
#define DIRECT_SLOT   256u // of the root
#define IMAGE_BASE    0xffffffff80000000ull
#define MAPPED_TABLES 4u // of a GiB each
#define HUGE_BYTES    (1ull << 30)
#define LARGE_BYTES   (1ull << 21)
#define MAPPED_END    (MAPPED_TABLES * HUGE_BYTES)
#define TABLE_ENTRIES 512u

// What an entry says beside an address, which it has from bit 10 on (privileged ISA, 4.3.1).
#define ENTRY_TABLE         0x01ull
#define ENTRY_DATA          0xe7ull // valid, read, write, global, accessed, dirty
#define ENTRY_ADDRESS_SHIFT 2u

// Set by the linker script; boot_root by entry.S.
extern char image_start[];
extern char image_end[];
extern uint64_t boot_root[TABLE_ENTRIES];

void boot_start(uint64_t tree, uint64_t hart, uint64_t image_phys); // entry.S calls it

static struct boot_info boot_info;
static uint64_t image_offset; // from link addresses to physical ones
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
// found by walks after the fence (4.2.1).
static void direct_map(uint64_t base, uint64_t end) {
    for (uint64_t at = ALIGN_DOWN(base, LARGE_BYTES); at < MIN_OF(end, MAPPED_END);
         at += LARGE_BYTES) {
        uint64_t *table = direct_tables[at / HUGE_BYTES];
        boot_root[DIRECT_SLOT + at / HUGE_BYTES] =
            image_phys(table) >> ENTRY_ADDRESS_SHIFT | ENTRY_TABLE;
        table[at / LARGE_BYTES % TABLE_ENTRIES] = at >> ENTRY_ADDRESS_SHIFT | ENTRY_DATA;
    }
    __asm__ volatile("sfence.vma" : : : "memory");
}

void boot_start(uint64_t tree, uint64_t hart, uint64_t image_start_phys) {
    static const struct boot_direct direct = { DIRECT_BASE, MAPPED_END, direct_map };
    image_offset = image_start_phys - IMAGE_BASE;
    boot_info.loader = "riscv";
    boot_info.boot_cpu = hart;
    if (!boot_tree_read(&boot_info, tree, &direct, NULL)) {
        boot_stop();
    }
    boot_info.kernel_start = paddr_make(image_phys(image_start));
    boot_info.kernel_end = paddr_make(ALIGN_UP(image_phys(image_end), (uint64_t)PAGE_SIZE));
    kernel_main(&boot_info);
}
