// SPDX-License-Identifier: MIT OR Apache-2.0
// services/drv/virtio_rng/virtio_rng.c: virtio's entropy device. Section numbers are those of
// Virtual I/O Device 1.2.

#include <helix/env.h>
#include <lib/string.h>
#include <lib/virtio.h>
#include <lib/virtqueue.h>

#define DEVICES_MAX  4u
#define QUEUE_CHAINS 2u
#define BUFFER_BYTES 64u
#define SEED_BYTES   256u // that each is asked for
#define BUFFER_AT                                                                                  \
    ((size_t)2 * VIRTQUEUE_ALIGN) // behind the queue, in the memory that the device sees
#define MEMORY_BYTES ((size_t)3 * VIRTQUEUE_ALIGN)

struct rng {
    struct hx_env *env;
    struct hx_device device;
    struct pci_config config;
    struct virtio virtio;
    bool is_message;
    struct hx_mutex lock;
    struct virtqueue queue;                    // [lock]
    struct virtqueue_slot slots[QUEUE_CHAINS]; // [lock]
    uint8_t *memory;
    uint64_t address; // of it, for the device
    uint32_t left;    // [lock] bytes that are still wanted
    bool is_dead;     // [lock] it lied, did not start, or was stopped: its memory is not looked at
};

static uint32_t window_read(void *context, uint32_t window, uint32_t offset, uint32_t bytes) {
    const struct rng *rng = context;
    return hx_device_read(&rng->device, window, offset, bytes);
}

static void window_write(void *context, uint32_t window, uint32_t offset, uint32_t bytes,
                         uint32_t value) {
    const struct rng *rng = context;
    hx_device_write(&rng->device, window, offset, bytes, value);
}

static uint32_t config_read(const void *context, uint32_t offset) {
    const struct rng *rng = context;
    return hx_device_config(&rng->device, offset);
}

static void ask_locked(struct rng *rng) {
    const struct virtqueue_piece piece = { rng->address + BUFFER_AT, BUFFER_BYTES, true };
    if (virtqueue_add(&rng->queue, &piece, 1, rng) && virtqueue_publish(&rng->queue)) {
        virtio_notify(&rng->virtio, 0);
    }
}

static void take_locked(struct rng *rng, uint32_t bytes) {
    uint8_t seed[BUFFER_BYTES];
    memcpy(seed, rng->memory + BUFFER_AT, bytes); // the device may change it at any time
    rng->left -= MIN_OF(bytes, rng->left);
    enum hx_status status = hx_entropy_add(rng->env, seed, bytes);
    memset(seed, 0, sizeof(seed));
    if (status == HX_OK && bytes != 0 && rng->left != 0) {
        ask_locked(rng);
    }
}

// Nothing is taken from the device any more. HX_ERR_IO: it may go on to use its memory.
static enum hx_status end_locked(struct rng *rng) {
    rng->is_dead = true;
    return virtio_reset(&rng->virtio);
}

static void interrupt(void *context) {
    struct rng *rng = context;
    void *token;
    uint32_t bytes;
    enum hx_status status = HX_ERR_WOULD_BLOCK;
    if (!rng->is_message && virtio_interrupt(&rng->virtio) == 0) {
        return; // another's
    }
    hx_mutex_lock(&rng->lock);
    while (!rng->is_dead && (status = virtqueue_take(&rng->queue, &token, &bytes)) == HX_OK) {
        take_locked(rng, bytes);
    }
    if (status == HX_ERR_CORRUPT) {
        HX_IGNORE(end_locked(rng)); // its memory is kept for good
    }
    hx_mutex_unlock(&rng->lock);
    if (status == HX_ERR_CORRUPT) {
        hx_log(rng->env, HX_LOG_ERROR, "the device makes no sense; it is not used any more");
    }
}

// 3.1.1, from the queue on.
static enum hx_status go(struct rng *rng) {
    if (virtio_queue_room(&rng->virtio, 0) < QUEUE_CHAINS) {
        return HX_ERR_NOT_SUPPORTED;
    }
    if ((rng->virtio.features & VIRTIO_FEATURE_PACKED) != 0) {
        virtqueue_init_packed(&rng->queue, QUEUE_CHAINS, rng->memory, rng->slots);
    } else {
        virtqueue_init(&rng->queue, QUEUE_CHAINS, rng->memory, rng->slots);
    }
    enum hx_status status = hx_device_irq(rng->env, &rng->device, interrupt, rng, &rng->is_message);
    if (status == HX_OK) {
        status = virtio_queue_set(&rng->virtio, 0, QUEUE_CHAINS, rng->address,
                                  rng->is_message ? 0 : VIRTIO_NO_VECTOR);
    }
    if (status == HX_OK) {
        virtio_go(&rng->virtio);
        hx_mutex_lock(&rng->lock);
        rng->left = SEED_BYTES;
        ask_locked(rng);
        hx_mutex_unlock(&rng->lock);
    }
    return status;
}

// Its interrupt may come all the same: it is heard from now on.
static void give_up(struct rng *rng) {
    hx_mutex_lock(&rng->lock);
    const bool is_quiet = end_locked(rng) == HX_OK;
    hx_mutex_unlock(&rng->lock);
    if (is_quiet) {
        hx_dma_free(rng->env, &rng->device, rng->memory, rng->address);
        rng->memory = NULL;
    }
}

static enum hx_status rng_start(struct rng *rng) {
    const struct virtio_access access = {
        .read = window_read,
        .write = window_write,
        .config = hx_device_is_pci(&rng->device) ? &rng->config : NULL,
        .context = rng,
    };
    rng->config = (struct pci_config){ .read = config_read, .context = rng };
    hx_mutex_init(&rng->lock, "virtio_rng");
    enum hx_status status = virtio_open(&rng->virtio, &access);
    if (status == HX_OK) {
        status = virtio_start(&rng->virtio, VIRTIO_FEATURE_PACKED);
    }
    if (status != HX_OK) {
        return status;
    }
    rng->memory = hx_dma_alloc(rng->env, &rng->device, MEMORY_BYTES, &rng->address);
    if (rng->memory == NULL) {
        return HX_ERR_NO_MEMORY;
    }
    status = go(rng);
    if (status != HX_OK) {
        give_up(rng);
    }
    return status;
}

static enum hx_status rng_init(struct hx_env *env, void **out_self) {
    struct rng *rngs = hx_alloc(env, DEVICES_MAX * sizeof(*rngs));
    if (rngs == NULL) {
        return HX_ERR_NO_MEMORY;
    }
    *out_self = rngs;
    for (uint32_t i = 0; i < DEVICES_MAX; i++) {
        enum hx_status status = hx_device_open(env, "virtio:4", i, &rngs[i].device);
        if (status == HX_ERR_NOT_FOUND) {
            break;
        }
        rngs[i].env = env;
        status = status == HX_OK ? rng_start(&rngs[i]) : status;
        if (status != HX_OK) {
            hx_log(env, HX_LOG_WARNING, "device %u is not used: %s", i, hx_status_name(status));
        }
    }
    return HX_OK;
}

// No device touches memory when the machine starts anew.
static enum hx_status rng_stop(void *self) {
    struct rng *rngs = self;
    for (uint32_t i = 0; i < DEVICES_MAX; i++) {
        if (rngs[i].memory != NULL) {
            hx_mutex_lock(&rngs[i].lock);
            HX_IGNORE(end_locked(&rngs[i]));
            hx_mutex_unlock(&rngs[i].lock);
        }
    }
    return HX_OK;
}

static const char *const driven[] = { "virtio:4" };
static const struct hx_module_ops operations = { .init = rng_init, .stop = rng_stop };

HX_MODULE(virtio_rng, .name = "virtio_rng", .version = { 1, 0, 0 }, .phase = HX_PHASE_NORMAL,
          .devices = driven, .devices_count = ARRAY_SIZE(driven),
          .capabilities = HX_CAPABILITY_DEVICES | HX_CAPABILITY_IRQ | HX_CAPABILITY_ENTROPY,
          .ops = &operations);
