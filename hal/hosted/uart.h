// SPDX-License-Identifier: MIT OR Apache-2.0
// hal/hosted/uart.h: the serial port as the rest of the folder sees it.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

// Bytes from the wire; false: there is no room for all, and none was taken. One host thread.
bool uart_receive(const uint8_t *bytes, size_t count);
// Whether it raises its line. Any host thread.
bool uart_is_raised(void);
