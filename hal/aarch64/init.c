// SPDX-License-Identifier: MIT OR Apache-2.0
// hal/aarch64/init.c: the order of things (see <hal/init.h>).
#include "private.h"

void hal_init_early(const struct boot_info *info) {
    (void)info;
    aarch64_firmware_read(); // a panic can restart the machine from here on
    aarch64_features_detect();
    aarch64_features_enable();
}

enum hx_status hal_init(const struct boot_info *info) {
    (void)info;
    enum hx_status status = gic_init();
    if (status != HX_OK) {
        return status;
    }
    status = gic_cpu_init();
    if (status != HX_OK) {
        return status;
    }
    gic_v2m_init();
    gic_its_init();
    clock_cpu_init();
    smp_init();
    aarch64_devices_init();
    return HX_OK;
}
