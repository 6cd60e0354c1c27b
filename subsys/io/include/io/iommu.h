// SPDX-License-Identifier: MIT OR Apache-2.0
// <io/iommu.h>: the interrupts of the IOMMUs that were found, for whoever connects lines.
#pragma once

#include <io/device.h>

// Number `index` of those that are in use: its device, whose line is to be heard, and what its
// handler gets. False: no more. Boot context, after io_devices_find().
bool io_iommu_at(uint32_t index, struct io_device **out_device, void **out_context);
// The device has reported faults, or another one on its line wants something. Thread context, one
// at a time for each device.
void io_iommu_interrupt(void *context);
