// SPDX-License-Identifier: MIT OR Apache-2.0
// hal/aarch64/signal.c: struct rt_sigframe of arm64 as Linux 6.1 lays it out
// (arch/arm64/include/uapi/asm/sigcontext.h, arch/arm64/kernel/signal.c).
//
// From the top: a frame record, the frame. A program may write anything there before it returns, so
// each field that comes back is checked.
#include <hal/user_abi.h>

#include "private.h"

#include <lib/string.h>

#define MAGIC_FPSIMD   0x46508001u
#define MAGIC_ESR      0x45535201u
#define RESERVED_BYTES 4096u
#define FPSIMD_WORDS   64u  // V0 … V31
#define FPSR_OFFSET    512u // in an area of hal_fpu_save()
#define FPCR_OFFSET    516u

#define PSTATE_FLAGS 0xf0000000ull // N Z C V

struct context_head { // struct _aarch64_ctx
    uint32_t magic;
    uint32_t size;
};

struct context_fpsimd {
    struct context_head head;
    uint32_t fpsr;
    uint32_t fpcr;
    uint64_t v[FPSIMD_WORDS];
};
_Static_assert(sizeof(struct context_fpsimd) == 528, "the ABI");

struct context_esr {
    struct context_head head;
    uint64_t esr;
};

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
    uint64_t fault_address; // struct sigcontext begins, aligned to 16
    uint64_t x[31];
    uint64_t sp, pc, pstate;
    uint64_t context_padding;
};
_Static_assert(offsetof(struct signal_ucontext, fault_address) == 176, "the ABI");
_Static_assert(sizeof(struct signal_ucontext) == 464, "the ABI");

// What is written: behind it, up to the frame's full size, lies what was there.
struct signal_frame {
    uint8_t info[HAL_SIGINFO_BYTES];
    struct signal_ucontext ucontext;
    struct context_fpsimd fpsimd; // the first of the reserved bytes
    struct context_esr esr;
    struct context_head end;
};
#define FRAME_BYTES (HAL_SIGINFO_BYTES + sizeof(struct signal_ucontext) + RESERVED_BYTES)
_Static_assert(FRAME_BYTES == 4688, "the ABI");

struct frame_record {
    uint64_t fp, lr;
};

static void fpsimd_fill(struct context_fpsimd *context, const uint8_t *fpu) {
    context->head = (struct context_head){ MAGIC_FPSIMD, sizeof(*context) };
    memcpy(context->v, fpu, sizeof(context->v));
    memcpy(&context->fpsr, fpu + FPSR_OFFSET, sizeof(context->fpsr));
    memcpy(&context->fpcr, fpu + FPCR_OFFSET, sizeof(context->fpcr));
}

static void frame_fill(struct signal_frame *out, const struct hal_frame *frame,
                       const struct hal_signal_delivery *delivery) {
    struct signal_ucontext *ucontext = &out->ucontext;
    memcpy(out->info, delivery->info, sizeof(out->info));
    ucontext->stack_base = delivery->stack.base;
    ucontext->stack_flags = delivery->stack.flags;
    ucontext->stack_bytes = delivery->stack.size_bytes;
    ucontext->blocked = delivery->blocked;
    ucontext->fault_address = delivery->fault.address;
    memcpy(ucontext->x, frame->x, sizeof(ucontext->x));
    ucontext->sp = frame->sp;
    ucontext->pc = frame->pc;
    ucontext->pstate = frame->pstate;
    if (delivery->fault.code != 0) {
        out->esr = (struct context_esr){ { MAGIC_ESR, sizeof(out->esr) }, delivery->fault.code };
    } // else the end comes here
}

enum hx_status hal_signal_push(struct hal_frame *frame, const struct hal_signal_delivery *delivery,
                               const void *fpu, hal_copy_out_t copy_out) {
    const uint64_t sp = delivery->stack_top != 0 ? delivery->stack_top : frame->sp;
    const uint64_t record_at = ALIGN_DOWN(sp - sizeof(struct frame_record), 16ull);
    const uint64_t at = record_at - FRAME_BYTES;
    const struct frame_record record = { frame->x[29], frame->x[30] };
    struct signal_frame out = { 0 };
    frame_fill(&out, frame, delivery);
    fpsimd_fill(&out.fpsimd, fpu);
    if (sp < FRAME_BYTES + 2 * sizeof(record) ||
        copy_out(uaddr_make(record_at), &record, sizeof(record)) != HX_OK ||
        copy_out(uaddr_make(at), &out, sizeof(out)) != HX_OK) {
        return HX_ERR_BAD_ADDRESS;
    }
    frame->x[0] = delivery->number;
    frame->x[1] = at + offsetof(struct signal_frame, info);
    frame->x[2] = at + offsetof(struct signal_frame, ucontext);
    frame->x[29] = record_at;
    frame->x[30] = delivery->restorer != 0 ? delivery->restorer : AARCH64_RETURN;
    frame->sp = at;
    frame->pc = delivery->handler;
    return HX_OK;
}

// The floating-point context among the records in the reserved bytes (struct _aarch64_ctx: each
// tells its size). False: it is not there, is damaged, or cannot be read.
static bool fpsimd_pop(uint64_t at, uint8_t *fpu, hal_copy_in_t copy_in) {
    const uint64_t end = at + RESERVED_BYTES;
    struct context_fpsimd context;
    while (end - at >= sizeof(context.head)) {
        struct context_head head;
        if (copy_in(&head, uaddr_make(at), sizeof(head)) != HX_OK) {
            return false;
        }
        if (head.magic == MAGIC_FPSIMD) {
            if (head.size != sizeof(context) || end - at < sizeof(context) ||
                copy_in(&context, uaddr_make(at), sizeof(context)) != HX_OK) {
                return false;
            }
            hal_fpu_init(fpu);
            memcpy(fpu, context.v, sizeof(context.v));
            memcpy(fpu + FPSR_OFFSET, &context.fpsr, sizeof(context.fpsr));
            memcpy(fpu + FPCR_OFFSET, &context.fpcr, sizeof(context.fpcr));
            return true;
        }
        if (head.magic == 0 || head.size < sizeof(head) || head.size % 16 != 0 ||
            head.size > end - at) {
            return false;
        }
        at += head.size;
    }
    return false;
}

enum hx_status hal_signal_pop(struct hal_frame *frame, void *fpu, uint64_t *out_blocked,
                              struct hal_signal_stack *out_stack, hal_copy_in_t copy_in) {
    struct signal_ucontext in;
    const uint64_t at = frame->sp + offsetof(struct signal_frame, ucontext);
    if (frame->sp % 16 != 0 || copy_in(&in, uaddr_make(at), sizeof(in)) != HX_OK ||
        !fpsimd_pop(at + sizeof(in), fpu, copy_in)) {
        return HX_ERR_BAD_ADDRESS;
    }
    memcpy(frame->x, in.x, sizeof(frame->x));
    frame->sp = in.sp;
    frame->pc = in.pc;
    frame->pstate = (in.pstate & PSTATE_FLAGS) | AARCH64_MODE_EL0;
    frame->number = UINT64_MAX; // no system call to restart
    *out_blocked = in.blocked;
    *out_stack = (struct hal_signal_stack){ in.stack_base, in.stack_flags, in.stack_bytes };
    return HX_OK;
}
