// SPDX-License-Identifier: MIT OR Apache-2.0
// iommu.h: virtio IOMMUs, for dma.c: requests in batches, whose answers are waited for.
#pragma once

#include <io/device.h>
#include <lib/virtio_iommu.h>

struct iommu;

// Requests that are under way together; the caller's storage. What is added may be done at once, in
// any order.
struct iommu_batch {
    struct iommu *iommu;
    uint32_t pending;      // [iommu's lock]
    enum hx_status status; // [iommu's lock] the first that failed
};

void iommu_batch_begin(struct iommu_batch *batch, struct iommu *iommu);
// ATTACH, DETACH, MAP or UNMAP. Thread context; waits for room in the queue.
void iommu_batch_add(struct iommu_batch *batch, const struct viommu_request *request);
// Waits until all of them are answered. HX_OK; HX_ERR_IO: no sound answer; or the first refusal
// (viommu_answer()). Thread context.
enum hx_status iommu_batch_end(struct iommu_batch *batch);
// Which addresses of an endpoint are not translated. HX_ERR_IO, HX_ERR_CORRUPT, HX_ERR_LIMIT. Boot
// context.
enum hx_status iommu_probe(struct iommu *iommu, uint32_t endpoint,
                           struct viommu_regions *out_regions);
const struct viommu_limits *iommu_limits(const struct iommu *iommu);
// A domain's number that nobody has; false: there are no more. Boot context.
bool iommu_domain_number(struct iommu *iommu, uint32_t *out_number);

// Starts the one that the device is; from then on functions that it translates and nobody has reach
// no memory. NULL: it cannot be driven, which the log says. Boot context.
struct iommu *iommu_start(struct io_device *device);

// dma.c: what an endpoint was refused.
void dma_fault(const struct iommu *iommu, const struct viommu_fault *fault);
