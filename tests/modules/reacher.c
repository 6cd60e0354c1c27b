// SPDX-License-Identifier: MIT OR Apache-2.0
// reacher.c: for ring 3: a driver of an entropy device that tries to reach what is not its own, by
// itself and by its device. /dev/reacher does what the letter says that is written to it; a read
// says how many of the answers to these were not as they must be, and then whether its device is
// bound by an IOMMU.
#include <helix/env.h>
#include <helix/ports/char_port.h>
#include <lib/string.h>
#include <lib/virtio.h>
#include <lib/virtqueue.h>
#include <libhelix_arch/syscall.h>
#include <runtime/service.h>

#define CHAINS       2u
#define MEMORY_BYTES ((size_t)2 * VIRTQUEUE_ALIGN)
#define BYTES        64u       // that the device is asked for
#define SOMEWHERE    0x200000u // memory that is not the module's

struct reacher {
    struct hx_env *env;
    struct hx_device device;
    struct pci_config config;
    struct virtio virtio;
    struct virtqueue queue;
    struct virtqueue_slot slots[CHAINS];
    uint8_t *memory;
    uint64_t address; // of it, for the device
};

static struct reacher it;
static uint32_t wrong;

static int64_t call(uint64_t number, uint64_t a, uint64_t b, uint64_t c, uint64_t d, uint64_t e) {
    return libhelix_syscall(number, a, b, c, d, e, 0);
}

static uint64_t at(const void *address) {
    return (uintptr_t)address;
}

static void expect(int64_t found, int64_t wanted, const char *what) {
    if (found != wanted) {
        hx_log(it.env, HX_LOG_ERROR, "%s gives %lld", what, (long long)found);
        wrong++;
    }
}

// ---- registers

static uint32_t window_read(void *context, uint32_t window, uint32_t offset, uint32_t bytes) {
    (void)context;
    return hx_device_read(&it.device, window, offset, bytes);
}

static void window_write(void *context, uint32_t window, uint32_t offset, uint32_t bytes,
                         uint32_t value) {
    (void)context;
    hx_device_write(&it.device, window, offset, bytes, value);
}

static uint32_t config_read(const void *context, uint32_t offset) {
    (void)context;
    return hx_device_config(&it.device, offset);
}

// ---- what it is refused

static void reads_wrongly(void) {
    const uint32_t none = UINT32_MAX;
    struct hx_device other;
    for (uint32_t i = 0; i < HX_DEVICE_WINDOWS; i++) {
        const uint64_t end = it.device.windows[i].size_bytes;
        expect(call(SERVICE_DEVICE_READ, 0, i, end, 4, 0), none, "behind a window");
        expect(call(SERVICE_DEVICE_READ, 0, i, UINT64_MAX - 3, 4, 0), none, "far behind");
        expect(call(SERVICE_DEVICE_READ, 0, i, 1, 4, 0), none, "across registers");
        expect(call(SERVICE_DEVICE_READ, 0, i, 0, 8, 0), none, "eight bytes");
        expect(call(SERVICE_DEVICE_READ, 0, i, 0, UINT64_MAX, 0), none, "all bytes");
    }
    expect(call(SERVICE_DEVICE_READ, 0, HX_DEVICE_WINDOWS, 0, 4, 0), none, "another window");
    expect(call(SERVICE_DEVICE_READ, 1, 0, 0, 4, 0), none, "another device");
    expect(call(SERVICE_DEVICE_READ, UINT64_MAX, 0, 0, 4, 0), none, "the last device");
    expect(call(SERVICE_DEVICE_WRITE, 1, 0, 0, 4, 1), HX_ERR_INVALID, "writing another");
    expect(call(SERVICE_DEVICE_WRITE, 0, UINT64_MAX, 0, 4, 1), HX_ERR_INVALID, "a large window");
    expect(call(SERVICE_DEVICE_CONFIG, 0, UINT64_MAX, 0, 0, 0), none, "a large offset");
    expect(call(SERVICE_DEVICE_CONFIG, 1, 0, 0, 0, 0), none, "another's configuration");
    expect(hx_device_open(it.env, "virtio:4", 0, &other), HX_ERR_BUSY, "its own once more");
    expect(hx_device_open(it.env, "virtio:4", 9, &other), HX_ERR_NOT_FOUND, "none");
    expect(hx_device_open(it.env, "", 0, &other), HX_ERR_INVALID, "no name");
    expect(hx_device_open(it.env, "virtio:2", 0, &other), HX_ERR_ACCESS_DENIED, "another's");
    expect(hx_device_open(it.env, "virtio,mmio", 0, &other), HX_ERR_ACCESS_DENIED, "all of a kind");
    expect(hx_device_open(it.env, "virtio:", 0, &other), HX_ERR_ACCESS_DENIED, "half a name");
    expect(call(SERVICE_DEVICE_OPEN, at("virtio:4"), UINT64_MAX, at(&other), 0, 0),
           HX_ERR_NOT_FOUND, "a large index");
    expect(call(SERVICE_DEVICE_OPEN, SOMEWHERE, 0, at(&other), 0, 0), HX_ERR_BAD_ADDRESS,
           "a name nowhere");
}

static void hears_wrongly(void) {
    expect(call(SERVICE_DEVICE_IRQ, 1, 9, 0, 0, 0), HX_ERR_INVALID, "another's interrupt");
    expect(call(SERVICE_DEVICE_IRQ, 0, SERVICE_LINES_MAX, 0, 0, 0), HX_ERR_INVALID, "its end");
    expect(call(SERVICE_DEVICE_IRQ, 0, UINT64_MAX, 0, 0, 0), HX_ERR_INVALID, "the last one");
    expect(call(SERVICE_DEVICE_MESSAGE, 0, UINT64_MAX, 10, 0, 0), HX_ERR_INVALID, "a message");
    expect(call(SERVICE_DEVICE_MESSAGE, 0, 1000, 10, 0, 0), HX_ERR_INVALID, "a number twice");
    expect(call(SERVICE_IRQ, UINT64_MAX, 11, 0, 0, 0), HX_ERR_NO_DEVICE, "a large line");
}

static void borrows_wrongly(void) {
    uint64_t addresses[HX_DMA_PAGES_MAX] = { 0 };
    const uint64_t name = SERVICE_ADDRESS_LENT, own = at(it.memory);
    const uint64_t end = name + ((uint64_t)SERVICE_SLOTS_MAX * SERVICE_LENT_MAX << PAGE_SHIFT);
    expect(call(SERVICE_DMA_ALLOC, 1, PAGE_SIZE, at(addresses), 0, 0), HX_ERR_INVALID, "another's");
    expect(call(SERVICE_DMA_ALLOC, 0, 0, at(addresses), 0, 0), HX_ERR_INVALID, "no memory");
    expect(call(SERVICE_DMA_ALLOC, 0, SERVICE_DMA_MAX + 1, at(addresses), 0, 0), HX_ERR_INVALID,
           "much memory");
    expect(call(SERVICE_DMA_FREE, own + PAGE_SIZE, 0, 0, 0, 0), HX_ERR_INVALID, "half of it");
    expect(call(SERVICE_DMA_FREE, SOMEWHERE, 0, 0, 0, 0), HX_ERR_INVALID, "what it has not");
    expect(call(SERVICE_DMA_MAP, 0, at(&name), 1, HX_DMA_READ, at(addresses)), HX_ERR_INVALID,
           "a page that nobody lent");
    expect(call(SERVICE_DMA_MAP, 0, at(&end), 1, HX_DMA_READ, at(addresses)), HX_ERR_INVALID,
           "behind the last name");
    expect(call(SERVICE_DMA_MAP, 0, at(&own), 1, HX_DMA_READ, at(addresses)), HX_ERR_INVALID,
           "its own memory");
    expect(call(SERVICE_DMA_MAP, 0, at(&name), HX_DMA_PAGES_MAX + 1, HX_DMA_READ, at(addresses)),
           HX_ERR_INVALID, "many pages");
    expect(call(SERVICE_DMA_MAP, 0, at(&name), 0, HX_DMA_READ, at(addresses)), HX_ERR_INVALID,
           "no page");
    expect(call(SERVICE_DMA_MAP, 0, at(&name), 1, 4, at(addresses)), HX_ERR_INVALID, "to run it");
    expect(call(SERVICE_DMA_MAP, 0, SOMEWHERE, 1, HX_DMA_READ, at(addresses)), HX_ERR_BAD_ADDRESS,
           "names nowhere");
    expect(call(SERVICE_DMA_UNMAP, 0, at(addresses), SERVICE_LENDINGS_MAX + 1, 0, 0),
           HX_ERR_INVALID, "many lendings");
    // Not even its own memory goes this way: there would be no way back for its pages.
    expect(call(SERVICE_DMA_UNMAP, 0, at(&it.address), 1, 0, 0),
           hx_dma_is_bound(&it.device) ? HX_ERR_INVALID : HX_OK, "what was not lent");
}

// ---- what it dies of

static void uses_what_it_gave_back(void) {
    uint64_t address;
    volatile uint8_t *memory = hx_dma_alloc(it.env, &it.device, PAGE_SIZE, &address);
    if (memory != NULL) {
        memory[0] = 1;
        hx_dma_free(it.env, &it.device, (void *)memory, address);
        memory[0] = 2;
    }
}

// ---- its device

static void nothing(void *context) {
    (void)context;
}

static enum hx_status device_begin(void) {
    const struct virtio_access access = {
        .read = window_read,
        .write = window_write,
        .config = hx_device_is_pci(&it.device) ? &it.config : NULL,
        .context = &it,
    };
    bool is_message;
    it.config = (struct pci_config){ .read = config_read, .context = &it };
    enum hx_status status = virtio_open(&it.virtio, &access);
    if (status == HX_OK) {
        status = virtio_start(&it.virtio, 0);
    }
    it.memory = hx_dma_alloc(it.env, &it.device, MEMORY_BYTES, &it.address);
    if (status == HX_OK && it.memory == NULL) {
        status = HX_ERR_NO_MEMORY;
    }
    if (status == HX_OK) {
        virtqueue_init(&it.queue, CHAINS, it.memory, it.slots);
        status = hx_device_irq(it.env, &it.device, nothing, NULL, &is_message);
    }
    if (status == HX_OK) {
        status = virtio_queue_set(&it.virtio, 0, CHAINS, it.address, VIRTIO_NO_VECTOR);
    }
    if (status == HX_OK) {
        virtio_go(&it.virtio);
    }
    return status;
}

// Has its device write to memory that nobody lent it.
static void device_writes(uint64_t address) {
    const struct virtqueue_piece piece = { address, BYTES, true };
    if (virtqueue_add(&it.queue, &piece, 1, &it) && virtqueue_publish(&it.queue)) {
        virtio_notify(&it.virtio, 0);
    }
}

// ---- the character device

static void does(char what) {
    switch (what) {
    case 'w':
        return reads_wrongly();
    case 'i':
        return hears_wrongly();
    case 'd':
        return borrows_wrongly();
    case 'f':
        return uses_what_it_gave_back();
    case 'b':
        return device_writes(SOMEWHERE);
    default:
        return;
    }
}

static enum hx_status reacher_describe(void *self, struct char_node *to, uint32_t capacity,
                                       uint32_t *out_count) {
    static const struct char_node node = { "reacher", 242, 0, 0666, 0 };
    (void)self;
    *out_count = MIN_OF(capacity, 1u);
    memcpy(to, &node, *out_count * sizeof(node));
    return HX_OK;
}

static enum hx_status reacher_read(void *self, uint32_t minor, uint64_t offset, void *buffer,
                                   uint32_t capacity, uint32_t *out_length) {
    const char said[] = { (char)('0' + MIN_OF(wrong, 9u)),
                          hx_dma_is_bound(&it.device) ? 'b' : '-' };
    (void)self;
    (void)minor;
    *out_length = offset < sizeof(said) ? MIN_OF(capacity, 1u) : 0;
    memcpy(buffer, said + offset, *out_length);
    return HX_OK;
}

static enum hx_status reacher_write(void *self, uint32_t minor, uint64_t offset, const void *data,
                                    uint32_t length, uint32_t *out_length) {
    (void)self;
    (void)minor;
    (void)offset;
    does(*(const char *)data);
    *out_length = length;
    return HX_OK;
}

static const struct char_ops ops = {
    .describe = reacher_describe,
    .read = reacher_read,
    .write = reacher_write,
};

static enum hx_status reacher_init(struct hx_env *env, void **out_self) {
    it.env = env;
    *out_self = &it;
    enum hx_status status = hx_device_open(env, "virtio:4", 0, &it.device);
    if (status == HX_OK) {
        status = device_begin();
    }
    return status == HX_OK ? hx_port_provide(env, "helix.char", "reacher", &ops, &it) : status;
}

static enum hx_status reacher_stop(void *self) {
    (void)self;
    return virtio_reset(&it.virtio);
}

static const struct hx_port_provided provides[] = { CHAR_PORT_PROVIDED };
static const char *const driven[] = { "virtio:4" };
static const struct hx_module_ops operations = { .init = reacher_init, .stop = reacher_stop };

HX_MODULE(reacher, .name = "reacher", .version = { 1, 0, 0 }, .phase = HX_PHASE_NORMAL,
          .provides = provides, .provides_count = ARRAY_SIZE(provides), .devices = driven,
          .devices_count = ARRAY_SIZE(driven),
          .capabilities = HX_CAPABILITY_DEVICES | HX_CAPABILITY_IRQ, .ops = &operations);
