// SPDX-License-Identifier: MIT OR Apache-2.0
// rr_next.c: the next version.
#include "rr.h"

RR(1);
