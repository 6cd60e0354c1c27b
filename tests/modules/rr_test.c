// SPDX-License-Identifier: MIT OR Apache-2.0
// rr_test.c: finds that it does not work.
#include "rr.h"

RR(3, .self_test = broken_test);
