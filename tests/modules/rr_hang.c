// SPDX-License-Identifier: MIT OR Apache-2.0
// rr_hang.c: never comes back from its start.
#include "rr.h"

RR(5, .start = broken_hang);
