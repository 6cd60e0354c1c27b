// SPDX-License-Identifier: MIT OR Apache-2.0
// hal/x86_64/gate.S: calls into modules (System V ABI, AMD64 supplement, 3.2.1: callee-saved).

#include "asm.inc"
#include "gs.h"

// hal_gate_call(gate, method, argument): %rbx is the thread, %r12 the gate's number. Counting in
// must be one instruction: an interrupt in the middle of two could move the thread.
FUNCTION hal_gate_call
    push %rbp
    push %r15
    push %r14
    push %r13
    push %rbx
    push %r12
    push $0 // the record's ticks; the stack is aligned at the call
    push %rdi
    mov %gs:GS_CURRENT, %rbx
    mov GATE_NUMBER(%rdi), %r12d
    push CONTEXT_GATES(%rbx)
    mov %rsp, CONTEXT_GATES(%rbx)
    incq %gs:GS_ENTERED(,%r12,8)
    cmpl $0, GATE_CLOSED(%rdi)
    jne .Lclosed
    mov %rdx, %rdi
    call *%rsi
.Lout:
    pop CONTEXT_GATES(%rbx)
    incq %gs:GS_LEFT(,%r12,8)
    add $16, %rsp
    pop %r12
    pop %rbx
    add $32, %rsp // the others are as they were
    ret
.Lclosed:
    movabs $0x8000000000000000, %rax // HAL_GATE_CLOSED
    jmp .Lout

// hal_gate_leave(result)
FUNCTION hal_gate_leave
    mov %rdi, %rax
    mov %gs:GS_CURRENT, %rbx
    mov CONTEXT_GATES(%rbx), %rsp
    mov 8(%rsp), %rdi
    mov GATE_NUMBER(%rdi), %r12d
    mov 40(%rsp), %r13
    mov 48(%rsp), %r14
    mov 56(%rsp), %r15
    mov 64(%rsp), %rbp
    jmp .Lout

// hal_guard_leave(result)
FUNCTION hal_guard_leave
    mov %rdi, %rax
    mov %gs:GS_GUARD_SP, %rsp
    mov %gs:GS_GUARD_FP, %rbp
    jmp *-8(%rsp)

    .section .note.GNU-stack, "", @progbits
