// SPDX-License-Identifier: MIT OR Apache-2.0
// hal/x86_64/features.c: what the processor can do, and the control registers that follow.
//
// CR4.FSGSBASE stays off: programs change their bases by arch_prctl alone, so a GS base in the
// upper half always is the kernel's, which the entries that may come at any moment rely on
// (trap.S).
#include "private.h"

#include <lib/string.h>

#define LEAF1_ECX_XSAVE        (1u << 26)
#define LEAF1_ECX_X2APIC       (1u << 21)
#define LEAF1_ECX_TSC_DEADLINE (1u << 24)
#define LEAF1_ECX_RDRAND       (1u << 30)
#define LEAF7_EBX_SMEP         (1u << 7)
#define LEAF7_EBX_SMAP         (1u << 20)
#define LEAF7_ECX_UMIP         (1u << 2)
#define EXT1_EDX_SYSCALL       (1u << 11)
#define EXT1_EDX_NX            (1u << 20)
#define EXT1_EDX_PAGES_1G      (1u << 26)

// x87, SSE, AVX, and AVX-512's three (SDM 1 13.1); the rest is not for programs here.
#define XCR0_KNOWN  0xe7u
#define XCR0_AVX    0x04u
#define XCR0_AVX512 0xe0u

#define FXSAVE_BYTES       512u
#define MXCSR_MASK_OFFSET  28u
#define MXCSR_MASK_DEFAULT 0xffbfu

struct features x86_features;

// A place in the text with three bytes of no-operation, which becomes CLAC or STAC if there is
// SMAP.
struct patch {
    uint64_t address;
    uint64_t is_stac;
};
extern const struct patch x86_patches_start[];
extern const struct patch x86_patches_end[];

static void patch_text(void) {
    for (const struct patch *patch = x86_patches_start; patch < x86_patches_end; patch++) {
        uint8_t *text = (uint8_t *)(uintptr_t)patch->address; // NOLINT: the linker's
        text[0] = 0x0f;
        text[1] = 0x01;
        text[2] = patch->is_stac != 0 ? 0xcb : 0xca;
    }
}

// Sizes are those of the standard format with the chosen components (SDM 1 13.4).
static void xsave_detect(void) {
    struct cpuid leaf = cpuid(0x0d, 0);
    x86_features.xcr0 = leaf.eax & XCR0_KNOWN;
    if ((x86_features.xcr0 & XCR0_AVX512) != XCR0_AVX512 || !(x86_features.xcr0 & XCR0_AVX)) {
        x86_features.xcr0 &= ~(uint64_t)XCR0_AVX512;
    }
    cr4_write(cr4_read() | CR4_OSXSAVE);
    xcr0_write(x86_features.xcr0);
    x86_features.fpu_bytes = cpuid(0x0d, 0).ebx; // of what XCR0 now enables
}

static void fpu_detect(void) {
    static uint8_t area[FXSAVE_BYTES] __attribute__((aligned(16)));
    cr4_write(cr4_read() | CR4_OSFXSR);
    __asm__ volatile("fxsave64 %0" : "=m"(area));
    memcpy(&x86_features.mxcsr_mask, area + MXCSR_MASK_OFFSET, sizeof(x86_features.mxcsr_mask));
    if (x86_features.mxcsr_mask == 0) {
        x86_features.mxcsr_mask = MXCSR_MASK_DEFAULT; // SDM 1 11.6.6
    }
    x86_features.fpu_bytes = FXSAVE_BYTES;
    if (x86_features.xsave) {
        xsave_detect();
    }
}

void x86_features_detect(void) {
    x86_features.max_leaf = cpuid(0, 0).eax;
    struct cpuid leaf1 = cpuid(1, 0);
    struct cpuid leaf7 = x86_features.max_leaf >= 7 ? cpuid(7, 0) : (struct cpuid){ 0 };
    struct cpuid ext1 = cpuid(0x80000001u, 0);
    if (!(ext1.edx & EXT1_EDX_NX)) {
        x86_die("the processor cannot forbid execution of data (NX)");
    }
    if (!(ext1.edx & EXT1_EDX_SYSCALL)) {
        x86_die("the processor has no SYSCALL instruction");
    }
    x86_features.smep = (leaf7.ebx & LEAF7_EBX_SMEP) != 0;
    x86_features.smap = (leaf7.ebx & LEAF7_EBX_SMAP) != 0;
    x86_features.umip = (leaf7.ecx & LEAF7_ECX_UMIP) != 0;
    x86_features.pages_1g = (ext1.edx & EXT1_EDX_PAGES_1G) != 0;
    x86_features.x2apic = (leaf1.ecx & LEAF1_ECX_X2APIC) != 0;
    x86_features.tsc_deadline = (leaf1.ecx & LEAF1_ECX_TSC_DEADLINE) != 0;
    x86_features.rdrand = (leaf1.ecx & LEAF1_ECX_RDRAND) != 0;
    x86_features.xsave = (leaf1.ecx & LEAF1_ECX_XSAVE) != 0 && x86_features.max_leaf >= 0x0d;
    x86_features.phys_bits = 36;
    if (cpuid(0x80000000u, 0).eax >= 0x80000008u) {
        x86_features.phys_bits = cpuid(0x80000008u, 0).eax & 0xff;
    }
    cr0_write(cr0_read() & ~(uint64_t)(CR0_EM | CR0_TS));
    fpu_detect();
    if (x86_features.smap) {
        patch_text();
    }
}

void x86_features_enable(void) {
    msr_write(MSR_EFER, msr_read(MSR_EFER) | EFER_NXE | EFER_SCE);
    cr0_write((cr0_read() & ~(uint64_t)(CR0_EM | CR0_TS | CR0_CD | CR0_NW)) | CR0_MP | CR0_NE |
              CR0_WP | CR0_AM);
    uint64_t cr4 = CR4_PAE | CR4_MCE | CR4_PGE | CR4_DE | CR4_OSFXSR | CR4_OSXMMEXCPT;
    cr4 |= x86_features.smep ? CR4_SMEP : 0;
    cr4 |= x86_features.smap ? CR4_SMAP : 0;
    cr4 |= x86_features.umip ? CR4_UMIP : 0;
    cr4 |= x86_features.xsave ? CR4_OSXSAVE : 0;
    cr4_write(cr4);
    if (x86_features.xsave) {
        xcr0_write(x86_features.xcr0);
    }
}
