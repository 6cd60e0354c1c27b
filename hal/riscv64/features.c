// SPDX-License-Identifier: MIT OR Apache-2.0
// hal/riscv64/features.c: what the harts can do, by the tree's word for the one that booted, and
// the control registers that follow.
#include "private.h"

#define HWCAP_LETTERS "imafdc" // those that Linux 6.1 tells (arch/riscv/kernel/cpufeature.c)
#define NEEDED        "imafd"
#define COUNTER_TIME  2u // programs may read the time, as under Linux

struct features riscv64_features;

static uint64_t bits_of(const char *letters) {
    uint64_t bits = 0;
    for (; *letters != '\0'; letters++) {
        bits |= 1ull << (*letters - 'a');
    }
    return bits;
}

void riscv64_features_detect(void) {
    const uint64_t letters = isa_letters(riscv64_firmware.isa);
    if ((letters & bits_of(NEEDED)) != bits_of(NEEDED)) {
        riscv64_die("the hart lacks what rv64gc has");
    }
    riscv64_features.hwcap = letters & bits_of(HWCAP_LETTERS);
    riscv64_features.sstc = riscv64_firmware.has_sstc;
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
