// SPDX-License-Identifier: MIT OR Apache-2.0
// hal/riscv64/signal.c: struct rt_sigframe of riscv as Linux 6.1 lays it out
// (arch/riscv/include/uapi/asm/{ucontext,sigcontext,ptrace}.h, arch/riscv/kernel/signal.c).
//
// A program may write anything there before it returns. All that comes back are registers that it
// may set anyway; the bytes that Linux keeps for later must be zero, as there.
#include <hal/user_abi.h>

#include "private.h"

#include <lib/string.h>

#define GENERAL_COUNT 31u // x1 … x31
#define FLOAT_COUNT   32u

struct signal_ucontext {
    uint64_t flags;
    uint64_t link;
    uint64_t stack_base;
    uint32_t stack_flags;
    uint32_t stack_padding;
    uint64_t stack_bytes;
    uint64_t blocked;
    uint64_t blocked_rest[15];
    uint64_t padding;
    uint64_t pc; // struct sigcontext begins, aligned to 16
    uint64_t x[GENERAL_COUNT];
    uint64_t f[FLOAT_COUNT]; // struct __riscv_d_ext_state, in a union with that of Q
    uint32_t fcsr;
    uint32_t fcsr_padding;
    uint64_t q_rest[31];
    uint32_t q_fcsr;
    uint32_t reserved[3];
};
_Static_assert(offsetof(struct signal_ucontext, pc) == 176, "the ABI");
_Static_assert(offsetof(struct signal_ucontext, f) == 432, "the ABI");
_Static_assert(offsetof(struct signal_ucontext, reserved) == 948, "the ABI");
_Static_assert(sizeof(struct signal_ucontext) == 960, "the ABI");

struct signal_frame {
    uint8_t info[HAL_SIGINFO_BYTES];
    struct signal_ucontext ucontext;
};
_Static_assert(sizeof(struct signal_frame) == 1088, "the ABI");

static void frame_fill(struct signal_frame *out, const struct hal_frame *frame,
                       const struct hal_signal_delivery *delivery, const uint64_t *fpu) {
    struct signal_ucontext *ucontext = &out->ucontext;
    memcpy(out->info, delivery->info, sizeof(out->info));
    ucontext->stack_base = delivery->stack.base;
    ucontext->stack_flags = delivery->stack.flags;
    ucontext->stack_bytes = delivery->stack.size_bytes;
    ucontext->blocked = delivery->blocked;
    ucontext->pc = frame->pc;
    memcpy(ucontext->x, &frame->x[1], sizeof(ucontext->x));
    memcpy(ucontext->f, fpu, sizeof(ucontext->f));
    ucontext->fcsr = (uint32_t)fpu[FLOAT_COUNT]; // switch.S has it behind them
}

enum hx_status hal_signal_push(struct hal_frame *frame, const struct hal_signal_delivery *delivery,
                               const void *fpu, hal_copy_out_t copy_out) {
    const uint64_t sp = delivery->stack_top != 0 ? delivery->stack_top : frame->x[RISCV64_SP];
    const uint64_t at = ALIGN_DOWN(sp - sizeof(struct signal_frame), 16ull);
    struct signal_frame out = { 0 };
    frame_fill(&out, frame, delivery, fpu);
    if (sp < sizeof(out) + 16 || copy_out(uaddr_make(at), &out, sizeof(out)) != HX_OK) {
        return HX_ERR_BAD_ADDRESS;
    }
    frame->x[RISCV64_RA] = RISCV64_RETURN;
    frame->x[RISCV64_SP] = at;
    frame->x[RISCV64_A0] = delivery->number;
    frame->x[RISCV64_A0 + 1] = at + offsetof(struct signal_frame, info);
    frame->x[RISCV64_A0 + 2] = at + offsetof(struct signal_frame, ucontext);
    frame->pc = delivery->handler;
    return HX_OK;
}

enum hx_status hal_signal_pop(struct hal_frame *frame, void *fpu, uint64_t *out_blocked,
                              struct hal_signal_stack *out_stack, hal_copy_in_t copy_in) {
    struct signal_ucontext in;
    const uint64_t sp = frame->x[RISCV64_SP];
    if (sp % 16 != 0 ||
        copy_in(&in, uaddr_make(sp + offsetof(struct signal_frame, ucontext)), sizeof(in)) !=
            HX_OK ||
        (in.reserved[0] | in.reserved[1] | in.reserved[2]) != 0) {
        return HX_ERR_BAD_ADDRESS;
    }
    memcpy(fpu, in.f, sizeof(in.f));
    ((uint64_t *)fpu)[FLOAT_COUNT] = in.fcsr; // switch.S has it behind them
    memcpy(&frame->x[1], in.x, sizeof(in.x));
    frame->pc = in.pc;
    frame->status = RISCV64_STATUS_USER;
    frame->number = UINT64_MAX; // no system call to restart
    *out_blocked = in.blocked;
    *out_stack = (struct hal_signal_stack){ in.stack_base, in.stack_flags, in.stack_bytes };
    return HX_OK;
}
