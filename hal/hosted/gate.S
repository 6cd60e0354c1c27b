// SPDX-License-Identifier: MIT OR Apache-2.0
// hal/hosted/gate.S: calls into modules on an x86-64 host (System V ABI, AMD64 supplement, 3.2.1).
// A kernel thread changes its host thread inside calls alone, so two instructions may count.

#include "gate.h"

    .text
// hal_gate_call(gate, method, argument): %rbx is the thread, %r12 the gate's number.
    .globl hal_gate_call
    .hidden hal_gate_call
    .type hal_gate_call, @function
    .balign 16
hal_gate_call:
    push %rbp
    push %r15
    push %r14
    push %r13
    push %rbx
    push %r12
    push $0 // the record's ticks; the stack is aligned at the call
    push %rdi
    mov %fs:hosted_processor@tpoff, %rax
    mov PROCESSOR_CURRENT(%rax), %rbx
    mov GATE_NUMBER(%rdi), %r12d
    push CONTEXT_GATES(%rbx)
    mov %rsp, CONTEXT_GATES(%rbx)
    incq PROCESSOR_ENTERED(%rax,%r12,8)
    cmpl $0, GATE_CLOSED(%rdi)
    jne .Lclosed
    mov %rdx, %rdi
    call *%rsi
.Lout:
    pop CONTEXT_GATES(%rbx)
    mov %fs:hosted_processor@tpoff, %rdx
    incq PROCESSOR_LEFT(%rdx,%r12,8)
    add $16, %rsp
    pop %r12
    pop %rbx
    add $32, %rsp // the others are as they were
    ret
.Lclosed:
    movabs $0x8000000000000000, %rax // HAL_GATE_CLOSED
    jmp .Lout
    .size hal_gate_call, . - hal_gate_call

// hosted_gate_leave(result)
    .globl hosted_gate_leave
    .hidden hosted_gate_leave
    .type hosted_gate_leave, @function
    .balign 16
hosted_gate_leave:
    mov %rdi, %rax
    mov %fs:hosted_processor@tpoff, %rdx
    mov PROCESSOR_CURRENT(%rdx), %rbx
    mov CONTEXT_GATES(%rbx), %rsp
    mov 8(%rsp), %rdi
    mov GATE_NUMBER(%rdi), %r12d
    mov 40(%rsp), %r13
    mov 48(%rsp), %r14
    mov 56(%rsp), %r15
    mov 64(%rsp), %rbp
    jmp .Lout
    .size hosted_gate_leave, . - hosted_gate_leave

    .section .note.GNU-stack, "", @progbits
