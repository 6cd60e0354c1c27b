// SPDX-License-Identifier: MIT OR Apache-2.0
// Requests to an IOMMU, its answers as they are and as they should not be, and a device's
// addresses.
#include "bytes.h"
#include "check.h"

#include <lib/virtio_iommu.h>

#include <string.h>

static uint8_t bytes[VIOMMU_REQUEST_MAX];

static uint64_t u64_at(uint32_t at) {
    uint64_t value;
    memcpy(&value, bytes + at, 8);
    return value;
}

static uint32_t u32_at(uint32_t at) {
    uint32_t value;
    memcpy(&value, bytes + at, 4);
    return value;
}

static void test_requests(void) {
    struct viommu_request request = { VIOMMU_MAP, 7, 9, 0x1000, 0x2fff, 0x123456000, VIOMMU_WRITE };
    CHECK(viommu_request_write(&request, bytes) == 36 && u32_at(0) == 3 && u32_at(4) == 7);
    CHECK(u64_at(8) == 0x1000 && u64_at(16) == 0x2fff && u64_at(24) == 0x123456000);
    CHECK(u32_at(32) == 2);
    request.kind = VIOMMU_UNMAP;
    CHECK(viommu_request_write(&request, bytes) == 28 && u32_at(0) == 4 && u32_at(4) == 7);
    CHECK(u64_at(8) == 0x1000 && u64_at(16) == 0x2fff && u32_at(24) == 0);
    request.kind = VIOMMU_ATTACH;
    CHECK(viommu_request_write(&request, bytes) == 20 && u32_at(0) == 1);
    CHECK(u32_at(4) == 7 && u32_at(8) == 9 && u64_at(12) == 0);
    request.kind = VIOMMU_DETACH;
    CHECK(viommu_request_write(&request, bytes) == 20 && u32_at(0) == 2 && u32_at(8) == 9);
    request.kind = VIOMMU_PROBE;
    CHECK(viommu_request_write(&request, bytes) == 72 && u32_at(0) == 5 && u32_at(4) == 9);
    CHECK(u64_at(8) == 0 && u64_at(64) == 0);
}

static void test_answers(void) {
    CHECK(viommu_answer(0) == HX_OK && viommu_answer(8) == HX_ERR_NO_MEMORY);
    CHECK(viommu_answer(6) == HX_ERR_NOT_FOUND && viommu_answer(2) == HX_ERR_NOT_SUPPORTED);
    for (uint32_t status = 1; status < 256; status++) {
        CHECK(viommu_answer((uint8_t)status) != HX_OK);
    }
}

static void test_limits(void) {
    struct viommu_limits limits = { .pages = ~UINT64_C(0xfff),
                                    .input_last = UINT64_MAX,
                                    .domain_last = 10 };
    CHECK(viommu_limits_check(&limits) == HX_OK);
    limits.pages = 0xffff0200; // smaller ones, too
    CHECK(viommu_limits_check(&limits) == HX_OK);
    limits.pages = ~UINT64_C(0xffff);
    CHECK(viommu_limits_check(&limits) == HX_ERR_NOT_SUPPORTED);
    limits.pages = 0;
    CHECK(viommu_limits_check(&limits) == HX_ERR_NOT_SUPPORTED);
    limits.pages = 0x1000;
    limits.domain_first = 10;
    CHECK(viommu_limits_check(&limits) == HX_ERR_NOT_SUPPORTED);
    limits.domain_first = 0;
    limits.input_first = UINT64_MAX;
    CHECK(viommu_limits_check(&limits) == HX_ERR_NOT_SUPPORTED);
}

static uint8_t properties[512];

static uint32_t region_put(uint32_t at, uint8_t subtype, uint64_t first, uint64_t last) {
    put_u16(properties + at, 1);
    put_u16(properties + at + 2, 20);
    properties[at + 4] = subtype;
    put_u64(properties + at + 8, first);
    put_u64(properties + at + 16, last);
    return at + 24;
}

static void test_regions(void) {
    struct viommu_regions regions = { .count = 99 };
    memset(properties, 0, sizeof(properties));
    CHECK(viommu_regions_read(properties, sizeof(properties), &regions) == HX_OK);
    CHECK(regions.count == 0);
    uint32_t at = region_put(0, 1, 0xfee00000, 0xfeefffff);
    put_u16(properties + at, 0xf77); // of another kind
    put_u16(properties + at + 2, 4);
    at = region_put(at + 8, 0, 0x8000, 0x8fff);
    CHECK(viommu_regions_read(properties, sizeof(properties), &regions) == HX_OK);
    CHECK(regions.count == 2 && regions.regions[0].is_message && !regions.regions[1].is_message);
    CHECK(regions.regions[1].first == 0x8000 && regions.regions[1].last == 0x8fff);
    CHECK(viommu_is_doorbell(&regions, 0xfee00000) && viommu_is_doorbell(&regions, 0xfeeffffc));
    CHECK(!viommu_is_doorbell(&regions, 0xfeeffffd) && !viommu_is_doorbell(&regions, 0x8000));
    CHECK(!viommu_is_doorbell(&regions, 0xfedffffc));
    // Up to the end, and a byte too short.
    CHECK(viommu_regions_read(properties, at, &regions) == HX_OK && regions.count == 2);
    CHECK(viommu_regions_read(properties, at - 1, &regions) == HX_ERR_CORRUPT);
    CHECK(regions.count == 2); // untouched
    region_put(0, 1, 2, 1);
    CHECK(viommu_regions_read(properties, at, &regions) == HX_ERR_CORRUPT);
    region_put(0, 1, 1, 2);
    put_u16(properties + 2, 19);
    CHECK(viommu_regions_read(properties, at, &regions) == HX_ERR_CORRUPT);
    at = 0;
    for (uint32_t i = 0; i <= VIOMMU_REGIONS_MAX; i++) {
        at = region_put(at, 0, i, i);
    }
    CHECK(viommu_regions_read(properties, sizeof(properties), &regions) == HX_ERR_LIMIT);
}

static void test_faults(void) {
    uint8_t report[VIOMMU_FAULT_BYTES] = { 2 };
    struct viommu_fault fault;
    put_u32(report + 4, 0x102);
    put_u32(report + 8, 24);
    put_u64(report + 16, 0x1234567890);
    CHECK(viommu_fault_read(report, sizeof(report), &fault) == HX_OK);
    CHECK(fault.endpoint == 24 && fault.flags == VIOMMU_WRITE && fault.has_address);
    CHECK(fault.address == 0x1234567890 && strcmp(fault.reason, "not mapped") == 0);
    report[0] = 255;
    CHECK(viommu_fault_read(report, sizeof(report), &fault) == HX_OK);
    CHECK(strcmp(fault.reason, "unknown") == 0);
    CHECK(viommu_fault_read(report, sizeof(report) - 1, &fault) == HX_ERR_CORRUPT);
}

#define GIB ((uint64_t)1 << 30)

static struct dma_space space;

// Where a space is put; 0: nowhere.
static uint64_t put(uint64_t first, uint64_t last, uint64_t region_first, uint64_t region_last) {
    const struct viommu_limits limits = { .input_first = first, .input_last = last };
    const struct viommu_regions regions = { 1, { { region_first, region_last, false } } };
    return dma_space_init(&space, &limits, &regions) == HX_OK ? space.first : 0;
}

static void test_places(void) {
    CHECK(put(0, UINT64_MAX, 0, 0) == 4 * GIB);
    CHECK(put(0, UINT64_MAX, 4 * GIB + 5, 4 * GIB + 5) == 4 * GIB + DMA_SPACE_BYTES);
    CHECK(put(0, UINT64_MAX, 4 * GIB + DMA_SPACE_BYTES - 1, 5 * GIB) == 5 * GIB + DMA_SPACE_BYTES);
    CHECK(put(0, UINT64_MAX, 4 * GIB + DMA_SPACE_BYTES, 5 * GIB) == 4 * GIB);
    CHECK(put(6 * GIB + 1, UINT64_MAX, 0, 0) == 6 * GIB + DMA_SPACE_BYTES);
    // Below 4 GiB where nothing is above, but not at 0.
    CHECK(put(0, UINT32_MAX, 0, 0) == DMA_SPACE_BYTES);
    CHECK(put(0, 2 * DMA_SPACE_BYTES - 1, 0, 0) == DMA_SPACE_BYTES);
    CHECK(put(0, 2 * DMA_SPACE_BYTES - 2, 0, 0) == 0);
    CHECK(put(0, UINT64_MAX, 0, UINT64_MAX) == 0);
    CHECK(put(0, UINT64_MAX, 4 * GIB, UINT64_MAX) == DMA_SPACE_BYTES);
    CHECK(put(UINT64_MAX - 5, UINT64_MAX, 0, 0) == 0);
}

static void test_space(void) {
    uint64_t address = 0;
    CHECK(put(0, UINT64_MAX, 0, 0) == 4 * GIB);
    for (uint32_t i = 0; i < DMA_PLACES; i++) {
        CHECK(dma_space_take(&space, 1 + i % DMA_PLACE_PAGES, &address));
        CHECK(address == 4 * GIB + i * DMA_PLACE_BYTES);
        CHECK(dma_space_pages(&space, address) == 1 + i % DMA_PLACE_PAGES);
    }
    CHECK(!dma_space_take(&space, 1, &address));
    CHECK(dma_space_pages(&space, 4 * GIB + 4096) == 0 && dma_space_pages(&space, 0) == 0);
    CHECK(dma_space_pages(&space, 4 * GIB + DMA_SPACE_BYTES) == 0);
    dma_space_give(&space, 4 * GIB + DMA_PLACE_BYTES);
    CHECK(dma_space_pages(&space, 4 * GIB + DMA_PLACE_BYTES) == 0);
    CHECK(dma_space_take(&space, 64, &address) && address == 4 * GIB + DMA_PLACE_BYTES);
    // What was given back is the last to be taken again.
    CHECK(put(0, UINT64_MAX, 0, 0) == 4 * GIB);
    CHECK(dma_space_take(&space, 1, &address));
    dma_space_give(&space, address);
    for (uint32_t i = 1; i < DMA_PLACES; i++) {
        CHECK(dma_space_take(&space, 1, &address) && address != 4 * GIB);
    }
    CHECK(dma_space_take(&space, 1, &address) && address == 4 * GIB);
}

int main(void) {
    test_requests();
    test_answers();
    test_limits();
    test_regions();
    test_faults();
    test_places();
    test_space();
    return check_result();
}
