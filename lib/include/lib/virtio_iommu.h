// SPDX-License-Identifier: MIT OR Apache-2.0
// <lib/virtio_iommu.h>: what goes to a virtio IOMMU and comes from it, as bytes (Virtual I/O Device
// specification 1.2, section 5.13), and the places of a device's own address space.
//
// The device is not trusted: what it says is read from a copy of the caller's, and gives what is
// said here or a status. No state but the caller's; any context; the caller serialises calls on one
// space.
#pragma once

#include <helix/types.h>

#define VIRTIO_DEVICE_IOMMU 23u

// Features (5.13.3).
#define VIOMMU_FEATURE_INPUT_RANGE   (UINT64_C(1) << 0)
#define VIOMMU_FEATURE_DOMAIN_RANGE  (UINT64_C(1) << 1)
#define VIOMMU_FEATURE_MAP           (UINT64_C(1) << 2)
#define VIOMMU_FEATURE_BYPASS        (UINT64_C(1) << 3)
#define VIOMMU_FEATURE_PROBE         (UINT64_C(1) << 4)
#define VIOMMU_FEATURE_BYPASS_CONFIG (UINT64_C(1) << 6)

// Configuration (5.13.4): offsets.
#define VIOMMU_CONFIG_PAGES        0u  // 8 bytes: a mask of sizes
#define VIOMMU_CONFIG_INPUT_FIRST  8u  // 8 bytes
#define VIOMMU_CONFIG_INPUT_LAST   16u // 8 bytes
#define VIOMMU_CONFIG_DOMAIN_FIRST 24u // 4 bytes
#define VIOMMU_CONFIG_DOMAIN_LAST  28u // 4 bytes
#define VIOMMU_CONFIG_PROBE_BYTES  32u // 4 bytes
#define VIOMMU_CONFIG_BYPASS       36u // 1 byte, which the driver writes

#define VIOMMU_PAGE_BYTES     4096u // of mappings
#define VIOMMU_REQUEST_MAX    72u   // bytes that the device reads
#define VIOMMU_TAIL_BYTES     4u    // that it writes behind what was asked for
#define VIOMMU_FAULT_BYTES    24u
#define VIOMMU_PROPERTIES_MAX 1024u // bytes of an answer to a probe that are taken
#define VIOMMU_REGIONS_MAX    8u

enum viommu_kind { // 5.13.6
    VIOMMU_ATTACH = 1,
    VIOMMU_DETACH = 2,
    VIOMMU_MAP = 3,
    VIOMMU_UNMAP = 4,
    VIOMMU_PROBE = 5,
};

#define VIOMMU_READ  1u // of a mapping, and of a fault
#define VIOMMU_WRITE 2u

struct viommu_request {
    enum viommu_kind kind;
    uint32_t domain;
    uint32_t endpoint;    // ATTACH, DETACH, PROBE
    uint64_t first, last; // MAP, UNMAP: addresses that the device uses
    uint64_t physical;    // MAP
    uint32_t flags;       // MAP: VIOMMU_READ, VIOMMU_WRITE
};

// What the device says of itself, once it was looked at.
struct viommu_limits {
    uint64_t pages; // mask
    uint64_t input_first, input_last;
    uint32_t domain_first, domain_last;
    uint32_t probe_bytes; // 0: it cannot be asked
};

// Addresses of an endpoint that are not translated.
struct viommu_region {
    uint64_t first, last;
    bool is_message; // a write there is an interrupt
};

struct viommu_regions {
    uint32_t count;
    struct viommu_region regions[VIOMMU_REGIONS_MAX];
};

struct viommu_fault {
    uint32_t endpoint;
    uint32_t flags; // VIOMMU_READ, VIOMMU_WRITE
    const char *reason;
    uint64_t address;
    bool has_address;
};

// The bytes of a request that the device reads, at most VIOMMU_REQUEST_MAX; how many.
uint32_t viommu_request_write(const struct viommu_request *request, uint8_t *to);
// What the first byte of an answer's tail means (5.13.6.1). HX_OK, HX_ERR_NO_MEMORY,
// HX_ERR_NOT_FOUND, HX_ERR_NOT_SUPPORTED, HX_ERR_INVALID; HX_ERR_IO: anything else
enum hx_status viommu_answer(uint8_t status);
// Whether the device can be driven: it maps pages of VIOMMU_PAGE_BYTES, and has domains and
// addresses. HX_ERR_NOT_SUPPORTED
enum hx_status viommu_limits_check(const struct viommu_limits *limits);
// The regions that an answer to a probe names (5.13.6.7); properties of other kinds are left out.
// HX_ERR_CORRUPT: they do not lie in it, or make no sense; HX_ERR_LIMIT: more than
// VIOMMU_REGIONS_MAX
enum hx_status viommu_regions_read(const uint8_t *bytes, uint32_t size_bytes,
                                   struct viommu_regions *out_regions);
// Whether a write of 4 bytes there is an interrupt whatever is mapped.
bool viommu_is_doorbell(const struct viommu_regions *regions, uint64_t address);
// A report of the event queue (5.13.6.8). HX_ERR_CORRUPT: it is shorter than one
enum hx_status viommu_fault_read(const uint8_t *bytes, uint32_t size_bytes,
                                 struct viommu_fault *out_fault);

// The addresses of one device: places of DMA_PLACE_PAGES each, taken in turn, so that an address
// which was given back is not another's soon.
#define DMA_PLACES      1024u
#define DMA_PLACE_PAGES 64u
#define DMA_PLACE_BYTES ((uint64_t)DMA_PLACE_PAGES * VIOMMU_PAGE_BYTES)
#define DMA_SPACE_BYTES (DMA_PLACES * DMA_PLACE_BYTES)

struct dma_space {
    uint64_t first;             // address
    uint32_t next;              // place
    uint8_t counts[DMA_PLACES]; // pages of each; 0: nobody has it
};

// An empty space in the device's range, outside all regions and not where address 0 is.
// HX_ERR_NOT_SUPPORTED: there is no room
enum hx_status dma_space_init(struct dma_space *space, const struct viommu_limits *limits,
                              const struct viommu_regions *regions);
// All places are free again; those that were taken last come up last.
void dma_space_clear(struct dma_space *space);
// Takes a place for 1 to DMA_PLACE_PAGES pages. False: all are taken.
bool dma_space_take(struct dma_space *space, uint32_t pages, uint64_t *out_address);
// How many pages the place has that begins at an address; 0: nobody has such a place.
uint32_t dma_space_pages(const struct dma_space *space, uint64_t address);
// Gives back a place that is taken.
void dma_space_give(struct dma_space *space, uint64_t address);
