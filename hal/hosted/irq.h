// SPDX-License-Identifier: MIT OR Apache-2.0
// hal/hosted/irq.h: the lines of this machine's devices.
#pragma once

#include <stdbool.h>
#include <stdint.h>

#define UART_LINE 4u // as a PC has it
#define DISK_LINE 5u

// Tells the boot processor if the device of that line has something to tell, and the line is not
// masked. Its device calls it after each change. Any host thread.
void irq_line_update(uint32_t line);
// Delivers the lines that are raised. Interrupts off, on the boot processor.
void irq_deliver(void);
