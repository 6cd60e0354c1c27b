// SPDX-License-Identifier: MIT OR Apache-2.0
// <hal/irq.h>: device interrupt lines. Called by core/irq.c alone.
//
// Lines are masked until enabled. When one fires, hal_handlers.interrupt is called after the
// machine acknowledged it and, if it is level-triggered, masked it: core wakes the handler's
// thread, which enables the line again when it is done. An edge that comes while the line is masked
// is not lost if the machine can remember it; drivers look at their device before they sleep.
#pragma once

#include <helix/types.h>

#define HAL_IRQ_LINES 288u // lines from here on do not exist for core

// The line of an ISA interrupt (0 … 15) after the firmware's overrides, or any number >= 16 as it
// is; on a machine without ISA, a line that hal_irq_enable() refuses. Any context.
uint32_t hal_irq_from_isa(uint32_t isa);
// Whether functions of PCI pull that line, too: one of them has the ISA device's place. Any
// context.
bool hal_irq_isa_is_shared(uint32_t isa);
// Lets the device of such an ISA interrupt pull the line, which it does not at first, or no more;
// nothing happens if it is not shared. Any context.
void hal_irq_isa_pull(uint32_t isa, bool may);
// Routes the line to the boot processor and unmasks it; nothing changes if it was. Thread context;
// takes a lock of its own with interrupts off.
// Returns HX_OK
//         HX_ERR_NO_DEVICE  there is no such line
enum hx_status hal_irq_enable(uint32_t line);
// Masks the line; its handler may still be running. Nothing happens if there is none such. Any
// context.
void hal_irq_disable(uint32_t line);
// Takes a line for a device that interrupts by a message: a write of `data`, 32 bits, to the
// address, by that function of PCI (<hal/pci.h>); another one's may be refused by the machine. Each
// call is for one more message of it. The line is masked until enabled, and an edge. Kept for good.
// Thread context, after hal_init().
// Returns HX_OK
//         HX_ERR_NOT_SUPPORTED  the machine, or this port to it, has no such interrupts for it
//         HX_ERR_NO_DEVICE      no line is left, or the controller does not answer
enum hx_status hal_irq_message(uint32_t function, uint32_t *out_line, uint64_t *out_address,
                               uint32_t *out_data);
