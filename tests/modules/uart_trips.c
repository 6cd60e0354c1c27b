// SPDX-License-Identifier: MIT OR Apache-2.0
// uart_trips.c: dies of a line of the log.
#define TRIP __builtin_trap()
#include "uart_trips.h"
