// SPDX-License-Identifier: MIT OR Apache-2.0
// hal/x86_64/init.c: the order of things (see <hal/init.h>).
#include "private.h"

void hal_init_early(const struct boot_info *info) {
    (void)info;
    features_detect();
    features_enable();
    boot_tables();
}

enum hx_status hal_init(const struct boot_info *info) {
    firmware_read(info);
    enum hx_status status = lapic_map();
    if (status != HX_OK) {
        return status;
    }
    pic_disable();
    lapic_enable();
    firmware_controllers();
    ioapic_mask_all();
    smp_init();
    power_init();
    return clock_init();
}
