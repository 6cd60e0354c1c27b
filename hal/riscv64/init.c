// SPDX-License-Identifier: MIT OR Apache-2.0
// hal/riscv64/init.c: the order of things (see <hal/init.h>).
#include "private.h"

void hal_init_early(const struct boot_info *info) {
    (void)info;
    riscv64_firmware_read();
    riscv64_features_detect();
    riscv64_features_enable();
}

enum hx_status hal_init(const struct boot_info *info) {
    (void)info;
    const enum hx_status status = plic_init();
    if (status != HX_OK) {
        return status;
    }
    clock_cpu_init();
    smp_init();
    riscv64_devices_init();
    return HX_OK;
}
