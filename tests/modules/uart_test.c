// SPDX-License-Identifier: MIT OR Apache-2.0
// uart_test.c: finds that it does not work.
#include "uart.h"

UART(3, .self_test = broken_test);
