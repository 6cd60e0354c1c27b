// SPDX-License-Identifier: MIT OR Apache-2.0
// dma.c: what each device reaches: domains of IOMMUs, and what is mapped in them.
//
// Life of a domain, [lock]:
//
//   from      by                    to
//   OFF       domain_on()           ON, once the IOMMU has answered
//   ON        domain_off()          ENDING: nothing is mapped any more
//   ENDING    the IOMMU's answer    OFF: nothing is reached
//
#include "dma.h"

#include <core/inject.h>
#include <core/lock.h>
#include <core/log.h>
#include <core/time.h>
#include <core/trace.h>
#include <hal/mmu.h>
#include <hal/pci.h>
#include <io/dma.h>
#include <lib/string.h>
#include <lib/virtio.h>
#include <memory/heap.h>

#define DOORBELLS_MAX 8u
#define FAULTS_SHOWN  8u // in a window of that length
#define FAULTS_NS     ((time_ns_t)10 * 1000000000)

_Static_assert(IO_DMA_PAGES_MAX == DMA_PLACE_PAGES, "a call takes a place");
_Static_assert(IO_DMA_READ == VIOMMU_READ && IO_DMA_WRITE == VIOMMU_WRITE, "the same bits");
_Static_assert(PAGE_SIZE == VIOMMU_PAGE_BYTES, "pages");

enum domain_state { DOMAIN_OFF, DOMAIN_ON, DOMAIN_ENDING };

struct dma_domain {
    struct iommu *iommu;
    uint32_t endpoint;
    uint32_t number;
    bool is_passed; // but for messages the device goes past it: set before anybody has the device
    struct viommu_regions regions;
    uint64_t doorbells[DOORBELLS_MAX]; // pages that are mapped for good; the driver's thread
    uint32_t doorbell_count;
    struct spinlock lock;
    enum domain_state state; // [lock]
    struct dma_space space;  // [lock]
};

static const struct lock_class domain_class = { "DMA addresses", LOCK_RANK_LEAF, false };
static bool has_iommu; // that is in use; boot context writes

// NULL: the device's addresses are the machine's.
static struct dma_domain *domain_of(const struct io_device *device) {
    return device->domain != NULL && !device->domain->is_passed ? device->domain : NULL;
}

bool io_dma_is_bound(const struct io_device *device) {
    return domain_of(device) != NULL;
}

// Mapping
// ------------------------------------------------------------------------------------------------

static enum hx_status place_take(struct dma_domain *domain, uint32_t pages, uint64_t *out_first) {
    enum hx_status status = HX_ERR_IO;
    spin_lock(&domain->lock);
    if (domain->state == DOMAIN_ON) {
        status = dma_space_take(&domain->space, pages, out_first) ? HX_OK : HX_ERR_NO_MEMORY;
    }
    spin_unlock(&domain->lock);
    return status;
}

static void place_give(struct dma_domain *domain, uint64_t first) {
    spin_lock(&domain->lock);
    dma_space_give(&domain->space, first);
    spin_unlock(&domain->lock);
}

// The pages that are mapped there; 0: none.
static uint32_t place_pages(struct dma_domain *domain, uint64_t first) {
    spin_lock(&domain->lock);
    const uint32_t pages = dma_space_pages(&domain->space, first);
    spin_unlock(&domain->lock);
    return pages;
}

static void unmap_add(struct iommu_batch *batch, const struct dma_domain *domain, uint64_t first,
                      uint32_t pages) {
    const struct viommu_request request = { .kind = VIOMMU_UNMAP,
                                            .domain = domain->number,
                                            .first = first,
                                            .last = first + ((uint64_t)pages << PAGE_SHIFT) - 1 };
    iommu_batch_add(batch, &request);
}

// A domain that is gone has nothing mapped. Any other refusal leaves it open what is.
static enum hx_status unmap_end(struct iommu_batch *batch) {
    enum hx_status status = iommu_batch_end(batch);
    return status == HX_OK || status == HX_ERR_NOT_FOUND ? HX_OK : HX_ERR_IO;
}

// One request for each run of pages that lie behind each other.
static enum hx_status pages_map(const struct dma_domain *domain, uint64_t first,
                                const void *const *pages, uint32_t count, uint32_t access) {
    struct iommu_batch batch;
    iommu_batch_begin(&batch, domain->iommu);
    for (uint32_t begin = 0, end; begin < count; begin = end) {
        const uint64_t physical = hal_virt_to_phys(pages[begin]).value;
        end = begin + 1;
        while (end < count && hal_virt_to_phys(pages[end]).value ==
                                  physical + ((uint64_t)(end - begin) << PAGE_SHIFT)) {
            end++;
        }
        const struct viommu_request request = {
            .kind = VIOMMU_MAP,
            .domain = domain->number,
            .first = first + ((uint64_t)begin << PAGE_SHIFT),
            .last = first + ((uint64_t)end << PAGE_SHIFT) - 1,
            .physical = physical,
            .flags = access,
        };
        iommu_batch_add(&batch, &request);
    }
    return iommu_batch_end(&batch);
}

// All that is left where an IOMMU does not do what it should: without its registers' leave a device
// on PCI writes nothing, if it keeps to PCI's rules at least. For good.
static enum hx_status fence(const struct io_device *device) {
    log_error("%s: the IOMMU does not unmap; the device is turned off", device->name);
    pci_device_off(device);
    return HX_ERR_IO;
}

// Of INJECT_DMA: the device is told of an address where it was lent something once.
static void forget(const struct dma_domain *domain, uint64_t first, uint32_t count) {
    struct iommu_batch batch;
    iommu_batch_begin(&batch, domain->iommu);
    unmap_add(&batch, domain, first, count);
    HX_IGNORE(unmap_end(&batch)); // the test sees what comes of it
}

// Some may be mapped.
static void map_undo(const struct io_device *device, uint64_t first, uint32_t count) {
    struct iommu_batch batch;
    iommu_batch_begin(&batch, device->domain->iommu);
    unmap_add(&batch, device->domain, first, count);
    if (unmap_end(&batch) == HX_OK) {
        place_give(device->domain, first);
    } else {
        HX_IGNORE(
            fence(device)); // the caller is told that nothing is mapped, and more cannot be done
    }
}

static enum hx_status bound_map(const struct io_device *device, const void *const *pages,
                                uint32_t count, uint32_t access, uint64_t *out_addresses) {
    struct dma_domain *domain = device->domain;
    uint64_t first = 0;
    enum hx_status status = place_take(domain, count, &first);
    if (status != HX_OK) {
        return status;
    }
    status = pages_map(domain, first, pages, count, access);
    if (status != HX_OK) {
        map_undo(device, first, count);
        return status == HX_ERR_NO_MEMORY ? status : HX_ERR_IO;
    }
    if (inject_strikes(INJECT_DMA)) {
        forget(domain, first, count);
    }
    for (uint32_t i = 0; i < count; i++) {
        out_addresses[i] = first + ((uint64_t)i << PAGE_SHIFT);
    }
    return HX_OK;
}

enum hx_status io_dma_map(const struct io_device *device, const void *const *pages, uint32_t count,
                          uint32_t access, uint64_t *out_addresses) {
    if (count == 0 || count > IO_DMA_PAGES_MAX) {
        return HX_ERR_INVALID;
    }
    if (io_dma_is_bound(device)) {
        return bound_map(device, pages, count, access, out_addresses);
    }
    for (uint32_t i = 0; i < count; i++) {
        out_addresses[i] = hal_virt_to_phys(pages[i]).value;
    }
    return HX_OK;
}

static enum hx_status bound_unmap(const struct io_device *device, const uint64_t *addresses,
                                  uint32_t count) {
    struct dma_domain *domain = device->domain;
    struct iommu_batch batch;
    for (uint32_t i = 0; i < count; i++) {
        if (place_pages(domain, addresses[i]) == 0) {
            return HX_ERR_INVALID;
        }
    }
    iommu_batch_begin(&batch, domain->iommu);
    for (uint32_t i = 0; i < count; i++) {
        unmap_add(&batch, domain, addresses[i], place_pages(domain, addresses[i]));
    }
    if (unmap_end(&batch) != HX_OK) {
        return fence(device);
    }
    for (uint32_t i = 0; i < count; i++) {
        place_give(domain, addresses[i]);
    }
    return HX_OK;
}

enum hx_status io_dma_unmap(const struct io_device *device, const uint64_t *addresses,
                            uint32_t count) {
    return io_dma_is_bound(device) ? bound_unmap(device, addresses, count) : HX_OK;
}

// Domains
// ------------------------------------------------------------------------------------------------

static enum hx_status domain_ask(const struct dma_domain *domain, enum viommu_kind kind) {
    const struct viommu_request request = { .kind = kind,
                                            .domain = domain->number,
                                            .endpoint = domain->endpoint };
    struct iommu_batch batch;
    iommu_batch_begin(&batch, domain->iommu);
    iommu_batch_add(&batch, &request);
    return iommu_batch_end(&batch);
}

static void state_set(struct dma_domain *domain, enum domain_state state) {
    spin_lock(&domain->lock);
    domain->state = state;
    spin_unlock(&domain->lock);
}

static uint32_t peek_read(void *context, uint32_t window, uint32_t offset, uint32_t bytes) {
    const volatile uint8_t *at = device_register(context, window, offset, bytes);
    return at != NULL ? hal_device_read(at, bytes) : UINT32_MAX;
}

static void peek_write(void *context, uint32_t window, uint32_t offset, uint32_t bytes,
                       uint32_t value) {
    volatile uint8_t *at = device_register(context, window, offset, bytes);
    if (at != NULL) {
        hal_device_write(at, bytes, value);
    }
}

static uint32_t peek_config(const void *context, uint32_t offset) {
    return io_device_config(context, offset);
}

static bool is_virtio(const struct io_device *device) {
    return strncmp(device->name, "virtio:", 7) == 0;
}

// Keeps `config`, for devices on PCI.
static enum hx_status peek_open(struct io_device *device, struct pci_config *config,
                                struct virtio *out_virtio) {
    *config = (struct pci_config){ .read = peek_config, .context = device };
    const struct virtio_access access = { peek_read, peek_write,
                                          device->function != IO_NO_FUNCTION ? config : NULL,
                                          device };
    return virtio_open(out_virtio, &access);
}

// A virtio device says whether its addresses are translated (Virtio 1.2, 6.1). One that says no and
// is translated all the same reaches nothing. Messages do not come from the device's own part but
// from PCI's, and are translated: it is attached in any case.
static bool is_translated(struct io_device *device) {
    struct pci_config config;
    struct virtio virtio;
    return !is_virtio(device) || peek_open(device, &config, &virtio) != HX_OK ||
           (virtio_offered(&virtio) & VIRTIO_FEATURE_PLATFORM) != 0;
}

bool virtio_device_reset(struct io_device *device) {
    struct pci_config config;
    struct virtio virtio;
    return is_virtio(device) && peek_open(device, &config, &virtio) == HX_OK &&
           virtio_reset(&virtio) == HX_OK;
}

// No IOMMU translates for it, as firmware says, where there is one for others.
static bool is_beside(const struct io_device *device) {
    uint32_t function;
    uint32_t endpoint;
    return has_iommu && (device->function == IO_NO_FUNCTION ||
                         !hal_pci_iommu(device->function, &function, &endpoint));
}

enum hx_status dma_begin(struct io_device *device) {
    if (is_beside(device)) {
        log_warning("%s: not behind the IOMMU; its DMA is trusted", device->name);
    }
    struct dma_domain *domain = device->domain;
    if (domain == NULL) {
        return HX_OK;
    }
    if (!is_translated(device)) {
        log_warning("%s: goes past the IOMMU; its DMA is trusted", device->name);
        domain->is_passed = true;
    }
    enum hx_status status = domain_ask(domain, VIOMMU_ATTACH);
    if (status == HX_OK) {
        // Nothing is mapped in a new domain.
        domain->doorbell_count = 0;
        dma_space_clear(&domain->space);
        state_set(domain, DOMAIN_ON);
    }
    return status == HX_OK ? HX_OK : HX_ERR_IO;
}

enum hx_status dma_end(const struct io_device *device) {
    struct dma_domain *domain = device->domain;
    if (domain == NULL) {
        return HX_ERR_NOT_SUPPORTED;
    }
    const enum hx_status done = domain->is_passed ? HX_ERR_NOT_SUPPORTED : HX_OK;
    spin_lock(&domain->lock);
    const bool is_off = domain->state == DOMAIN_OFF;
    domain->state = is_off ? DOMAIN_OFF : DOMAIN_ENDING;
    spin_unlock(&domain->lock);
    if (is_off) {
        return done;
    }
    // Who comes at the same time asks, too: the second answer is that nothing is attached.
    enum hx_status status = domain_ask(domain, VIOMMU_DETACH);
    if (status != HX_OK && status != HX_ERR_INVALID && status != HX_ERR_NOT_FOUND) {
        return HX_ERR_IO;
    }
    state_set(domain, DOMAIN_OFF);
    return done;
}

// Several messages may have one; mapping a page twice is refused (Virtio 1.2, 5.13.6.5).
static bool is_mapped_doorbell(const struct dma_domain *domain, uint64_t page) {
    for (uint32_t i = 0; i < domain->doorbell_count; i++) {
        if (domain->doorbells[i] == page) {
            return true;
        }
    }
    return false;
}

// The page of a register that is no memory, at its own address.
enum hx_status dma_doorbell(const struct io_device *device, uint64_t address) {
    struct dma_domain *domain = device->domain;
    const uint64_t page = ALIGN_DOWN(address, (uint64_t)PAGE_SIZE);
    if (domain == NULL || viommu_is_doorbell(&domain->regions, address) ||
        is_mapped_doorbell(domain, page)) {
        return HX_OK;
    }
    const struct viommu_limits *limits = iommu_limits(domain->iommu);
    const struct viommu_request request = { .kind = VIOMMU_MAP,
                                            .domain = domain->number,
                                            .first = page,
                                            .last = page + PAGE_SIZE - 1,
                                            .physical = page,
                                            .flags = VIOMMU_WRITE };
    struct iommu_batch batch;
    if (page < limits->input_first || request.last > limits->input_last ||
        page - domain->space.first < DMA_SPACE_BYTES || domain->doorbell_count == DOORBELLS_MAX) {
        return HX_ERR_NOT_SUPPORTED;
    }
    iommu_batch_begin(&batch, domain->iommu);
    iommu_batch_add(&batch, &request);
    if (iommu_batch_end(&batch) != HX_OK) {
        return HX_ERR_NOT_SUPPORTED;
    }
    domain->doorbells[domain->doorbell_count++] = page;
    return HX_OK;
}

// Which devices have one
// ------------------------------------------------------------------------------------------------

static enum hx_status domain_make(struct io_device *device, struct iommu *iommu,
                                  uint32_t endpoint) {
    struct dma_domain *domain = heap_alloc_zero(sizeof(*domain), MEMORY_SLEEP);
    if (domain == NULL) {
        return HX_ERR_NO_MEMORY;
    }
    domain->iommu = iommu;
    domain->endpoint = endpoint;
    spinlock_init(&domain->lock, &domain_class);
    enum hx_status status = iommu_domain_number(iommu, &domain->number) ? HX_OK : HX_ERR_LIMIT;
    if (status == HX_OK) {
        status = iommu_probe(iommu, endpoint, &domain->regions);
    }
    if (status == HX_OK) {
        status = dma_space_init(&domain->space, iommu_limits(iommu), &domain->regions);
    }
    if (status != HX_OK) {
        heap_free(domain);
        return status;
    }
    device->domain = domain;
    return HX_OK;
}

// A device without a domain is attached to nothing, so it does not work rather than reach all.
static void domains_make(struct io_device *device, struct iommu *iommu) {
    struct io_device *behind;
    for (uint32_t i = 0; (behind = device_at(i)) != NULL; i++) {
        uint32_t function;
        uint32_t endpoint;
        if (behind == device || behind->function == IO_NO_FUNCTION ||
            !hal_pci_iommu(behind->function, &function, &endpoint) ||
            function != device->function) {
            continue;
        }
        enum hx_status status = domain_make(behind, iommu, endpoint);
        if (status != HX_OK) {
            log_error("%s: no addresses behind the IOMMU: %s", behind->name,
                      hx_status_name(status));
        }
    }
}

void dma_find(void) {
    struct io_device *device;
    bool is_found = false;
    has_iommu = false;
    for (uint32_t i = 0; io_device_take("virtio:23", i, NULL, &device) == HX_OK; i++) {
        struct iommu *iommu = device->function != IO_NO_FUNCTION ? iommu_start(device) : NULL;
        if (iommu != NULL) {
            domains_make(device, iommu);
            is_found = true;
        }
    }
    has_iommu = is_found;
    log_info("io: %s", is_found ? "IOMMU: devices behind it reach what their drivers were given"
                                : "no IOMMU: DMA is trusted, devices reach all memory");
}

// Faults
// ------------------------------------------------------------------------------------------------

static const struct io_device *device_of(const struct iommu *iommu, uint32_t endpoint) {
    const struct io_device *device;
    for (uint32_t i = 0; (device = io_device_at(i)) != NULL; i++) {
        const struct dma_domain *domain = device->domain;
        if (domain != NULL && domain->iommu == iommu && domain->endpoint == endpoint) {
            return device;
        }
    }
    return NULL;
}

// Whether one more is shown. All in one thread for each IOMMU; with two of them a line too many or
// too few is no harm.
static bool fault_is_shown(void) {
    static _Atomic time_ns_t window;
    static _Atomic uint32_t shown;
    const time_ns_t now = time_now();
    if (now - atomic_load_explicit(&window, memory_order_relaxed) >= FAULTS_NS) {
        atomic_store_explicit(&window, now, memory_order_relaxed);
        atomic_store_explicit(&shown, 0, memory_order_relaxed);
    }
    return atomic_fetch_add_explicit(&shown, 1, memory_order_relaxed) < FAULTS_SHOWN;
}

void dma_fault(const struct iommu *iommu, const struct viommu_fault *fault) {
    const struct io_device *device = device_of(iommu, fault->endpoint);
    const char *what = (fault->flags & VIOMMU_WRITE) != 0  ? "a write"
                       : (fault->flags & VIOMMU_READ) != 0 ? "a read"
                                                           : "an access"; // it does not say
    trace(TRACE_DMA_FAULT, (uint64_t)fault->endpoint << 32 | fault->flags, fault->address);
    if (fault_is_shown()) {
        log_warning("%s (endpoint %u): %s of memory at %#lx was refused: %s",
                    device != NULL ? device->name : "a device", fault->endpoint, what,
                    (unsigned long)fault->address, fault->reason);
    }
}
