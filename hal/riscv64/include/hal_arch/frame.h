// SPDX-License-Identifier: MIT OR Apache-2.0
// <hal_arch/frame.h>: the register set saved at each entry to the kernel.
//
// An entry from user mode puts it at the very top of the thread's kernel stack; an entry from
// kernel mode somewhere on the stack in use.
#pragma once

#define RISCV64_FRAME_BYTES  288
#define RISCV64_FRAME_PC     256
#define RISCV64_FRAME_STATUS 264

// sstatus of a program: the floating-point registers are there, interrupts come on with SRET
// (privileged ISA 20211203, 4.1.1).
#define RISCV64_STATUS_SPIE 0x20ull
#define RISCV64_STATUS_SPP  0x100ull
#define RISCV64_STATUS_FS   0x2000ull // initial; the processor makes it dirty, which nobody asks
#define RISCV64_STATUS_USER (RISCV64_STATUS_SPIE | RISCV64_STATUS_FS)

#define RISCV64_RA 1
#define RISCV64_SP 2
#define RISCV64_TP 4
#define RISCV64_FP 8
#define RISCV64_A0 10
#define RISCV64_A7 17

#ifndef __ASSEMBLER__
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct hal_frame {
    uint64_t x[32]; // x[0] is not used
    uint64_t pc, status;
    uint64_t number; // system call: a7 as the program gave it
    uint64_t first;  // and a0, which the result replaces
};
_Static_assert(sizeof(struct hal_frame) == RISCV64_FRAME_BYTES, "trap.S builds it");
_Static_assert(offsetof(struct hal_frame, pc) == RISCV64_FRAME_PC, "trap.S writes it");
_Static_assert(offsetof(struct hal_frame, status) == RISCV64_FRAME_STATUS, "trap.S writes it");

static inline bool hal_frame_is_user(const struct hal_frame *frame) {
    return (frame->status & RISCV64_STATUS_SPP) == 0;
}

static inline uint64_t hal_frame_pc(const struct hal_frame *frame) {
    return frame->pc;
}

static inline void hal_frame_set_pc(struct hal_frame *frame, uint64_t value) {
    frame->pc = value;
}

static inline bool hal_frame_irq_is_on(const struct hal_frame *frame) {
    return (frame->status & RISCV64_STATUS_SPIE) != 0;
}

static inline uint64_t hal_frame_sp(const struct hal_frame *frame) {
    return frame->x[RISCV64_SP];
}

static inline void hal_frame_set_sp(struct hal_frame *frame, uint64_t value) {
    frame->x[RISCV64_SP] = value;
}

static inline uint64_t hal_frame_syscall_number(const struct hal_frame *frame) {
    return frame->number;
}

static inline uint64_t hal_frame_argument(const struct hal_frame *frame, unsigned index) {
    return index == 0 ? frame->first : frame->x[RISCV64_A0 + index];
}

static inline int64_t hal_frame_result(const struct hal_frame *frame) {
    return (int64_t)frame->x[RISCV64_A0];
}

static inline void hal_frame_set_result(struct hal_frame *frame, int64_t value) {
    frame->x[RISCV64_A0] = (uint64_t)value;
}

static inline void hal_frame_restart(struct hal_frame *frame, uint64_t number) {
    frame->x[RISCV64_A7] = number;
    frame->x[RISCV64_A0] = frame->first;
    frame->pc -= 4; // ECALL
}

static inline void hal_frame_init_user(struct hal_frame *frame, uint64_t pc, uint64_t sp) {
    *frame = (struct hal_frame){
        .x = { [RISCV64_SP] = sp },
        .pc = pc,
        .status = RISCV64_STATUS_USER,
        .number = UINT64_MAX,
    };
}
#endif
