// SPDX-License-Identifier: MIT OR Apache-2.0
// hal/riscv64/power.c: how a run ends. Nothing here needs a lock or memory, so that a panic can use
// it.
#include "private.h"

#define TEST_FAIL       0x3333u // with a status above (QEMU's sifive_test)
#define TEST_CODE_SHIFT 16u

void hal_power_off(void) {
    hal_irq_off();
    if (riscv64_firmware.has_reset) {
        (void)sbi_call(SBI_RESET, 0, SBI_RESET_OFF, 0, 0, 0);
    }
    hal_halt();
}

void hal_restart(void) {
    hal_irq_off();
    if (riscv64_firmware.has_reset) {
        (void)sbi_call(SBI_RESET, 0, SBI_RESET_RESTART, 0, 0, 0);
    }
    hal_halt();
}

void hal_debug_exit(uint8_t code) {
    if (riscv64_exit_device != NULL) {
        mmio_write32(riscv64_exit_device, ((uint32_t)code * 2 + 1) << TEST_CODE_SHIFT | TEST_FAIL);
    }
}
