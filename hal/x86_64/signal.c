// SPDX-License-Identifier: MIT OR Apache-2.0
// hal/x86_64/signal.c: struct rt_sigframe of x86_64 as Linux 6.1 lays it out
// (arch/x86/include/uapi/asm/sigcontext.h, arch/x86/kernel/signal.c, arch/x86/kernel/fpu/signal.c).
//
// From the top: the red zone of the interrupted function, the FPU image (aligned to 64), the frame.
// A program may write anything there before it returns, so each field that comes back is checked.
#include <hal/user_abi.h>

#include "private.h"

#include <lib/string.h>

#define RED_ZONE_BYTES 128u // System V ABI, AMD64 supplement, 3.2.2

#define UC_FP_XSTATE         1u
#define UC_SIGCONTEXT_SS     2u
#define UC_STRICT_RESTORE_SS 4u

#define FP_XSTATE_MAGIC1 0x46505853u
#define FP_XSTATE_MAGIC2 0x46505845u
#define FXSAVE_BYTES     512u
#define SOFTWARE_OFFSET  464u // the bytes of the FXSAVE area that are left to software
#define MAGIC2_BYTES     4u

// AC OF DF TF SF ZF AF PF CF RF
#define RFLAGS_RESTORED 0x50dd5ull

struct signal_software { // struct _fpx_sw_bytes
    uint32_t magic1;
    uint32_t extended_size;
    uint64_t xfeatures;
    uint32_t xstate_size;
    uint32_t padding[7];
};
_Static_assert(SOFTWARE_OFFSET + sizeof(struct signal_software) == FXSAVE_BYTES, "SDM 1 10.5.1");

struct signal_context { // struct sigcontext_64
    uint64_t r8, r9, r10, r11, r12, r13, r14, r15;
    uint64_t rdi, rsi, rbp, rbx, rdx, rax, rcx, rsp, rip, rflags;
    uint16_t cs, gs, fs, ss;
    uint64_t err, trapno, oldmask, cr2;
    uint64_t fpstate;
    uint64_t reserved[8];
};
_Static_assert(sizeof(struct signal_context) == 256, "the ABI");

struct signal_ucontext {
    uint64_t flags;
    uint64_t link;
    uint64_t stack_base;
    uint32_t stack_flags;
    uint32_t stack_padding;
    uint64_t stack_bytes;
    struct signal_context context;
    uint64_t blocked;
};
_Static_assert(sizeof(struct signal_ucontext) == 304, "the ABI");

struct signal_frame {
    uint64_t restorer;
    struct signal_ucontext ucontext;
    uint8_t info[HAL_SIGINFO_BYTES];
};
_Static_assert(sizeof(struct signal_frame) == 440, "the ABI");

static size_t image_bytes(void) {
    return x86_features.xsave ? x86_features.fpu_bytes + MAGIC2_BYTES : FXSAVE_BYTES;
}

// Writes the saved state with the software bytes that tell a program how large it is.
static enum hx_status image_push(uint64_t to, const uint8_t *fpu, hal_copy_out_t copy_out) {
    struct signal_software software = { 0 };
    if (x86_features.xsave) {
        software.magic1 = FP_XSTATE_MAGIC1;
        software.extended_size = x86_features.fpu_bytes + MAGIC2_BYTES;
        software.xfeatures = x86_features.xcr0;
        software.xstate_size = x86_features.fpu_bytes;
    }
    enum hx_status status = copy_out(uaddr_make(to), fpu, SOFTWARE_OFFSET);
    if (status == HX_OK) {
        status = copy_out(uaddr_make(to + SOFTWARE_OFFSET), &software, sizeof(software));
    }
    if (status == HX_OK && x86_features.xsave) {
        const uint32_t magic2 = FP_XSTATE_MAGIC2;
        status = copy_out(uaddr_make(to + FXSAVE_BYTES), fpu + FXSAVE_BYTES,
                          x86_features.fpu_bytes - FXSAVE_BYTES);
        if (status == HX_OK) {
            status = copy_out(uaddr_make(to + x86_features.fpu_bytes), &magic2, sizeof(magic2));
        }
    }
    return status;
}

static void context_fill(struct signal_context *context, const struct hal_frame *frame,
                         const struct hal_fault *fault) {
    *context = (struct signal_context){
        .r8 = frame->r8,
        .r9 = frame->r9,
        .r10 = frame->r10,
        .r11 = frame->r11,
        .r12 = frame->r12,
        .r13 = frame->r13,
        .r14 = frame->r14,
        .r15 = frame->r15,
        .rdi = frame->rdi,
        .rsi = frame->rsi,
        .rbp = frame->rbp,
        .rbx = frame->rbx,
        .rdx = frame->rdx,
        .rax = frame->rax,
        .rcx = frame->rcx,
        .rsp = frame->rsp,
        .rip = frame->rip,
        .rflags = frame->rflags,
        .cs = (uint16_t)frame->cs,
        .ss = (uint16_t)frame->ss,
        .err = fault->code,
        .trapno = fault->vector,
        .cr2 = fault->address,
    };
}

enum hx_status hal_signal_push(struct hal_frame *frame, const struct hal_signal_delivery *delivery,
                               const void *fpu, hal_copy_out_t copy_out) {
    if (delivery->restorer == 0) {
        return HX_ERR_BAD_ADDRESS; // Linux on x86_64 has no other way back either
    }
    uint64_t sp = delivery->stack_top != 0 ? delivery->stack_top : frame->rsp - RED_ZONE_BYTES;
    uint64_t image = ALIGN_DOWN(sp - image_bytes(), 64ull);
    uint64_t at = ALIGN_DOWN(image - sizeof(struct signal_frame), 16ull) - 8;
    struct signal_frame out = { .restorer = delivery->restorer };
    out.ucontext.flags = UC_SIGCONTEXT_SS | UC_STRICT_RESTORE_SS;
    out.ucontext.flags |= x86_features.xsave ? UC_FP_XSTATE : 0;
    out.ucontext.stack_base = delivery->stack.base;
    out.ucontext.stack_flags = delivery->stack.flags;
    out.ucontext.stack_bytes = delivery->stack.size_bytes;
    context_fill(&out.ucontext.context, frame, &delivery->fault);
    out.ucontext.context.oldmask = delivery->blocked;
    out.ucontext.context.fpstate = image;
    out.ucontext.blocked = delivery->blocked;
    memcpy(out.info, delivery->info, sizeof(out.info));
    enum hx_status status = image_push(image, fpu, copy_out);
    if (status == HX_OK) {
        status = copy_out(uaddr_make(at), &out, sizeof(out));
    }
    if (status != HX_OK) {
        return HX_ERR_BAD_ADDRESS;
    }
    frame->rdi = delivery->number;
    frame->rsi = at + offsetof(struct signal_frame, info);
    frame->rdx = at + offsetof(struct signal_frame, ucontext);
    frame->rax = 0;
    frame->rflags &= ~(uint64_t)(RFLAGS_DF | RFLAGS_RF | RFLAGS_TF);
    hal_frame_set_sp(frame, at);
    hal_frame_set_pc(frame, delivery->handler);
    return HX_OK;
}

// Whether the software bytes promise the extended part, and its second magic stands behind it.
static bool image_is_extended(const struct signal_software *software, uint64_t from,
                              hal_copy_in_t copy_in) {
    uint32_t magic2;
    return x86_features.xsave && software->magic1 == FP_XSTATE_MAGIC1 &&
           software->xstate_size == x86_features.fpu_bytes &&
           software->extended_size == x86_features.fpu_bytes + MAGIC2_BYTES &&
           copy_in(&magic2, uaddr_make(from + x86_features.fpu_bytes), sizeof(magic2)) == HX_OK &&
           magic2 == FP_XSTATE_MAGIC2;
}

// Reads the image at `from` (0: none, the initial state). An image without the extended part sets
// x87 and SSE alone.
static enum hx_status image_pop(uint64_t from, uint8_t *fpu, hal_copy_in_t copy_in) {
    if (from == 0) {
        hal_fpu_init(fpu);
        return HX_OK;
    }
    if (from % 64 != 0 || copy_in(fpu, uaddr_make(from), FXSAVE_BYTES) != HX_OK) {
        hal_fpu_init(fpu);
        return HX_ERR_BAD_ADDRESS;
    }
    struct signal_software software;
    memcpy(&software, fpu + SOFTWARE_OFFSET, sizeof(software));
    if (image_is_extended(&software, from, copy_in)) {
        if (copy_in(fpu + FXSAVE_BYTES, uaddr_make(from + FXSAVE_BYTES),
                    x86_features.fpu_bytes - FXSAVE_BYTES) != HX_OK) {
            hal_fpu_init(fpu);
            return HX_ERR_BAD_ADDRESS;
        }
    } else if (x86_features.xsave) {
        const uint64_t legacy = 3; // XSTATE_BV: x87 and SSE
        memset(fpu + FXSAVE_BYTES, 0, x86_features.fpu_bytes - FXSAVE_BYTES);
        memcpy(fpu + FXSAVE_BYTES, &legacy, sizeof(legacy));
    }
    x86_fpu_sanitize(fpu);
    return HX_OK;
}

static void context_restore(struct hal_frame *frame, const struct signal_context *context) {
    uint64_t rflags = (frame->rflags & ~RFLAGS_RESTORED) | (context->rflags & RFLAGS_RESTORED);
    *frame = (struct hal_frame){
        .r15 = context->r15,
        .r14 = context->r14,
        .r13 = context->r13,
        .r12 = context->r12,
        .rbp = context->rbp,
        .rbx = context->rbx,
        .r11 = context->r11,
        .r10 = context->r10,
        .r9 = context->r9,
        .r8 = context->r8,
        .rax = context->rax,
        .rcx = context->rcx,
        .rdx = context->rdx,
        .rsi = context->rsi,
        .rdi = context->rdi,
        .vector = X86_VECTOR_CHANGED,
        .number = UINT64_MAX, // no system call to restart
        .rip = context->rip,
        .cs = X86_USER_CS,
        .rflags = rflags,
        .rsp = context->rsp,
        .ss = X86_USER_DS,
    };
}

enum hx_status hal_signal_pop(struct hal_frame *frame, void *fpu, uint64_t *out_blocked,
                              struct hal_signal_stack *out_stack, hal_copy_in_t copy_in) {
    struct signal_ucontext in;
    uint64_t at = frame->rsp - 8; // the handler's return took the restorer off
    uint64_t ucontext = at + offsetof(struct signal_frame, ucontext);
    if (copy_in(&in, uaddr_make(ucontext), sizeof(in)) != HX_OK ||
        image_pop(in.context.fpstate, fpu, copy_in) != HX_OK) {
        return HX_ERR_BAD_ADDRESS;
    }
    context_restore(frame, &in.context);
    *out_blocked = in.blocked;
    *out_stack = (struct hal_signal_stack){ in.stack_base, in.stack_flags, in.stack_bytes };
    return HX_OK;
}
