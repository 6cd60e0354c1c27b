// SPDX-License-Identifier: MIT OR Apache-2.0
// Any bytes as what an IOMMU answers to a probe and reports as a fault, and as its limits.
#include "fuzz.h"

#include <lib/virtio_iommu.h>

#include <string.h>

static void place(const struct viommu_limits *limits, const struct viommu_regions *regions) {
    struct dma_space space;
    if (dma_space_init(&space, limits, regions) != HX_OK) {
        return;
    }
    const uint64_t last = space.first + (DMA_SPACE_BYTES - 1);
    FUZZ_ASSERT(space.first != 0 && last > space.first);
    FUZZ_ASSERT(space.first >= limits->input_first && last <= limits->input_last);
    for (uint32_t i = 0; i < regions->count; i++) {
        FUZZ_ASSERT(regions->regions[i].last < space.first || regions->regions[i].first > last);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct viommu_limits limits = { 0 };
    struct viommu_regions regions;
    struct viommu_fault fault;
    if (viommu_fault_read(data, (uint32_t)size, &fault) == HX_OK) {
        FUZZ_ASSERT(strlen(fault.reason) != 0);
    }
    if (size < 16) {
        return 0;
    }
    memcpy(&limits.input_first, data, 8);
    memcpy(&limits.input_last, data + 8, 8);
    if (viommu_regions_read(data + 16, (uint32_t)size - 16, &regions) == HX_OK) {
        FUZZ_ASSERT(regions.count <= VIOMMU_REGIONS_MAX);
        for (uint32_t i = 0; i < regions.count; i++) {
            FUZZ_ASSERT(regions.regions[i].first <= regions.regions[i].last);
        }
        place(&limits, &regions);
    }
    return 0;
}
