// SPDX-License-Identifier: MIT OR Apache-2.0
// rr_fault.c: faults in its start.
#include "rr.h"

RR(4, .start = broken_fault);
