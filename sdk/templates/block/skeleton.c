// SPDX-License-Identifier: MIT OR Apache-2.0
// skeleton.c: a disk in memory, through helix.block.
#include <helix/env.h>
#include <helix/ports/block_port.h>
#include <lib/string.h>

#define SECTOR_BYTES BLOCK_SECTOR_MIN
#define DISK_BYTES   ((size_t)256 << 10)
#define SECTORS      (DISK_BYTES / SECTOR_BYTES)

struct skeleton {
    struct hx_env *env;
    struct hx_mutex lock;
    uint8_t *bytes;                    // [lock]
    const struct block_events *events; // set once, before the first transfer
    void *client;
};

static enum hx_status skeleton_attach(void *self, const struct block_events *events, void *client) {
    struct skeleton *skeleton = self;
    skeleton->events = events;
    skeleton->client = client;
    return HX_OK;
}

static enum hx_status skeleton_identify(void *self, struct block_info *out_info) {
    (void)self;
    *out_info = (struct block_info){ .sectors = SECTORS,
                                     .sector_bytes = SECTOR_BYTES,
                                     .transfer_pages = BLOCK_PAGES_MAX };
    return HX_OK;
}

static void tell(const struct skeleton *skeleton, uint64_t id, enum block_outcome outcome) {
    const struct block_completion done = { .id = id, .outcome = outcome };
    skeleton->events->completed(skeleton->client, &done, 1);
}

// Whether a transfer is of whole sectors of the disk, and of pages of its call.
static bool is_valid(const struct block_transfer *transfer, uint32_t page_count) {
    const uint64_t pages = ALIGN_UP((uint64_t)transfer->bytes, PAGE_SIZE) / PAGE_SIZE;
    return transfer->bytes != 0 && transfer->bytes % SECTOR_BYTES == 0 &&
           transfer->sector < SECTORS &&
           transfer->bytes / SECTOR_BYTES <= SECTORS - transfer->sector &&
           transfer->page < page_count && pages <= page_count - transfer->page;
}

// Between the disk and the pages; `is_write`: to the disk.
static enum hx_status move(struct skeleton *skeleton, const struct block_transfer *transfer,
                           void *const *pages, bool is_write) {
    uint8_t *place = skeleton->bytes + transfer->sector * SECTOR_BYTES;
    enum hx_status status = HX_OK;
    hx_mutex_lock(&skeleton->lock);
    for (uint32_t at = 0; at < transfer->bytes && status == HX_OK; at += PAGE_SIZE) {
        void *page = pages[transfer->page + at / PAGE_SIZE];
        const size_t length = MIN_OF(transfer->bytes - at, (uint32_t)PAGE_SIZE);
        status = is_write ? hx_page_read(skeleton->env, page, 0, place + at, length)
                          : hx_page_write(skeleton->env, page, 0, place + at, length);
    }
    hx_mutex_unlock(&skeleton->lock);
    return status;
}

static enum hx_status skeleton_read(void *self, const struct block_transfer *transfers,
                                    uint32_t count, void *const *pages, uint32_t page_count,
                                    uint32_t *out_accepted) {
    struct skeleton *skeleton = self;
    for (uint32_t i = 0; i < count; i++) {
        const bool is_good = is_valid(&transfers[i], page_count) &&
                             move(skeleton, &transfers[i], pages, false) == HX_OK;
        tell(skeleton, transfers[i].id, is_good ? BLOCK_DONE : BLOCK_FAILED);
    }
    *out_accepted = count;
    return HX_OK;
}

static enum hx_status skeleton_write(void *self, const struct block_transfer *transfers,
                                     uint32_t count, const void *const *pages, uint32_t page_count,
                                     uint32_t *out_accepted) {
    struct skeleton *skeleton = self;
    for (uint32_t i = 0; i < count; i++) {
        const bool is_good = is_valid(&transfers[i], page_count) &&
                             // Which are read alone.
                             move(skeleton, &transfers[i], (void *const *)pages, true) == HX_OK;
        tell(skeleton, transfers[i].id, is_good ? BLOCK_DONE : BLOCK_FAILED);
    }
    *out_accepted = count;
    return HX_OK;
}

// There is nothing behind the memory.
static enum hx_status skeleton_flush(void *self, uint64_t id) {
    tell(self, id, BLOCK_DONE);
    return HX_OK;
}

// Nothing is ever under way.
static enum hx_status skeleton_reset(void *self) {
    (void)self;
    return HX_OK;
}

static const struct block_ops skeleton_ops = {
    .attach = skeleton_attach,
    .identify = skeleton_identify,
    .read = skeleton_read,
    .write = skeleton_write,
    .flush = skeleton_flush,
    .reset = skeleton_reset,
};

static void skeleton_fini(void *self) {
    struct skeleton *skeleton = self;
    hx_free(skeleton->env, skeleton->bytes);
    hx_free(skeleton->env, skeleton);
}

static enum hx_status skeleton_init(struct hx_env *env, void **out_self) {
    struct skeleton *skeleton = hx_alloc(env, sizeof(*skeleton));
    if (skeleton == NULL) {
        return HX_ERR_NO_MEMORY;
    }
    skeleton->env = env;
    hx_mutex_init(&skeleton->lock, "skeleton");
    skeleton->bytes = hx_alloc(env, DISK_BYTES);
    enum hx_status status = skeleton->bytes == NULL ? HX_ERR_NO_MEMORY : HX_OK;
    if (status == HX_OK) {
        status = hx_port_provide(env, "helix.block", "skeleton", &skeleton_ops, skeleton);
    }
    if (status != HX_OK) {
        skeleton_fini(skeleton);
        return status;
    }
    *out_self = skeleton;
    return HX_OK;
}

static const struct hx_port_provided provided[] = { BLOCK_PORT_PROVIDED };
static const struct hx_module_ops operations = { .init = skeleton_init, .fini = skeleton_fini };

HX_MODULE(skeleton, .name = "skeleton", .version = { 1, 0, 0 }, .phase = HX_PHASE_NORMAL,
          .provides = provided, .provides_count = ARRAY_SIZE(provided), .ops = &operations);
