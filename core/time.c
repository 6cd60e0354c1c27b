// SPDX-License-Identifier: MIT OR Apache-2.0
// core/time.c: the clocks, computed from the counter by a 32.32 fixed-point factor.
//
// Monotonic time starts at the kernel's entry. Until time_init() has learned the counter's rate it
// stands at zero. The factors are written once, before other processors start.
#include "core_private.h"
#include "time_math.h"

#include <hal/time.h>
#include <helix/clock_page.h>

#define NS_PER_SECOND 1000000000ull
#define LOOK_NS       1000000 // before a policy is asked how long a thread may go on

static struct hx_clock_page first_page;
static struct hx_clock_page *page = &first_page; // changed in boot context
static uint64_t ticks_per_ns;                    // 32.32

void time_init_early(void) {
    page->counter_base = input_counter();
}

void time_init(void) {
    uint64_t hz = hal_counter_hz();
    page->ns_per_tick = time_ratio(NS_PER_SECOND, hz);
    ticks_per_ns = time_ratio(hz, NS_PER_SECOND);
    timer_sample_ticks = time_span_to_ticks(TIMER_SAMPLE_NS);
    timer_look_ticks = time_span_to_ticks(LOOK_NS);
    time_real_set((time_ns_t)(input_rtc() * NS_PER_SECOND));
}

time_ns_t time_now(void) {
    return hx_clock_at(page, input_counter());
}

uint64_t time_span_to_ticks(time_ns_t span) {
    if (span == TIME_NEVER) {
        return COUNTER_NEVER;
    }
    uint64_t ticks = span <= 0 ? 0 : hx_clock_scale((uint64_t)span, ticks_per_ns);
    return ticks == COUNTER_NEVER ? COUNTER_NEVER : ticks + 1; // rounded up
}

time_ns_t time_ticks_to_span(uint64_t ticks) {
    return (time_ns_t)hx_clock_scale(ticks, page->ns_per_tick);
}

uint64_t time_to_counter(time_ns_t moment) {
    uint64_t ticks = time_span_to_ticks(moment);
    return ticks >= COUNTER_NEVER - page->counter_base ? COUNTER_NEVER : page->counter_base + ticks;
}

time_ns_t time_real_offset(void) {
    return hx_clock_real_offset(page);
}

void time_real_set(time_ns_t real_now) {
    atomic_store_explicit(&page->real_offset, real_now - time_now(), memory_order_relaxed);
}

void time_page_use(struct hx_clock_page *into) {
    into->counter_base = page->counter_base;
    into->ns_per_tick = page->ns_per_tick;
    atomic_init(&into->real_offset, time_real_offset());
    page = into;
}
