// SPDX-License-Identifier: MIT OR Apache-2.0
// boot/aarch64/entry.S: Linux's entry, and the way from there to C in the upper half. header.S leads here.
//
// The boot protocol (Linux 6.1, Documentation/arm64/booting.rst, section 4): x0 = device tree, MMU off,
// EL2 or EL1, the image anywhere at 2 MiB, clean to the point of coherency but for what lies behind the
// file's end. An ELF loader may bring x0 = 0.
//
// The boot page tables map, writable and executable: the first 2 MiB of the image one to one (TTBR0), the
// image where it is linked (TTBR1). start.c adds memory to the direct map. hal replaces them all.

#define ENTRY_TABLE 3
#define ENTRY_BLOCK 0x701 // valid, AttrIndx 0, inner shareable, accessed (D8.3)
#define ENTRY_UXN_SHIFT 54

// Normal write-back, device nGnRE, normal non-cacheable (D17.2.97).
#define MAIR_VALUE 0x4404ff
// 48 bits in both halves, 4 KiB, walks inner shareable write-back; the top byte of user addresses is
// ignored, as Linux has it (D17.2.131). The size of physical addresses is added.
#define TCR_VALUE 0x20b5103510
#define TCR_IPS_SHIFT 32
#define PARANGE_MOST 5 // 48 bits, without the larger granules' 52
// MMU, caches, stack alignment, and what programs may do as under Linux: CTR_EL0, DC ZVA, DC CVAU and IC
// IVAU, WFI and WFE; bits that are one where their feature is absent (D17.2.118).
#define SCTLR_VALUE 0x34d5d91d
#define SCTLR_OFF 0x30d00800

    .section .boot.text, "ax", @progbits
// With MMU and caches off, from uefi.S: boot_uefi_info has what the firmware said.
    .globl boot_uefi_entry
boot_uefi_entry:
    mov x21, #1
    b 7f
    .globl boot_entry
boot_entry:
    mov x21, #0
7:  msr daifset, #0xf
    mov x20, x0
    bl boot_to_el1
    adrp x19, boot_head

    adrp x0, boot_tables
    adrp x1, boot_tables_end
1:  stp xzr, xzr, [x0], #16
    cmp x0, x1
    b.lo 1b

    mov x4, #ENTRY_BLOCK
    mov x5, #1
    orr x4, x4, x5, lsl #ENTRY_UXN_SHIFT

    // One to one.
    adrp x0, boot_low_root
    adrp x1, boot_low_1
    adrp x2, boot_low_2
    ubfx x6, x19, #39, #9
    orr x7, x1, #ENTRY_TABLE
    str x7, [x0, x6, lsl #3]
    ubfx x6, x19, #30, #9
    orr x7, x2, #ENTRY_TABLE
    str x7, [x1, x6, lsl #3]
    ubfx x6, x19, #21, #9
    orr x7, x19, x4
    str x7, [x2, x6, lsl #3]

    // The image: entries 511 and 510, then pieces of 2 MiB.
    adrp x8, boot_root
    adrp x1, boot_image_1
    adrp x2, boot_image_2
    orr x7, x1, #ENTRY_TABLE
    str x7, [x8, #511 * 8]
    orr x7, x2, #ENTRY_TABLE
    str x7, [x1, #510 * 8]
    adrp x5, image_end
    mov x6, x19
2:  orr x7, x6, x4
    str x7, [x2], #8
    add x6, x6, #0x200000
    cmp x6, x5
    b.lo 2b

    // The caches may hold older lines of the tables, which were written past them (D7.5.9).
    adrp x0, boot_tables
    adrp x1, boot_tables_end
    bl boot_invalidate

    adrp x0, boot_low_root
    msr ttbr0_el1, x0
    msr ttbr1_el1, x8
    ldr x0, =MAIR_VALUE
    msr mair_el1, x0
    ldr x0, =TCR_VALUE
    mrs x1, id_aa64mmfr0_el1
    and x1, x1, #15
    cmp x1, #PARANGE_MOST
    mov x2, #PARANGE_MOST
    csel x1, x1, x2, lo
    orr x0, x0, x1, lsl #TCR_IPS_SHIFT
    msr tcr_el1, x0
    isb
    tlbi vmalle1
    ic iallu
    dsb nsh
    isb
    ldr x0, =SCTLR_VALUE
    msr sctlr_el1, x0
    isb
    ldr x0, =boot_high
    br x0

// Drops the lines of x0 … x1 from the caches.
boot_invalidate:
    mrs x2, ctr_el0
    ubfx x2, x2, #16, #4
    mov x3, #4
    lsl x3, x3, x2
    dmb sy
3:  dc ivac, x0
    add x0, x0, x3
    cmp x0, x1
    b.lo 3b
    dsb sy
    ret

// Returns at EL1, interrupts off, MMU off. Uses x0 and x1. From EL2: nothing is trapped, and the virtual
// counter is the physical one (D17.2.48, D17.11). Position-independent.
    .globl boot_to_el1
boot_to_el1:
    mrs x0, CurrentEL
    cmp x0, #(2 << 2)
    b.eq 4f
    ret
4:
    mov x0, #(1 << 31) // HCR_EL2.RW: EL1 is AArch64
    msr hcr_el2, x0
    isb // E2H is off, which decides what the next ones mean (D17.2.48)
    mov x0, #3 // EL1PCTEN, EL1PCEN
    msr cnthctl_el2, x0
    msr cntvoff_el2, xzr
    mov x0, #0x33ff // the bits that are one; no trap of floating point
    msr cptr_el2, x0
    msr hstr_el2, xzr
    msr vttbr_el2, xzr
    msr mdcr_el2, xzr
    mrs x0, midr_el1
    msr vpidr_el2, x0
    mrs x0, mpidr_el1
    msr vmpidr_el2, x0
    mrs x0, id_aa64pfr0_el1
    ubfx x0, x0, #24, #4
    cbz x0, 5f
    mrs x0, S3_4_C12_C9_5 // ICC_SRE_EL2: SRE, Enable
    mov x1, #9
    orr x0, x0, x1
    msr S3_4_C12_C9_5, x0
    isb
    msr S3_4_C12_C11_0, xzr // ICH_HCR_EL2
5:  ldr x0, =SCTLR_OFF
    msr sctlr_el1, x0
    mov x0, #0x3c5 // EL1h, all masked
    msr spsr_el2, x0
    msr elr_el2, x30
    eret
    .ltorg

    .text
boot_high:
    adrp x0, boot_stack_top
    mov sp, x0
    adrp x0, image_bss
    adrp x1, image_bss_end
6:  stp xzr, xzr, [x0], #16
    cmp x0, x1
    b.lo 6b
    mov x29, #0
    mov x30, #0
    mov x0, x20
    mov x1, x19
    mov x2, x21
    bl boot_start
    brk #0

    .section .bss.boot, "aw", @nobits
    .balign 4096
boot_tables:
boot_low_root:
    .skip 4096
boot_low_1:
    .skip 4096
boot_low_2:
    .skip 4096
    .globl boot_root
boot_root:
    .skip 4096
    .globl boot_image_1
boot_image_1:
    .skip 4096
boot_image_2:
    .skip 4096
boot_tables_end:
    .globl boot_stack_low
boot_stack_low:
    .skip 32768
    .globl boot_stack_top
boot_stack_top:

    .section .note.GNU-stack, "", @progbits
