// SPDX-License-Identifier: MIT OR Apache-2.0
// hal/aarch64/clock.c: the virtual counter and its timer (Arm ARM, chapter D11).
#include "private.h"

#define TIMER_ENABLE 1u
#define TIMER_OFF    0u

// ISB: a counter read may be done early, before earlier loads (D11.2.1).
uint64_t hal_counter_read(void) {
    isb();
    return sysreg_read("cntvct_el0");
}

uint64_t hal_counter_hz(void) {
    return sysreg_read("cntfrq_el0");
}

void hal_timer_arm(uint64_t counter) {
    if (counter == UINT64_MAX) {
        sysreg_write("cntv_ctl_el0", TIMER_OFF);
    } else {
        sysreg_write("cntv_cval_el0", counter);
        sysreg_write("cntv_ctl_el0", TIMER_ENABLE);
    }
    isb();
}

// The line stays up while the condition holds, so the timer goes off first.
void clock_interrupt(void) {
    sysreg_write("cntv_ctl_el0", TIMER_OFF);
    isb();
    aarch64_handlers.timer();
}

void clock_cpu_init(void) {
    hal_timer_arm(UINT64_MAX);
    gic_ppi_enable(aarch64_firmware.timer_intid);
}

void clock_spin(uint64_t microseconds) {
    const uint64_t end = hal_counter_read() + hal_counter_hz() * microseconds / 1000000u;
    while (hal_counter_read() < end) {
        hal_relax();
    }
}
