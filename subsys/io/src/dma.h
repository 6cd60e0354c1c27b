// SPDX-License-Identifier: MIT OR Apache-2.0
// dma.h: the domains of devices behind IOMMUs, for the files of this folder.
#pragma once

#include "iommu.h"
#include "private.h"

// Starts the IOMMUs among the devices; those that they translate get a domain each. Boot context,
// once, with all devices in the list.
void dma_find(void);
// Somebody has taken the device: it reaches what is mapped for it from here on. HX_ERR_IO: the
// IOMMU does not attach it
enum hx_status dma_begin(struct io_device *device);
// It reaches nothing any more, for good. HX_ERR_NOT_SUPPORTED: no IOMMU stops it; HX_ERR_IO: the
// IOMMU did not say that it does. Thread context.
enum hx_status dma_end(const struct io_device *device);
// Resets it, if it is a virtio device: it reaches no memory any more, until a driver makes it go
// again. Whether it says so.
bool virtio_device_reset(struct io_device *device);
// Lets it write to the register that its messages go to. HX_ERR_NOT_SUPPORTED: it cannot
enum hx_status dma_doorbell(const struct io_device *device, uint64_t address);
