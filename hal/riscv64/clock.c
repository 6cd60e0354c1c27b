// SPDX-License-Identifier: MIT OR Apache-2.0
// hal/riscv64/clock.c: the counter that all harts share, and the timer of each: its own register
// where there is Sstc, else the SBI's.
#include "private.h"

// Reads of a CSR count as device input, and are not done before earlier loads, or behind later
// accesses, if a fence says so (unprivileged ISA 20191213, 9.1).
uint64_t hal_counter_read(void) {
    uint64_t now;
    __asm__ volatile("fence r, i\n\trdtime %0\n\tfence i, rw" : "=r"(now) : : "memory");
    return now;
}

uint64_t hal_counter_hz(void) {
    return riscv64_firmware.timer_hz;
}

// Either way what is pending goes when the time is set anew (Sstc 1.0, chapter 2; SBI 1.0, 6.1).
void hal_timer_arm(uint64_t counter) {
    if (riscv64_features.sstc) {
        csr_write(STIMECMP, counter);
    } else {
        (void)sbi_call(SBI_TIME, 0, counter, 0, 0, 0);
    }
}

// Pending as long as the time is reached, so it is set to never first.
void clock_interrupt(void) {
    hal_timer_arm(UINT64_MAX);
    riscv64_handlers.timer();
}

void clock_cpu_init(void) {
    hal_timer_arm(UINT64_MAX);
}
