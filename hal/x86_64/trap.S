// SPDX-License-Identifier: MIT OR Apache-2.0
// hal/x86_64/trap.S: every entry to the kernel and the ways back.
//
// All entries build a struct hal_frame. From user mode it lies at the top of the thread's kernel
// stack (tss.rsp[0]). The GS base is the kernel's exactly while kernel code runs, except for the few
// instructions around SWAPGS at both ends. There
//   - interrupts are off;
//   - NMI, debug, double fault and machine check can still come: they run on stacks of their own and
//     look at the GS base instead of the code selector (paranoid_entry);
//   - IRETQ itself can fault on a frame that a program made impossible: trap_iret_fault turns that
//     into the same fault raised by the program.
// A debug exception is among the paranoid ones because MOV SS delays one past SYSCALL or INT n, to the
// first instruction of the kernel's entry (SDM 3A 6.8.3).

#include <hal_arch/frame.h>

#include "asm.inc"
#include "gs.h"

#define HANDLERS_SYSCALL 0
#define HANDLERS_USER_RETURN 56
#define MSR_GS_BASE 0xc0000101

// Pushes the fifteen general registers; rsp then is the frame's address.
.macro PUSH_REGISTERS
    push %rdi
    push %rsi
    push %rdx
    push %rcx
    push %rax
    push %r8
    push %r9
    push %r10
    push %r11
    push %rbx
    push %rbp
    push %r12
    push %r13
    push %r14
    push %r15
.endm

.macro POP_REGISTERS
    pop %r15
    pop %r14
    pop %r13
    pop %r12
    pop %rbp
    pop %rbx
    pop %r11
    pop %r10
    pop %r9
    pop %r8
    pop %rax
    pop %rcx
    pop %rdx
    pop %rsi
    pop %rdi
.endm

// SYSCALL: rcx = user's rip, r11 = its rflags; interrupts, direction, trap and alignment check are
// off by FMASK, the stack is still the user's.
FUNCTION x86_syscall_entry
    swapgs
    mov %rsp, %gs:GS_SCRATCH
    mov %gs:GS_STACK, %rsp
    push $X86_USER_DS
    push %gs:GS_SCRATCH
    push %r11
    push $X86_USER_CS
    push %rcx
    push %rax
    push $X86_VECTOR_SYSCALL
    PUSH_REGISTERS
    mov %rsp, %rdi
    xor %ebp, %ebp
    sti
    call *(x86_handlers + HANDLERS_SYSCALL)(%rip)
    cli

// Interrupts off, rsp = the frame at the top of the stack, GS the kernel's.
trap_user_return:
    mov %rsp, %rdi
    call *(x86_handlers + HANDLERS_USER_RETURN)(%rip)
    cmpl $X86_VECTOR_SYSCALL, X86_FRAME_VECTOR(%rsp)
    jne 1f
    // Unchanged since SYSCALL, so rcx = rip, r11 = rflags, and rip, the address after a user
    // instruction below HAL_USER_END, is canonical: SYSRET cannot fault (SDM 2B, SYSRET).
    POP_REGISTERS
    mov (X86_FRAME_RSP - X86_FRAME_VECTOR)(%rsp), %rsp
    swapgs
    sysretq
1:  POP_REGISTERS
    add $(X86_FRAME_RIP - X86_FRAME_VECTOR), %rsp
    swapgs
trap_iret:
    iretq

// SYSCALL from 32-bit code, which no descriptor allows: back with ENOSYS.
FUNCTION x86_syscall_compat
    mov $-38, %eax
    sysretl

// All vectors without a stack of their own come here with vector and error code pushed.
    .section .text.trap_common, "ax", @progbits
    .balign 16
trap_common:
    testb $3, (X86_FRAME_CS - X86_FRAME_VECTOR)(%rsp)
    jz trap_from_kernel
    swapgs
trap_from_user: // GS is the kernel's, the stack the thread's
    PUSH_REGISTERS
    cld
    CLAC_IF_SMAP
    xor %ebp, %ebp
    mov %rsp, %rdi
    call x86_trap_user
    cli
    jmp trap_user_return

trap_from_kernel:
    cmpq $trap_iret, (X86_FRAME_RIP - X86_FRAME_VECTOR)(%rsp)
    je trap_iret_fault
    PUSH_REGISTERS
    cld
    CLAC_IF_SMAP
    mov %rsp, %rdi
    call x86_trap_kernel
    POP_REGISTERS
    add $(X86_FRAME_RIP - X86_FRAME_VECTOR), %rsp
    iretq

// The frame that IRETQ refused still lies at the top of the thread's stack, and all registers are
// the program's: enter again as if the program had raised the fault.
trap_iret_fault:
    swapgs
    mov %rax, %gs:GS_SCRATCH
    mov (X86_FRAME_VECTOR - X86_FRAME_VECTOR)(%rsp), %rax
    mov (X86_FRAME_RSP - X86_FRAME_VECTOR)(%rsp), %rsp
    push $0
    push %rax
    mov %gs:GS_SCRATCH, %rax
    jmp trap_from_user

// hal_enter_user(frame)
FUNCTION hal_enter_user
    cli
    mov %rdi, %rsp
    xor %ebp, %ebp
    jmp trap_user_return

// The entries that may come between any two instructions.
    .section .text.paranoid_entry, "ax", @progbits
    .balign 16
paranoid_entry:
    testb $3, (X86_FRAME_CS - X86_FRAME_VECTOR)(%rsp)
    jnz 3f
    PUSH_REGISTERS
    cld
    CLAC_IF_SMAP
    mov $MSR_GS_BASE, %ecx
    rdmsr
    xor %ebx, %ebx
    test %edx, %edx
    js 1f // the upper half: the kernel's already
    swapgs
    inc %ebx
1:  mov %rsp, %rdi
    call x86_trap_paranoid
    test %ebx, %ebx
    jz 2f
    swapgs
2:  POP_REGISTERS
    add $(X86_FRAME_RIP - X86_FRAME_VECTOR), %rsp
    iretq

3:  // From user mode: continue on the thread's stack, so that this one is free again.
    swapgs
    mov %rdi, %gs:GS_SCRATCH
    mov %rsp, %rdi
    mov %gs:GS_STACK, %rsp
    push 48(%rdi)
    push 40(%rdi)
    push 32(%rdi)
    push 24(%rdi)
    push 16(%rdi)
    push 8(%rdi)
    push (%rdi)
    mov %gs:GS_SCRATCH, %rdi
    jmp trap_from_user

FUNCTION x86_entry_debug
    push $0
    push $1
    jmp paranoid_entry

FUNCTION x86_entry_nmi
    push $0
    push $2
    jmp paranoid_entry

FUNCTION x86_entry_double_fault
    push $8
    jmp paranoid_entry

FUNCTION x86_entry_machine_check
    push $0
    push $18
    jmp paranoid_entry

// One stub per vector, 16 bytes each; those of SDM 3A table 6-1 with an error code push no zero.
FUNCTION x86_trap_stubs
    vector = 0
    .rept 256
    .balign 16
    .if (vector == 8) || ((vector >= 10) && (vector <= 14)) || (vector == 17) || (vector == 21) || (vector == 29) || (vector == 30)
    .else
    push $0
    .endif
    pushq $vector
    jmp trap_common
    vector = vector + 1
    .endr

    .section .note.GNU-stack, "", @progbits
