// SPDX-License-Identifier: MIT OR Apache-2.0
// uart_hang.c: never comes back from its start.
#include "uart.h"

UART(5, .start = broken_hang);
