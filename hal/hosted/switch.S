// SPDX-License-Identifier: MIT OR Apache-2.0
// hal/hosted/switch.S: switching stacks on an x86-64 host (System V ABI, AMD64 supplement, 3.2.1).
// MXCSR and the x87 control word are user mode's: hal_fpu_save() has them.

    .text
// hosted_switch(void **from_sp, void *to_sp)
    .globl hosted_switch
    .hidden hosted_switch
    .type hosted_switch, @function
    .balign 16
hosted_switch:
    push %rbp
    push %rbx
    push %r12
    push %r13
    push %r14
    push %r15
    mov %rsp, (%rdi)
    mov %rsi, %rsp
    pop %r15
    pop %r14
    pop %r13
    pop %r12
    pop %rbx
    pop %rbp
    ret
    .size hosted_switch, . - hosted_switch

// A new context returns here; context_prepare() put the entry and its argument into r12 and r13.
    .globl hosted_context_start
    .hidden hosted_context_start
    .type hosted_context_start, @function
    .balign 16
hosted_context_start:
    mov %r13, %rdi
    xor %ebp, %ebp
    call *%r12
    ud2
    .size hosted_context_start, . - hosted_context_start

    .section .note.GNU-stack, "", @progbits
