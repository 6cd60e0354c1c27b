// SPDX-License-Identifier: MIT OR Apache-2.0
// hal/riscv64/features.c: what the harts can do, by the tree's word for the one that booted, and
// the control registers that follow.
#include "private.h"

#include <lib/string.h>

#define HWCAP_LETTERS "imafdc" // those that Linux 6.1 tells (arch/riscv/kernel/cpufeature.c)
#define NEEDED        "imafd"
#define COUNTER_TIME  2u // programs may read the time, as under Linux

struct features riscv64_features;

// The single letters behind "rv64" in "riscv,isa", up to the first longer name (unprivileged ISA,
// chapter 27), as bits.
static uint64_t letters_of(const char *isa) {
    uint64_t letters = 0;
    if (isa == NULL || strncmp(isa, "rv64", 4) != 0) {
        return 0;
    }
    for (isa += 4; *isa >= 'a' && *isa <= 'z' && *isa != 's' && *isa != 'z' && *isa != 'x'; isa++) {
        letters |= *isa == 'g' ? 0 : 1ull << (*isa - 'a');
        if (*isa == 'g') {
            letters |= 1u << ('i' - 'a') | 1u << ('m' - 'a') | 1u << 0 | 1u << ('f' - 'a') |
                       1u << ('d' - 'a');
        }
    }
    return letters;
}

static uint64_t bits_of(const char *letters) {
    uint64_t bits = 0;
    for (; *letters != '\0'; letters++) {
        bits |= 1ull << (*letters - 'a');
    }
    return bits;
}

// A longer name, behind an underscore.
static bool has_extension(const char *isa, const char *name) {
    const size_t length = strlen(name);
    while (isa != NULL && (isa = strchr(isa, '_')) != NULL) {
        isa++;
        if (strncmp(isa, name, length) == 0 && (isa[length] == '_' || isa[length] == '\0')) {
            return true;
        }
    }
    return false;
}

void riscv64_features_detect(void) {
    const char *isa = riscv64_firmware.isa;
    const uint64_t letters = letters_of(isa);
    if ((letters & bits_of(NEEDED)) != bits_of(NEEDED)) {
        riscv64_die("the hart lacks what rv64gc has");
    }
    riscv64_features.hwcap = letters & bits_of(HWCAP_LETTERS);
    riscv64_features.sstc = has_extension(isa, "sstc");
}

// The floating-point registers are on for good: the kernel itself uses them only to save and to
// load them (hal/riscv64/switch.S).
void riscv64_features_enable(void) {
    csr_clear("sstatus", SSTATUS_SUM | SSTATUS_MXR);
    csr_set("sstatus", RISCV64_STATUS_FS);
    csr_write("scounteren", COUNTER_TIME);
}

// There is an instruction (Zkr), which the SBI lets nobody use.
bool hal_random_seed(uint64_t *out_value) {
    (void)out_value;
    return false;
}

uint64_t hal_hwcap(void) {
    return riscv64_features.hwcap;
}

uint64_t hal_hwcap2(void) {
    return 0;
}

const char *hal_platform(void) {
    return "riscv64";
}
