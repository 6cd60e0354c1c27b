// SPDX-License-Identifier: MIT OR Apache-2.0
// <core/time.h>: the monotonic and the real-time clock, and timers.
#pragma once

#include <core/lock.h>
#include <helix/types.h>
#include <lib/rbtree.h>

// Nanoseconds since boot. Any context. Goes through core/input.
time_ns_t time_now(void);
// Nanoseconds since 1970 = time_now() + this.
time_ns_t time_real_offset(void);
void time_real_set(time_ns_t real_now);
struct hx_clock_page;
// From now on the clocks are kept in `into`, which others may read; it stays for ever. Boot
// context, after time_init().
void time_page_use(struct hx_clock_page *into);

// A one-shot timer; runs in interrupt context on the processor that armed it.
struct timer {
    struct rbnode node;
    time_ns_t deadline;
    void (*expired)(struct timer *timer); // interrupts off; must not sleep; may re-arm
    _Atomic uint32_t cpu;                 // whose tree it is in, or was in last
    _Atomic uint32_t armed;
    _Atomic uint64_t ran_on; // bit per processor whose handler called `expired`
};

void timer_init(struct timer *timer, void (*expired)(struct timer *timer));
// Arms or re-arms. Any context. A deadline in the past fires at once. Two processors must not arm
// the same timer at once: the caller has a lock for that, or a reason why it cannot be.
void timer_arm(struct timer *timer, time_ns_t deadline);
// After it returns, `expired` is neither pending nor running (it must not be called from it, nor
// under a lock that `expired` takes). The caller has seen to it that nobody arms the timer any
// more, `expired` included. Returns whether it was still pending.
bool timer_cancel(struct timer *timer);
