// SPDX-License-Identifier: MIT OR Apache-2.0
// hal/aarch64/features.c: what the processor can do, and the control registers that follow.
#include "private.h"

#define SCTLR_SPAN    (1u << 23) // 0: an exception sets PAN (D17.2.118)
#define CPACR_FPEN    (3u << 20) // nobody's floating point is trapped
#define CNTKCTL_VCTEN (1u << 1)  // programs may read the virtual counter, as under Linux
#define MDSCR_NONE    0u

struct features aarch64_features;

// A place in the text with a NOP, which becomes MSR PAN, #0 or #1 if there is PAN.
struct patch {
    uint64_t address;
    uint64_t is_close;
};
extern const struct patch aarch64_patches_start[];
extern const struct patch aarch64_patches_end[];

#define MSR_PAN_0 0xd500409fu
#define MSR_PAN_1 0xd500419fu

// Before hal_mmu_init() the text is writable where it runs. No other processor runs yet.
static void patch_text(void) {
    for (const struct patch *patch = aarch64_patches_start; patch < aarch64_patches_end; patch++) {
        uint32_t *text = (uint32_t *)(uintptr_t)patch->address; // NOLINT: the linker's
        *text = patch->is_close != 0 ? MSR_PAN_1 : MSR_PAN_0;
        aarch64_code_publish(text, sizeof(*text));
    }
}

// A four-bit field of an identification register says that a feature is there from `least` on.
static bool field_at_least(uint64_t reg, uint32_t shift, uint32_t least) {
    return (reg >> shift & 15) >= least;
}

// One bit of AT_HWCAP (Linux, arch/arm64/include/uapi/asm/hwcap.h), and what shows it.
struct capability {
    uint8_t bit, shift, least;
};

static uint64_t capabilities(uint64_t reg, const struct capability *list, uint32_t count) {
    uint64_t bits = 0;
    for (uint32_t i = 0; i < count; i++) {
        if (field_at_least(reg, list[i].shift, list[i].least)) {
            bits |= 1ull << list[i].bit;
        }
    }
    return bits;
}

static uint64_t hwcap_read(void) {
    static const struct capability isar0[] = {
        { 3, 4, 1 },   // AES
        { 4, 4, 2 },   // PMULL
        { 5, 8, 1 },   // SHA1
        { 6, 12, 1 },  // SHA2
        { 21, 12, 2 }, // SHA512
        { 7, 16, 1 },  // CRC32
        { 8, 20, 2 },  // ATOMICS
        { 12, 28, 1 }, // ASIMDRDM
        { 17, 32, 1 }, // SHA3
        { 18, 36, 1 }, // SM3
        { 19, 40, 1 }, // SM4
        { 20, 44, 1 }, // ASIMDDP
        { 23, 48, 1 }, // ASIMDFHM
        { 27, 52, 1 }, // FLAGM
    };
    static const struct capability isar1[] = {
        { 16, 0, 1 },  // DCPOP
        { 13, 12, 1 }, // JSCVT
        { 14, 16, 1 }, // FCMA
        { 15, 20, 1 }, // LRCPC
        { 26, 20, 2 }, // ILRCPC
    };
    const uint64_t pfr0 = sysreg_read("id_aa64pfr0_el1");
    uint64_t bits = capabilities(sysreg_read("id_aa64isar0_el1"), isar0, ARRAY_SIZE(isar0)) |
                    capabilities(sysreg_read("id_aa64isar1_el1"), isar1, ARRAY_SIZE(isar1));
    bits |= 3; // FP, ASIMD
    if ((pfr0 >> 16 & 15) == 1) {
        bits |= 3u << 9; // FPHP, ASIMDHP
    }
    return bits;
}

void aarch64_features_detect(void) {
    const uint64_t pfr0 = sysreg_read("id_aa64pfr0_el1");
    if ((pfr0 >> 16 & 15) == 15 || (pfr0 >> 20 & 15) == 15) {
        aarch64_die("the processor has no floating point");
    }
    aarch64_features.pan = field_at_least(sysreg_read("id_aa64mmfr1_el1"), 20, 1);
    aarch64_features.random = field_at_least(sysreg_read("id_aa64isar0_el1"), 60, 1);
    aarch64_features.hwcap = hwcap_read();
    if (aarch64_features.pan) {
        patch_text();
    }
}

void aarch64_features_enable(void) {
    sysreg_write("cpacr_el1", CPACR_FPEN);
    sysreg_write("cntkctl_el1", CNTKCTL_VCTEN);
    sysreg_write("mdscr_el1", MDSCR_NONE);
    sysreg_write("tpidrro_el0", 0); // nobody's: programs may read it
    const uint64_t counters = sysreg_read("id_aa64dfr0_el1") >> 8 & 15;
    if (counters != 0 && counters != 15) {
        sysreg_write("pmuserenr_el0", 0); // no program reads the performance counters
    }
    if (aarch64_features.pan) {
        sysreg_write("sctlr_el1", sysreg_read("sctlr_el1") & ~(uint64_t)SCTLR_SPAN);
        isb();
        __asm__ volatile(".inst %c0" : : "i"(MSR_PAN_1) : "memory");
    }
    isb();
    __asm__ volatile("msr daifclr, #5" : : : "memory"); // SError and FIQ
}

bool hal_random_seed(uint64_t *out_value) {
    if (!aarch64_features.random) {
        return false;
    }
    for (uint32_t i = 0; i < 16; i++) {
        uint64_t value;
        uint64_t failed;
        __asm__ volatile("mrs %0, " RNDR "\n\tcset %1, eq" : "=r"(value), "=r"(failed) : : "cc");
        if (failed == 0) { // Z tells that it failed (K14, RNDR)
            *out_value = value;
            return true;
        }
    }
    return false;
}

uint64_t hal_hwcap(void) {
    return aarch64_features.hwcap;
}

uint64_t hal_hwcap2(void) {
    return aarch64_features.hwcap2;
}

const char *hal_platform(void) {
    return "aarch64";
}
