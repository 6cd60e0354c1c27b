// SPDX-License-Identifier: MIT OR Apache-2.0
// hal/x86_64/switch.S: switching stacks (System V ABI, AMD64 supplement, 3.2.1: callee-saved).

#include "asm.inc"

// hal_switch(from, to)
FUNCTION hal_switch
    push %rbp
    push %rbx
    push %r12
    push %r13
    push %r14
    push %r15
    mov %rsp, (%rdi)
    mov (%rsi), %rsp
    pop %r15
    pop %r14
    pop %r13
    pop %r12
    pop %rbx
    pop %rbp
    ret

// A new context returns here; hal_context_init() put the entry and its argument into r12 and r13.
FUNCTION x86_context_start
    mov %r13, %rdi
    xor %ebp, %ebp
    call *%r12
    ud2

    .section .note.GNU-stack, "", @progbits
