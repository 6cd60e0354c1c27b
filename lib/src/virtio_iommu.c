// SPDX-License-Identifier: MIT OR Apache-2.0
// virtio_iommu.c: requests and answers of a virtio IOMMU. Sections: Virtual I/O Device 1.2.
#include "bytes.h"

#include <lib/string.h>
#include <lib/virtio_iommu.h>

#define ATTACH_BYTES 20u // 5.13.6.3
#define MAP_BYTES    36u // 5.13.6.5
#define UNMAP_BYTES  28u // 5.13.6.6
#define PROBE_BYTES  72u // 5.13.6.7

#define PROPERTY_HEAD     4u
#define PROPERTY_KIND     0xfffu
#define PROPERTY_RESERVED 1u  // 5.13.6.7.1
#define RESERVED_BYTES    20u // behind the head
#define RESERVED_MESSAGE  1u

#define SPACE_HIGH    (UINT64_C(1) << 32)
#define FAULT_ADDRESS 0x100u // 5.13.6.8

static void write_u64(uint8_t *to, uint64_t value) {
    write_u32(to, (uint32_t)value);
    write_u32(to + 4, (uint32_t)(value >> 32));
}

uint32_t viommu_request_write(const struct viommu_request *request, uint8_t *to) {
    memset(to, 0, VIOMMU_REQUEST_MAX);
    to[0] = (uint8_t)request->kind;
    if (request->kind == VIOMMU_PROBE) {
        write_u32(to + 4, request->endpoint);
        return PROBE_BYTES;
    }
    write_u32(to + 4, request->domain);
    if (request->kind == VIOMMU_ATTACH || request->kind == VIOMMU_DETACH) {
        write_u32(to + 8, request->endpoint);
        return ATTACH_BYTES;
    }
    write_u64(to + 8, request->first);
    write_u64(to + 16, request->last);
    if (request->kind == VIOMMU_UNMAP) {
        return UNMAP_BYTES;
    }
    write_u64(to + 24, request->physical);
    write_u32(to + 32, request->flags);
    return MAP_BYTES;
}

enum hx_status viommu_answer(uint8_t status) {
    static const enum hx_status statuses[] = {
        HX_OK,
        HX_ERR_IO,
        HX_ERR_NOT_SUPPORTED,
        HX_ERR_IO,
        HX_ERR_INVALID,
        HX_ERR_INVALID,
        HX_ERR_NOT_FOUND,
        HX_ERR_IO,
        HX_ERR_NO_MEMORY,
    };
    return status < ARRAY_SIZE(statuses) ? statuses[status] : HX_ERR_IO;
}

enum hx_status viommu_limits_check(const struct viommu_limits *limits) {
    // The lowest bit is the smallest page.
    const uint64_t smallest = limits->pages & (~limits->pages + 1);
    return smallest != 0 && smallest <= VIOMMU_PAGE_BYTES &&
                   limits->input_first < limits->input_last &&
                   limits->domain_first < limits->domain_last
               ? HX_OK
               : HX_ERR_NOT_SUPPORTED;
}

static enum hx_status region_add(const uint8_t *value, uint32_t size_bytes,
                                 struct viommu_regions *regions) {
    if (size_bytes < RESERVED_BYTES) {
        return HX_ERR_CORRUPT;
    }
    const struct viommu_region region = { .first = read_u64(value + 4),
                                          .last = read_u64(value + 12),
                                          .is_message = value[0] == RESERVED_MESSAGE };
    if (region.first > region.last) {
        return HX_ERR_CORRUPT;
    }
    if (regions->count == VIOMMU_REGIONS_MAX) {
        return HX_ERR_LIMIT;
    }
    regions->regions[regions->count++] = region;
    return HX_OK;
}

// A property of kind 0 ends the list.
enum hx_status viommu_regions_read(const uint8_t *bytes, uint32_t size_bytes,
                                   struct viommu_regions *out_regions) {
    struct viommu_regions regions = { 0 };
    enum hx_status status = HX_OK;
    for (uint32_t at = 0; status == HX_OK && range_fits(at, PROPERTY_HEAD, size_bytes);) {
        const uint32_t kind = read_u16(bytes + at) & PROPERTY_KIND;
        const uint32_t length = read_u16(bytes + at + 2);
        if (kind == 0) {
            break;
        }
        at += PROPERTY_HEAD;
        if (!range_fits(at, length, size_bytes)) {
            return HX_ERR_CORRUPT;
        }
        if (kind == PROPERTY_RESERVED) {
            status = region_add(bytes + at, length, &regions);
        }
        at += length;
    }
    if (status == HX_OK) {
        *out_regions = regions;
    }
    return status;
}

bool viommu_is_doorbell(const struct viommu_regions *regions, uint64_t address) {
    for (uint32_t i = 0; i < regions->count; i++) {
        const struct viommu_region *region = &regions->regions[i];
        if (region->is_message && address >= region->first && address <= region->last &&
            region->last - address >= 3) {
            return true;
        }
    }
    return false;
}

enum hx_status viommu_fault_read(const uint8_t *bytes, uint32_t size_bytes,
                                 struct viommu_fault *out_fault) {
    static const char *const reasons[] = { "unknown", "no domain", "not mapped" };
    if (size_bytes < VIOMMU_FAULT_BYTES) {
        return HX_ERR_CORRUPT;
    }
    const uint32_t flags = read_u32(bytes + 4);
    *out_fault = (struct viommu_fault){
        .endpoint = read_u32(bytes + 8),
        .flags = flags & (VIOMMU_READ | VIOMMU_WRITE),
        .reason = reasons[bytes[0] < ARRAY_SIZE(reasons) ? bytes[0] : 0],
        .has_address = (flags & FAULT_ADDRESS) != 0,
        .address = read_u64(bytes + 16),
    };
    return HX_OK;
}

// Addresses
// ------------------------------------------------------------------------------------------------

// The first address behind all regions that a space at `first` meets; `first`: none.
static uint64_t behind_regions(const struct viommu_regions *regions, uint64_t first) {
    for (uint32_t i = 0; i < regions->count; i++) {
        const struct viommu_region *region = &regions->regions[i];
        if (region->first <= first + (DMA_SPACE_BYTES - 1) && region->last >= first) {
            return region->last + 1; // 0: nothing is behind it
        }
    }
    return first;
}

// From `first` on.
static bool space_place(struct dma_space *space, const struct viommu_limits *limits,
                        const struct viommu_regions *regions, uint64_t first) {
    for (;;) {
        const uint64_t begin = ALIGN_UP(first, DMA_SPACE_BYTES);
        if (begin < first || begin > limits->input_last ||
            limits->input_last - begin < DMA_SPACE_BYTES - 1) {
            return false;
        }
        first = behind_regions(regions, begin);
        if (first <= begin) {
            *space = (struct dma_space){ .first = begin };
            return first == begin;
        }
    }
}

// Above 4 GiB no bridge takes an address for that of another device's registers, as a rule.
enum hx_status dma_space_init(struct dma_space *space, const struct viommu_limits *limits,
                              const struct viommu_regions *regions) {
    return space_place(space, limits, regions, MAX_OF(limits->input_first, SPACE_HIGH)) ||
                   space_place(space, limits, regions, MAX_OF(limits->input_first, DMA_SPACE_BYTES))
               ? HX_OK
               : HX_ERR_NOT_SUPPORTED;
}

void dma_space_clear(struct dma_space *space) {
    memset(space->counts, 0, sizeof(space->counts));
}

bool dma_space_take(struct dma_space *space, uint32_t pages, uint64_t *out_address) {
    for (uint32_t i = 0; i < DMA_PLACES; i++) {
        const uint32_t place = (space->next + i) % DMA_PLACES;
        if (space->counts[place] == 0) {
            space->counts[place] = (uint8_t)pages;
            space->next = place + 1;
            *out_address = space->first + place * DMA_PLACE_BYTES;
            return true;
        }
    }
    return false;
}

uint32_t dma_space_pages(const struct dma_space *space, uint64_t address) {
    const uint64_t offset = address - space->first; // an address below is one far behind
    return offset < DMA_SPACE_BYTES && offset % DMA_PLACE_BYTES == 0
               ? space->counts[offset / DMA_PLACE_BYTES]
               : 0;
}

void dma_space_give(struct dma_space *space, uint64_t address) {
    space->counts[(address - space->first) / DMA_PLACE_BYTES] = 0;
}
