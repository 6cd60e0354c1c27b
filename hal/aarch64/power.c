// SPDX-License-Identifier: MIT OR Apache-2.0
// hal/aarch64/power.c: how a run ends. Nothing here needs a lock or memory, so that a panic can use
// it.
#include "private.h"

#define SEMIHOSTING_EXIT_EXTENDED 0x20u    // Arm, Semihosting for AArch32 and AArch64, 5.8
#define STOPPED_APPLICATION_EXIT  0x20026u // 5.7.1

int64_t psci_call(uint64_t function, uint64_t a, uint64_t b, uint64_t c) {
    register uint64_t x0 __asm__("x0") = function;
    register uint64_t x1 __asm__("x1") = a;
    register uint64_t x2 __asm__("x2") = b;
    register uint64_t x3 __asm__("x3") = c;
#define CLOBBERED                                                                                  \
    "x4", "x5", "x6", "x7", "x8", "x9", "x10", "x11", "x12", "x13", "x14", "x15", "x16", "x17",    \
        "memory"
    if (aarch64_firmware.psci_by_smc) {
        __asm__ volatile("smc #0" : "+r"(x0), "+r"(x1), "+r"(x2), "+r"(x3) : : CLOBBERED);
    } else {
        __asm__ volatile("hvc #0" : "+r"(x0), "+r"(x1), "+r"(x2), "+r"(x3) : : CLOBBERED);
    }
    return (int64_t)x0;
}

void hal_power_off(void) {
    hal_irq_off();
    if (aarch64_firmware.has_psci) {
        (void)psci_call(PSCI_SYSTEM_OFF, 0, 0, 0);
    }
    hal_halt();
}

void hal_restart(void) {
    hal_irq_off();
    if (aarch64_firmware.has_psci) {
        (void)psci_call(PSCI_SYSTEM_RESET, 0, 0, 0);
    }
    hal_halt();
}

// HLT is undefined where nobody listens: the fix-up goes on behind it (trap.c).
void hal_debug_exit(uint8_t code) {
    const uint64_t block[2] = { STOPPED_APPLICATION_EXIT, (uint64_t)code * 2 + 1 };
    register uint64_t operation __asm__("x0") = SEMIHOSTING_EXIT_EXTENDED;
    register const uint64_t *argument __asm__("x1") = block;
    __asm__ volatile("1: hlt #0xf000\n\t"
                     "2:\n\t"
                     ".pushsection .hal.extable, \"a\", @progbits\n\t"
                     ".balign 8\n\t"
                     ".quad 1b, 2b\n\t"
                     ".popsection"
                     : "+r"(operation)
                     : "r"(argument)
                     : "memory");
}
