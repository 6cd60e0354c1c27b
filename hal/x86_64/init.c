// SPDX-License-Identifier: MIT OR Apache-2.0
// hal/x86_64/init.c: the order of things (see <hal/init.h>).
#include "private.h"

void hal_init_early(const struct boot_info *info) {
    (void)info;
    x86_features_detect();
    x86_features_enable();
    x86_boot_tables();
}

enum hx_status hal_init(const struct boot_info *info) {
    x86_firmware_read(info);
    enum hx_status status = lapic_map();
    if (status != HX_OK) {
        return status;
    }
    pic_disable();
    lapic_enable();
    x86_firmware_controllers();
    ioapic_mask_all();
    x86_smp_init();
    x86_power_init();
    return x86_clock_init();
}
