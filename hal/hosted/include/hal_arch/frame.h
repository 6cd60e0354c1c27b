// SPDX-License-Identifier: MIT OR Apache-2.0
// <hal_arch/frame.h>: the registers of a linked program.
//
// Its real registers are the host's and stay on its stack; these are the ones that the kernel reads
// and changes. `way` tells how the program goes on when the kernel returns to it.
#pragma once

#include <stdbool.h>
#include <stdint.h>

enum hosted_way {
    HOSTED_RESUME,  // the call returns `result`; an access that faulted is tried again
    HOSTED_AGAIN,   // the call is made again
    HOSTED_START,   // a new program begins at `pc` on an empty stack
    HOSTED_HANDLER, // the function at `pc` is called on top, then rt_sigreturn
};

struct hal_frame {
    uint64_t pc;
    uint64_t sp;
    uint64_t number; // of the system call
    uint64_t arguments[6];
    int64_t result;
    uint64_t function_arguments[3]; // of what begins at `pc`
    uint32_t way;                   // enum hosted_way
    uint32_t user;                  // 1: of user mode
    uint64_t fp;                    // of the kernel, for a panic
    uint64_t padding;
};
_Static_assert(sizeof(struct hal_frame) % 16 == 0, "it lies on a stack");

static inline bool hal_frame_is_user(const struct hal_frame *frame) {
    return frame->user != 0;
}

static inline uint64_t hal_frame_pc(const struct hal_frame *frame) {
    return frame->pc;
}

static inline void hal_frame_set_pc(struct hal_frame *frame, uint64_t value) {
    frame->pc = value;
}

static inline bool hal_frame_irq_is_on(const struct hal_frame *frame) {
    return hal_frame_is_user(frame); // no other entry has a frame
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
    return frame->arguments[index];
}

static inline int64_t hal_frame_result(const struct hal_frame *frame) {
    return frame->result;
}

static inline void hal_frame_set_result(struct hal_frame *frame, int64_t value) {
    frame->result = value;
}

static inline void hal_frame_restart(struct hal_frame *frame, uint64_t number) {
    frame->number = number;
    frame->way = HOSTED_AGAIN;
}

static inline void hal_frame_init_user(struct hal_frame *frame, uint64_t pc, uint64_t sp) {
    *frame = (struct hal_frame){
        .pc = pc,
        .sp = sp,
        .function_arguments = { sp },
        .way = HOSTED_START,
        .user = 1,
    };
}
