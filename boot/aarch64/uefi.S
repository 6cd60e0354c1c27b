// SPDX-License-Identifier: MIT OR Apache-2.0
// boot/aarch64/uefi.S: where UEFI starts Image as a program, at EL1 or EL2, memory mapped one to one (UEFI
// 2.10, 2.3.6), and the way from there to boot_uefi_entry of the copy, as Linux's boot protocol would come.

#define SCTLR_ON 0x1005 // MMU, caches

    .section .boot.text, "ax", @progbits
    .globl boot_uefi_start
boot_uefi_start:
    b boot_uefi_main

// x0 … x1 reaches memory, past all caches.
    .globl boot_uefi_clean
boot_uefi_clean:
    mrs x2, ctr_el0
    ubfx x2, x2, #16, #4
    mov x3, #4
    lsl x3, x3, x2
    sub x2, x3, #1
    bic x0, x0, x2
1:  dc civac, x0
    add x0, x0, x3
    cmp x0, x1
    b.lo 1b
    dsb sy
    ret

// Goes to x0 with MMU and caches off. It runs where it lies in physical memory, and is clean itself.
    .globl boot_uefi_leave
boot_uefi_leave:
    msr daifset, #0xf
    ic iallu
    dsb nsh
    isb
    mov x2, #SCTLR_ON
    mrs x1, CurrentEL
    cmp x1, #(2 << 2)
    b.eq 2f
    mrs x1, sctlr_el1
    bic x1, x1, x2
    msr sctlr_el1, x1
    isb
    br x0
2:  mrs x1, sctlr_el2
    bic x1, x1, x2
    msr sctlr_el2, x1
    isb
    br x0
    .globl boot_uefi_leave_end
boot_uefi_leave_end:

    .section .note.GNU-stack, "", @progbits
