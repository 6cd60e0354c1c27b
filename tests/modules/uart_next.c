// SPDX-License-Identifier: MIT OR Apache-2.0
// uart_next.c: the next version.
#include "uart.h"

UART(1);
