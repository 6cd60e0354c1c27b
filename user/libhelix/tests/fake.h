// SPDX-License-Identifier: MIT OR Apache-2.0
// "fake.h": what a test may do to the kernel of <libhelix/calls.h>.
#pragma once

#include <libhelix/calls.h>

// The nth allocation from now on fails, once; 0: none does.
void fake_fail_nth(uint32_t nth);

// How many failed so far.
uint32_t fake_failures(void);

// What runs inside of the next notify, as if it woke somebody who comes first.
void fake_on_notify(void (*function)(void));

// Handles that are open, with those on their way.
uint32_t fake_handles(void);
