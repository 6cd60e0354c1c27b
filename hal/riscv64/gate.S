// SPDX-License-Identifier: MIT OR Apache-2.0
// hal/riscv64/gate.S: calls into modules (RISC-V calling convention: s0 … s11 and sp are the callee's).
//
// Counting is one AMO: a thread that is moved to another hart between finding the word and adding to it
// counts on the first one, and only the sums mean something.

#include "asm.inc"
#include "block.h"

// Adds one to the word of gate s2 at `counts` of this hart's block.
.macro COUNT counts, add
    slli t0, s2, 3
    add t0, t0, tp
    addi t0, t0, \counts
    li t1, 1
    \add zero, t1, (t0)
.endm

// hal_gate_call(gate, method, argument): s1 is the thread, s2 the gate's number. The frame pointer is
// above ra and the caller's, as compiled code has it.
FUNCTION hal_gate_call
    addi sp, sp, -128
    sd ra, 120(sp)
    sd s0, 112(sp)
    sd s1, 104(sp)
    sd s2, 96(sp)
    sd s3, 88(sp)
    sd s4, 80(sp)
    sd s5, 72(sp)
    sd s6, 64(sp)
    sd s7, 56(sp)
    sd s8, 48(sp)
    sd s9, 40(sp)
    sd s10, 32(sp)
    sd s11, 24(sp)
    sd zero, 16(sp) // the record's ticks
    addi s0, sp, 128
    mv s1, gp
    lwu s2, GATE_NUMBER(a0)
    ld t0, CONTEXT_GATES(s1)
    sd t0, 0(sp)
    sd a0, 8(sp)
    sd sp, CONTEXT_GATES(s1)
    COUNT BLOCK_ENTERED, amoadd.d
    lw t0, GATE_CLOSED(a0)
    bnez t0, .Lclosed
    mv t0, a1
    mv a0, a2
    jalr t0
.Lout:
    ld t0, 0(sp)
    sd t0, CONTEXT_GATES(s1)
    COUNT BLOCK_LEFT, amoadd.d.rl
    ld ra, 120(sp)
    ld s0, 112(sp)
    ld s1, 104(sp)
    ld s2, 96(sp)
    addi sp, sp, 128 // the others are as they were
    ret
.Lclosed:
    li a0, 0x8000000000000000 // HAL_GATE_CLOSED
    j .Lout

// hal_gate_leave(result)
FUNCTION hal_gate_leave
    mv s1, gp
    ld sp, CONTEXT_GATES(s1)
    ld t0, 8(sp)
    lwu s2, GATE_NUMBER(t0)
    addi s0, sp, 128
    ld s3, 88(sp)
    ld s4, 80(sp)
    ld s5, 72(sp)
    ld s6, 64(sp)
    ld s7, 56(sp)
    ld s8, 48(sp)
    ld s9, 40(sp)
    ld s10, 32(sp)
    ld s11, 24(sp)
    j .Lout

// hal_guard_leave(result)
FUNCTION hal_guard_leave
    ld sp, BLOCK_GUARD(tp)
    ld t0, BLOCK_GUARD + 8(tp)
    ld s0, BLOCK_GUARD + 16(tp)
    jr t0

    .section .note.GNU-stack, "", @progbits
