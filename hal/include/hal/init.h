// SPDX-License-Identifier: MIT OR Apache-2.0
// <hal/init.h>: the order in which a machine is brought up.
//
// kernel_main (runtime/kernel) calls, on the boot processor, interrupts off:
//   hal_console_init()   text output works from here on, and hal_current(), hal_cpu_data(), …
//   hal_handlers_set()   before the first fault can happen
//   hal_init_early()     descriptor tables, faults, processor features, boot's memory map is usable
//   hal_page_ops_set()   where page tables come from (subsys/memory, which also looks at the map)
//   hal_mmu_init()       the final kernel page tables (see <hal/mmu.h>)
//   hal_init()           firmware tables, interrupt controller, counter and timer
//   hal_irq_on()         the first interrupts
// and then hal_cpu_start() for each other processor. "Boot context" in these headers means: before
// the first program runs, on processor 0.
#pragma once

#include <boot/boot_info.h>
#include <helix/types.h>

// Makes faults reach hal_handlers.fault, detects the processor's features and turns on those that
// Helix uses. Keeps `info`. Boot context, interrupts off, once. A processor that lacks what Helix
// needs panics with a clear line: an impossible machine.
void hal_init_early(const struct boot_info *info);

// Reads firmware tables (hostile: each is checked), sets up interrupt controllers with every line
// masked, measures the counter (1 ms of waiting at most, unless it is disturbed), lists the
// processors. Keeps `info`. Boot context, interrupts off, once, after hal_mmu_init().
// Returns HX_OK             done
//         HX_ERR_NO_DEVICE  no usable interrupt controller
//         HX_ERR_NO_MEMORY  no page for the machine's own tables
enum hx_status hal_init(const struct boot_info *info);
