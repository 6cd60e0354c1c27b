// SPDX-License-Identifier: MIT OR Apache-2.0
// bad_turns.c: one that fails in the middle of a swap to it, if more than 50 threads wait.
#define TURNS_NAME     "bad_turns"
#define TURNS_ENQUEUES 50

#include "turns.h"
