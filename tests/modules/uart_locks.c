// SPDX-License-Identifier: MIT OR Apache-2.0
// uart_locks.c: takes a mutex while it prints a line of the log.
#include <helix/env.h>

static struct hx_mutex anything;
#define TRIP hx_mutex_lock(&anything)
#include "uart_trips.h"
