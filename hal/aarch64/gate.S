// SPDX-License-Identifier: MIT OR Apache-2.0
// hal/aarch64/gate.S: calls into modules (AAPCS64, 6.1.1: callee-saved).
//
// Counting is by load-exclusive and store-exclusive: a thread that is moved to another processor
// between finding the word and writing it counts on the first one, and only the sums mean something.

#include "asm.inc"
#include "block.h"

// Adds one to the word of gate w20 at `counts` of this processor's block.
.macro COUNT counts, store
    mrs x9, tpidr_el1
    add x9, x9, x20, lsl #3
    add x9, x9, #\counts
661:
    ldxr x10, [x9]
    add x10, x10, #1
    \store w11, x10, [x9]
    cbnz w11, 661b
.endm

// hal_gate_call(gate, method, argument): x19 is the thread, w20 the gate's number.
FUNCTION hal_gate_call
    sub sp, sp, #128
    stp x29, x30, [sp, #32]
    add x29, sp, #32
    stp x19, x20, [sp, #48]
    stp x21, x22, [sp, #64]
    stp x23, x24, [sp, #80]
    stp x25, x26, [sp, #96]
    stp x27, x28, [sp, #112]
    str xzr, [sp, #16] // the record's ticks
    mrs x19, sp_el0
    ldr w20, [x0, #GATE_NUMBER]
    ldr x9, [x19, #CONTEXT_GATES]
    stp x9, x0, [sp]
    mov x9, sp
    str x9, [x19, #CONTEXT_GATES]
    COUNT BLOCK_ENTERED, stxr
    ldr w9, [x0, #GATE_CLOSED]
    cbnz w9, .Lclosed
    mov x9, x1
    mov x0, x2
    blr x9
.Lout:
    ldr x9, [sp]
    str x9, [x19, #CONTEXT_GATES]
    COUNT BLOCK_LEFT, stlxr
    ldp x19, x20, [sp, #48]
    ldp x29, x30, [sp, #32]
    add sp, sp, #128 // the others are as they were
    ret
.Lclosed:
    mov x0, #0x8000000000000000 // HAL_GATE_CLOSED
    b .Lout

// hal_gate_leave(result)
FUNCTION hal_gate_leave
    mrs x19, sp_el0
    ldr x9, [x19, #CONTEXT_GATES]
    mov sp, x9
    ldr x9, [sp, #8]
    ldr w20, [x9, #GATE_NUMBER]
    add x29, sp, #32
    ldp x21, x22, [sp, #64]
    ldp x23, x24, [sp, #80]
    ldp x25, x26, [sp, #96]
    ldp x27, x28, [sp, #112]
    b .Lout

// Where hal_gate_unwind() goes: on to x0, with the stack that the innermost call began with.
FUNCTION aarch64_gate_unwound
    mrs x19, sp_el0
    ldr x9, [x19, #CONTEXT_GATES]
    mov sp, x9
    mov x29, #0 // a chain of calls begins here
    mov x30, #0
    br x0

// hal_guard_leave(result)
FUNCTION hal_guard_leave
    mrs x9, tpidr_el1
    ldp x10, x11, [x9, #BLOCK_GUARD]
    ldr x29, [x9, #BLOCK_GUARD + 16]
    mov sp, x10
    br x11

    .section .note.GNU-stack, "", @progbits
