// SPDX-License-Identifier: MIT OR Apache-2.0
// What a device behind an IOMMU reaches: of src/dma.c and src/iommu.c, beside a simulated IOMMU
// that works, is slow, is silent, refuses, or lies.
#include "../src/dma.c"
#include "../src/iommu.c"

#include <check.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#define MAPPINGS 8u
#define FUNCTION 24u // of the device; the IOMMU is function 16
#define ENDPOINT 0x1018u
#define NOTHING  256u

uint64_t hosted_direct_base;
_Atomic uint32_t inject_armed[INJECT_KIND_COUNT];

bool inject_draw(enum inject_kind kind) {
    return kind == INJECT_DMA;
}

static struct io_device devices[] = {
    { .name = "virtio:23", .function = 16 },
    { .name = "virtio:2", .function = FUNCTION },
    { .name = "pci1,2", .function = 32 }, // nobody translates for it
};

static struct {
    struct mapping {
        uint64_t first, last, physical;
        uint32_t flags;
    } mappings[MAPPINGS];
    uint32_t attached; // to which domain
    bool is_attached;
    uint64_t parts[2]; // where its queues are
    uint16_t seen;
    uint8_t config[40];
    uint8_t bypass;
    uint64_t features;
    uint32_t requests;
    uint32_t refuses; // a kind
    uint8_t with;     // what it says then
    uint32_t after;   // so many of that kind
    uint32_t slow;    // looks until it does something
    bool is_silent, is_short, is_mad;
    uint64_t doorbells; // a region; 0: none
    bool is_physical;   // the device's features lack PLATFORM
    bool has_small_queues;
} chip;

static time_ns_t now;
static uint32_t sleeps;
static uint32_t allocations; // until one is refused; 0: none is
static uint32_t masters_off, frames_put;

// What it calls -----------------------------------------------------------------------------------

time_ns_t time_now(void) {
    return now += 1000;
}

static void chip_work(void);

bool thread_sleep_until(time_ns_t deadline, uint32_t flags) {
    (void)flags;
    sleeps++;
    now = deadline;
    chip.slow -= chip.slow != 0;
    chip_work();
    return true;
}

static uint32_t warnings, traces;
static char last_line[256];

void log_write(enum log_level level, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(last_line, sizeof(last_line), format, arguments);
    va_end(arguments);
    warnings += level == LOG_WARNING;
}

void trace(enum trace_type type, uint64_t first, uint64_t second) {
    CHECK(type == TRACE_DMA_FAULT);
    (void)first;
    (void)second;
    traces++;
}

static bool is_refused(void) {
    return allocations != 0 && --allocations == 0;
}

void *heap_alloc(size_t size_bytes, enum memory_mode mode) {
    (void)mode;
    return is_refused() ? NULL : malloc(size_bytes);
}

void *heap_alloc_zero(size_t size_bytes, enum memory_mode mode) {
    (void)mode;
    return is_refused() ? NULL : calloc(1, size_bytes);
}

void heap_free(void *memory) {
    free(memory);
}

static struct frame frame;
static alignas(4096) uint8_t shared[8 * 4096];

struct frame *frame_alloc_order(uint32_t order, enum memory_mode mode) {
    (void)mode;
    CHECK(order == 3);
    return is_refused() ? NULL : &frame;
}

// What the machine's address is, here.
static void *host(uint64_t physical) {
    return hal_phys_to_virt(paddr_make(physical));
}

void spinlock_init(struct spinlock *lock, const struct lock_class *lock_class) {
    lock->lock_class = lock_class;
}

void hosted_relax(void) {}

HX_ATTR(no_thread_safety_analysis) void spin_lock(struct spinlock *lock) {
    (void)lock;
}

HX_ATTR(no_thread_safety_analysis) void spin_unlock(struct spinlock *lock) {
    (void)lock;
}

struct io_device *device_at(uint32_t index) {
    return index < ARRAY_SIZE(devices) ? &devices[index] : NULL;
}

const struct io_device *io_device_at(uint32_t index) {
    return device_at(index);
}

enum hx_status io_device_take(const char *name, uint32_t index, const char *owner,
                              struct io_device **out_device) {
    CHECK(owner == NULL);
    CHECK(strcmp(name, "virtio:23") == 0);
    *out_device = &devices[0];
    return index == 0 ? HX_OK : HX_ERR_NOT_FOUND;
}

uint32_t io_device_line(struct io_device *device) {
    return device->line;
}

uint32_t io_device_config(const struct io_device *device, uint32_t offset) {
    (void)device;
    (void)offset;
    return UINT32_MAX;
}

volatile uint8_t *device_register(const struct io_device *device, uint32_t window, uint32_t offset,
                                  uint32_t bytes) {
    (void)device;
    (void)window;
    (void)offset;
    (void)bytes;
    return NULL;
}

uint32_t hal_device_read(const volatile void *address, uint32_t bytes) {
    (void)address;
    (void)bytes;
    return UINT32_MAX;
}

void hal_device_write(volatile void *address, uint32_t bytes, uint32_t value) {
    (void)address;
    (void)bytes;
    (void)value;
}

void pci_device_off(const struct io_device *device) {
    CHECK(device == &devices[1]);
    masters_off++;
}

bool hal_pci_iommu(uint32_t function, uint32_t *out_iommu, uint32_t *out_endpoint) {
    *out_iommu = 16;
    *out_endpoint = ENDPOINT;
    return function == FUNCTION;
}

// The chip ----------------------------------------------------------------------------------------

static uint64_t u64_at(const uint8_t *from) {
    uint64_t value;
    memcpy(&value, from, 8);
    return value;
}

static uint32_t u32_at(const uint8_t *from) {
    uint32_t value;
    memcpy(&value, from, 4);
    return value;
}

static uint8_t chip_map(const uint8_t *request) {
    for (uint32_t i = 0; i < MAPPINGS; i++) {
        const struct mapping *mapping = &chip.mappings[i];
        if (mapping->flags != 0 && mapping->first <= u64_at(request + 16) &&
            mapping->last >= u64_at(request + 8)) {
            return 4; // some of it is mapped
        }
    }
    for (uint32_t i = 0; i < MAPPINGS; i++) {
        if (chip.mappings[i].flags == 0) {
            chip.mappings[i] = (struct mapping){ u64_at(request + 8), u64_at(request + 16),
                                                 u64_at(request + 24), u32_at(request + 32) };
            return 0;
        }
    }
    return 8;
}

static uint8_t chip_unmap(const uint8_t *request) {
    for (uint32_t i = 0; i < MAPPINGS; i++) {
        if (chip.mappings[i].first >= u64_at(request + 8) &&
            chip.mappings[i].last <= u64_at(request + 16)) {
            chip.mappings[i].flags = 0;
        }
    }
    return 0;
}

static uint8_t chip_probe(uint8_t *properties) {
    if (chip.doorbells != 0) {
        const uint8_t head[] = { 1, 0, 20, 0, 1, 0, 0, 0 };
        const uint64_t last = chip.doorbells + 0xfff;
        memcpy(properties, head, 8);
        memcpy(properties + 8, &chip.doorbells, 8);
        memcpy(properties + 16, &last, 8);
    }
    return 0;
}

static uint8_t chip_serve(const uint8_t *request, uint8_t *properties) {
    const uint32_t kind = request[0];
    chip.requests++;
    if (kind == chip.refuses && chip.after-- == 0) {
        chip.after = 0;
        return chip.with;
    }
    if (kind == VIOMMU_PROBE) {
        CHECK(u32_at(request + 4) == ENDPOINT && properties != NULL);
        return chip_probe(properties);
    }
    if (kind == VIOMMU_ATTACH) {
        CHECK(u32_at(request + 8) == ENDPOINT && !chip.is_attached);
        chip.is_attached = true;
        chip.attached = u32_at(request + 4);
        return 0;
    }
    if (!chip.is_attached || u32_at(request + 4) != chip.attached) {
        return 6;
    }
    if (kind == VIOMMU_DETACH) {
        chip.is_attached = false;
        memset(chip.mappings, 0, sizeof(chip.mappings));
        return 0;
    }
    return kind == VIOMMU_MAP ? chip_map(request) : chip_unmap(request);
}

static void chip_work(void) {
    uint8_t *memory = chip.parts[0] != 0 ? host(chip.parts[0]) : NULL;
    struct virtqueue_descriptor *descriptors = (void *)memory;
    struct virtqueue_available *driver = (void *)(memory + virtqueue_driver_offset(REQUEST_SIZE));
    struct virtqueue_used *used = (void *)(memory + virtqueue_device_offset(REQUEST_SIZE));
    while (memory != NULL && !chip.is_silent && chip.slow == 0 &&
           chip.seen != atomic_load(&driver->index)) {
        const uint16_t head = atomic_load(&driver->ring[chip.seen++ % REQUEST_SIZE]);
        const struct virtqueue_descriptor *at = &descriptors[head];
        const uint8_t *request = host(at->address);
        const struct virtqueue_descriptor *next = &descriptors[at->next];
        const bool has_properties = (next->flags & 1) != 0;
        const struct virtqueue_descriptor *tail = has_properties ? &descriptors[next->next] : next;
        CHECK((at->flags & 2) == 0 && tail->flags == 2 && tail->size_bytes == 4);
        *(uint8_t *)host(tail->address) =
            chip_serve(request, has_properties ? host(next->address) : NULL);
        const uint16_t index = atomic_load(&used->index);
        atomic_store(&used->ring[index % REQUEST_SIZE].id, chip.is_mad ? 999u : head);
        atomic_store(&used->ring[index % REQUEST_SIZE].size_bytes,
                     (has_properties ? next->size_bytes : 0) + (chip.is_short ? 3u : 4u));
        atomic_store(&used->index, (uint16_t)(index + 1));
    }
}

enum hx_status virtio_open(struct virtio *virtio, const struct virtio_access *access) {
    (void)access;
    *virtio = (struct virtio){ 0 };
    return HX_OK;
}

enum hx_status virtio_start(struct virtio *virtio, uint64_t wanted) {
    virtio->features = wanted & chip.features;
    return HX_OK;
}

uint64_t virtio_offered(const struct virtio *virtio) {
    (void)virtio;
    return chip.is_physical ? VIRTIO_FEATURE_VERSION_1
                            : VIRTIO_FEATURE_VERSION_1 | VIRTIO_FEATURE_PLATFORM;
}

uint32_t virtio_queue_room(struct virtio *virtio, uint32_t queue) {
    (void)virtio;
    (void)queue;
    return chip.has_small_queues ? 64 : 256;
}

enum hx_status virtio_queue_set(struct virtio *virtio, uint32_t queue, uint16_t size,
                                uint64_t address, uint16_t vector) {
    (void)virtio;
    CHECK(size == (queue == REQUEST_QUEUE ? REQUEST_SIZE : EVENTS) && vector == VIRTIO_NO_VECTOR);
    chip.parts[queue] = address;
    return HX_OK;
}

enum hx_status virtio_reset(struct virtio *virtio) {
    (void)virtio;
    chip.parts[0] = 0;
    return HX_OK;
}

struct frame *frame_of(struct paddr address) {
    CHECK(address.value == 256 * PAGE_SIZE);
    return &frame;
}

void frame_put(struct frame *put) {
    CHECK(put == &frame && chip.parts[0] == 0);
    frames_put++;
}

void virtio_go(struct virtio *virtio) {
    (void)virtio;
}

void virtio_notify(const struct virtio *virtio, uint32_t queue) {
    (void)virtio;
    if (queue == REQUEST_QUEUE) {
        chip_work();
    }
}

uint32_t virtio_interrupt(const struct virtio *virtio) {
    (void)virtio;
    return 1;
}

uint64_t virtio_config(const struct virtio *virtio, uint32_t offset, uint32_t bytes) {
    (void)virtio;
    uint64_t value = 0;
    memcpy(&value, chip.config + offset, bytes);
    return value;
}

void virtio_config_set(const struct virtio *virtio, uint32_t offset, uint8_t value) {
    (void)virtio;
    CHECK(offset == VIOMMU_CONFIG_BYPASS);
    chip.bypass = value;
}

// Tests -------------------------------------------------------------------------------------------

static struct io_device *const disk = &devices[1];

static void chip_new(void) {
    const uint64_t pages = ~UINT64_C(0xfff);
    const uint64_t last = UINT64_MAX;
    const uint32_t numbers[] = { 5, 100, 512 };
    memset(&chip, 0, sizeof(chip));
    memset(shared, 0, sizeof(shared));
    frame.number = 256;
    hosted_direct_base = (uint64_t)(uintptr_t)shared - 256 * PAGE_SIZE;
    memcpy(chip.config, &pages, 8);
    memcpy(chip.config + 16, &last, 8);
    memcpy(chip.config + 24, numbers, 12);
    chip.features = 0x77;
    chip.bypass = 1;
    chip.refuses = NOTHING;
    for (uint32_t i = 0; i < ARRAY_SIZE(devices); i++) {
        free(devices[i].domain);
        devices[i].domain = NULL;
    }
    for (uint32_t i = 0; i < iommu_count; i++) {
        free(iommus[i]);
    }
    iommu_count = 0;
    allocations = 0;
    sleeps = 0;
    masters_off = 0;
    frames_put = 0;
}

static void setup(void) {
    chip_new();
    dma_find();
    CHECK(dma_begin(disk) == HX_OK);
}

static alignas(4096) uint8_t pages[4][4096];
static const void *const list[] = { pages[0], pages[1], pages[3], pages[2] };
static uint64_t at[IO_DMA_PAGES_MAX];

// Where the chip finds what the device asks for; NULL: a fault.
static const void *reach(uint64_t address, uint32_t access) {
    for (uint32_t i = 0; i < MAPPINGS && chip.is_attached; i++) {
        const struct mapping *mapping = &chip.mappings[i];
        if ((mapping->flags & access) != 0 && address >= mapping->first &&
            address <= mapping->last) {
            return (const uint8_t *)host(mapping->physical) + (address - mapping->first);
        }
    }
    return NULL;
}

static uint32_t mapped(void) {
    uint32_t count = 0;
    for (uint32_t i = 0; i < MAPPINGS; i++) {
        count += chip.mappings[i].flags != 0;
    }
    return count;
}

static void test_found(void) {
    chip_new();
    dma_find();
    CHECK(chip.bypass == 0 && !chip.is_attached);
    CHECK(io_dma_is_bound(disk) && !io_dma_is_bound(&devices[0]) && !io_dma_is_bound(&devices[2]));
    CHECK(io_dma_map(disk, list, 1, IO_DMA_READ, at) == HX_ERR_IO); // nobody has it
    CHECK(dma_begin(disk) == HX_OK && chip.is_attached && chip.attached == 5);
    warnings = 0;
    CHECK(dma_begin(&devices[2]) == HX_OK && warnings == 1);
    CHECK(strcmp(last_line, "pci1,2: not behind the IOMMU; its DMA is trusted") == 0);
    CHECK(io_dma_map(&devices[2], list, 3, IO_DMA_READ, at) == HX_OK);
    CHECK(at[2] == hal_virt_to_phys(pages[3]).value && io_dma_unmap(&devices[2], at, 1) == HX_OK);
}

static void test_maps(void) {
    setup();
    CHECK(io_dma_map(disk, list, 4, IO_DMA_WRITE, at) == HX_OK);
    CHECK(mapped() == 3); // the first two lie behind each other
    for (uint32_t i = 0; i < 4; i++) {
        CHECK(at[i] == at[0] + i * 4096 &&
              reach(at[i] + 5, IO_DMA_WRITE) == (const uint8_t *)list[i] + 5);
    }
    CHECK(reach(at[0], IO_DMA_READ) == NULL && reach(at[3] + 4096, IO_DMA_WRITE) == NULL);
    uint64_t second[1];
    CHECK(io_dma_map(disk, list, 1, IO_DMA_READ, second) == HX_OK && mapped() == 4);
    CHECK(io_dma_unmap(disk, at + 1, 1) == HX_ERR_INVALID && mapped() == 4);
    CHECK(io_dma_unmap(disk, at, 1) == HX_OK && mapped() == 1);
    CHECK(reach(at[0], IO_DMA_WRITE) == NULL && reach(second[0], IO_DMA_READ) == pages[0]);
    CHECK(io_dma_unmap(disk, at, 1) == HX_ERR_INVALID);
    CHECK(io_dma_unmap(disk, second, 1) == HX_OK && mapped() == 0);
    CHECK(io_dma_map(disk, list, 0, IO_DMA_READ, at) == HX_ERR_INVALID);
    CHECK(io_dma_map(disk, list, 65, IO_DMA_READ, at) == HX_ERR_INVALID);
}

// On purpose: the addresses are good, and nothing is there.
static void test_forgotten(void) {
    setup();
    atomic_store_explicit(&inject_armed[INJECT_DMA], 1, memory_order_relaxed);
    CHECK(io_dma_map(disk, list, 4, IO_DMA_WRITE, at) == HX_OK && mapped() == 0);
    atomic_store_explicit(&inject_armed[INJECT_DMA], 0, memory_order_relaxed);
    CHECK(io_dma_unmap(disk, at, 1) == HX_OK);
}

// More requests than the queue has room for.
static void test_many(void) {
    static alignas(4096) uint8_t many[128][4096];
    const void *far[64];
    setup();
    for (uint32_t i = 0; i < 64; i++) {
        far[i] = many[2 * i];
    }
    chip.slow = 3;
    // The chip has room for eight.
    CHECK(io_dma_map(disk, far, 64, IO_DMA_READ, at) == HX_ERR_NO_MEMORY);
    CHECK(mapped() == 0 && sleeps != 0);
    chip.slow = 2;
    CHECK(io_dma_map(disk, far, 8, IO_DMA_READ, at) == HX_OK && mapped() == 8);
    CHECK(io_dma_unmap(disk, at, 1) == HX_OK && mapped() == 0);
    uint64_t places[70];
    for (uint32_t i = 0; i < 70; i++) { // more than there are slots
        chip_unmap((const uint8_t[40]){ [16] = 255, 255, 255, 255, 255, 255, 255, 255 });
        CHECK(io_dma_map(disk, list, 1, IO_DMA_READ, at) == HX_OK);
        places[i] = at[0];
    }
    CHECK(io_dma_unmap(disk, places, 70) == HX_OK && mapped() == 0);
}

static void test_refusals(void) {
    setup();
    chip.refuses = VIOMMU_MAP;
    chip.with = 8;
    chip.after = 1;
    CHECK(io_dma_map(disk, list, 4, IO_DMA_WRITE, at) == HX_ERR_NO_MEMORY && mapped() == 0);
    chip.refuses = VIOMMU_UNMAP;
    chip.with = 5;
    CHECK(io_dma_map(disk, list, 4, IO_DMA_WRITE, at) == HX_OK);
    CHECK(io_dma_unmap(disk, at, 1) == HX_ERR_IO && mapped() == 3);
    CHECK(masters_off == 1); // the last resort
    chip_new();
    chip.refuses = VIOMMU_ATTACH;
    chip.with = 1;
    dma_find();
    CHECK(dma_begin(disk) == HX_ERR_IO);
    CHECK(io_dma_map(disk, list, 1, IO_DMA_READ, at) == HX_ERR_IO);
}

// Each ends everything, and in time.
static void test_broken(void) {
    setup();
    CHECK(io_dma_map(disk, list, 1, IO_DMA_WRITE, at) == HX_OK);
    chip.is_silent = true;
    const time_ns_t began = now;
    CHECK(io_dma_unmap(disk, at, 1) == HX_ERR_IO && now - began < 2 * PATIENCE_NS);
    chip.is_silent = false;
    chip_work();
    CHECK(io_dma_unmap(disk, at, 1) == HX_ERR_IO); // nobody looks any more
    CHECK(io_dma_map(disk, list, 1, IO_DMA_WRITE, at) == HX_ERR_IO);
    setup();
    chip.is_mad = true;
    CHECK(io_dma_map(disk, list, 1, IO_DMA_WRITE, at) == HX_ERR_IO);
    setup();
    chip.is_short = true;
    CHECK(io_dma_map(disk, list, 1, IO_DMA_WRITE, at) == HX_ERR_IO);
}

static void test_end(void) {
    setup();
    CHECK(io_dma_map(disk, list, 4, IO_DMA_WRITE, at) == HX_OK);
    CHECK(dma_end(disk) == HX_OK && !chip.is_attached && mapped() == 0);
    CHECK(io_dma_map(disk, list, 1, IO_DMA_WRITE, at + 1) == HX_ERR_IO);
    CHECK(io_dma_unmap(disk, at, 1) == HX_OK); // who comes late finds nothing mapped
    CHECK(dma_end(disk) == HX_OK && dma_end(&devices[2]) == HX_ERR_NOT_SUPPORTED);
    setup();
    chip.refuses = VIOMMU_DETACH;
    chip.with = 3;
    CHECK(dma_end(disk) == HX_ERR_IO);
}

// A device that says that it does not use the bus's addresses is trusted, and told the machine's.
// Its messages go another way.
static void test_physical(void) {
    chip_new();
    chip.is_physical = true;
    dma_find();
    CHECK(dma_begin(disk) == HX_OK && !io_dma_is_bound(disk) && chip.is_attached);
    CHECK(strstr(last_line, "trusted") != NULL);
    CHECK(io_dma_map(disk, list, 1, IO_DMA_READ, at) == HX_OK);
    CHECK(at[0] == hal_virt_to_phys(pages[0]).value);
    CHECK(mapped() == 0 && dma_doorbell(disk, 0x8020040) == HX_OK && mapped() == 1);
    CHECK(dma_end(disk) == HX_ERR_NOT_SUPPORTED && !chip.is_attached);
    CHECK(dma_end(disk) == HX_ERR_NOT_SUPPORTED);
}

static void test_doorbell(void) {
    setup();
    CHECK(dma_doorbell(disk, 0x8020040) == HX_OK && mapped() == 1);
    CHECK(reach(0x8020040, IO_DMA_WRITE) == host(0x8020040));
    CHECK(dma_doorbell(disk, 0x8020080) == HX_OK && mapped() == 1); // another message
    for (uint64_t i = 1; i < MAPPINGS; i++) {
        CHECK(dma_doorbell(disk, 0x8020040 + i * PAGE_SIZE) == HX_OK && mapped() == i + 1);
    }
    CHECK(dma_doorbell(disk, 0x9000000) == HX_ERR_NOT_SUPPORTED);
    CHECK(dma_doorbell(disk, disk->domain->space.first + 64) == HX_ERR_NOT_SUPPORTED);
    chip_new();
    chip.doorbells = 0x8020000;
    dma_find();
    CHECK(dma_begin(disk) == HX_OK);
    CHECK(dma_doorbell(disk, 0x8020040) == HX_OK && mapped() == 0);
}

static void test_limited(void) {
    chip_new();
    chip.config[1] = 0xe0; // pages of 8 KiB
    dma_find();
    CHECK(iommu_count == 0 && !io_dma_is_bound(disk) && chip.bypass == 1);
    warnings = 0;
    CHECK(dma_begin(&devices[2]) == HX_OK && warnings == 0); // as all are, which was said
    chip_new();
    chip.features = 0x77 & ~VIOMMU_FEATURE_MAP;
    dma_find();
    CHECK(iommu_count == 0 && frames_put == 0);
    chip_new();
    chip.has_small_queues = true;
    dma_find();
    CHECK(iommu_count == 0 && frames_put == 1);
    chip_new();
    chip.config[33] = 0xff; // an answer to a probe of 64 KiB
    dma_find();
    CHECK(iommu_count == 0);
    for (uint32_t nth = 1; nth <= 4; nth++) { // refused memory
        chip_new();
        allocations = nth;
        dma_find();
        CHECK(allocations == 0 && !io_dma_is_bound(disk));
        CHECK((nth > 2) == (chip.bypass == 0)); // behind it, but reaching nothing
    }
}

static void fault(uint32_t endpoint, uint16_t *inout_index) {
    uint8_t *memory = host(chip.parts[1]);
    struct virtqueue_descriptor *descriptors = (void *)memory;
    struct virtqueue_available *driver = (void *)(memory + virtqueue_driver_offset(EVENTS));
    struct virtqueue_used *used = (void *)(memory + virtqueue_device_offset(EVENTS));
    const uint16_t head = atomic_load(&driver->ring[*inout_index % EVENTS]);
    uint8_t *report = host(descriptors[head].address);
    const uint32_t words[] = { 2, 0x102, endpoint, 0, 0x5000, 0 };
    CHECK(atomic_load(&driver->index) != *inout_index); // there is room for it
    memcpy(report, words, sizeof(words));
    atomic_store(&used->ring[*inout_index % EVENTS].id, head);
    atomic_store(&used->ring[*inout_index % EVENTS].size_bytes, 24);
    atomic_store(&used->index, ++*inout_index);
}

static void test_faults(void) {
    uint16_t index = 0;
    void *context;
    struct io_device *heard;
    setup();
    CHECK(io_iommu_at(0, &heard, &context) && heard == &devices[0]);
    CHECK(!io_iommu_at(1, &heard, &context));
    now += FAULTS_NS;
    warnings = traces = 0;
    fault(ENDPOINT, &index);
    io_iommu_interrupt(context);
    CHECK(warnings == 1 && traces == 1);
    CHECK(strcmp(last_line,
                 "virtio:2 (endpoint 4120): a write of memory at 0x5000 was refused: not mapped") ==
          0);
    fault(7, &index);
    io_iommu_interrupt(context);
    CHECK(warnings == 2 && strstr(last_line, "a device (endpoint 7)") != NULL);
    for (uint32_t i = 0; i < 100; i++) { // not a line for each
        fault(ENDPOINT, &index);
        io_iommu_interrupt(context);
    }
    CHECK(warnings == FAULTS_SHOWN && traces == 102);
    now += FAULTS_NS;
    fault(ENDPOINT, &index);
    io_iommu_interrupt(context);
    CHECK(warnings == FAULTS_SHOWN + 1);
}

int main(void) {
    test_found();
    test_maps();
    test_forgotten();
    test_many();
    test_refusals();
    test_broken();
    test_end();
    test_physical();
    test_doorbell();
    test_limited();
    test_faults();
    chip_new();
    return check_result();
}
