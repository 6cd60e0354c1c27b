// SPDX-License-Identifier: MIT OR Apache-2.0
// hal/hosted/context.c: contexts: kernel stacks, and the stacks of linked programs beside them.
//
// Sanitizers follow a stack only if they are told of each switch: ASan needs its bounds, TSan an
// object for each, made when the context first runs, so that one that never runs holds nothing.
#include <hal/context.h>

#include "user.h"

#include <hal/user_abi.h>

extern char hosted_context_start[];

// What hosted_switch() pops.
struct switch_frame {
    uint64_t r15, r14, r13, r12, rbx, rbp;
    uint64_t return_address;
    uint64_t end[2]; // keeps the stack aligned at the call, and ends a backtrace
};

#if HOSTED_ASAN || HOSTED_TSAN
struct context_start {
    void (*entry)(void *);
    void *argument;
};

NOT_INSTRUMENTED static inline void switch_begin(struct hal_context *from,
                                                 const struct hal_context *to) {
    this_processor()->left = from;
#if HOSTED_TSAN
    if (from->fiber == NULL) {
        from->fiber = __tsan_get_current_fiber();
    }
    struct hal_context *target = (struct hal_context *)to; // only this name is made late
    if (target->fiber == NULL) {
        target->fiber = __tsan_create_fiber(0);
    }
    __tsan_switch_to_fiber(target->fiber, 0);
#elif HOSTED_ASAN
    void *fake_stack; // not in use: compiled without use-after-return
    __sanitizer_start_switch_fiber(&fake_stack, to->stack_low, to->stack_bytes);
#endif
}

NOT_INSTRUMENTED static inline void switch_end(void) {
#if HOSTED_ASAN
    const void *low;
    size_t size_bytes;
    __sanitizer_finish_switch_fiber(NULL, &low, &size_bytes);
    struct hal_context *left = this_processor()->left;
    if (left->stack_low == NULL) {
        left->stack_low = (char *)low;
        left->stack_bytes = size_bytes;
    }
#endif
}

// Runs first on a new stack, since the switch that led here is not over for the sanitizer.
NOT_INSTRUMENTED static void context_main(void *start_argument) {
    struct context_start start = *(struct context_start *)start_argument;
    switch_end();
    start.entry(start.argument);
}
#else
static inline void switch_begin(struct hal_context *from, const struct hal_context *to) {
    (void)from, (void)to;
}
static inline void switch_end(void) {}
#endif

NOT_INSTRUMENTED void hal_switch(struct hal_context *from, const struct hal_context *to) {
    switch_begin(from, to);
    hosted_switch(&from->sp, to->sp);
    switch_end();
}

void *hosted_stack_begin(void *top, void (*entry)(void *), void *argument) {
    struct switch_frame *frame = (struct switch_frame *)top - 1;
    *frame = (struct switch_frame){
        .r12 = (uint64_t)(uintptr_t)entry,
        .r13 = (uint64_t)(uintptr_t)argument,
        .return_address = (uint64_t)(uintptr_t)hosted_context_start,
    };
    return frame;
}

void context_prepare(struct hal_context *context, char *stack_low, size_t stack_bytes, void *top,
                     void (*entry)(void *), void *argument) {
#if HOSTED_ASAN || HOSTED_TSAN
    struct context_start *start = (struct context_start *)top - 1;
    *start = (struct context_start){ entry, argument };
    top = start;
    entry = context_main;
    argument = start;
#endif
    *context = (struct hal_context){
        .sp = hosted_stack_begin(top, entry, argument),
        .stack_low = stack_low,
        .stack_bytes = stack_bytes,
    };
}

void context_release(struct hal_context *context) {
#if HOSTED_ASAN
    __asan_unpoison_memory_region(context->stack_low, context->stack_bytes); // for who comes next
#endif
#if HOSTED_TSAN
    if (context->fiber != NULL) {
        __tsan_destroy_fiber(context->fiber);
    }
#endif
    context->fiber = NULL;
}

void hal_context_init(struct hal_context *context, void *stack_top, void (*entry)(void *),
                      void *argument) {
    context_prepare(context, (char *)stack_top - HAL_STACK_BYTES, HAL_STACK_BYTES,
                    hal_user_frame(stack_top), entry, argument);
    context->head = stack_head(stack_top);
    *context->head = (struct stack_head){ 0 };
}

void hosted_context_fini(struct hal_context *context) {
    if (context->head != NULL) {
        user_release(context->head);
        context_release(context);
    }
}

void hal_kernel_stack_set(void *stack_top) {
    this_processor()->stack_top = stack_top;
}

struct hal_frame *hal_user_frame(void *stack_top) {
    return (struct hal_frame *)(void *)stack_head(stack_top) - 1;
}

// ---- user registers ----------------------------------------------------------------------------

// All other registers of a program are saved by its calls, as the ABI has it.
struct fpu_state {
    uint32_t mxcsr;
    uint16_t control;
};

#define MXCSR_DEFAULT   0x1f80u
#define MXCSR_MASK      0xffffu
#define CONTROL_DEFAULT 0x37fu

size_t hal_fpu_size(void) {
    return 64;
}

void hal_fpu_init(void *area) {
    const struct fpu_state state = { MXCSR_DEFAULT, CONTROL_DEFAULT };
    memset(area, 0, hal_fpu_size());
    memcpy(area, &state, sizeof(state));
}

void hal_fpu_reset(void) {
    static const struct fpu_state initial = { MXCSR_DEFAULT, CONTROL_DEFAULT };
    hal_fpu_restore(&initial);
}

void hal_fpu_save(void *area) {
    struct fpu_state *state = area;
    __asm__ volatile("stmxcsr %0" : "=m"(state->mxcsr));
    __asm__ volatile("fnstcw %0" : "=m"(state->control));
}

void hal_fpu_restore(const void *area) {
    const struct fpu_state *state = area;
    __asm__ volatile("ldmxcsr %0" : : "m"(state->mxcsr));
    __asm__ volatile("fldcw %0" : : "m"(state->control));
}

void hosted_fpu_sanitize(void *area) {
    struct fpu_state *state = area;
    state->mxcsr &= MXCSR_MASK;
}

void hal_tls_save(struct hal_tls *out_tls) {
    *out_tls = this_processor()->tls;
}

void hal_tls_restore(const struct hal_tls *tls) {
    this_processor()->tls = *tls;
}

bool hal_tls_set(struct hal_tls *tls, uint64_t value) {
    if (value >= HAL_USER_END) {
        return false;
    }
    tls->base = value;
    return true;
}

enum hx_status hal_thread_control(uint64_t code, uint64_t value, struct hal_tls *tls,
                                  uint64_t *out_value, bool *out_is_get) {
    (void)code, (void)value, (void)tls, (void)out_value, (void)out_is_get;
    return HX_ERR_INVALID; // there is no such call in the generic table
}

uint16_t hal_elf_machine(void) {
    return HOSTED_ELF_MACHINE;
}

// Programs are the host's own code.
void hal_code_publish(void) {}

// No package is for this machine.
const struct package_machine *hal_package_machine(void) {
    static const struct package_machine machine = { .elf_machine = HOSTED_ELF_MACHINE };
    return &machine;
}
