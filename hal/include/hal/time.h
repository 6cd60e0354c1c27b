// SPDX-License-Identifier: MIT OR Apache-2.0
// <hal/time.h>: the counter, the one-shot timer of each processor, the battery clock.
//
// core/input is the only caller of the functions that read a clock, so that they can be recorded.
#pragma once

#include <helix/types.h>

// A counter that only grows, at hal_counter_hz(), the same on all processors: a value read after an
// acquire is not below one read before the matching release. Not read before the caller's earlier
// loads are done. Any context, from the first instruction of kernel_main() on.
uint64_t hal_counter_read(void);
// Its ticks in a second; constant. Valid after hal_init(). Any context.
uint64_t hal_counter_hz(void);

// Fires hal_handlers.timer once on this processor when the counter has reached `counter`, at once
// if it already has, never before; replaces the earlier setting. UINT64_MAX: never. Interrupts off.
void hal_timer_arm(uint64_t counter);

// Seconds since 1970-01-01 UTC from the battery clock; 0 if there is none, or it shows nonsense.
// Boot context, after hal_init().
uint64_t hal_rtc_read(void);
