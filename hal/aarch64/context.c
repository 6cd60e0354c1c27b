// SPDX-License-Identifier: MIT OR Apache-2.0
// hal/aarch64/context.c: new contexts, floating-point and vector state, the thread pointer.
#include <hal/context.h>

#include "private.h"

#include <hal/user_abi.h>
#include <lib/string.h>

#define FPU_BYTES           576u // 520 in use
#define ELF_MACHINE_AARCH64 183u // EM_AARCH64 (ELF for the Arm 64-bit Architecture, 5.1)

extern char aarch64_context_start[];

// What hal_switch() pops.
struct switch_frame {
    uint64_t x29, x30, x19, x20, x21, x22, x23, x24, x25, x26, x27, x28;
};

void hal_context_init(struct hal_context *context, void *stack_top, void (*entry)(void *),
                      void *argument) {
    // The top stays free for the frame of user mode.
    void *below = hal_user_frame(stack_top);
    struct switch_frame *frame = below;
    frame--;
    *frame = (struct switch_frame){
        .x19 = (uint64_t)(uintptr_t)entry,
        .x20 = (uint64_t)(uintptr_t)argument,
        .x30 = (uint64_t)(uintptr_t)aarch64_context_start,
    };
    *context = (struct hal_context){ .sp = frame };
}

// The way back to user mode leaves SP_EL1 at the end of the frame, which is the stack's top: the
// next entry begins there by itself.
void hal_kernel_stack_set(void *stack_top) {
    (void)stack_top;
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

void hal_tls_save(struct hal_tls *out_tls) {
    out_tls->tpidr_el0 = sysreg_read("tpidr_el0");
}

void hal_tls_restore(const struct hal_tls *tls) {
    sysreg_write("tpidr_el0", tls->tpidr_el0);
}

bool hal_tls_set(struct hal_tls *tls, uint64_t value) {
    if (value >= HAL_USER_END) {
        return false;
    }
    tls->tpidr_el0 = value;
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
    return ELF_MACHINE_AARCH64;
}

// Programs do it themselves: DC CVAU, IC IVAU (SCTLR_EL1.UCI).
void hal_code_publish(void) {}

// R_AARCH64_RELATIVE, _ABS64, _GLOB_DAT, _JUMP_SLOT (ELF for the Arm 64-bit Architecture, 5.7).
const struct package_machine *hal_package_machine(void) {
    static const struct package_machine machine = { ELF_MACHINE_AARCH64, 1027, 257, 1025, 1026 };
    return &machine;
}
