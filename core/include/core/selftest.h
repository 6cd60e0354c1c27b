// SPDX-License-Identifier: MIT OR Apache-2.0
// <core/selftest.h>: the core's tests of itself in a booted kernel: `selftest=core` on the command
// line.
#pragma once

#include <helix/types.h>

// What an emulator with an exit device reports, see hal_debug_exit().
#define SELFTEST_PASS_CODE 0x10u
#define SELFTEST_FAIL_CODE 0x11u

// Runs them all, one log line each, with the figures that they measure. Thread context; uses all
// processors. Whether all passed.
bool core_selftest(void);

// Panics while all other processors are busy, half of them with interrupts off; one that the panic
// does not stop says that it still runs. Thread context.
NORETURN void core_selftest_panic(void);
