// SPDX-License-Identifier: MIT OR Apache-2.0
// <hal_arch/frame.h>: the register set saved at each entry to the kernel.
//
// An entry from user mode puts it at the very top of the thread's kernel stack; an entry from
// kernel mode somewhere on the stack in use.
#pragma once

#define AARCH64_FRAME_BYTES 288
#define AARCH64_FRAME_LR    240
#define AARCH64_FRAME_SP    248
#define AARCH64_FRAME_PC    256

#define AARCH64_MODE_MASK 0xfull
#define AARCH64_MODE_EL0  0x0ull
#define AARCH64_PSTATE_I  0x80ull

#ifndef __ASSEMBLER__
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct hal_frame {
    uint64_t x[31];
    uint64_t sp, pc, pstate;
    uint64_t number; // system call: x8 as the program gave it
    uint64_t first;  // and x0, which the result replaces
};
_Static_assert(sizeof(struct hal_frame) == AARCH64_FRAME_BYTES, "trap.S builds it");
_Static_assert(offsetof(struct hal_frame, x[30]) == AARCH64_FRAME_LR, "trap.S writes it");
_Static_assert(offsetof(struct hal_frame, sp) == AARCH64_FRAME_SP, "trap.S writes it");
_Static_assert(offsetof(struct hal_frame, pc) == AARCH64_FRAME_PC, "trap.S writes it");

static inline bool hal_frame_is_user(const struct hal_frame *frame) {
    return (frame->pstate & AARCH64_MODE_MASK) == AARCH64_MODE_EL0;
}

static inline uint64_t hal_frame_pc(const struct hal_frame *frame) {
    return frame->pc;
}

static inline void hal_frame_set_pc(struct hal_frame *frame, uint64_t value) {
    frame->pc = value;
}

static inline bool hal_frame_irq_is_on(const struct hal_frame *frame) {
    return (frame->pstate & AARCH64_PSTATE_I) == 0;
}

static inline uint64_t hal_frame_sp(const struct hal_frame *frame) {
    return frame->sp;
}

static inline void hal_frame_set_sp(struct hal_frame *frame, uint64_t value) {
    frame->sp = value;
}

static inline uint64_t hal_frame_syscall_number(const struct hal_frame *frame) {
    return frame->number;
}

static inline uint64_t hal_frame_argument(const struct hal_frame *frame, unsigned index) {
    return index == 0 ? frame->first : frame->x[index];
}

static inline int64_t hal_frame_result(const struct hal_frame *frame) {
    return (int64_t)frame->x[0];
}

static inline void hal_frame_set_result(struct hal_frame *frame, int64_t value) {
    frame->x[0] = (uint64_t)value;
}

static inline void hal_frame_restart(struct hal_frame *frame, uint64_t number) {
    frame->x[8] = number;
    frame->x[0] = frame->first;
    frame->pc -= 4; // SVC
}

static inline void hal_frame_init_user(struct hal_frame *frame, uint64_t pc, uint64_t sp) {
    *frame = (struct hal_frame){
        .pc = pc,
        .sp = sp,
        .pstate = AARCH64_MODE_EL0,
        .number = UINT64_MAX,
    };
}
#endif
