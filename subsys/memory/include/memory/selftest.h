// SPDX-License-Identifier: MIT OR Apache-2.0
// <memory/selftest.h>: memory tests itself in a running kernel (command line: selftest=memory).
#pragma once

#include <helix/types.h>

// Exercises frames, heap, objects and address spaces on all processors, with allocations made to
// fail, and checks that nothing leaks. Logs what failed. Thread context, interrupts on, and nobody
// else busy with memory. Takes seconds.
bool memory_selftest(void);

// Reads, or with `is_run` calls, a page that a program may read and execute, as no kernel code
// should: panics, with the fault if the processor prevents it. Boot thread, after core_init().
NORETURN void memory_selftest_guard(bool is_run);
