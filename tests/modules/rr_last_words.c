// SPDX-License-Identifier: MIT OR Apache-2.0
// rr_last_words.c: logs a line in its hundredth pick, and dies in it.
#define AFTERWARDS __builtin_trap()
#include "rr_logs.h"
