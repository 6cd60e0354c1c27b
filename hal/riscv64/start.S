// SPDX-License-Identifier: MIT OR Apache-2.0
// hal/riscv64/start.S: where other harts start, and code on a page of its own.

#include "asm.inc"
#include "start.h"

// The entry of hart_start (SBI 1.0, 9.1): a1 = the physical address of struct start; S-mode, translation
// off, interrupts off. Nothing is mapped one to one: the fetch behind the write of satp faults, and the
// fault goes on in the upper half (boot/riscv64/entry.S).
FUNCTION riscv64_start
    csrw sie, zero
    ld t0, START_SATP(a1)
    ld t1, START_ENTER(a1)
    ld sp, START_STACK(a1)
    ld a0, START_SELF(a1)
    lla t2, riscv64_start_high
    lla t3, riscv64_start
    sub t2, t2, t3
    ld t3, START_HIGH(a1)
    add t2, t2, t3
    csrw stvec, t2
    sfence.vma
    csrw satp, t0
    sfence.vma
1:  j 1b

    .balign 4
riscv64_start_high:
    sfence.vma
    mv fp, zero
    mv ra, zero
    jr t1

// What signal handlers return to: rt_sigreturn(). Unwinders know these two instructions (Linux's vDSO).
    .section .text.riscv64_signal_return, "ax", @progbits
    .balign 4096
    .globl riscv64_signal_return
riscv64_signal_return:
    .option push
    .option norvc
    li a7, 139
    ecall
    .option pop
    .balign 4096

    .section .note.GNU-stack, "", @progbits
