// SPDX-License-Identifier: MIT OR Apache-2.0
// uart_start.c: does not start.
#include "uart.h"

UART(2, .start = broken_start);
