// SPDX-License-Identifier: MIT OR Apache-2.0
// <helix/clock_page.h>: what it takes to turn the machine's counter into time: the kernel writes
// the page, who maps it reads it. All but `real_offset` is constant once the page can be seen.
#pragma once

#include <helix/types.h>
#include <stdatomic.h>

struct hx_clock_page {
    uint64_t counter_base;       // the counter at the kernel's entry, when monotonic time was 0
    uint64_t ns_per_tick;        // 32.32 fixed point
    _Atomic int64_t real_offset; // ns from monotonic to real time, which is since 1970-01-01 UTC
};

// value * factor / 2^32, or UINT64_MAX if that does not fit.
static inline uint64_t hx_clock_scale(uint64_t value, uint64_t factor) {
    const unsigned __int128 product = (unsigned __int128)value * factor >> 32;
    return product > UINT64_MAX ? UINT64_MAX : (uint64_t)product;
}

// Monotonic time in nanoseconds when the counter stood at `counter`.
static inline int64_t hx_clock_at(const struct hx_clock_page *page, uint64_t counter) {
    return (int64_t)hx_clock_scale(counter - page->counter_base, page->ns_per_tick);
}

// Nanoseconds that make monotonic time real time.
static inline int64_t hx_clock_real_offset(const struct hx_clock_page *page) {
    return atomic_load_explicit(&page->real_offset, memory_order_relaxed);
}
