// SPDX-License-Identifier: MIT OR Apache-2.0
// turns.c: a scheduling policy that comes from a file.
#define TURNS_NAME     "turns"
#define TURNS_ENQUEUES UINT64_MAX

#include "turns.h"
