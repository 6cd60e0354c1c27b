// SPDX-License-Identifier: MIT OR Apache-2.0
// <hal/init.h>: the order in which a machine is brought up.
//
// kernel_main (runtime/kernel) calls, on the boot processor, interrupts off:
//   hal_console_init()   text output works from here on
//   hal_handlers_set()   before the first fault can happen
//   hal_init_early()     descriptor tables, faults, processor features, boot's memory map is usable
//   hal_mmu_init()       the final kernel page tables (see <hal/mmu.h>)
//   hal_init()           firmware tables, interrupt controller, counter and timer
// and later hal_cpu_start() for each other processor.
#pragma once

#include <boot/boot_info.h>
#include <helix/types.h>

// Context: boot processor, once. A processor that lacks what Helix needs (NX, for one) panics with
// a clear line: an impossible machine.
void hal_init_early(const struct boot_info *info);

// Reads firmware tables (hostile: each is checked), sets up interrupt controllers, calibrates the
// counter within 1 ms of waiting, masks every line. Needs hal_mmu_init() and a page allocator.
// Returns HX_OK             done
//         HX_ERR_NO_DEVICE  no usable interrupt controller
//         HX_ERR_NO_MEMORY
enum hx_status hal_init(const struct boot_info *info);
