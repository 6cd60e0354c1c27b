// SPDX-License-Identifier: MIT OR Apache-2.0
// hal/x86_64/clock.c: the time-stamp counter and the local APIC's timer.
//
// Both rates come from a hypervisor or CPUID where these tell (CPUID 40000010h as VMware and KVM
// have it; SDM 2A, CPUID 15h), otherwise from one millisecond beside a clock of known rate: the
// 8254's channel 0, whose interrupt stays masked, or ACPI's timer. Where somebody else had the
// processor meanwhile (a busy host, SMM), the two clocks were not read at the same moment, or the
// reference came round unseen: such a millisecond is measured again.
#include "private.h"

#define WINDOW_HZ    1000u // 1 / length of the window
#define READS_MAX    200000u
#define TRIES        10u
#define GAP_PART     128u // a look may take this part of the window
#define PIT_HZ       1193182u
#define PIT_CHANNEL0 0x40u
#define PIT_CONTROL  0x43u
#define PIT_MODE0    0x30u // channel 0, low then high byte, mode 0, binary (Intel 8254)
#define PIT_LATCH0   0x00u
#define PM_HZ        3579545u
#define PM_MASK      0xffffffu

#define LEAF1_ECX_HYPERVISOR (1u << 31)
#define LEAF_HYPERVISOR      0x40000000u
#define LEAF_HYPERVISOR_TIME 0x40000010u
#define LEAF_TSC             0x15u
#define HZ_FALLBACK          1000000000u

// A clock that counts up modulo mask + 1.
struct reference {
    uint32_t (*read)(void);
    uint32_t hz;
    uint32_t mask;
};

static uint64_t counter_hz;
static uint64_t timer_hz;
static uint64_t timer_per_counter; // fixed point, 32 bits of fraction

static uint32_t pit_read(void) {
    out8(PIT_CONTROL, PIT_LATCH0);
    uint32_t low = in8(PIT_CHANNEL0);
    return 0xffffu - (low | (uint32_t)in8(PIT_CHANNEL0) << 8);
}

static uint32_t pm_read(void) {
    return in32((uint16_t)x86_firmware.fadt.pm_timer.address);
}

static void pit_start(void) {
    out8(PIT_CONTROL, PIT_MODE0);
    out8(PIT_CHANNEL0, 0xff);
    out8(PIT_CHANNEL0, 0xff);
}

// Waits until at least `ticks` have passed since `start`, at the moment when the clock moves; gives
// the reading and the counter at that moment, and raises *gap to the longest time between two looks
// at the counter. False: it does not move.
static bool reference_wait(const struct reference *reference, uint32_t start, uint32_t ticks,
                           uint32_t *out_reading, uint64_t *out_counter, uint64_t *gap) {
    uint64_t counter = tsc_read();
    for (uint32_t i = 0; i < READS_MAX; i++) {
        uint32_t reading = reference->read();
        uint64_t behind = tsc_read();
        *gap = MAX_OF(*gap, behind - counter);
        if (((reading - start) & reference->mask) >= ticks) {
            *out_reading = reading;
            *out_counter = counter;
            return true;
        }
        counter = behind;
    }
    return false;
}

// One window. Gives by how much it may be wrong, as a part of it: gap / window.
static bool measure_once(const struct reference *reference, uint64_t *out_gap,
                         uint64_t *out_window) {
    uint32_t reading0;
    uint32_t reading1;
    uint64_t counter0;
    uint64_t counter1;
    uint64_t gap = 0;
    if (!reference_wait(reference, reference->read(), 1, &reading0, &counter0, &gap)) {
        return false;
    }
    lapic_timer_start(UINT32_MAX); // still masked
    uint64_t timer_begin = tsc_read();
    gap = MAX_OF(gap, timer_begin - counter0);
    if (!reference_wait(reference, reading0, reference->hz / WINDOW_HZ, &reading1, &counter1,
                        &gap)) {
        return false;
    }
    uint64_t timer_end = tsc_read();
    uint64_t timer = UINT32_MAX - lapic_timer_left();
    lapic_timer_start(0);
    uint64_t ticks = (reading1 - reading0) & reference->mask;
    if (counter1 <= counter0 || timer_end <= timer_begin || timer == 0) {
        return false;
    }
    *out_gap = MAX_OF(gap, tsc_read() - counter1);
    *out_window = counter1 - counter0;
    counter_hz = *out_window * reference->hz / ticks;
    // Rather too fast than too slow, so that the timer does not fire before its time.
    timer_hz = timer * counter_hz / (timer_end - timer_begin);
    return true;
}

// The first window that nobody disturbed; the least disturbed one, if there is none.
static bool measure(const struct reference *reference) {
    uint64_t least_gap = UINT64_MAX;
    uint64_t counter = 0;
    uint64_t timer = 0;
    for (uint32_t i = 0; i < TRIES; i++) {
        uint64_t gap;
        uint64_t window;
        if (!measure_once(reference, &gap, &window)) {
            return false;
        }
        if (gap < least_gap) {
            least_gap = gap;
            counter = counter_hz;
            timer = timer_hz;
        }
        if (gap <= window / GAP_PART) {
            break;
        }
    }
    counter_hz = counter;
    timer_hz = timer;
    return true;
}

// True if both rates are told.
static bool rates_told(void) {
    if ((cpuid(1, 0).ecx & LEAF1_ECX_HYPERVISOR) &&
        cpuid(LEAF_HYPERVISOR, 0).eax >= LEAF_HYPERVISOR_TIME) {
        struct cpuid leaf = cpuid(LEAF_HYPERVISOR_TIME, 0);
        counter_hz = leaf.eax * 1000ull;
        timer_hz = leaf.ebx * 1000ull;
    } else if (x86_features.max_leaf >= LEAF_TSC) {
        struct cpuid leaf = cpuid(LEAF_TSC, 0);
        counter_hz = leaf.eax != 0 ? (uint64_t)leaf.ecx * leaf.ebx / leaf.eax : 0;
        timer_hz = leaf.ecx;
    }
    return counter_hz != 0 && timer_hz != 0;
}

enum hx_status x86_clock_init(void) {
    const struct reference pit = { pit_read, PIT_HZ, 0xffff };
    const struct reference pm = { pm_read, PM_HZ, PM_MASK };
    if (!rates_told()) {
        pit_start();
        bool has_pm = x86_firmware.has_fadt && x86_firmware.fadt.pm_timer.address != 0 &&
                      x86_firmware.fadt.pm_timer.space == ACPI_SPACE_PORT;
        if (!measure(&pit) && !(has_pm && measure(&pm))) {
            counter_hz = HZ_FALLBACK; // no clock at all: time runs, at a rate that is a guess
            timer_hz = HZ_FALLBACK;
        }
    }
    timer_per_counter = (timer_hz << 32) / counter_hz;
    x86_clock_cpu_init();
    return HX_OK;
}

void x86_clock_cpu_init(void) {
    cpu_block()->timer_target = UINT64_MAX;
    lapic_timer_unmask(x86_features.tsc_deadline);
}

uint64_t hal_counter_read(void) {
    __asm__ volatile("lfence" : : : "memory"); // RDTSC waits for nothing (SDM 2B, RDTSC)
    return tsc_read();
}

uint64_t hal_counter_hz(void) {
    return counter_hz;
}

static void timer_program(uint64_t target) {
    if (x86_features.tsc_deadline) {
        msr_write(MSR_TSC_DEADLINE, target == UINT64_MAX ? 0 : target);
        return;
    }
    if (target == UINT64_MAX) {
        lapic_timer_start(0);
        return;
    }
    uint64_t now = tsc_read();
    uint64_t ticks = 1;
    if (target > now) {
        unsigned __int128 product = (unsigned __int128)(target - now) * timer_per_counter;
        uint64_t exact = (uint64_t)(product >> 32);
        ticks = MIN_OF(exact, (uint64_t)UINT32_MAX - 1) + 1;
    }
    lapic_timer_start((uint32_t)ticks);
}

void hal_timer_arm(uint64_t counter) {
    cpu_block()->timer_target = counter;
    timer_program(counter);
}

// The hardware's range is shorter than a target may be far: then it is set again.
void x86_clock_interrupt(void) {
    struct cpu_block *block = cpu_block();
    uint64_t target = block->timer_target;
    if (target == UINT64_MAX) {
        return;
    }
    if (hal_counter_read() < target) {
        timer_program(target);
        return;
    }
    block->timer_target = UINT64_MAX;
    x86_handlers.timer();
}

void x86_clock_spin(uint64_t microseconds) {
    uint64_t end = tsc_read() + counter_hz * microseconds / 1000000u;
    while (tsc_read() < end) {
        hal_relax();
    }
}
