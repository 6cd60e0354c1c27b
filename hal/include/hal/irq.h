// SPDX-License-Identifier: MIT OR Apache-2.0
// <hal/irq.h>: device interrupt lines. Lines are masked until enabled.
#pragma once

#include <helix/types.h>

#define HAL_IRQ_LINES 224u

// The line of an ISA interrupt after the firmware's overrides.
uint32_t hal_irq_from_isa(uint32_t isa);
// Routes the line to the boot processor and unmasks it. HX_ERR_NO_DEVICE if there is none such.
enum hx_status hal_irq_enable(uint32_t line);
void hal_irq_disable(uint32_t line);
