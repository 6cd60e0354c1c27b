// SPDX-License-Identifier: MIT OR Apache-2.0
// rr_logs.c: logs a line in its hundredth pick.
#define AFTERWARDS (void)0
#include "rr_logs.h"
