// SPDX-License-Identifier: MIT OR Apache-2.0
// rr_start.c: does not start.
#include "rr.h"

RR(2, .start = broken_start);
