// SPDX-License-Identifier: MIT OR Apache-2.0
// hal/x86_64/context.c: new contexts, floating point and vector state, segment bases.
#include <hal/context.h>

#include "private.h"

#include <hal/user_abi.h>
#include <lib/string.h>

#define FCW_DEFAULT   0x37fu  // all x87 exceptions masked
#define MXCSR_DEFAULT 0x1f80u // all SSE exceptions masked
#define FCW_OFFSET    0u      // in the FXSAVE area (SDM 1 table 10-2)
#define MXCSR_OFFSET  24u
#define HEADER_OFFSET 512u // of the XSAVE area: XSTATE_BV, XCOMP_BV, zeros (SDM 1 13.4.2)
#define HEADER_BYTES  64u

#define ELF_MACHINE_X86_64 62u // EM_X86_64 (gABI, table 5)

// arch_prctl (Linux, arch/x86/include/uapi/asm/prctl.h).
#define ARCH_SET_GS 0x1001u
#define ARCH_SET_FS 0x1002u
#define ARCH_GET_FS 0x1003u
#define ARCH_GET_GS 0x1004u

extern char x86_context_start[];

// What hal_switch() pops.
struct switch_frame {
    uint64_t r15, r14, r13, r12, rbx, rbp;
    uint64_t return_address;
    uint64_t end; // keeps the stack aligned at the call, and ends a backtrace
};

void hal_context_init(struct hal_context *context, void *stack_top, void (*entry)(void *),
                      void *argument) {
    // The top stays free for the frame of user mode.
    void *below = hal_user_frame(stack_top);
    struct switch_frame *frame = below;
    frame--;
    *frame = (struct switch_frame){
        .r12 = (uint64_t)(uintptr_t)entry,
        .r13 = (uint64_t)(uintptr_t)argument,
        .return_address = (uint64_t)(uintptr_t)x86_context_start,
    };
    *context = (struct hal_context){ .sp = frame };
}

size_t hal_fpu_size(void) {
    return ALIGN_UP((size_t)x86_features.fpu_bytes, (size_t)64);
}

void hal_fpu_init(void *area) {
    const uint16_t fcw = FCW_DEFAULT;
    const uint32_t mxcsr = MXCSR_DEFAULT;
    memset(area, 0, hal_fpu_size());
    memcpy((char *)area + FCW_OFFSET, &fcw, sizeof(fcw));
    memcpy((char *)area + MXCSR_OFFSET, &mxcsr, sizeof(mxcsr));
}

void hal_fpu_reset(void) {
    // XSTATE_BV, behind the first 512 bytes, is 0: what lies beyond is not read (SDM 1 13.8).
    static const struct {
        alignas(64) uint16_t control;
        uint8_t zero[MXCSR_OFFSET - sizeof(uint16_t)];
        uint32_t mxcsr;
        uint8_t rest[576 - MXCSR_OFFSET - sizeof(uint32_t)];
    } initial = { .control = FCW_DEFAULT, .mxcsr = MXCSR_DEFAULT };
    hal_fpu_restore(&initial);
}

void hal_fpu_save(void *area) {
    if (x86_features.xsave) {
        __asm__ volatile("xsave64 (%0)" : : "r"(area), "a"(~0u), "d"(~0u) : "memory");
    } else {
        __asm__ volatile("fxsave64 (%0)" : : "r"(area) : "memory");
    }
}

void hal_fpu_restore(const void *area) {
    if (x86_features.xsave) {
        __asm__ volatile("xrstor64 (%0)" : : "r"(area), "a"(~0u), "d"(~0u) : "memory");
    } else {
        __asm__ volatile("fxrstor64 (%0)" : : "r"(area) : "memory");
    }
}

// What XRSTOR and FXRSTOR refuse (SDM 1 10.5.2, 13.8.1): MXCSR's reserved bits, components that are
// not enabled, the compacted format.
void x86_fpu_sanitize(void *area) {
    uint32_t mxcsr;
    memcpy(&mxcsr, (char *)area + MXCSR_OFFSET, sizeof(mxcsr));
    mxcsr &= x86_features.mxcsr_mask;
    memcpy((char *)area + MXCSR_OFFSET, &mxcsr, sizeof(mxcsr));
    if (x86_features.xsave) {
        uint64_t components;
        memcpy(&components, (char *)area + HEADER_OFFSET, sizeof(components));
        components &= x86_features.xcr0;
        memset((char *)area + HEADER_OFFSET, 0, HEADER_BYTES);
        memcpy((char *)area + HEADER_OFFSET, &components, sizeof(components));
    }
}

// In kernel mode the user's GS base waits in the other register for SWAPGS.
void hal_tls_save(struct hal_tls *out_tls) {
    out_tls->fs_base = msr_read(MSR_FS_BASE);
    out_tls->gs_base = msr_read(MSR_KERNEL_GS_BASE);
}

void hal_tls_restore(const struct hal_tls *tls) {
    msr_write(MSR_FS_BASE, tls->fs_base);
    msr_write(MSR_KERNEL_GS_BASE, tls->gs_base);
}

bool hal_tls_set(struct hal_tls *tls, uint64_t value) {
    if (value >= HAL_USER_END) {
        return false;
    }
    tls->fs_base = value;
    return true;
}

enum hx_status hal_thread_control(uint64_t code, uint64_t value, struct hal_tls *tls,
                                  uint64_t *out_value, bool *out_is_get) {
    switch (code) {
    case ARCH_SET_FS:
    case ARCH_SET_GS:
        if (value >= HAL_USER_END) {
            return HX_ERR_NOT_PERMITTED;
        }
        *(code == ARCH_SET_FS ? &tls->fs_base : &tls->gs_base) = value;
        *out_is_get = false;
        return HX_OK;
    case ARCH_GET_FS:
    case ARCH_GET_GS:
        *out_value = code == ARCH_GET_FS ? tls->fs_base : tls->gs_base;
        *out_is_get = true;
        return HX_OK;
    default:
        return HX_ERR_INVALID;
    }
}

uint16_t hal_elf_machine(void) {
    return ELF_MACHINE_X86_64;
}

// Stores are seen by fetches, also through other addresses, once the program jumped there (SDM 3A
// 9.1.3 and 12.6).
void hal_code_publish(void) {}

// R_X86_64_RELATIVE, _64, _GLOB_DAT, _JUMP_SLOT (System V ABI, AMD64 supplement, table 4.9).
const struct package_machine *hal_package_machine(void) {
    static const struct package_machine machine = { ELF_MACHINE_X86_64, 8, 1, 6, 7 };
    return &machine;
}
