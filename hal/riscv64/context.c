// SPDX-License-Identifier: MIT OR Apache-2.0
// hal/riscv64/context.c: new contexts, floating-point state, the thread pointer.
#include <hal/context.h>

#include "block.h"
#include "private.h"

#include <hal/user_abi.h>
#include <lib/string.h>

#define FPU_BYTES         264u
#define ELF_MACHINE_RISCV 243u // EM_RISCV (RISC-V ELF psABI)

extern char riscv64_context_start[];

_Static_assert(offsetof(struct hal_context, sp) == CONTEXT_SP, "block.h");
_Static_assert(offsetof(struct hal_context, stack_low) == CONTEXT_STACK_LOW, "block.h");

// What hal_switch() pops.
struct switch_frame {
    uint64_t ra, s[12], padding;
};

void hal_context_init(struct hal_context *context, void *stack_top, void (*entry)(void *),
                      void *argument) {
    // The top stays free for the frame of user mode.
    void *below = hal_user_frame(stack_top);
    struct switch_frame *frame = below;
    frame--;
    *frame = (struct switch_frame){
        .ra = (uint64_t)(uintptr_t)riscv64_context_start,
        .s = { [1] = (uint64_t)(uintptr_t)entry, [2] = (uint64_t)(uintptr_t)argument },
    };
    *context = (struct hal_context){
        .sp = frame,
        .stack_low = (uint64_t)(uintptr_t)stack_top - HAL_STACK_BYTES,
    };
}

void hal_kernel_stack_set(void *stack_top) {
    cpu_block()->stack_top = (uint64_t)(uintptr_t)stack_top;
}

size_t hal_fpu_size(void) {
    return FPU_BYTES;
}

void hal_fpu_init(void *area) {
    memset(area, 0, FPU_BYTES);
}

void hal_fpu_reset(void) {
    static const alignas(64) uint8_t initial[FPU_BYTES];
    hal_fpu_restore(initial);
}

// The program's thread pointer is a general register: it lies in the frame at the top of the stack,
// where the next entry from user mode would begin. One instruction, so that no migration comes in
// between.
static struct hal_frame *frame_of_caller(void) {
    void *stack_top;
    __asm__ volatile("ld %0, %1(tp)" : "=r"(stack_top) : "i"(BLOCK_STACK_TOP) : "memory");
    return hal_user_frame(stack_top);
}

void hal_tls_save(struct hal_tls *out_tls) {
    out_tls->tp = frame_of_caller()->x[RISCV64_TP];
}

void hal_tls_restore(const struct hal_tls *tls) {
    frame_of_caller()->x[RISCV64_TP] = tls->tp;
}

// Not checked: any value does in a general register.
bool hal_tls_set(struct hal_tls *tls, uint64_t value) {
    tls->tp = value;
    return true;
}

// There is no such call: programs write the register themselves.
enum hx_status hal_thread_control(uint64_t code, uint64_t value, struct hal_tls *tls,
                                  uint64_t *out_value, bool *out_is_get) {
    (void)code;
    (void)value;
    (void)tls;
    (void)out_value;
    (void)out_is_get;
    return HX_ERR_INVALID;
}

uint16_t hal_elf_machine(void) {
    return ELF_MACHINE_RISCV;
}

// R_RISCV_RELATIVE, _64 for both, _JUMP_SLOT (RISC-V ELF psABI, 8.4).
const struct package_machine *hal_package_machine(void) {
    static const struct package_machine machine = { ELF_MACHINE_RISCV, 3, 2, 2, 5 };
    return &machine;
}
