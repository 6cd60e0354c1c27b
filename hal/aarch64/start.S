// SPDX-License-Identifier: MIT OR Apache-2.0
// hal/aarch64/start.S: where other processors start, and code on pages of its own.

#include "asm.inc"
#include "start.h"

// PSCI's entry (DEN0022, 6.4): x0 = the physical address of struct start, which is clean to the point of
// coherency; MMU and caches off, EL2 or EL1. The page is mapped one to one until the jump.
    .section .text.aarch64_start, "ax", @progbits
    .balign 4096
    .globl aarch64_start_page
aarch64_start_page:
    msr daifset, #0xf
    mov x20, x0
    adrp x1, boot_to_el1
    add x1, x1, :lo12:boot_to_el1
    blr x1
    ldp x0, x1, [x20, #START_MAIR] // TCR behind it
    msr mair_el1, x0
    msr tcr_el1, x1
    ldp x0, x1, [x20, #START_TTBR0] // TTBR1 behind it
    msr ttbr0_el1, x0
    msr ttbr1_el1, x1
    isb
    tlbi vmalle1
    ic iallu
    dsb nsh
    isb
    ldp x1, x2, [x20, #START_STACK] // the entry behind it
    ldp x3, x0, [x20, #START_SCTLR] // the argument behind it
    msr sctlr_el1, x3
    isb
    mov sp, x1
    mov x29, #0
    mov x30, #0
    br x2

// aarch64_mmu_switch(ttbr1, nothing, sctlr): runs one to one, while the upper half is exchanged: `nothing`
// is a table without entries, so that no translation of one meets one of the other (D8.14.1).
    .globl aarch64_mmu_switch
aarch64_mmu_switch:
    msr ttbr1_el1, x1
    isb
    tlbi vmalle1
    dsb nsh
    isb
    msr ttbr1_el1, x0
    msr sctlr_el1, x2
    isb
    ret
    .balign 4096

// What a signal handler returns to if the program brought nothing: rt_sigreturn(). Unwinders know
// these two instructions.
    .section .text.aarch64_signal_return, "ax", @progbits
    .balign 4096
    .globl aarch64_signal_return
aarch64_signal_return:
    mov x8, #139
    svc #0
    .balign 4096

    .section .note.GNU-stack, "", @progbits
