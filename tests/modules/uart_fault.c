// SPDX-License-Identifier: MIT OR Apache-2.0
// uart_fault.c: faults in its start.
#include "uart.h"

UART(4, .start = broken_fault);
