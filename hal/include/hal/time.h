// SPDX-License-Identifier: MIT OR Apache-2.0
// <hal/time.h>: the counter, the one-shot timer of each processor, the battery clock.
//
// core/input is the only caller of the reading functions, so that they can be recorded.
#pragma once

#include <helix/types.h>

// A counter that only grows, at hal_counter_hz(), the same on all processors.
uint64_t hal_counter_read(void);
uint64_t hal_counter_hz(void);

// Fires hal_handlers.timer on this processor once the counter reaches `counter`; at once if it
// already has; replaces the earlier setting. UINT64_MAX: never. Interrupts off.
void hal_timer_arm(uint64_t counter);

// Seconds since 1970-01-01 UTC from the battery clock; 0 if there is none. Boot context.
uint64_t hal_rtc_read(void);
