// SPDX-License-Identifier: MIT OR Apache-2.0
// <io/dma.h>: which memory a device reaches.
//
// A device behind an IOMMU that is in use has a domain of its own, from when somebody takes it
// until its end: there it reaches what is mapped for it and nothing else. Without one its addresses
// are the machine's, and mapping is only counting: such a device is trusted. Thread context; any
// number of callers.
#pragma once

#include <io/device.h>

#define IO_DMA_PAGES_MAX 64u

// Whether the device reaches only what is mapped.
bool io_dma_is_bound(const struct io_device *device);
// Maps 1 to IO_DMA_PAGES_MAX pages of the kernel's direct map, which the device then reads or
// writes; out_addresses[i] is where it sees pages[i]. io_dma_unmap() ends it; a page may be mapped
// more than once. HX_OK, HX_ERR_INVALID, HX_ERR_NO_MEMORY (no room among the device's addresses, or
// in the IOMMU), HX_ERR_IO (the IOMMU or the device does not work any more)
enum hx_status io_dma_map(const struct io_device *device, const void *const *pages, uint32_t count,
                          uint32_t access, uint64_t *out_addresses);
#define IO_DMA_READ  1u
#define IO_DMA_WRITE 2u
// Unmaps what `count` calls mapped, each by its first address, all together. HX_OK: the device
// reaches none of them; HX_ERR_IO: it may, and the pages must stay as they are; HX_ERR_INVALID:
// nothing is mapped there, and nothing was done
enum hx_status io_dma_unmap(const struct io_device *device, const uint64_t *addresses,
                            uint32_t count);
