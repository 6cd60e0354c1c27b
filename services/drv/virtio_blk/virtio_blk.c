// SPDX-License-Identifier: MIT OR Apache-2.0
// services/drv/virtio_blk/virtio_blk.c: virtio's block device. Section numbers are those of Virtual
// I/O Device 1.2.
//
// It has as many queues as there are processors, if the device offers so many (5.2.5). Who submits
// does it in the queue of the processor where he is, and each queue has a message of its own, as
// far as there are messages.
#include "queue.h"

#include <lib/format.h>
#include <lib/string.h>

#define FEATURE_SEG_MAX    (UINT64_C(1) << 2) // 5.2.3
#define FEATURE_READ_ONLY  (UINT64_C(1) << 5)
#define FEATURE_SECTOR     (UINT64_C(1) << 6)
#define FEATURE_FLUSH      (UINT64_C(1) << 9)
#define FEATURE_QUEUES     (UINT64_C(1) << 12)
#define FEATURE_DISCARD    (UINT64_C(1) << 13)
#define CONFIG_SECTORS     0u // 5.2.4
#define CONFIG_SEG_MAX     12u
#define CONFIG_SECTOR      20u
#define CONFIG_QUEUES      34u
#define CONFIG_DISCARD_MAX 36u

#define DISKS_MAX  8u
#define QUEUES_MAX VIRTIO_QUEUES_MAX
#define LIES_MAX   8u                           // of a device that is still reset
#define LIE_NS     ((time_ns_t)10 * 1000000000) // in which one of them is forgotten
#define UNIT_BYTES 512u                         // of sector numbers, whatever the sector (5.2.6)
#define PAGE_BYTES 4096u
#define CHAINS_MIN 4u // of a queue that is used

struct disk {
    struct hx_env *env;
    struct hx_device device;
    struct pci_config config;
    struct virtio virtio;
    char name[16];
    struct block_info info;            // set once
    const struct block_events *events; // set once, before the device goes
    void *client;
    bool is_message;
    struct hx_mutex reset_lock; // one resets at a time; comes before the queues'
    uint32_t lies;              // [reset_lock] that are not forgotten
    time_ns_t lies_ns;          // [reset_lock] when one was forgotten last
    uint32_t queue_count;       // set once
    struct blk_queue queues[];  // as many as there are processors, up to QUEUES_MAX
};

struct module {
    struct disk *disks[DISKS_MAX];
};

// Registers
// ------------------------------------------------------------------------------------------------

static uint32_t window_read(void *context, uint32_t window, uint32_t offset, uint32_t bytes) {
    const struct disk *disk = context;
    return hx_device_read(&disk->device, window, offset, bytes);
}

static void window_write(void *context, uint32_t window, uint32_t offset, uint32_t bytes,
                         uint32_t value) {
    const struct disk *disk = context;
    hx_device_write(&disk->device, window, offset, bytes, value);
}

static uint32_t config_read(const void *context, uint32_t offset) {
    const struct disk *disk = context;
    return hx_device_config(&disk->device, offset);
}

// The device's life
// ------------------------------------------------------------------------------------------------

static void states_set(struct disk *disk, enum blk_queue_state state) {
    for (uint32_t i = 0; i < disk->queue_count; i++) {
        blk_queue_state_set(&disk->queues[i], state);
    }
}

// 3.1.1: from a reset to the queues.
static enum hx_status disk_go(struct disk *disk) {
    for (uint32_t i = 0; i < disk->queue_count; i++) {
        enum hx_status status = blk_queue_set(&disk->queues[i]);
        if (status != HX_OK) {
            return status;
        }
    }
    virtio_go(&disk->virtio);
    states_set(disk, QUEUE_OPEN);
    return HX_OK;
}

static enum hx_status features_settle(struct disk *disk) {
    return virtio_start(&disk->virtio, FEATURE_SEG_MAX | FEATURE_READ_ONLY | FEATURE_SECTOR |
                                           FEATURE_FLUSH | FEATURE_DISCARD | FEATURE_QUEUES |
                                           VIRTIO_FEATURE_PACKED | VIRTIO_FEATURE_INDIRECT);
}

// Without a lock: the pages are not the device's any more, and whoever waits is told. Those that
// cannot be taken back are nobody's.
static void tell(struct disk *disk, struct ended *ended) {
    const bool is_over =
        ended->lent_count == 0 ||
        hx_dma_unmap(disk->env, &disk->device, ended->lent, ended->lent_count) == HX_OK;
    for (uint32_t i = 0; i < ended->count && !is_over; i++) {
        ended->done[i].outcome = BLOCK_LOST;
    }
    if (ended->count != 0) {
        disk->events->completed(disk->client, ended->done, ended->count);
    }
}

// Everything that the device had, in events of a batch each. Nothing is added any more.
static void fail_all(struct disk *disk, uint32_t outcome) {
    struct ended ended;
    for (uint32_t i = 0; i < disk->queue_count; i++) {
        do {
            blk_queue_reclaim(&disk->queues[i], outcome, &ended);
            tell(disk, &ended);
        } while (ended.count != 0);
    }
}

static enum hx_status reset_alone(struct disk *disk) {
    states_set(disk, QUEUE_RESETTING);
    const bool is_quiet = virtio_reset(&disk->virtio) == HX_OK;
    fail_all(disk, is_quiet || hx_dma_is_bound(&disk->device) ? BLOCK_FAILED : BLOCK_LOST);
    enum hx_status status = disk->lies > LIES_MAX ? HX_ERR_NO_DEVICE // it stays quiet
                            : is_quiet            ? features_settle(disk)
                                                  : HX_ERR_IO;
    status = status == HX_OK ? disk_go(disk) : status;
    if (status != HX_OK) {
        states_set(disk, QUEUE_DEAD);
    }
    // Even if it does not work any more: who waits for room looks again.
    const struct block_completion nothing = { 0 };
    disk->events->completed(disk->client, &nothing, 0);
    return status;
}

static enum hx_status disk_reset(void *self) {
    struct disk *disk = self;
    hx_mutex_lock(&disk->reset_lock);
    enum hx_status status = reset_alone(disk);
    hx_mutex_unlock(&disk->reset_lock);
    return status;
}

// One more of them; once there are too many, no more are forgotten.
static void lie_count(struct disk *disk) {
    const time_ns_t now = hx_time_now();
    const uint64_t forgotten = (uint64_t)(now - disk->lies_ns) / LIE_NS;
    if (disk->lies <= LIES_MAX) {
        disk->lies -= (uint32_t)MIN_OF(forgotten, (uint64_t)disk->lies);
        disk->lies_ns = forgotten != 0 ? now : disk->lies_ns;
        disk->lies++;
    }
}

// A device that makes no sense is reset, but not for ever; and not once more for what it said
// before a reset, which closed the queue.
static void disk_mend(struct disk *disk, struct blk_queue *queue, uint64_t closed) {
    hx_mutex_lock(&disk->reset_lock);
    if (disk->lies <= LIES_MAX && blk_queue_closed(queue) == closed) {
        lie_count(disk);
        const char *then = disk->lies > LIES_MAX ? "it is given up" : "it is reset";
        hx_log(disk->env, HX_LOG_ERROR, "%s: the device makes no sense; %s", disk->name, then);
        HX_IGNORE(reset_alone(disk)); // else it is dead, and says so
    }
    hx_mutex_unlock(&disk->reset_lock);
}

static void queue_serve(struct disk *disk, struct blk_queue *queue) {
    struct ended ended;
    enum hx_status status;
    uint64_t closed;
    do {
        status = blk_queue_take(queue, &ended, &closed);
        tell(disk, &ended);
    } while (status == HX_OK);
    if (status == HX_ERR_CORRUPT) {
        disk_mend(disk, queue, closed);
    }
}

// A queue's own message. With those, only silence tells of a device that needs a reset.
static void message(void *context) {
    struct blk_queue *queue = context;
    queue_serve(queue->disk, queue);
}

// All queues that share the first message, or the line.
static void serve(struct disk *disk, uint16_t vector) {
    for (uint32_t i = 0; i < disk->queue_count; i++) {
        // Acquire: who is told by a message finds what it is told of.
        if (atomic_load_explicit(&disk->queues[i].vector, memory_order_acquire) == vector) {
            queue_serve(disk, &disk->queues[i]);
        }
    }
}

// Asking lowers the line; the queues tell the rest.
static void line(void *context) {
    struct disk *disk = context;
    const uint64_t closed = blk_queue_closed(&disk->queues[0]);
    const uint32_t why = virtio_interrupt(&disk->virtio);
    serve(disk, VIRTIO_NO_VECTOR);
    if ((why & 2) != 0 && virtio_is_broken(&disk->virtio)) {
        disk_mend(disk, &disk->queues[0], closed);
    }
}

// Methods
// ------------------------------------------------------------------------------------------------

static enum hx_status disk_identify(void *self, struct block_info *out_info) {
    const struct disk *disk = self;
    *out_info = disk->info;
    return HX_OK;
}

static void interrupt(void *context) {
    struct disk *disk = context;
    if (disk->is_message) {
        serve(disk, 0);
    } else {
        line(disk);
    }
}

// Each queue's message, by its number; what is left shares the first one, or the line.
static enum hx_status interrupts_take(struct disk *disk) {
    enum hx_status status =
        hx_device_irq(disk->env, &disk->device, interrupt, disk, &disk->is_message);
    for (uint32_t i = 0; i < disk->queue_count && status == HX_OK; i++) {
        struct blk_queue *queue = &disk->queues[i];
        const bool has_own =
            disk->is_message &&
            (i == 0 || hx_device_message(disk->env, &disk->device, i, message, queue) == HX_OK);
        const uint16_t shared = disk->is_message ? 0 : VIRTIO_NO_VECTOR;
        atomic_store_explicit(&queue->vector, has_own ? (uint16_t)i : shared, memory_order_release);
    }
    return status;
}

static enum hx_status disk_attach(void *self, const struct block_events *events, void *client) {
    struct disk *disk = self;
    disk->events = events;
    disk->client = client;
    enum hx_status status = interrupts_take(disk);
    return status == HX_OK ? disk_go(disk) : status;
}

// The queue of the processor where this is; another one would do, too.
static struct blk_queue *queue_here(struct disk *disk) {
    return &disk->queues[hx_cpu_current() % disk->queue_count];
}

// Whether a transfer is what the port allows; the caller is not trusted either.
static bool is_sound(const struct disk *disk, const struct block_transfer *transfer,
                     uint32_t page_count) {
    const uint32_t pages = (transfer->bytes + PAGE_BYTES - 1) / PAGE_BYTES;
    const uint64_t sectors = transfer->bytes / disk->info.sector_bytes;
    return transfer->bytes != 0 && transfer->bytes <= TRANSFER_PAGES * PAGE_BYTES &&
           transfer->bytes % disk->info.sector_bytes == 0 && pages <= disk->info.transfer_pages &&
           transfer->page < page_count && pages <= page_count - transfer->page &&
           transfer->sector <= disk->info.sectors &&
           sectors <= disk->info.sectors - transfer->sector;
}

// Pieces from the second on, one for each run of pages that the device sees behind each other.
static uint32_t pieces_make(const uint64_t *at, uint32_t bytes, bool is_writable,
                            struct virtqueue_piece *pieces) {
    uint32_t count = 0;
    for (uint32_t i = 0, left = bytes; left != 0; i++) {
        const uint32_t here = MIN_OF(left, PAGE_BYTES);
        if (count != 0 && at[i] == pieces[count].address + pieces[count].size_bytes) {
            pieces[count].size_bytes += here;
        } else {
            pieces[++count] = (struct virtqueue_piece){ at[i], here, is_writable };
        }
        left -= here;
    }
    return count;
}

// HX_ERR_WOULD_BLOCK: no room.
static enum hx_status transfer_add_locked(const struct disk *disk, struct blk_queue *queue,
                                          uint32_t kind, const struct block_transfer *transfer,
                                          const void *const *pages) {
    struct virtqueue_piece pieces[PIECES_MAX];
    uint64_t at[TRANSFER_PAGES];
    const uint32_t units = disk->info.sector_bytes / UNIT_BYTES;
    const uint32_t page_count = (transfer->bytes + PAGE_BYTES - 1) / PAGE_BYTES;
    struct slot *slot = queue->free;
    if (slot == NULL) {
        return HX_ERR_WOULD_BLOCK;
    }
    enum hx_status status = hx_dma_map(disk->env, &disk->device, pages + transfer->page, page_count,
                                       kind == KIND_READ ? HX_DMA_WRITE : HX_DMA_READ, at);
    if (status != HX_OK) {
        return status;
    }
    const uint32_t count = pieces_make(at, transfer->bytes, kind == KIND_READ, pieces);
    if (!blk_queue_add_locked(queue, transfer->id, kind, transfer->sector * units, pieces, count)) {
        // The device was not told: what cannot be unmapped is a page that it does not know of.
        HX_IGNORE(hx_dma_unmap(disk->env, &disk->device, at, 1));
        return HX_ERR_WOULD_BLOCK;
    }
    slot->lent = at[0];
    slot->has_pages = true;
    return HX_OK;
}

// NOLINTNEXTLINE(readability-function-size): what both methods of the port have
static enum hx_status transfer(struct disk *disk, uint32_t kind,
                               const struct block_transfer *transfers, uint32_t count,
                               const void *const *pages, uint32_t page_count,
                               uint32_t *out_accepted) {
    struct blk_queue *queue = queue_here(disk);
    uint32_t accepted = 0;
    hx_mutex_lock(&queue->lock);
    enum hx_status status = blk_queue_state_locked(queue);
    while (status == HX_OK && accepted < count) {
        status = is_sound(disk, &transfers[accepted], page_count)
                     ? transfer_add_locked(disk, queue, kind, &transfers[accepted], pages)
                     : HX_ERR_IO;
        accepted += status == HX_OK ? 1 : 0;
    }
    if (accepted != 0) {
        blk_queue_publish_locked(queue);
    }
    hx_mutex_unlock(&queue->lock);
    *out_accepted = accepted;
    return accepted != 0 || status == HX_ERR_WOULD_BLOCK ? HX_OK : status;
}

static enum hx_status disk_read(void *self, const struct block_transfer *transfers, uint32_t count,
                                void *const *pages, uint32_t page_count, uint32_t *out_accepted) {
    return transfer(self, KIND_READ, transfers, count, (const void *const *)pages, page_count,
                    out_accepted);
}

static enum hx_status disk_write(void *self, const struct block_transfer *transfers, uint32_t count,
                                 const void *const *pages, uint32_t page_count,
                                 uint32_t *out_accepted) {
    return transfer(self, KIND_WRITE, transfers, count, pages, page_count, out_accepted);
}

static enum hx_status disk_flush(void *self, uint64_t id) {
    struct blk_queue *queue = queue_here(self);
    struct virtqueue_piece pieces[2];
    hx_mutex_lock(&queue->lock);
    enum hx_status status = blk_queue_state_locked(queue);
    if (status == HX_OK && blk_queue_add_locked(queue, id, KIND_FLUSH, 0, pieces, 0)) {
        blk_queue_publish_locked(queue);
    } else if (status == HX_OK) {
        status = HX_ERR_WOULD_BLOCK;
    }
    hx_mutex_unlock(&queue->lock);
    return status;
}

static bool may_discard(const struct disk *disk, uint64_t sector, uint64_t sectors) {
    return sectors != 0 && sectors <= disk->info.discard_sectors && sector <= disk->info.sectors &&
           sectors <= disk->info.sectors - sector;
}

static enum hx_status disk_discard(void *self, uint64_t id, uint64_t sector, uint64_t sectors) {
    struct disk *disk = self;
    struct blk_queue *queue = queue_here(disk);
    const uint32_t units = disk->info.sector_bytes / UNIT_BYTES;
    hx_mutex_lock(&queue->lock);
    enum hx_status status = blk_queue_state_locked(queue);
    if (status == HX_OK && !may_discard(disk, sector, sectors)) {
        status = HX_ERR_IO;
    } else if (status == HX_OK &&
               blk_queue_discard_locked(queue, id, sector * units, (uint32_t)(sectors * units))) {
        blk_queue_publish_locked(queue);
    } else if (status == HX_OK) {
        status = HX_ERR_WOULD_BLOCK;
    }
    hx_mutex_unlock(&queue->lock);
    return status;
}

static const struct block_ops disk_ops = {
    .attach = disk_attach,
    .identify = disk_identify,
    .read = disk_read,
    .write = disk_write,
    .flush = disk_flush,
    .discard = disk_discard,
    .reset = disk_reset,
};

// Start
// ------------------------------------------------------------------------------------------------

static uint32_t config32(const struct disk *disk, uint64_t feature, uint32_t offset,
                         uint32_t absent) {
    return (disk->virtio.features & feature) != 0
               ? (uint32_t)virtio_config(&disk->virtio, offset, 4)
               : absent;
}

// What the device says of itself, as far as it makes sense. Sectors larger than pages, or of sizes
// that are no power of two, are refused.
static enum hx_status describe(struct disk *disk, uint32_t chains) {
    struct block_info *info = &disk->info;
    const uint32_t sector = config32(disk, FEATURE_SECTOR, CONFIG_SECTOR, UNIT_BYTES);
    const uint32_t pieces = config32(disk, FEATURE_SEG_MAX, CONFIG_SEG_MAX, 1);
    if (sector < BLOCK_SECTOR_MIN || sector > BLOCK_SECTOR_MAX || (sector & (sector - 1)) != 0) {
        return HX_ERR_NOT_SUPPORTED;
    }
    info->sector_bytes = sector;
    info->sectors = virtio_config(&disk->virtio, CONFIG_SECTORS, 8) / (sector / UNIT_BYTES);
    info->transfer_pages = MIN_OF(MAX_OF(pieces, 1u), chains - 2);
    info->transfer_pages = MIN_OF(info->transfer_pages, TRANSFER_PAGES);
    info->discard_sectors =
        config32(disk, FEATURE_DISCARD, CONFIG_DISCARD_MAX, 0) / (sector / UNIT_BYTES);
    info->marks = (disk->virtio.features & FEATURE_READ_ONLY) != 0 ? BLOCK_READ_ONLY : 0;
    info->marks |= (disk->virtio.features & FEATURE_FLUSH) != 0 ? BLOCK_FLUSHES : 0;
    info->marks |= info->discard_sectors != 0 ? BLOCK_DISCARDS : 0;
    return HX_OK;
}

// The largest power of two that both sides have room for.
static uint16_t queue_size(uint32_t room) {
    uint16_t size = 1;
    while (size * 2u <= MIN_OF(room, VIRTQUEUE_SIZE_MAX)) {
        size = (uint16_t)(size * 2);
    }
    return size;
}

// As many queues as the device has and there is room for; how many chains each has at least. 0:
// none.
static uint32_t queues_count(struct disk *disk, uint32_t room) {
    const bool has_many = (disk->virtio.features & FEATURE_QUEUES) != 0;
    const uint32_t offered =
        has_many ? (uint32_t)virtio_config(&disk->virtio, CONFIG_QUEUES, 2) : 1;
    uint32_t chains = 0;
    for (uint32_t i = 0; i < MIN_OF(MAX_OF(offered, 1u), room); i++) {
        const uint16_t size = queue_size(virtio_queue_room(&disk->virtio, i));
        if (size < CHAINS_MIN) {
            break;
        }
        disk->queues[i] = (struct blk_queue){ .disk = disk,
                                              .env = disk->env,
                                              .device = &disk->device,
                                              .virtio = &disk->virtio,
                                              .number = (uint16_t)i,
                                              .size = size };
        chains = i == 0 ? size : MIN_OF(chains, size);
        disk->queue_count = i + 1;
    }
    return chains;
}

static enum hx_status device_prepare(struct disk *disk, uint32_t room) {
    const struct virtio_access access = {
        .read = window_read,
        .write = window_write,
        .config = hx_device_is_pci(&disk->device) ? &disk->config : NULL,
        .context = disk,
    };
    disk->config = (struct pci_config){ .read = config_read, .context = disk };
    enum hx_status status = virtio_open(&disk->virtio, &access);
    if (status == HX_OK) {
        status = features_settle(disk);
    }
    if (status != HX_OK) {
        return status;
    }
    const uint32_t chains = queues_count(disk, room);
    return chains == 0 ? HX_ERR_NOT_SUPPORTED : describe(disk, chains);
}

// One queue is enough.
static enum hx_status queues_init(struct disk *disk) {
    const uint32_t wanted = disk->queue_count;
    for (disk->queue_count = 0; disk->queue_count < wanted; disk->queue_count++) {
        struct blk_queue *queue = &disk->queues[disk->queue_count];
        if (blk_queue_init(queue) != HX_OK) {
            blk_queue_fini(queue);
            break;
        }
    }
    return disk->queue_count != 0 ? HX_OK : HX_ERR_NO_MEMORY;
}

static enum hx_status disk_start(struct disk *disk, uint32_t index, uint32_t room) {
    hx_mutex_init(&disk->reset_lock, "virtio_blk reset");
    (void)format_string(disk->name, sizeof(disk->name), "block.%u", index);
    enum hx_status status = device_prepare(disk, room);
    if (status == HX_OK) {
        status = queues_init(disk);
    }
    if (status == HX_OK) {
        status = hx_port_provide(disk->env, "helix.block", disk->name, &disk_ops, disk);
    }
    return status;
}

// The device is reset first: it may have been told where its memory is. With interrupts of its own
// it stays.
static void disk_end(struct disk *disk) {
    if (disk->queue_count != 0 && (virtio_reset(&disk->virtio) != HX_OK || disk->events != NULL)) {
        return;
    }
    for (uint32_t i = 0; i < disk->queue_count; i++) {
        blk_queue_fini(&disk->queues[i]);
    }
    hx_free(disk->env, disk);
}

static enum hx_status blk_init(struct hx_env *env, void **out_self) {
    const uint32_t room = MIN_OF(hx_cpu_count(), QUEUES_MAX);
    struct module *module = hx_alloc(env, sizeof(*module));
    enum hx_status status = module == NULL ? HX_ERR_NO_MEMORY : HX_OK;
    *out_self = module;
    if (module == NULL) {
        return status;
    }
    for (uint32_t i = 0; i < DISKS_MAX; i++) {
        struct disk *disk = hx_alloc(env, sizeof(*disk) + room * sizeof(disk->queues[0]));
        if (disk == NULL) {
            return HX_ERR_NO_MEMORY;
        }
        disk->env = env;
        status = hx_device_open(env, "virtio:2", i, &disk->device);
        if (status == HX_ERR_NOT_FOUND) {
            hx_free(env, disk);
            return HX_OK; // no more of them
        }
        const bool is_open = status == HX_OK;
        status = is_open ? disk_start(disk, i, room) : status;
        if (status == HX_OK) {
            module->disks[i] = disk;
            continue;
        }
        hx_log(env, HX_LOG_WARNING, "device %u is not used: %s", i, hx_status_name(status));
        if (is_open) {
            disk_end(disk);
        } else {
            hx_free(env, disk);
        }
    }
    return HX_OK;
}

// No device touches memory when the machine starts anew.
static enum hx_status blk_stop(void *self) {
    const struct module *module = self;
    for (uint32_t i = 0; i < DISKS_MAX; i++) {
        if (module->disks[i] != NULL) {
            HX_IGNORE(virtio_reset(&module->disks[i]->virtio));
        }
    }
    return HX_OK;
}

static const struct hx_port_provided provided[] = { BLOCK_PORT_PROVIDED };
static const char *const driven[] = { "virtio:2" };
static const struct hx_module_ops operations = { .init = blk_init, .stop = blk_stop };

HX_MODULE(virtio_blk, .name = "virtio_blk", .version = { 1, 0, 0 }, .phase = HX_PHASE_NORMAL,
          .provides = provided, .provides_count = ARRAY_SIZE(provided), .devices = driven,
          .devices_count = ARRAY_SIZE(driven),
          .capabilities = HX_CAPABILITY_DEVICES | HX_CAPABILITY_IRQ, .ops = &operations);
