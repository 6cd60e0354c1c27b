// SPDX-License-Identifier: MIT OR Apache-2.0
// hal/hosted/signal.c: the signal frame of linked programs: what hal_signal_pop() needs, and
// siginfo.
//
// A program may write anything there before it returns, so each field that comes back is checked.
#include <hal/user_abi.h>

#include "machine.h"

#include <lib/string.h>

struct signal_frame {
    struct hal_frame frame;
    uint64_t blocked;
    struct hal_signal_stack stack;
    uint8_t fpu[64];
    uint8_t info[HAL_SIGINFO_BYTES];
};

enum hx_status hal_signal_push(struct hal_frame *frame, const struct hal_signal_delivery *delivery,
                               const void *fpu, hal_copy_out_t copy_out) {
    struct signal_frame out = {
        .frame = *frame,
        .blocked = delivery->blocked,
        .stack = delivery->stack,
    };
    memcpy(out.fpu, fpu, sizeof(out.fpu));
    memcpy(out.info, delivery->info, sizeof(out.info));
    uint64_t top = delivery->stack_top != 0 ? delivery->stack_top : frame->sp;
    uint64_t at = ALIGN_DOWN(top - sizeof(out), (uint64_t)16);
    if (top < sizeof(out) || copy_out(uaddr_make(at), &out, sizeof(out)) != HX_OK) {
        return HX_ERR_BAD_ADDRESS;
    }
    frame->sp = at;
    frame->pc = delivery->handler;
    frame->function_arguments[0] = delivery->number;
    frame->function_arguments[1] =
        delivery->with_info ? at + offsetof(struct signal_frame, info) : 0;
    frame->function_arguments[2] = delivery->with_info ? at : 0;
    frame->way = HOSTED_HANDLER;
    return HX_OK;
}

enum hx_status hal_signal_pop(struct hal_frame *frame, void *fpu, uint64_t *out_blocked,
                              struct hal_signal_stack *out_stack, hal_copy_in_t copy_in) {
    struct signal_frame in;
    if (copy_in(&in, uaddr_make(frame->sp), sizeof(in)) != HX_OK) {
        return HX_ERR_BAD_ADDRESS;
    }
    frame->pc = in.frame.pc;
    frame->sp = in.frame.sp;
    frame->number = in.frame.number;
    frame->result = in.frame.result;
    memcpy(frame->function_arguments, in.frame.function_arguments,
           sizeof(frame->function_arguments));
    frame->way = in.frame.way == HOSTED_AGAIN || in.frame.way == HOSTED_HANDLER ? in.frame.way
                                                                                : HOSTED_RESUME;
    memcpy(fpu, in.fpu, sizeof(in.fpu));
    hosted_fpu_sanitize(fpu);
    *out_blocked = in.blocked;
    *out_stack = in.stack;
    return HX_OK;
}
