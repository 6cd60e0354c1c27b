// SPDX-License-Identifier: MIT OR Apache-2.0
// <hal/io.h>: early text output, I/O ports for drivers, the end of the machine.
#pragma once

#include <helix/types.h>

// The early console: polled, any context, never fails, usable in a panic. Drops text until init.
void hal_console_init(void);
void hal_console_write(const char *text, size_t length);

// Port I/O where the machine has it; elsewhere reads give all ones and writes do nothing.
uint8_t hal_port_read8(uint16_t port);
void hal_port_write8(uint16_t port, uint8_t value);

// How a run ends.
NORETURN void hal_power_off(void);
NORETURN void hal_restart(void);
// Ends an emulator that was started with an exit device with this status (x86: isa-debug-exit at
// port 0xf4, whose status is code * 2 + 1); returns if there is none.
void hal_debug_exit(uint8_t code);
