// SPDX-License-Identifier: MIT OR Apache-2.0
// hal/aarch64/trap.S: every entry to the kernel and the ways back (Arm ARM, D1.3).
//
// All entries build a struct hal_frame. From user mode it lies at the top of the thread's kernel stack:
// the way back leaves SP_EL1 there. SP_EL0 is the program's stack pointer while it runs and the current
// thread otherwise.
//
// An exception masks all others; SError and FIQ are let in again as soon as the frame is complete, and
// masked again while it is taken apart. x18 is not used by compiled kernel code (-ffixed-x18): a fault
// in the kernel may spoil it, which it does to see whether the stack has room for a frame.

#include <hal_arch/frame.h>

#include "asm.inc"
#include "block.h"

#define HANDLERS_USER_RETURN 56

.macro SAVE_REGISTERS
    sub sp, sp, #AARCH64_FRAME_BYTES
    stp x0, x1, [sp, #0]
    stp x2, x3, [sp, #16]
    stp x4, x5, [sp, #32]
    stp x6, x7, [sp, #48]
    stp x8, x9, [sp, #64]
    stp x10, x11, [sp, #80]
    stp x12, x13, [sp, #96]
    stp x14, x15, [sp, #112]
    stp x16, x17, [sp, #128]
    stp x18, x19, [sp, #144]
    stp x20, x21, [sp, #160]
    stp x22, x23, [sp, #176]
    stp x24, x25, [sp, #192]
    stp x26, x27, [sp, #208]
    stp x28, x29, [sp, #224]
    mrs x22, elr_el1
    mrs x23, spsr_el1
.endm

// The rest of it; x21 = the stack pointer of what was interrupted. Then arguments for C.
.macro SAVE_STATE
    stp x30, x21, [sp, #AARCH64_FRAME_LR]
    stp x22, x23, [sp, #AARCH64_FRAME_PC]
    mov x0, sp
    mrs x1, esr_el1
    mrs x2, far_el1
.endm

.macro ENTER_USER unmasked=5
    SAVE_REGISTERS
    mrs x21, sp_el0
    mrs x20, tpidr_el1
    ldr x20, [x20, #BLOCK_CURRENT]
    msr sp_el0, x20
    SAVE_STATE
    mov x29, #0 // a chain of calls begins here
    mov x30, #0
    msr daifclr, #\unmasked
.endm

.macro ENTER_KERNEL unmasked=5
    SAVE_REGISTERS
    add x21, sp, #AARCH64_FRAME_BYTES
    SAVE_STATE
    msr daifclr, #\unmasked
.endm

.macro RESTORE_AND_RETURN
    ldp x22, x23, [sp, #AARCH64_FRAME_PC]
    msr elr_el1, x22
    msr spsr_el1, x23
    ldp x0, x1, [sp, #0]
    ldp x2, x3, [sp, #16]
    ldp x4, x5, [sp, #32]
    ldp x6, x7, [sp, #48]
    ldp x8, x9, [sp, #64]
    ldp x10, x11, [sp, #80]
    ldp x12, x13, [sp, #96]
    ldp x14, x15, [sp, #112]
    ldp x16, x17, [sp, #128]
    ldp x18, x19, [sp, #144]
    ldp x20, x21, [sp, #160]
    ldp x22, x23, [sp, #176]
    ldp x24, x25, [sp, #192]
    ldp x26, x27, [sp, #208]
    ldp x28, x29, [sp, #224]
    ldr x30, [sp, #AARCH64_FRAME_LR]
    add sp, sp, #AARCH64_FRAME_BYTES
    eret
.endm

.macro VECTOR target
    .balign 128
    b \target
.endm

    .section .text.aarch64_vectors, "ax", @progbits
    .balign 2048
    .globl aarch64_vectors
aarch64_vectors:
    VECTOR unexpected // with SP_EL0, which the kernel never selects
    VECTOR unexpected
    VECTOR unexpected
    VECTOR unexpected
    .balign 128
    // Whether the frame's lowest word can be written; if so, SAVE_REGISTERS works or comes back here.
    sub x18, sp, #AARCH64_FRAME_BYTES
    at s1e1w, x18
    isb
    mrs x18, par_el1
    tbz x18, #0, kernel_sync
    b overflow
    VECTOR kernel_irq
    VECTOR kernel_fiq
    VECTOR kernel_error
    VECTOR user_sync
    VECTOR user_irq
    VECTOR user_fiq
    VECTOR user_error
    VECTOR unexpected // from AArch32, which programs cannot enter
    VECTOR unexpected
    VECTOR unexpected
    VECTOR unexpected

    .balign 16
user_sync:
    ENTER_USER
    bl aarch64_user_sync
    b user_return

user_irq:
    ENTER_USER
    bl aarch64_user_irq
    b user_return

user_fiq:
    ENTER_USER 4 // SError alone: the line is up until it is acknowledged
    bl aarch64_fiq
    b user_return

user_error:
    ENTER_USER
    bl aarch64_error

// sp = the frame at the top of the stack.
user_return:
    msr daifset, #2
    mov x0, sp
    adrp x1, aarch64_handlers + HANDLERS_USER_RETURN
    ldr x1, [x1, :lo12:aarch64_handlers + HANDLERS_USER_RETURN]
    blr x1
    msr daifset, #0xf
    ldr x21, [sp, #AARCH64_FRAME_SP]
    msr sp_el0, x21
    RESTORE_AND_RETURN

kernel_sync:
    ENTER_KERNEL
    bl aarch64_kernel_sync
    b kernel_return

kernel_irq:
    ENTER_KERNEL
    bl aarch64_kernel_irq
    b kernel_return

kernel_fiq:
    ENTER_KERNEL 4
    bl aarch64_fiq
    b kernel_return

unexpected:
kernel_error:
    ENTER_KERNEL
    bl aarch64_error

kernel_return:
    msr daifset, #0xf
    RESTORE_AND_RETURN

// The stack has no room: on to the emergency stack. The current thread is also in the block, so SP_EL0
// can hold x0 for a moment.
overflow:
    msr sp_el0, x0
    mov x0, sp
    mrs x18, tpidr_el1
    str x0, [x18, #BLOCK_SCRATCH]
    ldr x0, [x18, #BLOCK_EMERGENCY]
    mov sp, x0
    mrs x0, sp_el0
    SAVE_REGISTERS
    ldr x20, [x18, #BLOCK_CURRENT]
    msr sp_el0, x20
    ldr x21, [x18, #BLOCK_SCRATCH]
    SAVE_STATE
    bl aarch64_overflow
// A module's: the thread goes on where hal_gate_unwind() says, with x0 and a stack that has room.
    msr daifset, #0xf
    ldp x22, x23, [sp, #AARCH64_FRAME_PC]
    msr elr_el1, x22
    msr spsr_el1, x23
    ldr x21, [sp, #AARCH64_FRAME_SP]
    ldr x0, [sp]
    mov sp, x21
    eret

// hal_enter_user(frame)
FUNCTION hal_enter_user
    msr daifset, #2
    mov sp, x0
    mov x29, #0
    mov x30, #0
    b user_return

    .section .note.GNU-stack, "", @progbits
