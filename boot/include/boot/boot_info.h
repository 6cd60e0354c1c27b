// SPDX-License-Identifier: MIT OR Apache-2.0
// <boot/boot_info.h>: what every loader's entry is turned into, and the function that boot calls.
//
// Filled by boot/ from what the loader tells (PVH's start info, Multiboot2's tags, …), in static
// storage, before anything else runs; constant from then on. All addresses are physical; nothing in
// it is trusted further than its own bounds.
#pragma once

#include <helix/types.h>

#define BOOT_MEMORY_MAX  128u
#define BOOT_COMMAND_MAX 4096u

enum boot_memory_kind {
    BOOT_MEMORY_USABLE = 1,
    BOOT_MEMORY_RESERVED = 2,
    BOOT_MEMORY_ACPI = 3, // firmware's tables (a device tree too): may be reclaimed once read
    BOOT_MEMORY_NVS = 4,
};

struct boot_memory {
    struct paddr base;
    uint64_t size_bytes;
    enum boot_memory_kind kind;
};

struct boot_info {
    const char *loader;                         // "pvh", "multiboot2", …
    struct boot_memory memory[BOOT_MEMORY_MAX]; // sorted by base, not overlapping
    uint32_t memory_count;
    // Where a loader lists more ranges than fit (boot/src/memory.h): usable memory that the list
    // lacks, and ranges, not usable, that became one with what was between them.
    uint64_t memory_left_out_bytes;
    uint32_t memory_joined;
    struct paddr initrd;
    uint64_t initrd_bytes;    // 0: none
    struct paddr acpi_rsdp;   // 0: the loader does not say (the machine may search)
    struct paddr device_tree; // a checked one, in memory that is kept; 0: none
    uint64_t device_tree_bytes;
    uint64_t boot_cpu; // firmware's number of the processor that runs, where it cannot be asked
    char command_line[BOOT_COMMAND_MAX]; // terminated; cut if it was longer
    bool command_line_cut;
    struct paddr kernel_start; // the image, page aligned
    struct paddr kernel_end;
};

// Whether each byte of a range is memory that the kernel maps, whatever it is used for. Any
// context.
bool boot_memory_holds(const struct boot_info *info, struct paddr base, uint64_t size_bytes);

// The stack that kernel_main runs on; at least 16 KiB.
extern char boot_stack_low[];
extern char boot_stack_top[];

// The kernel's entry, defined in runtime/kernel; called once, on the boot processor, in the mode in
// which the kernel runs, on boot's stack, with interrupts off. The image is mapped where it is
// linked, and usable memory below 4 GiB at the direct map's addresses, where the first page tables
// lie, so that hal_mmu_init() can build the final ones. Keeps `info`.
NORETURN void kernel_main(const struct boot_info *info);
