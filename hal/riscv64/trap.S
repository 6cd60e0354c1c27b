// SPDX-License-Identifier: MIT OR Apache-2.0
// hal/riscv64/trap.S: the entry to the kernel and the ways back (privileged ISA 20211203, 4.1).
//
// All entries build a struct hal_frame. From user mode it lies at the top of the thread's kernel stack.
// sscratch is this hart's block while a program runs and 0 otherwise, which is how an entry knows whence
// it came. Between exchanging the two and setting that right nothing can fault: the block and this text
// are always mapped, and interrupts are off until C turns them on.
//
// A trap in the kernel first looks whether its stack has room for a frame; if not, it goes on to the
// emergency stack, unless it is there already.

#include <hal_arch/frame.h>

#include "asm.inc"
#include "block.h"

#define HANDLERS_USER_RETURN 56
#define SSTATUS_SIE          2
#define EMERGENCY_LEAST      4096 // for a frame and what C makes of it

// All but sp, gp, tp and t0.
.macro SAVE_REGISTERS
    sd x1, 8(sp)
    sd x6, 48(sp)
    sd x7, 56(sp)
    sd x8, 64(sp)
    sd x9, 72(sp)
    sd x10, 80(sp)
    sd x11, 88(sp)
    sd x12, 96(sp)
    sd x13, 104(sp)
    sd x14, 112(sp)
    sd x15, 120(sp)
    sd x16, 128(sp)
    sd x17, 136(sp)
    sd x18, 144(sp)
    sd x19, 152(sp)
    sd x20, 160(sp)
    sd x21, 168(sp)
    sd x22, 176(sp)
    sd x23, 184(sp)
    sd x24, 192(sp)
    sd x25, 200(sp)
    sd x26, 208(sp)
    sd x27, 216(sp)
    sd x28, 224(sp)
    sd x29, 232(sp)
    sd x30, 240(sp)
    sd x31, 248(sp)
.endm

// Then arguments for C.
.macro SAVE_STATE
    csrr t0, sstatus
    sd t0, RISCV64_FRAME_STATUS(sp)
    csrr t0, sepc
    sd t0, RISCV64_FRAME_PC(sp)
    mv a0, sp
    csrr a1, scause
    csrr a2, stval
.endm

// The SC gives up what an interrupted LR reserved: nobody else's SC may meet it (unprivileged ISA, 8.2).
.macro RESTORE_STATE
    ld t0, RISCV64_FRAME_PC(sp)
    addi t1, sp, RISCV64_FRAME_PC
    sc.d zero, t0, (t1)
    csrw sepc, t0
    ld t0, RISCV64_FRAME_STATUS(sp)
    csrw sstatus, t0
.endm

// All but sp, gp and tp.
.macro RESTORE_REGISTERS
    ld x1, 8(sp)
    ld x5, 40(sp)
    ld x6, 48(sp)
    ld x7, 56(sp)
    ld x8, 64(sp)
    ld x9, 72(sp)
    ld x10, 80(sp)
    ld x11, 88(sp)
    ld x12, 96(sp)
    ld x13, 104(sp)
    ld x14, 112(sp)
    ld x15, 120(sp)
    ld x16, 128(sp)
    ld x17, 136(sp)
    ld x18, 144(sp)
    ld x19, 152(sp)
    ld x20, 160(sp)
    ld x21, 168(sp)
    ld x22, 176(sp)
    ld x23, 184(sp)
    ld x24, 192(sp)
    ld x25, 200(sp)
    ld x26, 208(sp)
    ld x27, 216(sp)
    ld x28, 224(sp)
    ld x29, 232(sp)
    ld x30, 240(sp)
    ld x31, 248(sp)
.endm

FUNCTION riscv64_trap
    csrrw tp, sscratch, tp
    beqz tp, from_kernel

    sd sp, BLOCK_SCRATCH(tp)
    ld sp, BLOCK_STACK_TOP(tp)
    addi sp, sp, -RISCV64_FRAME_BYTES
    sd x5, 40(sp)
    SAVE_REGISTERS
    ld t0, BLOCK_SCRATCH(tp)
    sd t0, 16(sp)
    sd gp, 24(sp)
    csrrw t0, sscratch, zero
    sd t0, 32(sp)
    ld gp, BLOCK_CURRENT(tp)
    SAVE_STATE
    mv fp, zero // a chain of calls begins here
    mv ra, zero
    call riscv64_user_trap

// sp = the frame at the top of the stack.
user_return:
    csrci sstatus, SSTATUS_SIE
    mv a0, sp
    lla t0, riscv64_handlers
    ld t0, HANDLERS_USER_RETURN(t0)
    jalr t0
    csrci sstatus, SSTATUS_SIE
    RESTORE_STATE
    csrw sscratch, tp
    RESTORE_REGISTERS
    ld gp, 24(sp)
    ld tp, 32(sp)
    ld sp, 16(sp)
    sret

from_kernel:
    csrrw tp, sscratch, zero
    sd t0, BLOCK_SCRATCH(tp)
    sd t1, BLOCK_SCRATCH2(tp)
    ld t0, BLOCK_STACK_LOW(tp)
    sub t0, sp, t0
    addi t0, t0, -RISCV64_FRAME_BYTES
    li t1, STACK_BYTES_MOST
    bgtu t0, t1, no_room
    mv t0, sp
has_room: // t0 = the stack pointer of what was interrupted
    ld t1, BLOCK_SCRATCH2(tp)
    addi sp, sp, -RISCV64_FRAME_BYTES
    SAVE_REGISTERS
    sd t0, 16(sp)
    sd gp, 24(sp)
    sd tp, 32(sp)
    ld t0, BLOCK_SCRATCH(tp)
    sd t0, 40(sp)
    SAVE_STATE
    call riscv64_kernel_trap
// sp = a frame. The thread may be on another hart by now, whose tp this is.
kernel_return:
    csrci sstatus, SSTATUS_SIE
    RESTORE_STATE
    RESTORE_REGISTERS
    ld sp, 16(sp)
    sret

// A fault on the emergency stack goes on there while that has room.
no_room:
    ld t0, BLOCK_EMERGENCY(tp)
    sub t1, t0, sp
    li t0, EMERGENCY_BYTES - EMERGENCY_LEAST
    bgtu t1, t0, 1f
    mv t0, sp
    j has_room
1:  mv t0, sp
    ld sp, BLOCK_EMERGENCY(tp)
    j has_room

// hal_enter_user(frame)
FUNCTION hal_enter_user
    csrci sstatus, SSTATUS_SIE
    mv sp, a0
    mv fp, zero
    mv ra, zero
    j user_return

    .section .note.GNU-stack, "", @progbits
