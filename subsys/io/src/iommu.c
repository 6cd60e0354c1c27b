// SPDX-License-Identifier: MIT OR Apache-2.0
// iommu.c: virtio's IOMMU. Section numbers are those of Virtual I/O Device 1.2.
//
// A request takes a slot, with the bytes that the device reads and those that it answers, until it
// is answered. Whoever waits asks the queue himself: no interrupt is needed, since the thread that
// would hear it may be the one that waits. The event queue has one, and its thread alone uses it.
#include "dma.h"

#include <core/lock.h>
#include <core/log.h>
#include <core/thread.h>
#include <core/time.h>
#include <io/iommu.h>
#include <lib/string.h>
#include <lib/virtio.h>
#include <lib/virtqueue.h>
#include <memory/frame.h>
#include <memory/heap.h>

#define REQUEST_QUEUE 0u // 5.13.2
#define EVENT_QUEUE   1u

#define REQUESTS     64u  // at a time
#define REQUEST_SIZE 128u // of the queue: two descriptors each
#define EVENTS       16u
#define SLOT_BYTES   80u // VIOMMU_REQUEST_MAX, then the answer
#define PATIENCE_NS  ((time_ns_t)5 * 1000000000)
#define SPIN_NS      ((time_ns_t)100 * 1000)
#define IOMMUS_MAX   4u

// What the device sees.
#define REQUEST_QUEUE_AT 0u
#define EVENT_QUEUE_AT   ((size_t)2 * VIRTQUEUE_ALIGN)
#define SLOTS_AT         ((size_t)4 * VIRTQUEUE_ALIGN)
#define EVENTS_AT        ((size_t)6 * VIRTQUEUE_ALIGN)
#define PROBE_AT         ((size_t)7 * VIRTQUEUE_ALIGN)
#define MEMORY_ORDER     3u

_Static_assert(REQUESTS *SLOT_BYTES <= 2 * VIRTQUEUE_ALIGN, "slots");
_Static_assert(VIOMMU_REQUEST_MAX + VIOMMU_TAIL_BYTES <= SLOT_BYTES, "a slot");
_Static_assert(VIOMMU_PROPERTIES_MAX + VIOMMU_TAIL_BYTES <= VIRTQUEUE_ALIGN, "a probe's answer");

struct slot {
    struct slot *next; // of the free ones
    struct iommu_batch *batch;
    const uint8_t *tail;
    uint32_t answer_bytes; // with the tail
};

struct iommu {
    struct io_device *device;
    struct pci_config config;
    struct virtio virtio;
    struct viommu_limits limits;
    uint32_t next_domain; // boot context
    uint8_t *memory;
    uint64_t address;
    struct spinlock lock;
    bool is_dead;                               // [lock] nothing goes there any more
    struct virtqueue requests;                  // [lock]
    struct virtqueue_slot chains[REQUEST_SIZE]; // [lock]
    struct slot slots[REQUESTS];                // [lock]
    struct slot *free;                          // [lock]
    // The event queue's thread alone:
    struct virtqueue events;
    struct virtqueue_slot event_chains[EVENTS];
};

static const struct lock_class iommu_class = { "IOMMU", LOCK_RANK_WAITABLE - 1, false };
static struct iommu *iommus[IOMMUS_MAX]; // boot context writes
static uint32_t iommu_count;

// Registers
// ------------------------------------------------------------------------------------------------

static uint32_t window_read(void *context, uint32_t window, uint32_t offset, uint32_t bytes) {
    const struct iommu *iommu = context;
    const volatile uint8_t *at = device_register(iommu->device, window, offset, bytes);
    return at != NULL ? hal_device_read(at, bytes) : UINT32_MAX;
}

static void window_write(void *context, uint32_t window, uint32_t offset, uint32_t bytes,
                         uint32_t value) {
    const struct iommu *iommu = context;
    volatile uint8_t *at = device_register(iommu->device, window, offset, bytes);
    if (at != NULL) {
        hal_device_write(at, bytes, value);
    }
}

static uint32_t config_read(const void *context, uint32_t offset) {
    const struct iommu *iommu = context;
    return io_device_config(iommu->device, offset);
}

// Answers
// ------------------------------------------------------------------------------------------------

static void slot_end_locked(struct iommu *iommu, struct slot *slot, enum hx_status status) {
    struct iommu_batch *batch = slot->batch;
    batch->status = batch->status == HX_OK ? status : batch->status;
    batch->pending--;
    slot->next = iommu->free;
    iommu->free = slot;
}

// Its slots are not used any more, so the device may still write to them.
static void die_locked(struct iommu *iommu, const char *why) {
    struct slot *slot;
    if (!iommu->is_dead) {
        log_error("%s: %s; no device gets memory from here on", iommu->device->name, why);
    }
    iommu->is_dead = true;
    while ((slot = virtqueue_reclaim(&iommu->requests)) != NULL) {
        slot_end_locked(iommu, slot, HX_ERR_IO);
    }
}

// Takes what was answered, whoever asked for it.
static void collect_locked(struct iommu *iommu) {
    void *token = NULL;
    uint32_t bytes = 0;
    enum hx_status status = iommu->is_dead ? HX_ERR_WOULD_BLOCK : HX_OK;
    while (status == HX_OK) {
        status = virtqueue_take(&iommu->requests, &token, &bytes);
        if (status == HX_OK) {
            struct slot *slot = token;
            const uint8_t answer = *(const volatile uint8_t *)slot->tail; // once
            slot_end_locked(iommu, slot,
                            bytes == slot->answer_bytes ? viommu_answer(answer) : HX_ERR_IO);
        }
    }
    if (status == HX_ERR_CORRUPT) {
        die_locked(iommu, "it makes no sense");
    }
}

// One look at the queue by somebody who has waited since `began` for an answer.
static void wait_a_little(struct iommu *iommu, time_ns_t began) {
    const time_ns_t now = time_now();
    if (now - began < SPIN_NS) {
        hal_relax();
    } else if (now - began < PATIENCE_NS) {
        (void)thread_sleep_until(now + SPIN_NS, 0);
    } else {
        spin_lock(&iommu->lock);
        die_locked(iommu, "it does not answer");
        spin_unlock(&iommu->lock);
    }
}

// Requests
// ------------------------------------------------------------------------------------------------

static void publish_locked(struct iommu *iommu) {
    if (!iommu->is_dead && virtqueue_publish(&iommu->requests)) {
        virtio_notify(&iommu->virtio, REQUEST_QUEUE);
    }
}

// False: no room.
static bool add_locked(struct iommu_batch *batch, const struct viommu_request *request,
                       const struct virtqueue_piece *properties) {
    struct iommu *iommu = batch->iommu;
    struct slot *slot = iommu->free;
    if (slot == NULL) {
        return false;
    }
    const size_t at = SLOTS_AT + (size_t)(slot - iommu->slots) * SLOT_BYTES;
    const uint32_t bytes = viommu_request_write(request, iommu->memory + at);
    const struct virtqueue_piece tail = { iommu->address + at + VIOMMU_REQUEST_MAX,
                                          VIOMMU_TAIL_BYTES, true };
    struct virtqueue_piece pieces[] = { { iommu->address + at, bytes, false }, tail, tail };
    if (properties != NULL) {
        pieces[1] = *properties;
    }
    memset(iommu->memory + at + VIOMMU_REQUEST_MAX, UINT8_MAX, VIOMMU_TAIL_BYTES);
    if (!virtqueue_add(&iommu->requests, pieces, properties != NULL ? 3 : 2, slot)) {
        return false;
    }
    iommu->free = slot->next;
    slot->batch = batch;
    slot->tail = iommu->memory + at + VIOMMU_REQUEST_MAX;
    slot->answer_bytes = VIOMMU_TAIL_BYTES + (properties != NULL ? properties->size_bytes : 0);
    batch->pending++;
    return true;
}

void iommu_batch_begin(struct iommu_batch *batch, struct iommu *iommu) {
    *batch = (struct iommu_batch){ .iommu = iommu };
}

static void batch_add(struct iommu_batch *batch, const struct viommu_request *request,
                      const struct virtqueue_piece *properties) {
    struct iommu *iommu = batch->iommu;
    const time_ns_t began = time_now();
    for (;;) {
        spin_lock(&iommu->lock);
        if (iommu->is_dead) {
            batch->status = HX_ERR_IO;
        }
        const bool is_over = iommu->is_dead || add_locked(batch, request, properties);
        if (!is_over) {
            publish_locked(iommu);
            collect_locked(iommu);
        }
        spin_unlock(&iommu->lock);
        if (is_over) {
            return;
        }
        wait_a_little(iommu, began);
    }
}

void iommu_batch_add(struct iommu_batch *batch, const struct viommu_request *request) {
    batch_add(batch, request, NULL);
}

enum hx_status iommu_batch_end(struct iommu_batch *batch) {
    struct iommu *iommu = batch->iommu;
    const time_ns_t began = time_now();
    spin_lock(&iommu->lock);
    publish_locked(iommu);
    for (;;) {
        collect_locked(iommu);
        if (batch->pending == 0) {
            break;
        }
        spin_unlock(&iommu->lock);
        wait_a_little(iommu, began);
        spin_lock(&iommu->lock);
    }
    enum hx_status status = batch->status;
    spin_unlock(&iommu->lock);
    return status;
}

enum hx_status iommu_probe(struct iommu *iommu, uint32_t endpoint,
                           struct viommu_regions *out_regions) {
    const struct viommu_request request = { .kind = VIOMMU_PROBE, .endpoint = endpoint };
    const struct virtqueue_piece properties = { iommu->address + PROBE_AT,
                                                iommu->limits.probe_bytes, true };
    struct iommu_batch batch;
    *out_regions = (struct viommu_regions){ 0 };
    if (iommu->limits.probe_bytes == 0) {
        return HX_OK;
    }
    iommu_batch_begin(&batch, iommu);
    batch_add(&batch, &request, &properties);
    enum hx_status status = iommu_batch_end(&batch);
    if (status != HX_OK) {
        return status;
    }
    uint8_t *copy = heap_alloc(iommu->limits.probe_bytes, MEMORY_SLEEP);
    if (copy == NULL) {
        return HX_ERR_NO_MEMORY;
    }
    memcpy(copy, iommu->memory + PROBE_AT, iommu->limits.probe_bytes);
    status = viommu_regions_read(copy, iommu->limits.probe_bytes, out_regions);
    heap_free(copy);
    return status;
}

const struct viommu_limits *iommu_limits(const struct iommu *iommu) {
    return &iommu->limits;
}

bool iommu_domain_number(struct iommu *iommu, uint32_t *out_number) {
    *out_number = iommu->next_domain;
    return iommu->next_domain++ < iommu->limits.domain_last;
}

// Faults
// ------------------------------------------------------------------------------------------------

static void event_add(struct iommu *iommu, uint8_t *bytes) {
    const uint64_t at = iommu->address + (uint64_t)(bytes - iommu->memory);
    const struct virtqueue_piece piece = { at, VIOMMU_FAULT_BYTES, true };
    (void)virtqueue_add(&iommu->events, &piece, 1, bytes); // the place that was taken, or all
}

static void events_show(struct iommu *iommu) {
    if (virtqueue_publish(&iommu->events)) {
        virtio_notify(&iommu->virtio, EVENT_QUEUE);
    }
}

void io_iommu_interrupt(void *context) {
    struct iommu *iommu = context;
    void *token;
    uint32_t bytes;
    // Relaxed: set once, at boot. Asking lowers the line.
    if (!atomic_load_explicit(&iommu->device->is_message, memory_order_relaxed)) {
        (void)virtio_interrupt(&iommu->virtio);
    }
    while (virtqueue_take(&iommu->events, &token, &bytes) == HX_OK) {
        uint8_t copy[VIOMMU_FAULT_BYTES];
        struct viommu_fault fault;
        memcpy(copy, token, sizeof(copy)); // the device may change it at any time
        event_add(iommu, token);
        events_show(iommu);
        if (viommu_fault_read(copy, bytes, &fault) == HX_OK) {
            dma_fault(iommu, &fault);
        }
    }
}

// Start
// ------------------------------------------------------------------------------------------------

// What it does not offer has no bounds (5.13.3).
static enum hx_status limits_read(struct iommu *iommu) {
    const struct virtio *virtio = &iommu->virtio;
    struct viommu_limits *limits = &iommu->limits;
    *limits = (struct viommu_limits){ .pages = virtio_config(virtio, VIOMMU_CONFIG_PAGES, 8),
                                      .input_last = UINT64_MAX,
                                      .domain_last = UINT32_MAX };
    if ((virtio->features & VIOMMU_FEATURE_MAP) == 0) {
        return HX_ERR_NOT_SUPPORTED;
    }
    if ((virtio->features & VIOMMU_FEATURE_INPUT_RANGE) != 0) {
        limits->input_first = virtio_config(virtio, VIOMMU_CONFIG_INPUT_FIRST, 8);
        limits->input_last = virtio_config(virtio, VIOMMU_CONFIG_INPUT_LAST, 8);
    }
    if ((virtio->features & VIOMMU_FEATURE_DOMAIN_RANGE) != 0) {
        limits->domain_first = (uint32_t)virtio_config(virtio, VIOMMU_CONFIG_DOMAIN_FIRST, 4);
        limits->domain_last = (uint32_t)virtio_config(virtio, VIOMMU_CONFIG_DOMAIN_LAST, 4);
    }
    if ((virtio->features & VIOMMU_FEATURE_PROBE) != 0) {
        limits->probe_bytes = (uint32_t)virtio_config(virtio, VIOMMU_CONFIG_PROBE_BYTES, 4);
    }
    iommu->next_domain = limits->domain_first;
    return limits->probe_bytes <= VIOMMU_PROPERTIES_MAX ? viommu_limits_check(limits)
                                                        : HX_ERR_NOT_SUPPORTED;
}

static enum hx_status memory_take(struct iommu *iommu) {
    struct frame *frame = frame_alloc_order(MEMORY_ORDER, MEMORY_SLEEP);
    if (frame == NULL) {
        return HX_ERR_NO_MEMORY;
    }
    iommu->memory = frame_data(frame);
    iommu->address = frame_address(frame).value;
    memset(iommu->memory, 0, (size_t)PAGE_SIZE << MEMORY_ORDER);
    virtqueue_init(&iommu->requests, REQUEST_SIZE, iommu->memory + REQUEST_QUEUE_AT, iommu->chains);
    virtqueue_init(&iommu->events, EVENTS, iommu->memory + EVENT_QUEUE_AT, iommu->event_chains);
    virtqueue_quiet(&iommu->requests);
    for (uint32_t i = 0; i < REQUESTS; i++) {
        iommu->slots[i].next = iommu->free;
        iommu->free = &iommu->slots[i];
    }
    return HX_OK;
}

static enum hx_status queues_set(struct iommu *iommu) {
    const bool is_message = atomic_load_explicit(&iommu->device->is_message, memory_order_relaxed);
    if (virtio_queue_room(&iommu->virtio, REQUEST_QUEUE) < REQUEST_SIZE ||
        virtio_queue_room(&iommu->virtio, EVENT_QUEUE) < EVENTS) {
        return HX_ERR_NOT_SUPPORTED;
    }
    enum hx_status status = virtio_queue_set(&iommu->virtio, REQUEST_QUEUE, REQUEST_SIZE,
                                             iommu->address + REQUEST_QUEUE_AT, VIRTIO_NO_VECTOR);
    if (status == HX_OK) {
        status =
            virtio_queue_set(&iommu->virtio, EVENT_QUEUE, EVENTS, iommu->address + EVENT_QUEUE_AT,
                             is_message ? 0 : VIRTIO_NO_VECTOR);
    }
    return status;
}

// 3.1.1, then who is attached to nothing reaches nothing. A device that has no such switch does so
// from the beginning, unless it is told otherwise (5.13.6.3).
static enum hx_status go(struct iommu *iommu) {
    enum hx_status status = limits_read(iommu);
    if (status == HX_OK) {
        status = memory_take(iommu);
    }
    if (status == HX_OK) {
        (void)io_device_line(iommu->device);
        status = queues_set(iommu);
    }
    if (status != HX_OK) {
        return status;
    }
    virtio_go(&iommu->virtio);
    if ((iommu->virtio.features & VIOMMU_FEATURE_BYPASS_CONFIG) != 0) {
        virtio_config_set(&iommu->virtio, VIOMMU_CONFIG_BYPASS, 0);
    }
    for (uint32_t i = 0; i < EVENTS; i++) {
        event_add(iommu, iommu->memory + EVENTS_AT + ((size_t)i * VIOMMU_FAULT_BYTES));
    }
    events_show(iommu);
    return HX_OK;
}

static enum hx_status iommu_open(struct iommu *iommu) {
    const struct virtio_access access = {
        .read = window_read,
        .write = window_write,
        .config = &iommu->config,
        .context = iommu,
    };
    iommu->config = (struct pci_config){ .read = config_read, .context = iommu };
    spinlock_init(&iommu->lock, &iommu_class);
    enum hx_status status = virtio_open(&iommu->virtio, &access);
    if (status == HX_OK) {
        status =
            virtio_start(&iommu->virtio, VIOMMU_FEATURE_INPUT_RANGE | VIOMMU_FEATURE_DOMAIN_RANGE |
                                             VIOMMU_FEATURE_MAP | VIOMMU_FEATURE_PROBE |
                                             VIOMMU_FEATURE_BYPASS_CONFIG);
    }
    return status == HX_OK ? go(iommu) : status;
}

// A device that does not reset may know of its memory.
static void iommu_drop(struct iommu *iommu) {
    if (iommu->memory == NULL) {
        heap_free(iommu);
    } else if (virtio_reset(&iommu->virtio) == HX_OK) {
        frame_put(frame_of(paddr_make(iommu->address)));
        heap_free(iommu);
    }
}

struct iommu *iommu_start(struct io_device *device) {
    struct iommu *iommu =
        iommu_count < IOMMUS_MAX ? heap_alloc_zero(sizeof(*iommu), MEMORY_SLEEP) : NULL;
    enum hx_status status = iommu == NULL ? HX_ERR_NO_MEMORY : HX_OK;
    if (status == HX_OK) {
        iommu->device = device;
        status = iommu_open(iommu);
    }
    if (status != HX_OK) {
        log_error("%s: the IOMMU is not used: %s", device->name, hx_status_name(status));
        if (iommu != NULL) {
            iommu_drop(iommu);
        }
        return NULL;
    }
    iommus[iommu_count++] = iommu;
    return iommu;
}

bool io_iommu_at(uint32_t index, struct io_device **out_device, void **out_context) {
    if (index >= iommu_count) {
        return false;
    }
    *out_device = iommus[index]->device;
    *out_context = iommus[index];
    return true;
}
