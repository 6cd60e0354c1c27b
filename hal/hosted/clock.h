// SPDX-License-Identifier: MIT OR Apache-2.0
// hal/hosted/clock.h: starting the timer.
#pragma once

#include <stdbool.h>

bool hosted_clock_init(void); // false: the host gives no thread
