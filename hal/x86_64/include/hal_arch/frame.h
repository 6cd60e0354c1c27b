// SPDX-License-Identifier: MIT OR Apache-2.0
// <hal_arch/frame.h>: the register set saved at each entry to the kernel.
//
// An entry from user mode puts it at the very top of the thread's kernel stack; an entry from
// kernel mode somewhere on the stack in use. `vector` also tells how to return: a frame that a
// system call made and nobody changed goes back by SYSRET, which needs rcx = rip and r11 = rflags;
// whoever changes rip or the flags therefore does it by hal_frame_set_pc(), which turns the mark
// into X86_VECTOR_CHANGED, and the frame goes back by IRET.
#pragma once

#define X86_FRAME_BYTES  176
#define X86_FRAME_VECTOR 120
#define X86_FRAME_ERROR  128
#define X86_FRAME_RIP    136
#define X86_FRAME_CS     144
#define X86_FRAME_RSP    160
#define X86_FRAME_IF     0x200ull // of rflags: interrupts are on

#define X86_VECTOR_SYSCALL 256
#define X86_VECTOR_CHANGED 257

// Selectors; the order is what SYSCALL and SYSRET want (SDM 3A 5.8.8).
#define X86_KERNEL_CS 0x08
#define X86_KERNEL_DS 0x10
#define X86_USER_CS32 0x18 // not present: there is no 32-bit user mode
#define X86_USER_DS   0x23
#define X86_USER_CS   0x2b
#define X86_TSS       0x30

#ifndef __ASSEMBLER__
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct hal_frame {
    uint64_t r15, r14, r13, r12, rbp, rbx;
    uint64_t r11, r10, r9, r8, rax, rcx, rdx, rsi, rdi;
    uint64_t vector;
    union {
        uint64_t number; // system call: rax as the program gave it
        uint64_t error;  // fault: the error code, or 0
    };
    uint64_t rip, cs, rflags, rsp, ss;
};
_Static_assert(sizeof(struct hal_frame) == X86_FRAME_BYTES, "trap.S builds it");
_Static_assert(offsetof(struct hal_frame, vector) == X86_FRAME_VECTOR, "trap.S reads it");
_Static_assert(offsetof(struct hal_frame, error) == X86_FRAME_ERROR, "trap.S reads it");
_Static_assert(offsetof(struct hal_frame, rip) == X86_FRAME_RIP, "trap.S reads it");
_Static_assert(offsetof(struct hal_frame, cs) == X86_FRAME_CS, "trap.S reads it");
_Static_assert(offsetof(struct hal_frame, rsp) == X86_FRAME_RSP, "trap.S reads it");

static inline bool hal_frame_is_user(const struct hal_frame *frame) {
    return (frame->cs & 3) != 0;
}

static inline uint64_t hal_frame_pc(const struct hal_frame *frame) {
    return frame->rip;
}

static inline bool hal_frame_irq_is_on(const struct hal_frame *frame) {
    return (frame->rflags & X86_FRAME_IF) != 0;
}

static inline uint64_t hal_frame_sp(const struct hal_frame *frame) {
    return frame->rsp;
}

static inline void hal_frame_set_pc(struct hal_frame *frame, uint64_t value) {
    frame->rip = value;
    frame->vector = X86_VECTOR_CHANGED;
}

static inline void hal_frame_set_sp(struct hal_frame *frame, uint64_t value) {
    frame->rsp = value;
}

static inline uint64_t hal_frame_syscall_number(const struct hal_frame *frame) {
    return frame->number;
}

static inline uint64_t hal_frame_argument(const struct hal_frame *frame, unsigned index) {
    switch (index) {
    case 0:
        return frame->rdi;
    case 1:
        return frame->rsi;
    case 2:
        return frame->rdx;
    case 3:
        return frame->r10;
    case 4:
        return frame->r8;
    default:
        return frame->r9;
    }
}

static inline int64_t hal_frame_result(const struct hal_frame *frame) {
    return (int64_t)frame->rax;
}

static inline void hal_frame_set_result(struct hal_frame *frame, int64_t value) {
    frame->rax = (uint64_t)value;
}

static inline void hal_frame_restart(struct hal_frame *frame, uint64_t number) {
    frame->rax = number;
    hal_frame_set_pc(frame, frame->rip - 2); // SYSCALL is 0f 05
}

static inline void hal_frame_init_user(struct hal_frame *frame, uint64_t pc, uint64_t sp) {
    *frame = (struct hal_frame){
        .vector = X86_VECTOR_CHANGED,
        .rip = pc,
        .cs = X86_USER_CS,
        .rflags = X86_FRAME_IF | 2, // and the bit that is always one
        .rsp = sp,
        .ss = X86_USER_DS,
    };
}
#endif
